"""How a shop's customers are scored, and who gets reasons."""

from typing import Annotated

from pydantic import Field, field_validator

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
    look_ahead_days: tuple[Annotated[int, Field(ge=1, le=3_650)], ...] = (30, 60, 90, 180, 365)
    """Days ahead at which everything is worked out anew, as if nothing happened, to foresee changes of stage; each
    costs about as much as scoring does. Ascending; none: nothing is foreseen."""
    reasons: Reasons = Reasons()
    """Written into the release, so that batch and service give the same."""

    @field_validator("look_ahead_days")
    @classmethod
    def _ascending(cls, days: tuple[int, ...]) -> tuple[int, ...]:
        if list(days) != sorted(set(days)):
            raise ValueError(f"expected ascending days such as [30, 90], got {list(days)}")
        return days
