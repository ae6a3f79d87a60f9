"""Answers, as the OpenAPI page documents them."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

Instant = Annotated[str, Field(description="ISO-8601, UTC", examples=["1998-07-01T00:00:00Z"])]
Probability = Annotated[float | None, Field(ge=0, le=1)]
Money = Annotated[float | None, Field(ge=0, description="In the shop's currency.")]


class Signal(BaseModel):
    name: str
    level: str


class Reason(BaseModel):
    """One driver of a churn probability."""

    group: Annotated[str, Field(description="Of features that tell one fact.", examples=["rhythm"])]
    feature: Annotated[str, Field(description="The one of them that adds most.")]
    direction: Annotated[str, Field(description="raises or lowers the churn probability.")]
    value: Annotated[float | None, Field(description="null: not known, or a category.")]
    level: Annotated[str | None, Field(description="Of a category.")]
    contribution: Annotated[float, Field(description="Of the group, in log-odds.")]
    share: Annotated[float, Field(ge=0, le=1, description="Of all groups' absolute contributions.")]
    en: str
    zh: str


class HealthPart(BaseModel):
    name: str
    points: Annotated[float | None, Field(ge=0, le=100)]


class Placed(BaseModel):
    """Where the policy places a customer, and why."""

    stage: str | None
    stage_since: Instant | None
    previous_stage: str | None
    rule: Annotated[
        str | None,
        Field(
            description="What brings or keeps them there: <stage>.<rule>, .stays or .default.",
            examples=["at_risk.silent"],
        ),
    ]
    tier: str | None
    segment: str | None
    risk: str | None
    signals: list[Signal] | None
    health: Annotated[
        float | None,
        Field(ge=0, le=100, description="null: the policy has no health score, or nothing is known."),
    ]
    health_parts: Annotated[list[HealthPart] | None, Field(description="Every part of it.")]
    reasons: list[str] | None
    action: str | None
    alerts: Annotated[
        list[str] | None, Field(description="Alert rules of the policy that hold for the customer.")
    ]
    policy: Annotated[str | None, Field(examples=["ecommerce v1 3f2a9c1e"])]


class Staged(Placed):
    """What the policy makes of one customer."""

    customer_id: str


class Score(Placed):
    """One customer's score; null = undefined or not filled yet. Instants are UTC."""

    customer_id: str
    as_of: Instant
    eligible: Annotated[
        bool, Field(description="Customer enough for a churn probability, by the release's definition.")
    ]
    churn_probability: Annotated[Probability, Field(description="Of churn within the churn horizon.")]
    churn_percentile: Annotated[Probability, Field(description="Rank among the eligible of the release.")]
    p_alive: Probability
    expected_orders: Annotated[float | None, Field(ge=0, description="Within the CLV horizon.")]
    expected_order_value: Money
    clv: Annotated[Money, Field(description="Discounted value of the orders within the CLV horizon.")]
    clv_percentile: Annotated[Probability, Field(description="Rank among all buyers of the release.")]
    spend_low: Money
    spend_high: Money
    p_order: Annotated[Probability, Field(description="Of at least one order within the CLV horizon.")]
    next_order_at: Annotated[Instant | None, Field(description="Median, given one comes within the horizon.")]
    next_order_low: Instant | None
    next_order_high: Instant | None
    next_stage: Annotated[
        str | None,
        Field(
            description="First other stage if nothing happens; null: none in the time looked ahead, or nobody looked: "
            "/v1/score does so where `ahead` asks for it."
        ),
    ]
    next_stage_at: Instant | None
    at_risk_at: Annotated[Instant | None, Field(description="From when on at risk if nothing happens.")]
    lost_at: Annotated[Instant | None, Field(description="From when on lost if nothing happens.")]
    churn_reasons: Annotated[
        list[Reason] | None,
        Field(description="Strongest first; null for whom the release gives none (scoring.reasons)."),
    ]
    alerts: Annotated[list[str] | None, Field(description="Alert rules of the policy that hold.")]
    release: str


class Answered(BaseModel):
    """What every answer says about itself."""

    as_of: Instant
    release: str
    churn_horizon_days: Annotated[float | None, Field(description="null: of a release not loaded now.")]
    clv_horizon_days: Annotated[
        float | None, Field(description="null: of a release not loaded now, or one without a CLV model.")
    ]
    currency: str


class Failed(BaseModel):
    """A customer who could not be scored."""

    index: Annotated[int, Field(ge=0, description="Place in the request.")]
    customer_id: Annotated[str | None, Field(description="null: not given as text.")]
    path: Annotated[str, Field(examples=["customers[0].purchases[3].amount"])]
    message: Annotated[str, Field(description="What to mend.")]


class ScoreResponse(Answered):
    scores: Annotated[
        list[Score], Field(description="In the order of the request, without those who could not be scored.")
    ]
    errors: Annotated[list[Failed], Field(description="Who could not be scored, and why.")]


class Explanation(BaseModel):
    """Why a customer is scored and staged so; null = undefined."""

    customer_id: str
    eligible: bool
    churn_probability: Probability
    churn_percentile: Probability
    churn_reasons: Annotated[
        list[Reason] | None, Field(description="Strongest first; null: has no churn probability.")
    ]
    p_alive: Probability
    expected_orders: Annotated[float | None, Field(ge=0)]
    expected_order_value: Money
    clv: Money
    clv_percentile: Probability
    stage: str | None
    rule: Annotated[str | None, Field(description="What brings or keeps them there.")]
    tier: str | None
    risk: str | None
    signals: list[Signal] | None
    health_parts: list[HealthPart] | None
    reasons: Annotated[list[str] | None, Field(description="The policy's own sentences.")]


class ExplainResponse(Answered):
    explanations: list[Explanation]
    errors: list[Failed]


class StageResponse(Answered):
    policy: str
    missing: Annotated[
        list[str],
        Field(description="Columns that the policy reads and no customer gave: they counted as unknown."),
    ]
    stages: list[Staged]


class StageChange(BaseModel):
    as_of: Instant
    stage: str
    stage_since: Instant | None


class Fault(BaseModel):
    path: Annotated[str, Field(examples=["customers[0].purchases[3].amount"])]
    message: str


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: Annotated[str, Field(examples=["urn:lifestage:problem:invalid-request"])]
    title: str
    status: int
    detail: Annotated[str, Field(description="One sentence that says what to mend.")]
    path: Annotated[str | None, Field(description="The field at fault, if it is one.")] = None
    errors: Annotated[list[Fault] | None, Field(description="All faults found, the first twenty.")] = None


class StoredRun(Answered):
    """What an answer says about the scoring run that it comes from."""

    run: str
    policy: Annotated[
        str | None, Field(examples=["ecommerce v1 3f2a9c1e"], description="That staged the run.")
    ]


class CustomerResponse(StoredRun):
    score: Score
    stage_history: Annotated[list[StageChange], Field(description="Changes of stage, the oldest first.")]


class StoredCustomer(BaseModel):
    customer_id: str
    score: Score
    stage_history: Annotated[list[StageChange], Field(description="Changes of stage, the oldest first.")]


class BatchGetResponse(StoredRun):
    customers: Annotated[list[StoredCustomer], Field(description="In the order asked, each once.")]
    unknown: Annotated[list[str], Field(description="Ids that are not in the stored scores.")]


class Figures(BaseModel):
    customers: int
    share: Annotated[float, Field(ge=0, le=1, description="Of all customers scored.")]
    eligible: Annotated[int, Field(description="Of them with a churn probability.")]
    clv: Annotated[Money, Field(description="Sum of their CLV; null: nobody has one.")]
    churn_probability: Annotated[Probability, Field(description="Mean among the eligible.")]


class TierFigures(Figures):
    tier: str | None


class Label(BaseModel):
    en: str
    zh: str


class StageFigures(Figures):
    stage: str | None
    label: Annotated[Label | None, Field(description="null: a stage that the release's policy lacks.")]
    tiers: Annotated[list[TierFigures], Field(description="Within the stage; the largest first.")]


class StagesResponse(StoredRun):
    customers: int
    stages: Annotated[list[StageFigures], Field(description="The largest first.")]


Json = dict[str, Any]
