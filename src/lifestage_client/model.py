"""What GET /v1/model answers: the release that is served."""

from typing import TypedDict


class Learnt(TypedDict):
    """What is known of either model; `metrics` are its own, at its test out of time."""

    name: str
    version: str | None
    data_from: str | None
    data_until: str | None
    customers: int | None
    metrics: dict[str, float]
    horizon_days: float


class Calibration(TypedDict):
    """P = expit(a log p - b log(1 - p) + c)."""

    method: str
    a: float
    b: float
    c: float


class ChurnServed(Learnt):
    definition: str
    kind: str
    features: int
    grade: str | None
    grade_measure: str | None
    ships: str | None
    out_of_time: bool | None
    calibration: Calibration
    cutoffs: dict[str, str | list[str]]


class ClvServed(Learnt):
    order_model: str
    yearly_discount_rate: float
    margin: float


class StageServed(TypedDict):
    name: str
    en: str
    zh: str


class PolicyServed(TypedDict):
    name: str
    version: int | str
    label: str
    language: str
    default: str
    stages: list[StageServed]


class ReasonsServed(TypedDict):
    """Who gets the reasons of a churn probability."""

    top: int
    highest_risk_share: float
    highest_value_share: float


class RunServed(TypedDict):
    """The run that stored scores come from; all None but `why` where there is none."""

    run: str | None
    as_of: str | None
    customers: int | None
    release: str | None
    why: str | None


class Refused(TypedDict):
    release: str | None
    error: str
    at: str


class Reloading(TypedDict):
    """Of the process that answers; `failed`: why the release that is current now is not served."""

    checked_at: str
    loaded_at: str
    failed: Refused | None


class ModelAnswer(TypedDict):
    release: str
    published_at: str | None
    shop: str
    currency: str
    timezone: str
    as_of: str | None
    age_days: float | None
    settings_differ: list[str]
    churn: ChurnServed
    clv: ClvServed | None
    policy: PolicyServed
    reasons: ReasonsServed
    versions: dict[str, str]
    running_versions: dict[str, str]
    scores: RunServed
    reload: Reloading | None
