"""Hand-made customers for the tables of the presets' tests, and what a preset makes of them."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

import pyarrow as pa

from lifestage.lifecycle.columns import GIVEN
from lifestage.lifecycle.policy import Policy, load
from lifestage.lifecycle.staging import assign
from lifestage.schemas import PREVIOUS

AS_OF = datetime(2024, 5, 1, tzinfo=UTC)
T = (AS_OF - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
EPS = 1e-9

Row = dict[str, Any]
preset = lru_cache(maxsize=None)(load)


class Case(NamedTuple):
    """One customer, and what is expected of them; what is not expected (None) is not looked at."""

    stage: str
    row: Row
    was: str | None = None
    days: float | None = None
    rule: str | None = None
    """The rule of the stage, "stays" and "default" included."""
    action: str | None = None


def once(days: float, age: float | None = None, **more: Any) -> Row:
    """Bought on one day, `days` ago; known for `age` days."""
    age = days if age is None else age
    row: Row = {
        "order_count": 1.0,
        "purchase_days": 1.0,
        "days_since_last_order": days,
        "days_since_first_order": days,
        "days_since_first_contact": age,
        "eligible": days <= 365,
        "orders_90d": float(days <= 90),
        "orders_change_90d": 1.0 if days <= 90 else -1.0 if days <= 180 else 0.0,
        "core_event_count": 1.0,
        "days_since_core_event": days,
        "days_to_core_event": age - days,
        "spend_90d": 0.0,
        "spend_change_90d": 0.0,
    }
    return {**row, **more}


def regular(days: float, gap: float, longest: float | None = None, age: float = 1000.0, **more: Any) -> Row:
    """Bought on ten days, `gap` apart on average and at most `longest`, the last time `days` ago."""
    longest = gap if longest is None else longest
    row = {
        "order_count": 10.0,
        "purchase_days": 10.0,
        "days_since_last_order": days,
        "days_since_first_order": age,
        "days_since_first_contact": age,
        "eligible": days <= 365,
        "mean_gap_days": gap,
        "max_gap_days": longest,
        "last_gap_days": gap,
        "recency_over_mean_gap": days / gap,
        "recency_over_max_gap": days / longest,
        "orders_90d": 2.0,
        "orders_change_90d": 0.0,
        "spend_90d": 40.0,
        "spend_change_90d": 0.0,
        "core_event_count": 10.0,
        "days_since_core_event": days,
        "days_to_core_event": 0.0,
    }
    return {**row, **more}


def term(
    days: float, count: float = 2.0, price: float = 20.0, change: float | None = 0.0, **more: Any
) -> Row:
    """A term has been open for `days`, number `count` of this customer, who buys nothing else."""
    row: Row = {
        "subscribed": True,
        "term_count": count,
        "days_in_term": days,
        "monthly_price": price,
        "price_change": change,
        "plan": "basic",
        "eligible": True,
        "order_count": 0.0,
        "days_since_first_contact": 2000.0,
    }
    return {**row, **more}


def ended(days: float, **more: Any) -> Row:
    """The only term ended `days` ago."""
    gone = {"subscribed": False, "days_in_term": None, "price_change": None, "eligible": False}
    return {**term(0.0, 1.0, **gone), "days_since_term_end": days, **more}


def champion(row: Row) -> Row:
    """The same customer, of the RFM segment "champions"."""
    ranks = {"recency_percentile": 0.1, "frequency_percentile": 0.9, "monetary_percentile": 0.9}
    return {**row, **ranks}


def decide_all(name: str, cases: Iterable[Case]) -> list[Row]:
    """What the preset makes of each case, in one block."""
    cases = list(cases)
    rows = [case.row for case in cases]
    unknown = {column for row in rows for column in row} - GIVEN.keys()
    assert not unknown, unknown
    ids = [str(i) for i in range(len(rows))]
    columns = {c: pa.array([row.get(c) for row in rows], known.type) for c, known in GIVEN.items()}
    since = [None if case.days is None else AS_OF - timedelta(days=case.days) for case in cases]
    previous = pa.table([ids, [case.was for case in cases], since], schema=PREVIOUS)
    result = assign(preset(name), pa.table({"customer_id": ids, **columns}), T, previous).to_pylist()
    for row in result:
        row["on"] = {signal["name"]: signal["level"] for signal in row["signals"]}
    return result


def decide(name: str, row: Row, was: str | None = None, days: float | None = None) -> Row:
    """What the preset makes of one customer."""
    return decide_all(name, [Case("", row, was, days)])[0]


def wrong(name: str, cases: Iterable[Case]) -> list[tuple[Case, Row]]:
    """The cases whose customers do not get what is expected, with what they get."""
    cases = list(cases)
    return [
        (case, {**got, "health_parts": None})
        for case, got in zip(cases, decide_all(name, cases), strict=True)
        if got["stage"] != case.stage
        or (case.rule is not None and got["rule"] != f"{case.stage}.{case.rule}")
        or (case.action is not None and got["action"] != case.action)
    ]


def ladder(row: Row, column: str, *steps: tuple[float | None, str], **more: Any) -> Iterator[Case]:
    """A case for each value of one column, all else equal."""
    for value, stage in steps:
        yield Case(stage, {**row, column: value}, **more)


def around(threshold: float) -> tuple[float, float, float, None]:
    """Just below, at, just above, missing."""
    return threshold - EPS, threshold, threshold + EPS, None


def everything(policy: Policy) -> set[str]:
    """Every stage, rule, tier, risk level and level of a signal that a policy can give."""
    found = {f"stage {s.name}" for s in policy.stages}
    found |= {f"rule {s.name}.{rule.rule}" for s in policy.stages for rule in s.enter}
    found |= {f"tier {tier.name}" for tier in policy.tiers} | {f"risk {risk.name}" for risk in policy.risk}
    found |= {f"action {s.name}.{action.name}" for s in policy.stages for action in s.actions[:1]}
    return found | {f"signal {s.name}.{level}" for s in policy.signals for level, _ in s.conditions()}


def reached(results: Iterable[Row]) -> set[str]:
    """The same of what customers got."""
    found = set()
    for row in results:
        found |= {f"{what} {row[what]}" for what in ("stage", "rule", "tier", "risk")}
        found |= {f"signal {name}.{level}" for name, level in row["on"].items()}
        found.add(f"action {row['stage']}.{row['action']}")
    return found


def _risk(rank: float, probability: float) -> Row:
    return once(5.0, 40.0, churn_percentile=rank, churn_probability=probability)


COMMON: tuple[Row, ...] = (
    *({"clv_percentile": rank} for rank in (0.99, 0.95, 0.9, 0.75, 0.5, 0.0)),
    *(_risk(*of) for of in ((0.9, 0.5), (0.8, 0.4), (0.1, 0.1))),
    regular(40.0, 18.0),
    regular(40.0, 25.0),
    regular(28.0, 20.0, orders_90d=1.0, orders_change_90d=-3.0),
    *({"days_since_last_event": days} for days in (14.0, 21.0)),
    *({"events_30d": now, "events_change_30d": now - 10.0} for now in (2.0, 5.0)),
    {"event_types_90d": 2.0, "event_type_count": 4.0},
    {"nps_last": 6.0},
    {"complaints_30d": 2.0, "complaints_90d": 3.0},
    {"tickets_30d": 2.0, "tickets_90d": 3.0},
    term(100.0, change=5.0),
)
"""Customers who reach the tiers, risk levels and signals that presets share."""


def missed(name: str, cases: Iterable[Case]) -> set[str]:
    """What the preset can give, and none of the cases and of COMMON gets."""
    common = [Case("", row) for row in COMMON]
    return everything(preset(name)) - reached(decide_all(name, [*cases, *common]))
