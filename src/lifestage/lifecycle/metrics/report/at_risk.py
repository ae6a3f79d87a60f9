"""Whom to look after first: the customers at risk who are worth most."""

import pyarrow as pa
import pyarrow.compute as pc

from lifestage.lifecycle.policy import Policy

TOP = 10
NEEDED = ("customer_id", "tier", "clv", "churn_probability", "stage_since", "reasons")


def most_at_stake(scores: pa.Table, policy: Policy, top: int = TOP) -> pa.Table:
    """The `top` customers in a stage of role at_risk with the highest clv, then the highest churn probability.

    scores: schemas.SCORE, those of NEEDED that are missing are null. Customers without a clv come last.
    """
    risky = [stage.name for stage in policy.stages if stage.role == "at_risk"]
    found = scores.filter(pc.is_in(scores["stage"], value_set=pa.array(risky, pa.string())))
    for name in NEEDED:
        if name not in found.column_names:
            found = found.append_column(name, pa.nulls(len(found), pa.float64()))
    keys = [("clv", "descending"), ("churn_probability", "descending"), ("customer_id", "ascending")]
    return found.take(pc.sort_indices(found, sort_keys=keys)[:top]).select(NEEDED)
