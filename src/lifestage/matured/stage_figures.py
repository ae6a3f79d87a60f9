"""What became of the customers of each stage, and whether the changes of stage that were foreseen came."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lifestage.matured.matching import Matched
from lifestage.matured.terms import StageTerm
from lifestage.ragged import Bools, Floats

ORDER = ("active", "at_risk", "lost")
"""Roles that a sound policy sorts by how many leave, ascending."""


def stage_figures(run: Matched, stages: Sequence[StageTerm]) -> list[dict[str, Any]]:
    """One row per stage of the policy, in its order; a figure of nobody, or not over yet, is None.

    eligible, churned, churn_rate, predicted_churn_rate: of the eligible; order_rate: share with an order in the churn
    horizon, of all in the stage; orders, spend, predicted_spend: means in the CLV horizon, of all in the stage.
    """
    rows: list[dict[str, Any]] = []
    predicted = np.nan_to_num(run.expected_orders * run.expected_order_value)
    for place, stage in enumerate(stages):
        here = run.stage == place
        able = here & run.eligible
        rows.append(
            {
                "stage": stage.name,
                "role": stage.role,
                "customers": int(here.sum()),
                "eligible": int(able.sum()),
                "churned": int((run.churned & able).sum()),
                "churn_rate": mean(run.churned, able),
                "predicted_churn_rate": mean(run.churn_probability, able),
                "order_rate": mean(run.ordered, here),
                "orders": mean(run.orders, here),
                "spend": mean(run.spend, here),
                "predicted_spend": mean(predicted, here & ~np.isnan(run.spend)),
            }
        )
    return rows


def ahead_figures(run: Matched, later: int) -> dict[str, float]:
    """How many changes of stage foreseen by the instant `later` (of the next run) came; empty where none can be told.

    Foreseen is what comes if nothing happens, so only customers without order, refund or event in between are judged.
    quiet: these; foreseen: of these, with a next_stage by then; foreseen_came: share of the foreseen who were in just
    that stage; foreseen_moved: in any other than before; unforeseen_moved: share of the other quiet ones who had moved.
    """
    judged = run.quiet & (run.stage >= 0) & (run.later_stage >= 0)
    foreseen = judged & (run.next_stage >= 0) & (run.next_stage_at <= later)
    if not (run.next_stage >= 0).any() or not judged.any():
        return {}
    moved = run.later_stage != run.stage
    found = {
        "quiet": float(judged.sum()),
        "foreseen": float(foreseen.sum()),
        "foreseen_came": mean(run.later_stage == run.next_stage, foreseen),
        "foreseen_moved": mean(moved, foreseen),
        "unforeseen_moved": mean(moved, judged & ~foreseen),
    }
    return {name: value for name, value in found.items() if value is not None}


def role_rates(rows: Sequence[Mapping[str, Any]], least: int) -> dict[str, float]:
    """Churn rate of the eligible by role of ORDER; a role with fewer than `least` of them is left out."""
    rates = {}
    for role in ORDER:
        able = sum(row["eligible"] for row in rows if row["role"] == role)
        if able >= least:
            rates[role] = sum(row["churned"] for row in rows if row["role"] == role) / able
    return rates


def mean(values: Floats | Bools, rows: Bools) -> float | None:
    """Mean of the chosen rows; None where there is none, or one is not known."""
    some = values[rows]
    found = float(some.mean()) if len(some) else float("nan")
    return found if np.isfinite(found) else None
