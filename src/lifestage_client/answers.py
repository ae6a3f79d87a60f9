"""What the service answers, as typed dicts: the JSON itself, checked against the service's OpenAPI description.

Instants are ISO-8601 text in UTC. Money is in the answer's `currency`. None: undefined, or not known.
"""

from typing import TypedDict


class Signal(TypedDict):
    name: str
    level: str


class Reason(TypedDict):
    """One driver of a churn probability; `contribution` in log-odds."""

    group: str
    feature: str
    direction: str
    value: float | None
    level: str | None
    contribution: float
    share: float
    en: str
    zh: str


class HealthPart(TypedDict):
    name: str
    points: float | None


class Placed(TypedDict):
    """Where the policy places a customer, and why."""

    stage: str | None
    stage_since: str | None
    previous_stage: str | None
    rule: str | None
    tier: str | None
    segment: str | None
    risk: str | None
    signals: list[Signal] | None
    health: float | None
    health_parts: list[HealthPart] | None
    reasons: list[str] | None
    action: str | None
    alerts: list[str] | None
    policy: str | None


class Staged(Placed):
    customer_id: str


class Score(Placed):
    """One customer's score."""

    customer_id: str
    as_of: str
    eligible: bool
    churn_probability: float | None
    churn_percentile: float | None
    p_alive: float | None
    expected_orders: float | None
    expected_order_value: float | None
    clv: float | None
    clv_percentile: float | None
    spend_low: float | None
    spend_high: float | None
    p_order: float | None
    next_order_at: str | None
    next_order_low: str | None
    next_order_high: str | None
    next_stage: str | None
    next_stage_at: str | None
    at_risk_at: str | None
    lost_at: str | None
    churn_reasons: list[Reason] | None
    release: str


class Facts(TypedDict):
    """What every answer says about itself."""

    as_of: str
    release: str
    churn_horizon_days: float | None
    clv_horizon_days: float | None
    currency: str


class Failure(TypedDict):
    """A customer of the request who could not be scored."""

    index: int
    customer_id: str | None
    path: str
    message: str


class ScoreAnswer(Facts):
    """`scores` in the request's order, without those of `errors`."""

    scores: list[Score]
    errors: list[Failure]


class Explanation(TypedDict):
    """Why a customer is scored and staged so."""

    customer_id: str
    eligible: bool
    churn_probability: float | None
    churn_percentile: float | None
    churn_reasons: list[Reason] | None
    p_alive: float | None
    expected_orders: float | None
    expected_order_value: float | None
    clv: float | None
    clv_percentile: float | None
    stage: str | None
    rule: str | None
    tier: str | None
    risk: str | None
    signals: list[Signal] | None
    health_parts: list[HealthPart] | None
    reasons: list[str] | None


class ExplainAnswer(Facts):
    explanations: list[Explanation]
    errors: list[Failure]


class StageAnswer(Facts):
    policy: str
    missing: list[str]
    stages: list[Staged]


class StageChange(TypedDict):
    as_of: str
    stage: str
    stage_since: str | None


class StoredFacts(Facts):
    """Of an answer from the stored scores: the scoring run that they come from, the policy that staged it."""

    run: str
    policy: str | None


class CustomerAnswer(StoredFacts):
    score: Score
    stage_history: list[StageChange]


class StoredCustomer(TypedDict):
    customer_id: str
    score: Score
    stage_history: list[StageChange]


class CustomersAnswer(StoredFacts):
    """`customers` in the order asked, each once."""

    customers: list[StoredCustomer]
    unknown: list[str]


class Figures(TypedDict):
    """`share` of all customers scored; `clv` is their sum, `churn_probability` the mean of the `eligible`."""

    customers: int
    share: float
    eligible: int
    clv: float | None
    churn_probability: float | None


class TierFigures(Figures):
    tier: str | None


class Label(TypedDict):
    en: str
    zh: str


class StageFigures(Figures):
    stage: str | None
    label: Label | None
    tiers: list[TierFigures]


class StagesAnswer(StoredFacts):
    """`stages`: the largest first."""

    customers: int
    stages: list[StageFigures]


class Fault(TypedDict):
    path: str
    message: str
