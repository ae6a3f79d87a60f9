"""The Kaplan-Meier estimate against published values, and with delayed entry against a plain loop."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifestage.lifecycle.metrics.durations import SEEN_FROM_START, Durations
from lifestage.lifecycle.metrics.kaplan_meier import quantile, survival
from tests.lifecycle.metrics.metric_oracle import km_quantile

# Weeks of remission under 6-MP: Freireich et al. (1963), Blood 21; estimate as printed in Klein and Moeschberger
# (2003), example 4.1: 0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448.
ENDED = [6, 6, 6, 7, 10, 13, 16, 22, 23]
RUNNING = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]


def test_the_leukaemia_remissions_of_the_literature() -> None:
    exits = np.array(ENDED + RUNNING)
    ended = np.array([1] * len(ENDED) + [0] * len(RUNNING))
    curve = survival(np.full(len(exits), -1), exits, ended, np.ones(len(exits), np.int64))
    assert curve.days.tolist() == [6, 7, 10, 13, 16, 22, 23]
    assert curve.survival == pytest.approx([0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448], abs=6e-4)
    assert quantile(curve, 0.5) == 23
    assert quantile(curve, 0.6) is None


STAYS = st.lists(st.tuples(st.integers(-1, 12), st.integers(0, 9), st.booleans()), max_size=14)


@settings(max_examples=100, deadline=None)
@given(STAYS, st.sampled_from([0.25, 0.5, 0.75]))
def test_quantiles_equal_a_plain_loop(drawn: list[tuple[int, int, bool]], share: float) -> None:
    stays = [(entry, max(entry, 0) + length, ended) for entry, length, ended in drawn]
    stays = [(entry, exit_, ended and exit_ > entry) for entry, exit_, ended in stays]
    found = Durations()
    for part in (stays[::2], stays[1::2]):
        entry, exit_, ended = (np.array([s[i] for s in part], np.int64) for i in range(3))
        found.add(np.full(len(part), 3), entry, exit_, ended.astype(bool))
    count, over, curve = found.curve([3])
    assert (count, over) == (len(stays), sum(ended for *_, ended in stays))
    assert quantile(curve, share) == km_quantile(stays, share)
    assert found.curve([2])[0] == 0


def test_durations_of_many_years_stay_in_their_cell() -> None:
    found = Durations()
    found.add(np.array([1]), np.array([SEEN_FROM_START]), np.array([10**6]), np.array([True]))
    assert found.curve([1])[:2] == (1, 1)
    assert found.curve([0, 2])[0] == 0
