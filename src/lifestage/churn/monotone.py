"""Directions on which the field agrees, as constraints on the trees; the linear base has its own weights.

The longer ago the last order (or event), and the longer against the customer's own rhythm, the likelier they have
left; the more orders and active days, the less likely (Fader, Hardie & Lee 2005; Buckinx & Van den Poel 2005).
A shop of yearly gifts breaks the first rule near the anniversary, so constraints are a choice and off by default.
"""

import re
from collections.abc import Sequence
from typing import Any

from lifestage.churn.base import P_NO_ORDER

RISING = re.compile(
    r"days_since_last_(order|event)|recency_over_(mean|max)_gap|inactive_over_max|" + re.escape(P_NO_ORDER)
)
"""More of it, never less churn."""
FALLING = re.compile(r"orders_\d+d|order_count|purchase_days|active_days(_\d+d)?")
"""More of it, never more churn. Not P(alive): BG/NBD gives it as 1 to everybody with one order, most of whom leave."""


def sign(name: str) -> int:
    """1 where churn may only rise with the feature, -1 where it may only fall, else 0."""
    return 1 if RISING.fullmatch(name) else -1 if FALLING.fullmatch(name) else 0


def monotone_settings(names: Sequence[str]) -> dict[str, Any]:
    """LightGBM parameters for features in this order; none where no feature has an agreed direction."""
    signs = [sign(name) for name in names]
    return {"monotone_constraints": signs, "monotone_constraints_method": "basic"} if any(signs) else {}
