"""What has changed between a run and now: customers, refunds, time zone; other definitions; no CLV model."""

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifestage.labels.definitions import after_days
from lifestage.matured import Backtest, Round, backtest
from lifestage.matured.churn_figures import churn_figures
from lifestage.matured.ranking import captured, gini

from .conftest import (
    AS_OF,
    CLV_DAYS,
    DAY_US,
    POLICY,
    ZONE,
    Shop,
    midnight_us,
    scores,
    write_history,
    write_release,
    write_run,
)
from .test_against_loops import joined

END = midnight_us(AS_OF + timedelta(days=CLV_DAYS))
NOW = "spend_actual_now"


def judged(shop: Shop) -> Backtest:
    return backtest("shop", shop.history, shop.runs, shop.releases)


def only(shop: Shop) -> Round:
    (one,) = judged(shop).rounds
    return one


def test_customers_who_are_gone_are_left_out_and_counted(shop: Shop) -> None:
    ids = [row["customer_id"] for row in shop.scored]
    shop.history = write_history(shop.path, [r for r in shop.rows if r["customer_id"] not in ids[10:60]])
    one = only(shop)
    assert (one.customers["gone"], one.customers["matched"]) == (50, len(ids) - 50)
    assert f"50 of its {len(ids)} customers are in the history no more" in one.notes[-1].en or any(
        "50 of its" in note.en for note in one.notes
    )


def test_rows_that_came_in_later_are_told(shop: Shop) -> None:
    late = [
        {"customer_id": f"z{i}", "purchases": [(shop.as_of - DAY_US, 10.0)], "refunds": []} for i in range(30)
    ]
    before = only(shop)
    shop.history = write_history(shop.path, [*shop.rows, *late])
    one = only(shop)
    assert one.customers["strangers"] == 30
    assert any(note.en.startswith("30 customers now have rows before that day") for note in one.notes)
    assert one.churn == before.churn


def test_who_is_eligible_no_more_is_left_out_and_told(shop: Shop) -> None:
    gone = next(r["customer_id"] for r in shop.scored if r["eligible"])
    rows = [
        {**r, "purchases": [p for p in r["purchases"] if p[0] >= shop.as_of] or [(shop.as_of + DAY_US, 1.0)],
         "refunds": []} if r["customer_id"] == gone else r
        for r in shop.rows
    ]  # fmt: skip
    before = only(shop)
    shop.history = write_history(shop.path, rows)
    one = only(shop)
    assert one.customers["no_longer_eligible"] == 1
    assert one.churn["eligible"] == before.churn["eligible"] - 1
    assert any("1 customers were eligible then and are not by today's history" in n.en for n in one.notes)


def test_refunds_after_the_horizon_stand_beside_the_figures(shop: Shop) -> None:
    before = only(shop)
    rows = []
    for r in shop.rows:
        taken = [(END + 5, a, t) for t, a in r["purchases"] if shop.as_of <= t < END]
        rows.append({**r, "refunds": [*r["refunds"], *taken]})
    shop.history = write_history(shop.path, rows)
    one = only(shop)
    assert one.clv[NOW] == pytest.approx(0.0, abs=1e-6)
    assert {k: v for k, v in one.clv.items() if k != NOW} == {k: v for k, v in before.clv.items() if k != NOW}
    assert any("have since taken back" in n.en for n in one.notes)


def test_another_time_zone_now_changes_no_figure(shop: Shop) -> None:
    before = only(shop)
    shop.history = write_history(shop.path, shop.rows, AS_OF + timedelta(days=80), zone="Pacific/Auckland")
    one = only(shop)
    assert (one.churn, one.stages) == (before.churn, before.stages)
    assert {k: v for k, v in one.clv.items() if k != NOW} == {k: v for k, v in before.clv.items() if k != NOW}
    assert one.notes[0].en.startswith(
        "The shop's time zone was Europe/Berlin then and is Pacific/Auckland now"
    )


ROW = st.tuples(
    st.integers(0, 59), st.sampled_from([0, 1, DAY_US, 30 * DAY_US]), st.floats(0.01, 900), st.booleans()
)


@settings(max_examples=15, deadline=None)
@given(rows=st.lists(ROW, min_size=1, max_size=8))
def test_a_row_at_or_after_the_horizons_end_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, int, float, bool]]
) -> None:
    shop = Shop(tmp_path_factory.mktemp("shop"), n=60)
    before = only(shop)
    changed: list[dict[str, Any]] = [
        {**r, "purchases": list(r["purchases"]), "refunds": list(r["refunds"])} for r in shop.rows
    ]
    for place, offset, amount, refund in rows:
        row = changed[place]
        if refund:
            row["refunds"].append((END + offset, amount, row["purchases"][-1][0]))
        else:
            row["purchases"].append((END + offset, amount))
    shop.history = write_history(shop.path, changed)
    one = only(shop)
    assert (one.churn, one.stages, one.customers) == (before.churn, before.stages, before.customers)
    assert {k: v for k, v in one.clv.items() if k != NOW} == {k: v for k, v in before.clv.items() if k != NOW}


def test_a_release_without_a_clv_model_gives_churn_alone(shop: Shop) -> None:
    write_release(shop.releases, "plain", AS_OF, clv=False)
    rows = [
        {
            k: v
            for k, v in r.items()
            if k in ("customer_id", "as_of", "eligible", "churn_probability", "stage")
        }
        | {"release": "plain"}
        for r in shop.scored
    ]
    write_run(shop.runs, "plain", shop.as_of, "plain", rows)
    other, one = judged(shop).rounds
    assert (one.name, dict(one.complete), one.clv) == ("plain", {"churn": True, "clv": False}, {})
    assert one.churn == other.churn


def test_activity_subscription_and_given_labels(shop: Shop) -> None:
    end = after_days(shop.as_of, 30, ZONE)
    rows: list[dict[str, Any]] = []
    for i in range(40):
        stays = i % 4 != 0
        events = [(shop.as_of - DAY_US, "login", None)] + (
            [(end - 1, "login", None)] if stays else [(end, "login", None)]
        )
        terms = [(shop.as_of - 10 * DAY_US, end if stays else end - 1)]
        labels = [(shop.as_of + 5, not stays)] if i < 30 else []
        rows.append({"customer_id": f"c{i:03d}", "events": events, "subscriptions": terms, "labels": labels})
    shop.history = write_history(shop.path, rows)
    for number, (name, n) in enumerate([("activity", 40), ("subscription", 40), ("given", 30)]):
        write_release(shop.releases, name, AS_OF, churn={"definition": name}, clv=False)
        scored = [
            {"customer_id": r["customer_id"], "as_of": shop.as_of, "release": name, "eligible": True,
             "churn_probability": 0.1 + 0.01 * i, "stage": "fresh"}
            for i, r in enumerate(rows)
        ]  # fmt: skip
        write_run(shop.runs, name, shop.as_of, name, scored)
        one = next(r for r in judged(shop).rounds if r.name == name)
        left = sum(i % 4 == 0 for i in range(n))
        assert (one.churn["eligible"], one.churn["churned"]) == (n, left), name
        assert number == 2 or one.customers["no_longer_eligible"] == 0
        assert ("rule_roc_auc" in one.churn) == (name == "activity")
    assert one.customers["no_longer_eligible"] == 10
    assert any("10 customers have no label of that day" in n.en for n in one.notes)


def test_forecasts_that_knew_everything_are_perfect(shop: Shop) -> None:
    rows = []
    for r in joined(shop):
        bought = r["clv"] is not None
        rows.append({
            **{name: r[name] for name in ("customer_id", "as_of", "eligible", "stage", "release")},
            "churn_probability": float(r["churned"]) if r["eligible"] else None,
            "expected_orders": float(r["orders"]) if bought else None,
            "expected_order_value": r["spend"] / max(r["orders"], 1) if bought else None,
            "clv": r["value"] if bought else None,
            "spend_low": r["spend"] * (1 - 1e-12) if bought else None,
            "spend_high": r["spend"] * (1 + 1e-12) if bought else None,
            "p_order": float(r["orders"] > 0) if bought else None,
            "next_order_low": r["first"], "next_order_high": r["first"],
        })  # fmt: skip
    write_run(shop.runs, "oracle", shop.as_of, "r1", rows)
    one = next(r for r in judged(shop).rounds if r.name == "oracle")
    churn = {
        "calibration_error": 0,
        "calibration_error_if_perfect": 0,
        "rate_error": 0,
        "roc_auc": 1,
        "brier": 0,
    }
    assert {k: one.churn[k] for k in churn} == pytest.approx(churn, abs=1e-12)
    clv = {
        "orders_error_percent": 0, "spend_error_percent": 0, "value_error_percent": 0, "value_mae": 0, "orders_rmse": 0,
        "value_spearman": 1, "spend_coverage": 1, "next_order_coverage": 1, "order_calibration_error": 0,
    }  # fmt: skip
    assert {k: one.clv[k] for k in clv} == pytest.approx(clv, abs=1e-9)
    assert one.clv["value_gini"] == pytest.approx(one.clv["value_gini_best"])
    assert one.clv["value_top_share"] == pytest.approx(one.clv["value_top_share_best"])


def test_probabilities_that_are_true_stay_within_chance() -> None:
    rng = np.random.default_rng(0)
    p = rng.beta(2, 5, 20_000)
    found = churn_figures(p, rng.random(20_000) < p)
    assert found["calibration_error"] < found["calibration_error_chance"]
    assert abs(found["rate_error"]) < found["rate_chance"]
    assert found["calibration_error"] == pytest.approx(found["calibration_error_if_perfect"], rel=0.6)


def test_closed_forms() -> None:
    alone = np.array([0.0] * 99 + [7.0])
    assert gini(alone, alone) == pytest.approx(0.99)  # 1 - 1/n
    assert gini(np.zeros(100), alone) == pytest.approx(0.0)
    assert gini(-alone, alone) == pytest.approx(-0.99)
    line = np.arange(1.0, 101)  # (n - 1) / (3 n), the Gini index of 1..n
    assert gini(line, line) == pytest.approx(99 / 300)
    assert captured(line, line, 0.1) == pytest.approx(sum(range(91, 101)) / 5050)
    assert captured(np.ones(100), line, 0.1) == pytest.approx(0.1)
    assert np.isnan(gini(line, np.zeros(100)))


def test_a_later_run_with_other_stages_tells_no_changes(shop: Shop) -> None:
    then = AS_OF + timedelta(days=28)
    write_release(shop.releases, "r2", then, policy=POLICY.replace("version: 1", "version: 2"))
    write_run(shop.runs, "next", midnight_us(then), "r2", scores(shop.rows, midnight_us(then), "r2", seed=3))
    assert judged(shop).rounds[0].ahead == {}
