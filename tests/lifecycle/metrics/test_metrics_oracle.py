"""Every figure of lifecycle_metrics against a slow plain-Python oracle over random small shops."""

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifestage.lifecycle.metrics import LifecycleMetrics, lifecycle_metrics
from tests.lifecycle.metrics.metric_oracle import Oracle, km_quantile
from tests.lifecycle.metrics.metric_shops import (
    CORE,
    MINIMUM,
    SmallShop,
    frame_table,
    small_policy,
    small_shop,
)

GROUPS = st.sampled_from([None, None, "tier", "city", "cohort", "acquisition_channel"])
CORES = st.sampled_from([None, CORE])
SEEDS = st.integers(0, 2**32)
POLICIES = {core: small_policy(core) for core in (None, CORE)}
POLICY = POLICIES[None]


def metrics(shop: SmallShop, group: str | None = None, core: str | None = None) -> LifecycleMetrics:
    history = shop.history()
    # in two blocks, as a large shop comes
    half = len(history) // 2
    parts = [history.take(np.arange(half)), history.take(np.arange(half, len(history)))]
    return lifecycle_metrics(parts, shop.tables(), POLICIES[core], group, minimum=MINIMUM, zone=shop.zone)


def us(value: Any) -> int | None:
    return None if value is None else round(value.timestamp() * 1_000_000)


def close(a: float | None, b: float | None) -> bool:
    return a is b if a is None or b is None else math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9)


DERIVED = {"time_in_stage", "time_to_first_value", "lifetime", "plain_lifetime_value"}
COUNTS = {"customers", "survey_count", "lifetime_value_total"}


@settings(max_examples=40, deadline=None)
@given(SEEDS, GROUPS, CORES)
def test_figures_equal_the_oracle(seed: int, group: str | None, core: str | None) -> None:
    shop = small_shop(seed)
    rows = metrics(shop, group, core).figures.to_pylist()
    got = {
        (us(r["start"]), us(r["end"]), r["group"], r["stage"], r["metric"]): r
        for r in rows
        if r["metric"] not in DERIVED
    }
    assert len(got) == sum(r["metric"] not in DERIVED for r in rows)
    expected = Oracle(shop, group, core).figures()
    found = {key for key in got if key[-1] != "survey_count" or got[key]["denominator"]}
    assert found == set(expected)
    for key, (numerator, denominator, customers) in expected.items():
        row = got[key]
        assert close(row["numerator"], numerator), key
        assert close(row["denominator"], denominator), key
        assert row["customers"] == customers, key
        scale = 100 if key[-1] == "nps" else 1
        value = scale * numerator / denominator if customers >= MINIMUM else None
        assert close(row["value"], numerator if key[-1] in COUNTS else value), key


@settings(max_examples=20, deadline=None)
@given(SEEDS, GROUPS)
def test_lifetimes_and_the_plain_formula_equal_the_oracle(seed: int, group: str | None) -> None:
    shop = small_shop(seed)
    oracle = Oracle(shop, group, None)
    expected = oracle.lifetimes()
    for row in metrics(shop, group).figures.to_pylist():
        if row["metric"] in ("lifetime", "plain_lifetime_value") and row["value"] is not None:
            key: tuple[Any, ...] = (us(row["end"]), row["group"])
            key = (*key, "plain") if row["metric"] == "plain_lifetime_value" else key
            assert close(row["value"], expected[key])


@settings(max_examples=20, deadline=None)
@given(SEEDS, GROUPS)
def test_moves_and_flow_equal_the_oracle_and_add_up(seed: int, group: str | None) -> None:
    shop = small_shop(seed)
    result = metrics(shop, group)
    expected = Oracle(shop, group, None).moves()
    got = {}
    for r in result.transitions.to_pylist():
        key = (us(r["start"]), us(r["end"]), r["group"], r["from_stage"], r["to_stage"])
        got[key] = r["customers"]
        whole = sum(n for k, n in expected.items() if k[:4] == key[:4])
        assert r["from_customers"] == whole
        assert close(r["share"], r["customers"] / whole if whole >= MINIMUM else None)
    assert got == expected
    staged = {(us(r["as_of"]), r["group"], r["stage"]): r["customers"] for r in result.stages.to_pylist()}
    for r in result.flow.to_pylist():
        start, end = us(r["start"]), us(r["end"])
        mine = {k[3:]: n for k, n in expected.items() if k[:3] == (start, end, r["group"])}

        def count(before: Any, after: Any, mine: dict[Any, int] = mine) -> int:
            return sum(n for (b, a), n in mine.items() if before(b) and after(a))

        def active(stage: str) -> bool:
            return stage not in ("away", "new", "gone")

        assert r["new"] == count(lambda b: b == "new", lambda _: True)
        assert r["kept"] == count(active, active)
        assert r["lost"] == count(active, lambda a: a == "away")
        assert r["returned"] == count(lambda b: b == "away", active)
        assert r["start_customers"] == r["kept"] + r["lost"] + r["returned"] + r["still_lost"] + r["gone"]
        assert r["end_customers"] == r["new"] + r["kept"] + r["lost"] + r["returned"] + r["still_lost"]
        if r["group"] is None:
            for instant, name in ((start, "start_customers"), (end, "end_customers")):
                assert r[name] == sum(n for k, n in staged.items() if k[:2] == (instant, None))


@settings(max_examples=30, deadline=None)
@given(SEEDS, GROUPS)
def test_stays_equal_the_oracle(seed: int, group: str | None) -> None:
    shop = small_shop(seed)
    result = metrics(shop, group)
    expected = Oracle(shop, group, None).stays()
    got = {(r["group"], r["stage"]): r for r in result.stays.to_pylist()}
    assert set(got) == {(g, s) for g, s, *_ in expected}
    for (g, s), row in got.items():
        mine = [(entry, exit_, ended) for gg, ss, entry, exit_, _, ended in expected if (gg, ss) == (g, s)]
        known = [(entry, exit_, ended) for entry, exit_, ended in mine if entry is not None]
        assert row["unknown_start"] == len(mine) - len(known)
        assert row["stays"] == len(known) == row["completed"] + row["running"]
        assert row["completed"] == sum(ended for *_, ended in known)
        for name, share in (("quarter_days", 0.25), ("median_days", 0.5), ("three_quarter_days", 0.75)):
            assert row[name] == (km_quantile(known, share) if len(known) >= MINIMUM else None)


@settings(max_examples=20, deadline=None)
@given(SEEDS, GROUPS)
def test_cohorts_equal_the_oracle(seed: int, group: str | None) -> None:
    shop = small_shop(seed)
    expected = Oracle(shop, group, None).cohorts()
    got = {(r["group"], r["cohort"], r["month"]): r for r in metrics(shop, group).cohorts.to_pylist()}
    assert set(got) == set(expected)
    for key, (customers, active) in expected.items():
        assert (got[key]["customers"], got[key]["active"]) == (customers, active)
        shown = active is not None and customers >= MINIMUM
        assert close(got[key]["share"], active / customers if shown and active is not None else None)


@settings(max_examples=20, deadline=None)
@given(SEEDS, GROUPS)
def test_channels_equal_the_oracle(seed: int, group: str | None) -> None:
    shop = small_shop(seed)
    expected = Oracle(shop, group, None).channels()
    for r in metrics(shop, group).channels.to_pylist():
        numerator, denominator, customers = expected[r["group"], r["channel"], r["metric"]]
        assert close(r["numerator"], numerator)
        assert close(r["denominator"], denominator)
        assert r["customers"] == customers
        told = customers >= MINIMUM and denominator != 0
        assert close(r["value"], numerator / denominator if told else None)


@settings(max_examples=20, deadline=None)
@given(SEEDS, GROUPS)
def test_no_row_at_or_after_the_newest_instant_changes_anything(seed: int, group: str | None) -> None:
    shop = small_shop(seed)
    newest = max(shop.frames)
    cut: dict[str, dict[str, Any]] = {}
    for customer, row in shop.customers.items():
        cut[customer] = dict(row)
        for kind in ("purchases", "events", "feedback", "subscriptions"):
            cut[customer][kind] = [r for r in row[kind] if r[0] < newest]
        cut[customer]["subscriptions"] = [
            (t, None if end is not None and end >= newest else end, *rest)
            for t, end, *rest in cut[customer]["subscriptions"]
        ]
        if (row.get("signed_up_at") or 0) >= newest:
            del cut[customer]["signed_up_at"]
    earlier = metrics(SmallShop(shop.zone, cut, shop.frames), group)
    whole = metrics(shop, group)
    for name, table in whole.tables().items():
        assert table.equals(earlier.tables()[name]), name


def test_a_refund_lowers_the_periods_value_and_a_refunded_order_is_none() -> None:
    day = 86_400_000_000
    rows = {"a": {"purchases": [(5 * day, 40.0), (12 * day, 30.0), (13 * day, 20.0)]}}
    rows["a"]["refunds"] = [
        (14 * day, 10.0, 12 * day),
        (15 * day, 20.0, 13 * day),
        (30 * day, 20.0, 12 * day),
    ]  # type: ignore[list-item]
    frame = {"a": {"stage": "fresh"}}
    shop = SmallShop("UTC", rows, {10 * day: frame, 20 * day: frame})
    found = {
        r["metric"]: (r["numerator"], r["denominator"])
        for r in lifecycle_metrics(shop.history(), shop.tables(), POLICY, minimum=1).figures.to_pylist()
        if r["stage"] is None and r["start"] is not None
    }
    assert found["average_order_value"] == (20.0, 1.0)
    assert found["repurchase_rate"] == (1.0, 1.0)


def test_what_the_shop_has_no_rows_of_is_not_told_as_zero() -> None:
    day = 86_400_000_000
    frame = {"a": {"stage": "fresh"}}
    shop = SmallShop("UTC", {"a": {"purchases": [(5 * day, 40.0)]}}, {10 * day: frame, 20 * day: frame})
    result = lifecycle_metrics(shop.history(), shop.tables(), POLICY, minimum=1)
    told = set(result.figures["metric"].to_pylist())
    assert {"repurchase_rate", "churn_rate", "core_feature_use"} <= told
    assert not told & {"nps", "csat", "active_rate", "renewal_rate", "cross_sell_rate", "survey_count"}
    assert set(result.channels["metric"].to_pylist()) == {
        "channel_conversion",
        "first_order_value_by_channel",
        "repurchase_potential_by_channel",
    }


def test_bad_frames_are_refused_in_one_sentence() -> None:
    from lifestage.errors import InputError

    shop = small_shop(1)
    history, good = shop.history(), frame_table({"c00": {"stage": "fresh"}})
    with pytest.raises(InputError, match="no frame is given; score at least once"):
        lifecycle_metrics(history, {}, POLICY)
    with pytest.raises(InputError, match="frame of 5 has no column 'stage'"):
        lifecycle_metrics(history, {5: good.drop_columns(["stage"])}, POLICY)
    with pytest.raises(InputError, match="customer 'c00' stands twice in the frame of 5"):
        lifecycle_metrics(history, {5: pa.concat_tables([good, good])}, POLICY)
    with pytest.raises(InputError, match=r"no column 'colour' to group by; frames and profile have: .*tier"):
        lifecycle_metrics(history, {5: good}, POLICY, "colour")
    with pytest.raises(InputError, match="zone is missing"):
        lifecycle_metrics([history], {5: good}, POLICY)
    many = frame_table({f"c{i}": {"stage": "fresh", "tier": f"t{i}"} for i in range(130)})
    with pytest.raises(InputError, match="'tier' has more than 120 different values"):
        lifecycle_metrics(history, {5: many}, POLICY, "tier")
