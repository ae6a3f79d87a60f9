"""Customers, value and churn probability by stage: what the current scores add up to."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_GROUPS = (
    "SELECT s.stage, s.tier, count(*), sum(s.eligible), sum(s.clv),"
    " count(CASE WHEN s.eligible = 1 THEN s.churn_probability END),"
    " sum(CASE WHEN s.eligible = 1 THEN s.churn_probability END), max(s.as_of), max(s.release), max(s.policy),"
    " (SELECT run FROM runs WHERE is_current = 1 ORDER BY published DESC LIMIT 1)"
    " FROM scores AS s GROUP BY s.stage, s.tier"
)
"""One row per stage and tier."""


@dataclass(frozen=True, slots=True)
class Share:
    """The customers of a stage, or of a tier within it."""

    name: str | None
    """None: without one."""
    customers: int
    share: float
    """Of all customers scored."""
    eligible: int
    """With a churn probability."""
    clv: float | None
    """Sum, currency; None: nobody has one."""
    churn_probability: float | None
    """Mean among the eligible; None without any."""
    tiers: tuple["Share", ...] = ()
    """Of a stage; the largest first."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """The stages of one run, the largest first."""

    run: str
    as_of: int
    """UTC microseconds."""
    release: str
    policy: str | None
    customers: int
    stages: tuple[Share, ...]


def distribution_of(ask: Callable[[str], list[Any]]) -> Distribution | None:
    """What `ask` (Store.rows) gives for the current scores, added up; None without any."""
    groups = ask(_GROUPS)
    if not groups:
        return None
    total = sum(row[2] for row in groups)
    as_of, release, policy, run = groups[0][7:]
    stages = []
    for stage in {row[0] for row in groups}:
        own = [row for row in groups if row[0] == stage]
        tiers = _largest_first(_share(row[1], [row], total) for row in own)
        stages.append(_share(stage, own, total, tiers))
    return Distribution(run, as_of, release, policy, total, _largest_first(stages))


def _largest_first(shares: Any) -> tuple[Share, ...]:
    return tuple(sorted(shares, key=lambda s: (-s.customers, s.name or "")))


def _share(name: str | None, rows: list[Any], total: int, tiers: tuple[Share, ...] = ()) -> Share:
    customers = sum(row[2] for row in rows)
    eligible = sum(int(row[3]) for row in rows)
    values = [row[4] for row in rows if row[4] is not None]
    judged = sum(row[5] for row in rows)
    leaving = sum(row[6] for row in rows if row[6] is not None)
    return Share(
        name,
        customers,
        customers / total,
        eligible,
        float(sum(values)) if values else None,
        float(leaving / judged) if judged else None,
        tiers,
    )
