"""The `profit` section of a shop's configuration: what a retention campaign costs, and how often it works."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from lifestage.documents import Model

Share = Annotated[float, Field(ge=0, le=1)]
Money = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Profit(Model):
    """What a retention campaign costs and brings, in the shop's currency. Nobody's money is guessed: without the
    first three there is no campaign to compute."""

    contact_cost: Money
    """Of contacting one customer, whatever comes of it: postage, a call, an e-mail."""
    offer_cost: Money
    """Of the offer to one customer who takes it: the discount, the gift."""
    success_rate: Share
    """Chance that contact and offer keep a customer who would have left; only a test with a control group tells."""
    stayer_acceptance: Share = 1.0
    """Share of those who would have stayed anyway that take the offer too; all, as in the literature, is careful."""
    success_evidence: Annotated[float, Field(ge=1, le=1_000)] = 20
    """How sure success_rate is, as so many earlier offers; expected maximum profit only. 20: Verbraken et al. 2013."""
    value: Literal["clv"] | Annotated[float, Field(gt=0, allow_inf_nan=False)] = "clv"
    """What is lost with a customer who leaves: clv = each one's own, from the CLV model; or one amount for all."""
    max_contacts: Annotated[int, Field(ge=1)] | None = None
    """How many customers can be contacted at most."""
    budget: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Never exceeded, not even if everybody contacted takes the offer."""

    @field_validator("value", mode="before")
    @classmethod
    def _clv_or_amount(cls, value: Any) -> Any:
        number = isinstance(value, int | float) and 0 < value < float("inf")
        if value != "clv" and not number:
            raise ValueError("expected clv, or an amount above 0 that is lost with each customer who leaves")
        return value
