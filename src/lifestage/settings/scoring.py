"""How a shop's customers are scored, and who gets reasons."""

from typing import Annotated

from pydantic import (
    Field,
)

from lifestage.documents import Model
from lifestage.settings.ranges import Share


class Reasons(Model):
    """Which customers get the reasons of their churn probability: each costs several times what its score does."""

    top: Annotated[int, Field(ge=0, le=20)] = 3
    """Reasons a customer; 0 = none."""
    highest_risk_share: Share = 0.02
    """Share of the eligible customers, the riskiest by the release's distribution; 1 = all of them."""
    highest_value_share: Share = 0.02
    """Share of the buyers, the most valuable by the release's distribution, who get them whatever their risk."""


class Scoring(Model):
    block_customers: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    flow_months: Annotated[int, Field(ge=0, le=60)] = 12
    """How many past months `training.pipeline` stages too, for the flow between stages."""
    reasons: Reasons = Reasons()
    """Written into the release, so that batch and service give the same."""
