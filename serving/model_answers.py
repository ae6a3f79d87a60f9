"""What `GET /v1/model` answers, as the OpenAPI page documents it."""

from typing import Annotated

from pydantic import BaseModel, Field

from serving.answers import Instant


class Learnt(BaseModel):
    """What is known of either model."""

    name: Annotated[str, Field(description="Of the registered model.", examples=["cdnow-churn"])]
    version: Annotated[str | None, Field(description="In the model registry; null: not registered.")]
    data_from: str | None
    data_until: str | None
    customers: int | None
    metrics: Annotated[dict[str, float], Field(description="The model's own, at its test out of time.")]
    horizon_days: float


class Calibration(BaseModel):
    """P = expit(a log p - b log(1 - p) + c)."""

    method: str
    a: float
    b: float
    c: float


class ChurnServed(Learnt):
    definition: Annotated[str, Field(description="purchase, activity, subscription or given.")]
    kind: Annotated[str, Field(description="gradient-boosted trees, or logistic regression.")]
    features: int
    grade: Annotated[str | None, Field(description="A, B or C against the plain rule.")]
    grade_measure: str | None
    ships: Annotated[str | None, Field(description="Which of the methods compared is served.")]
    out_of_time: bool | None
    calibration: Calibration
    cutoffs: Annotated[
        dict[str, str | list[str]],
        Field(description="Days on which the model was trained, validated, tested."),
    ]


class ClvServed(Learnt):
    order_model: Annotated[str, Field(examples=["bg_nbd"])]
    yearly_discount_rate: float
    margin: float


class StageServed(BaseModel):
    name: str
    en: str
    zh: str


class PolicyServed(BaseModel):
    name: str
    version: int | str
    label: Annotated[str, Field(description="With the first digits of its text's SHA-256.")]
    language: str
    default: str
    stages: list[StageServed]


class ReasonsServed(BaseModel):
    """Who gets the reasons of a churn probability."""

    top: int
    highest_risk_share: float
    highest_value_share: float


class RunServed(BaseModel):
    """The run that stored scores come from; all null but `why` where there is none."""

    run: str | None
    as_of: Instant | None
    customers: int | None
    release: str | None
    why: str | None


class Refused(BaseModel):
    release: str | None
    error: str
    at: Instant


class Reloading(BaseModel):
    """Of the process that answers."""

    checked_at: Instant
    loaded_at: Instant
    failed: Annotated[Refused | None, Field(description="Why the release that is current now is not served.")]


class ModelResponse(BaseModel):
    release: str
    published_at: Instant | None
    shop: str
    currency: str
    timezone: str
    as_of: Annotated[Instant | None, Field(description="End of the data that the release was made of.")]
    age_days: Annotated[float | None, Field(description="Since `as_of`.")]
    settings_differ: Annotated[list[str], Field(description="Where the shop's settings moved on since.")]
    churn: ChurnServed
    clv: Annotated[ClvServed | None, Field(description="null: a shop without transactions.")]
    policy: PolicyServed
    reasons: ReasonsServed
    versions: Annotated[dict[str, str], Field(description="Libraries that the release was made with.")]
    running_versions: Annotated[dict[str, str], Field(description="Libraries that serve it.")]
    scores: RunServed
    reload: Reloading | None
