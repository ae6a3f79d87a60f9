"""The order of flat rows."""

import numpy as np
import pytest

from lifestage.record_lists import total_order


@pytest.mark.parametrize("customers", [1, 3, 1_000, 50_000])
def test_rows_are_ordered_by_owner_then_time_then_place(customers: int) -> None:
    """Few owners take one sort of one number, many take two keys: 150 years times 50,000 do not fit into 63 bits."""
    draw = np.random.default_rng(customers)
    owner = np.sort(draw.integers(0, customers, 5_000))
    t = draw.integers(-(2 * 10**15), 3 * 10**15, 5_000) // 10**13 * 10**13  # with ties
    order = total_order(owner, t)
    expected = sorted(range(5_000), key=lambda i: (owner[i], t[i]))
    assert order.tolist() == expected
