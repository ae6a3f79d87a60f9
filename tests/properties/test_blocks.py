"""A customer's figures have the same bits alone and in any block, whoever the neighbours are."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifestage.clv.summary import summarise
from lifestage.features import compute
from lifestage.history import History
from lifestage.labels import bought_within, outcome
from lifestage.localtime import local_days
from tests.builders import DAY, INSTANTS, ZONES, full_customers, make_history, us
from tests.features.families import SPEC

Figures = dict[str, np.ndarray[Any, Any]]


def figures(history: History, cutoff: int) -> Figures:
    view = history.before(cutoff)
    bought = view.purchases
    today = int(local_days(np.array([cutoff]), view.zone)[0])
    summary = summarise(bought.starts, bought.ends, bought.day, bought.amount, today)
    after = outcome(history.window(cutoff, cutoff + 90 * DAY))
    return {
        **compute(view, SPEC),
        "frequency": summary.frequency,
        "recency": summary.recency,
        "T": summary.T,
        "monetary_value": summary.monetary_value,
        "eligible": bought_within(view, 365),
        "orders": after.orders,
        "spend": after.spend,
        "known": history.known(cutoff),
    }


def same_bits(block: Figures, parts: list[Figures]) -> None:
    for name, values in block.items():
        joined = b"".join(part[name].tobytes() for part in parts)
        assert values.tobytes() == joined, name


@settings(max_examples=80, deadline=None)
@given(rows=st.lists(full_customers(), max_size=7), cutoff=INSTANTS, zone=ZONES)
def test_alone_equals_block(rows: list[dict[str, Any]], cutoff: int, zone: str) -> None:
    same_bits(
        figures(make_history(rows, zone), cutoff), [figures(make_history([r], zone), cutoff) for r in rows]
    )


@settings(max_examples=50, deadline=None)
@given(
    rows=st.lists(full_customers(), min_size=2, max_size=7),
    cuts=st.lists(st.integers(0, 7), max_size=3),
    cutoff=INSTANTS,
    zone=ZONES,
)
def test_any_cut_into_blocks_gives_the_same(
    rows: list[dict[str, Any]], cuts: list[int], cutoff: int, zone: str
) -> None:
    edges = [0, *sorted(min(c, len(rows)) for c in cuts), len(rows)]  # equal edges make blocks of no customer
    parts = [figures(make_history(rows[a:b], zone), cutoff) for a, b in itertools.pairwise(edges)]
    same_bits(figures(make_history(rows, zone), cutoff), parts)


T = us("2022-01-01")
FULL: dict[str, Any] = {
    "purchases": [(T - 50 * DAY, 0.1), (T - 20 * DAY, 0.2), (T - DAY, 0.3), (T + DAY, 5.0)],
    "refunds": [(T - 10 * DAY, 0.1, None)],
}
LATER: dict[str, Any] = {"purchases": [(T, 1.0), (T + DAY, 2.0)], "refunds": [(T + DAY, 1.0, None)]}
GIVEN_BACK: dict[str, Any] = {"purchases": [(T - 9 * DAY, 7.0)], "refunds": [(T - 8 * DAY, 7.0, None)]}


@pytest.mark.parametrize(
    "rows",
    [
        [{}, FULL],
        [FULL, {}],
        [FULL, {}, FULL],
        [{}, {}, FULL, {}, {}],
        [{}, {}],
        [],
        [LATER, FULL, LATER],
        [GIVEN_BACK, FULL, GIVEN_BACK],
        [{"refunds": [(T - DAY, 2.0, None)]}, FULL, LATER, {}],
    ],
    ids=["first", "last", "middle", "edges", "no purchases", "nobody", "later", "given back", "refund only"],
)
def test_empty_customers_at_every_place(rows: list[dict[str, Any]]) -> None:
    same_bits(figures(make_history(rows), T), [figures(make_history([r]), T) for r in rows])


def test_many_customers_and_awkward_amounts() -> None:
    """Sums whose last bit depends on their order would show here."""
    rng = np.random.default_rng(11)
    rows: list[dict[str, Any]] = []
    for _ in range(300):
        n = int(rng.integers(0, 40))
        t = np.sort(rng.integers(T - 700 * DAY, T + 100 * DAY, n)).tolist()
        amounts = rng.lognormal(0, 9, n).tolist()
        row: dict[str, Any] = {"purchases": list(zip(t, amounts, strict=True))}
        if n > 3:
            row["refunds"] = [(t[2] + DAY, amounts[2] / 3, None), (t[3], amounts[1] * 2, t[1])]
        rows.append(row)
    zone = "Europe/London"
    same_bits(figures(make_history(rows, zone), T), [figures(make_history([r], zone), T) for r in rows])
