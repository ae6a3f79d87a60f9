"""What is learnt from a shop's history: features, churn, CLV, and the least data they need."""

from typing import Annotated, Literal

from pydantic import (
    Field,
    field_validator,
)

from lifestage.boosting import Boosting
from lifestage.documents import Model
from lifestage.settings.ranges import Days, Share


class Features(Model):
    """What the churn model reads beside the purchases; each family is on where its table is given."""

    max_event_types: Annotated[int, Field(ge=0, le=100)] = 12
    """Event types with columns of their own; the others count in totals."""
    min_event_type_share: Share = 0.001
    """Of all events; rarer types get no columns of their own."""
    funnel: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Event types in the order of a customer's way to an order, e.g. [view, cart, checkout]."""
    max_levels: Annotated[int, Field(ge=1, le=250)] = 30
    """Levels kept of a text attribute; the rest are 'other'."""
    min_level_share: Share = 0.002
    """Of the customers; rarer levels are 'other', and a column of rare ones only is left out."""
    custom: Annotated[str, Field(min_length=3)] | None = None
    """A function of your own, "module:function", importable from the working directory: view -> {name: array}."""
    max_single_auc: Annotated[float, Field(gt=0.5, le=1)] = 0.97
    """A feature that alone tells leavers from stayers better than this stops training; 1 = never."""

    @field_validator("funnel")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise ValueError("names an event type twice; give each step once")
        return value


DEFINED_BY = {
    "purchase": "transactions",
    "activity": "events",
    "subscription": "subscriptions",
    "given": "labels",
}
"""Churn definition -> the table it needs."""


class Churn(Model):
    """What leaving means, how far ahead, and from which cutoffs it is learnt."""

    definition: Literal["purchase", "activity", "subscription", "given"] = "purchase"
    """purchase: no order in the horizon; activity: no event; subscription: the term ends and is not renewed;
    given: as the shop's own label table says."""
    horizon_days: Days = 90
    active_within_days: Days = 365
    """purchase and activity: eligible = an order (event) within so many days before the cutoff."""
    grace_days: Annotated[int, Field(ge=0, le=3650)] = 0
    """subscription: a new term that starts so many days after an end, or sooner, renews it."""
    train_cutoffs: Annotated[int, Field(ge=1, le=60)] = 6
    """Training cutoffs of the evaluation fit, as far as the data reach back."""
    step_days: Days = 30
    """Days between training cutoffs."""
    min_history_days: Annotated[int, Field(ge=0, le=3650)] = 90
    """No cutoff earlier than so many days after the first purchase."""
    max_rows: Annotated[int, Field(ge=1_000)] = 1_000_000
    """Rows (customers x cutoffs) of a fit; of a larger shop that many are drawn, by a hash of customer_id."""
    grade_measure: Literal["average_precision", "roc_auc"] = "average_precision"
    """What the grade compares with the plain rule; average_precision is that of the class rarer in training."""
    settings: Boosting = Boosting()
    """LightGBM parameters in place of those chosen by size; training.tune finds and prints them."""
    monotone: bool = False
    """Hold the trees, which correct the linear base, to the directions on which the field agrees: longer silence
    never less churn, more orders or active days never more. Not for a shop of yearly gifts."""
    segments: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Attributes of the customers by which the report gives figures too, beside value, tenure and channel."""
    seed: int = 7


class Readiness(Model):
    """Minimums that data must meet before anything is trained on them: beyond a `refuse_` figure training stops,
    beyond the plain one it warns."""

    accept_unready: bool = False
    """Train all the same; what is missing is printed."""
    min_customers: Annotated[int, Field(ge=1)] = 500
    """Eligible customers at each cutoff."""
    refuse_customers: Annotated[int, Field(ge=1)] = 100
    min_per_class: Annotated[int, Field(ge=1)] = 50
    """Customers of the rarer outcome (churned, stayed) at each cutoff."""
    refuse_per_class: Annotated[int, Field(ge=1)] = 10
    max_missing_share: Share = 0.5
    """Share of customers without a value, each attribute column."""
    max_gap_days: Days = 7
    """Days in a row without any row of any customer; a gap as long as the horizon is refused."""
    max_duplicate_share: Share = 0.02
    """Share of rows that repeat another row of the same customer in every column."""
    refuse_duplicate_share: Share = 0.3
    max_burst: Annotated[int, Field(ge=2)] = 100
    """Rows that carry one and the same second."""
    max_midnight_share: Share = 0.1
    """Share of orders at exactly midnight, unless all are dates without a time."""
    horizon_factor: Annotated[float, Field(ge=1)] = 3
    """How many times longer or shorter than suggested a horizon may be."""


class Clv(Model):
    horizon_days: Days = 365
    model: Literal["auto", "bg_nbd", "mbg_nbd", "pareto_nbd"] = "auto"
    """Order model; auto: the one that foresaw a holdout's orders best. Where the data do not identify it, the next of
    the family stands in, and the run says so."""
    season: bool = True
    """Let order rates follow the calendar where two full years agree on it."""
    covariates: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """What moves the order rate and the chance to leave: first_order_value, acquisition_channel, or further text or
    number columns of the customers table; kept where they are significant."""
    level: bool = True
    """Carry on what earlier forecasts of all orders were off by, as far as such errors have lasted before."""
    yearly_discount_rate: Annotated[float, Field(ge=0, le=1)] = 0.10
    """0.10 = 10 % a year."""
    margin: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of an order's value that is contribution margin; clv is multiplied by it."""
