"""The stages of several rounds added up."""

from collections.abc import Sequence
from typing import NamedTuple

from lifestage.matured.rounds import Round
from lifestage.matured.sentences import recent


class PooledStage(NamedTuple):
    """One stage over the rounds of the last quarter; means are per customer and round, None where nothing is known."""

    en: str
    zh: str
    role: str
    customers: int
    eligible: int
    observed: float | None
    """Churn rate of the eligible."""
    predicted: float | None
    order_rate: float | None
    """Share with an order in the churn horizon, of all."""
    orders: float | None
    """Of the CLV horizon, of the rounds for which it is over."""
    spend: float | None
    predicted_spend: float | None


def pooled_stages(rounds: Sequence[Round]) -> list[PooledStage]:
    """The stages of the newest policy in its order, over its rounds of the last quarter."""
    if not rounds:
        return []
    newest = rounds[-1].terms
    some = [r for r in recent(rounds) if r.terms.policy == newest.policy]
    found = []
    for place, stage in enumerate(newest.stages):
        rows = [r.stages[place] for r in some]

        def mean(name: str, weight: str, rows: list[dict[str, float]] = rows) -> float | None:  # type: ignore[assignment]
            known = [(row[name], row[weight]) for row in rows if row[name] is not None and row[weight]]
            total = sum(w for _, w in known)
            return sum(v * w for v, w in known) / total if total else None

        found.append(
            PooledStage(
                stage.en,
                stage.zh,
                stage.role,
                sum(row["customers"] for row in rows),
                sum(row["eligible"] for row in rows),
                mean("churn_rate", "eligible"),
                mean("predicted_churn_rate", "eligible"),
                mean("order_rate", "customers"),
                *(mean(name, "customers") for name in ("orders", "spend", "predicted_spend")),
            )
        )
    return found
