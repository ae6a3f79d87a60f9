"""The purchase family against the plain-Python oracle, and its catalogue."""

import math
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifestage.features import CATALOGUE, compute, names
from tests.builders import DAY, HOUR, INSTANTS, ZONES, customers, make_history, us
from tests.features import oracle, oracle_habits


def cents(row: dict[str, Any]) -> dict[str, Any]:
    """A builder's row as the oracle wants it."""
    return {
        "purchases": [(t, round(a * 100)) for t, a in row.get("purchases", [])],
        "refunds": [(t, round(a * 100), order) for t, a, order in row.get("refunds", [])],
        "events": [e[0] for e in row.get("events", [])],
        "signed_up_at": row.get("signed_up_at"),
    }


def one(row: dict[str, Any], cutoff: int, zone: str = "UTC") -> dict[str, float]:
    columns = compute(make_history([row], zone).before(cutoff))
    return {name: float(values[0]) for name, values in columns.items()}


@settings(max_examples=100, deadline=None)
@given(rows=st.lists(customers(), min_size=1, max_size=5), cutoff=INSTANTS, zone=ZONES)
def test_compute_equals_plain_python(rows: list[dict[str, Any]], cutoff: int, zone: str) -> None:
    columns = compute(make_history(rows, zone).before(cutoff))
    for i, row in enumerate(rows):
        given_row = cents(row)
        expected = oracle.features(**given_row, cutoff=cutoff, zone=zone)
        kept = oracle.occasions(given_row["purchases"], given_row["refunds"], cutoff)
        habits = oracle_habits.features([(*k, None, None, None) for k in kept], cutoff, zone)
        expected |= {name: value for name, value in habits.items() if name in CATALOGUE}
        assert expected.keys() == columns.keys()
        for name, value in expected.items():
            got = float(columns[name][i])
            assert got == pytest.approx(value, rel=1e-9, abs=1e-9, nan_ok=True), (name, i)


@settings(max_examples=100, deadline=None)
@given(rows=st.lists(customers(), max_size=4), cutoff=INSTANTS, zone=ZONES)
def test_compute_gives_the_catalogue_finite_or_missing(
    rows: list[dict[str, Any]], cutoff: int, zone: str
) -> None:
    columns = compute(make_history(rows, zone).before(cutoff))
    assert list(columns) == names() == list(CATALOGUE)
    for name, values in columns.items():
        assert values.dtype == np.float64 and values.shape == (len(rows),), name
        assert not np.isinf(values).any(), name


def test_compute_of_a_long_customer() -> None:
    rng = np.random.default_rng(3)
    t = np.sort(rng.integers(us("2019-01-01"), us("2023-01-01"), 2_000)).tolist()
    row: dict[str, Any] = {
        "purchases": [(when, int(c) / 100) for when, c in zip(t, rng.integers(0, 9_999, 2_000), strict=False)]
    }
    row["refunds"] = [(when + 3 * DAY, 40.0, None) for when in t[::7]]
    cutoff = us("2022-06-01T05:00")
    expected = oracle.features(**cents(row), cutoff=cutoff, zone="America/New_York")
    found = one(row, cutoff, "America/New_York")
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_counts_are_zero_and_the_rest_missing_without_a_purchase() -> None:
    values = one({}, us("2022-01-01"))
    zero = {name for name, value in values.items() if value == 0}
    assert zero == {n for n in values if n.startswith(("orders_", "spend_"))} | {
        "order_count", "purchase_days", "refund_count", "refund_count_90d", "refund_total"
    }  # fmt: skip
    assert all(math.isnan(value) for name, value in values.items() if name not in zero)


def test_window_edges_belong_to_the_window() -> None:
    cutoff = us("2022-01-01")
    at_edge = one({"purchases": [(cutoff - 7 * DAY, 5.0)]}, cutoff)
    assert (at_edge["orders_7d"], at_edge["spend_7d"], at_edge["days_since_last_order"]) == (1, 5.0, 7.0)
    outside = one({"purchases": [(cutoff - 7 * DAY - 1, 5.0)]}, cutoff)
    assert (outside["orders_7d"], outside["orders_14d"]) == (0, 1)
    assert one({"purchases": [(cutoff, 5.0)]}, cutoff)["order_count"] == 0
    assert one({"purchases": [(cutoff - 1, 5.0)]}, cutoff)["order_count"] == 1


def test_orders_of_one_local_day_are_one_purchase_day() -> None:
    day = us("2022-03-01T05:00")  # midnight in New York
    row = {"purchases": [(day, 1.0), (day + 23 * HOUR, 2.0), (day + 24 * HOUR, 3.0)]}
    new_york = one(row, day + 3 * DAY, "America/New_York")
    assert (new_york["purchase_days"], new_york["mean_gap_days"], new_york["order_count"]) == (2, 1, 3)
    assert one(row, day + 3 * DAY, "UTC")["purchase_days"] == 2
    earlier = {"purchases": [(day - 1, 1.0), (day, 2.0)]}
    assert one(earlier, day + DAY, "America/New_York")["purchase_days"] == 2
    assert one(earlier, day + DAY, "UTC")["purchase_days"] == 1


def test_gaps_stay_positive_where_the_clock_falls_back_behind_midnight() -> None:
    # Newfoundland, 2010-11-07: 00:01 became 23:01 of the day before.
    begun = us("2010-11-07T00:00:30-02:30")
    row = {
        "purchases": [
            (begun - 3 * HOUR, 1.0),
            (begun, 1.0),
            (begun + HOUR // 2, 1.0),
            (begun + 2 * HOUR, 1.0),
        ]
    }
    values = one(row, begun + DAY, "America/St_Johns")
    assert (values["purchase_days"], values["min_gap_days"], values["max_gap_days"]) == (2, 1, 1)
    assert math.isfinite(values["recency_over_mean_gap"])


def test_a_later_full_refund_takes_the_occasion_away_only_from_then_on() -> None:
    first, second = us("2022-01-01"), us("2022-02-01")
    row = {"purchases": [(first, 10.0), (second, 20.0)], "refunds": [(second + 5 * DAY, 20.0, second)]}
    before, after = one(row, second + 5 * DAY), one(row, second + 5 * DAY + 1)
    assert (before["order_count"], before["last_order_value"], before["refund_count"]) == (2, 20.0, 0)
    assert (after["order_count"], after["last_order_value"], after["refund_count"]) == (1, 10.0, 1)
    assert after["refund_share"] == pytest.approx(20 / 30)


@pytest.mark.parametrize("name", names())
def test_catalogue_entry_is_documented(name: str) -> None:
    feature = CATALOGUE[name]
    assert feature.name == name and feature.family
    assert feature.unit in {"orders", "currency", "days", "ratio", "refunds", "hours", "nats"}
    assert len(feature.meaning) > 10 and not re.search(r"[一-鿿]", feature.meaning)
    assert re.search(r"[一-鿿]", feature.meaning_zh)
    in_name = re.search(r"_(\d+)d$", name)
    if in_name:
        days = int(in_name[1]) * (2 if "_change_" in name else 1)
        assert feature.window_days == days and in_name[1] in feature.meaning


def test_meanings_are_distinct() -> None:
    for meanings in ([f.meaning for f in CATALOGUE.values()], [f.meaning_zh for f in CATALOGUE.values()]):
        assert len(set(meanings)) == len(meanings)
