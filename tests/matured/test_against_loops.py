"""Every figure of a run, worked out once more by plain loops over raw rows."""

import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from lifestage.matured import backtest

from .conftest import (
    ACTIVE_DAYS,
    AS_OF,
    CHURN_DAYS,
    CLV_DAYS,
    DAY_US,
    MARGIN,
    RATE,
    STAGES,
    UNTIL,
    Shop,
    local_day,
    midnight_us,
    scores,
    write_release,
    write_run,
)

Row = Mapping[str, Any]


def net_orders(row: Row, start: int, end: int, known: int) -> list[tuple[int, float]]:
    """(instant, net amount) of the orders in [start, end), refunds with t < known; fully refunded ones are none."""
    found = []
    for t, amount in row["purchases"]:
        if start <= t < end:
            left = amount - sum(taken for at, taken, of in row["refunds"] if of == t and at < known)
            if left > 1e-9 * amount:
                found.append((t, max(left, 0.0)))
    return found


def bins_of(p: Sequence[float], y: Sequence[float], bins: int = 10) -> float:
    """Expected calibration error over bins of equal size; equal probabilities share their mean outcome."""
    pairs = sorted(zip(p, y, strict=True))
    means = {}
    for value in {a for a, _ in pairs}:
        same = [b for a, b in pairs if a == value]
        means[value] = sum(same) / len(same)
    n, total = len(pairs), 0.0
    edges = [int(k * n / bins) for k in range(bins + 1)]
    for low, high in pairwise(edges):
        inside = [a for a, _ in pairs[low:high]]
        total += abs(sum(means[a] for a in inside) - sum(inside))
    return total / n


def perfect_bins(p: Sequence[float]) -> float:
    ordered, n, total, low = sorted(p), len(p), 0.0, 0
    for k in range(10):
        size = n // 10 + (k < n % 10)
        inside = ordered[low : low + size]
        total += math.sqrt(sum(a * (1 - a) for a in inside) * 2 / math.pi)
        low += size
    return total / n


def auc(score: Sequence[float], y: Sequence[bool]) -> float:
    wins = pairs = 0.0
    for a, b in zip(score, y, strict=True):
        if b:
            for c, d in zip(score, y, strict=True):
                if not d:
                    pairs += 1
                    wins += 1.0 if a > c else 0.5 if a == c else 0.0
    return wins / pairs


def average_precision(score: Sequence[float], y: Sequence[bool]) -> float:
    total = sum(y)
    found = area = seen = hits = 0.0
    for value in sorted(set(score), reverse=True):
        for s, b in zip(score, y, strict=True):
            if s == value:
                seen += 1
                hits += b
        area += (hits - found) / total * (hits / seen)
        found = hits
    return area


def curve(score: Sequence[float], outcome: Sequence[float]) -> list[float]:
    """Outcome held by the best 0, 1, 2 ... customers; ties share."""
    held = [0.0]
    for value in sorted(set(score), reverse=True):
        same = [o for s, o in zip(score, outcome, strict=True) if s == value]
        for _ in same:
            held.append(held[-1] + sum(same) / len(same))
    return held


def top(score: Sequence[float], outcome: Sequence[float], share: float = 0.1) -> float:
    held, place = curve(score, outcome), share * len(score)
    low = int(place)
    value = held[low] + (place - low) * (held[min(low + 1, len(held) - 1)] - held[low])
    return value / held[-1]


def gini(score: Sequence[float], outcome: Sequence[float]) -> float:
    held = curve(score, outcome)
    area = sum((a + b) / 2 for a, b in pairwise(held)) / held[-1] / len(score)
    return 2 * area - 1


def midranks(values: Sequence[float]) -> list[float]:
    return [sum(v < w for v in values) + (sum(v == w for v in values) + 1) / 2 for w in values]


def spearman(a: Sequence[float], b: Sequence[float]) -> float:
    one, two = midranks(a), midranks(b)
    middle = (len(a) + 1) / 2
    top_ = sum((x - middle) * (y - middle) for x, y in zip(one, two, strict=True))
    return top_ / math.sqrt(sum((x - middle) ** 2 for x in one) * sum((y - middle) ** 2 for y in two))


def joined(shop: Shop) -> list[dict[str, Any]]:
    """Score and raw rows of each customer of the run, with what came."""
    by_id = {row["customer_id"]: row for row in shop.rows}
    churn_end = midnight_us(AS_OF + timedelta(days=CHURN_DAYS))
    clv_end = midnight_us(AS_OF + timedelta(days=CLV_DAYS))
    now = midnight_us(UNTIL + timedelta(days=1))
    found = []
    for score in shop.scored:
        row = by_id[score["customer_id"]]
        came = net_orders(row, shop.as_of, clv_end, clv_end)
        before = net_orders(row, 0, shop.as_of, shop.as_of)
        days = sorted({local_day(t) for t, _ in before})
        spans = {d: sum(a for t, a in before if local_day(t) == d) for d in days}
        repeat = days[1:]
        age = max((AS_OF - days[0]).days, 1) if days else 1
        rate = len(repeat) / age * CLV_DAYS
        churn_orders = net_orders(row, shop.as_of, churn_end, churn_end)
        found.append({
            **score,
            "churned": not churn_orders,
            "orders": len({local_day(t) for t, _ in came}),
            "spend": sum(a for _, a in came),
            "spend_now": sum(a for _, a in net_orders(row, shop.as_of, clv_end, now)),
            "value": MARGIN * sum(a * (1 + RATE) ** (-(t - shop.as_of) / DAY_US / 365.25) for t, a in came),
            "first": came[0][0] if came else None,
            "silent": (shop.as_of - before[-1][0]) / DAY_US if before else None,
            "rate_orders": rate,
            "rate_spend": rate * (sum(spans[d] for d in repeat) / len(repeat) if repeat else 0.0),
        })  # fmt: skip
    return found


def test_churn_of_one_run(shop: Shop) -> None:
    (one,) = backtest("shop", shop.history, shop.runs, shop.releases).rounds
    rows = [r for r in joined(shop) if r["eligible"]]
    p, y = [r["churn_probability"] for r in rows], [r["churned"] for r in rows]
    n, rate = len(rows), sum(y) / len(rows)
    assert 0.1 < rate < 0.9
    rarer = y if rate <= 0.5 else [not b for b in y]
    sign = 1 if rate <= 0.5 else -1
    silent = [r["silent"] for r in rows]
    expected = {
        "eligible": n,
        "churned": sum(y),
        "predicted_churned": sum(p),
        "observed_rate": rate,
        "predicted_rate": sum(p) / n,
        "rate_error": sum(p) / n - rate,
        "rate_chance": 1.96 * math.sqrt(sum(q * (1 - q) for q in p)) / n,
        "calibration_error": bins_of(p, y),
        "calibration_error_if_perfect": perfect_bins(p),
        "log_loss": -sum(math.log(q if b else 1 - q) for q, b in zip(p, y, strict=True)) / n,
        "log_loss_of_rate": -rate * math.log(rate) - (1 - rate) * math.log(1 - rate),
        "brier": sum((q - b) ** 2 for q, b in zip(p, y, strict=True)) / n,
        "roc_auc": auc(p, y),
        "average_precision": average_precision([sign * q for q in p], rarer),
        "rarer_share": min(rate, 1 - rate),
        "lift": top(p, y) / 0.1,
        "riskiest_rate": top(p, y) / 0.1 * rate,
        "rule_roc_auc": auc(silent, y),
        "rule_average_precision": average_precision([sign * s for s in silent], rarer),
        "rule_lift": top(silent, y) / 0.1,
    }
    found = dict(one.churn)
    assert found.pop("calibration_error_chance") > expected["calibration_error_if_perfect"]
    assert found == pytest.approx(expected, rel=1e-9)


def test_orders_spend_and_value_of_one_run(shop: Shop) -> None:
    (one,) = backtest("shop", shop.history, shop.runs, shop.releases).rounds
    rows = [r for r in joined(shop) if r["clv"] is not None]
    n = len(rows)
    pairs = {
        "orders": ([r["expected_orders"] for r in rows], [r["orders"] for r in rows]),
        "spend": ([r["expected_orders"] * r["expected_order_value"] for r in rows], [r["spend"] for r in rows]),
        "value": ([r["clv"] for r in rows], [r["value"] for r in rows]),
    }  # fmt: skip
    expected: dict[str, float] = {"buyers": n, "spend_actual_now": sum(r["spend_now"] for r in rows)}
    for name, (a, b) in pairs.items():
        mean = sum(b) / n
        expected |= {
            f"{name}_predicted": sum(a),
            f"{name}_actual": sum(b),
            f"{name}_error_percent": 100 * (sum(a) - sum(b)) / sum(b),
            f"{name}_mae": sum(abs(x - y) for x, y in zip(a, b, strict=True)) / n,
            f"{name}_rmse": math.sqrt(sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) / n),
            f"{name}_mae_of_mean": sum(abs(mean - y) for y in b) / n,
        }
        if name != "value":
            rule = [r[f"rate_{name}"] for r in rows]
            expected |= {
                f"rate_{name}_error_percent": 100 * (sum(rule) - sum(b)) / sum(b),
                f"rate_{name}_mae": sum(abs(x - y) for x, y in zip(rule, b, strict=True)) / n,
                f"rate_{name}_rmse": math.sqrt(sum((x - y) ** 2 for x, y in zip(rule, b, strict=True)) / n),
            }
    clv, value = pairs["value"]
    p, came = [r["p_order"] for r in rows], [r["orders"] > 0 for r in rows]
    buyers = [r for r in rows if r["first"] is not None]
    expected |= {
        "value_top_share": top(clv, value),
        "value_top_share_best": top(value, value),
        "value_gini": gini(clv, value),
        "value_gini_best": gini(value, value),
        "value_spearman": spearman(clv, value),
        "spend_coverage": sum(r["spend_low"] <= r["spend"] <= r["spend_high"] for r in rows) / n,
        "spend_promised": sum(0.8 if q > 0.9 else 0.9 if q > 0.1 else 1 - q for q in p) / n,
        "order_predicted": sum(p) / n,
        "order_actual": sum(came) / n,
        "order_calibration_error": bins_of(p, came),
        "order_calibration_error_if_perfect": perfect_bins(p),
        "next_orders": len(buyers),
        "next_order_coverage": sum(r["next_order_low"] <= r["first"] <= r["next_order_high"] for r in buyers)
        / len(buyers),
        "next_order_before": sum(r["first"] < r["next_order_low"] for r in buyers) / len(buyers),
        "next_order_after": sum(r["first"] > r["next_order_high"] for r in buyers) / len(buyers),
    }
    assert expected["spend_actual_now"] < expected["spend_actual"]  # refunds came later
    assert dict(one.clv) == pytest.approx(expected, rel=1e-9)


def test_stages_and_foreseen_changes(shop: Shop) -> None:
    then = AS_OF + timedelta(days=28)
    later_at = midnight_us(then)
    write_release(shop.releases, "r2", then)
    later = scores(shop.rows, later_at, "r2", seed=3)
    write_run(shop.runs, "as-of-2022-04-07", later_at, "r2", later)
    one, _ = backtest("shop", shop.history, shop.runs, shop.releases).rounds
    rows = joined(shop)
    for name, row in zip(STAGES, one.stages, strict=True):
        here = [r for r in rows if r["stage"] == name]
        able = [r for r in here if r["eligible"]]
        spend = [(r["expected_orders"] or 0.0) * (r["expected_order_value"] or 0.0) for r in here]
        end = midnight_us(AS_OF + timedelta(days=CHURN_DAYS))
        by_id = {r["customer_id"]: r for r in shop.rows}
        ordered = [bool(net_orders(by_id[r["customer_id"]], shop.as_of, end, end)) for r in here]
        assert (row["stage"], row["customers"], row["eligible"]) == (name, len(here), len(able))
        assert row["churned"] == sum(r["churned"] for r in able)
        assert row["churn_rate"] == pytest.approx(sum(r["churned"] for r in able) / len(able))
        assert row["predicted_churn_rate"] == pytest.approx(
            sum(r["churn_probability"] for r in able) / len(able)
        )
        assert row["order_rate"] == pytest.approx(sum(ordered) / len(here))
        assert row["orders"] == pytest.approx(sum(r["orders"] for r in here) / len(here))
        assert row["spend"] == pytest.approx(sum(r["spend"] for r in here) / len(here))
        assert row["predicted_spend"] == pytest.approx(sum(spend) / len(here))
    stages = {r["customer_id"]: r["stage"] for r in later}
    quiet = []
    for r in rows:
        raw = by_id[r["customer_id"]]
        acted = [t for t, *_ in (*raw["purchases"], *raw["refunds"]) if shop.as_of <= t < later_at]
        if not acted and r["customer_id"] in stages:
            quiet.append((r, stages[r["customer_id"]]))
    foreseen = [(r, new) for r, new in quiet if r["next_stage_at"] <= later_at]
    others = [(r, new) for r, new in quiet if r["next_stage_at"] > later_at]
    assert len(foreseen) > 20
    assert dict(one.ahead) == pytest.approx(
        {
            "quiet": len(quiet),
            "foreseen": len(foreseen),
            "foreseen_came": sum(r["next_stage"] == new for r, new in foreseen) / len(foreseen),
            "foreseen_moved": sum(r["stage"] != new for r, new in foreseen) / len(foreseen),
            "unforeseen_moved": sum(r["stage"] != new for r, new in others) / len(others),
        }
    )


def test_eligibility_is_asked_by_the_loops_as_by_the_history(shop: Shop) -> None:
    (one,) = backtest("shop", shop.history, shop.runs, shop.releases).rounds
    assert one.terms.definition.active_within_days == ACTIVE_DAYS
    assert dict(one.customers) == {
        "scored": len(shop.scored), "matched": len(shop.scored), "gone": 0, "strangers": 0, "no_longer_eligible": 0,
    }  # fmt: skip
