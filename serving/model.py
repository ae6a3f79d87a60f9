"""What is being served: release, models, policy, stored run, and whether a newer release was refused."""

from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from typing import Any

from lifestage.bundle import LIBRARIES
from lifestage.errors import InputError
from lifestage.localtime import DAY, instant_text
from serving.reload import Status, without_paths
from serving.state import State, differences

Json = dict[str, Any]
TOLD = ("grade", "grade_by_roc_auc", "out_of_time")
"""Kept among the metrics, answered by name."""


def model(state: State, status: Status | None, now: int) -> Json:
    """The answer of GET /v1/model; holds no path of this machine."""
    release, manifest = state.release, state.release.manifest
    as_of = manifest.get("as_of")
    return {
        "release": release.name,
        "published_at": _instant(state.origin.published_at),
        "shop": str(manifest.get("shop", state.shop.shop)),
        "currency": release.currency,
        "timezone": release.timezone,
        "as_of": _instant(as_of),
        "age_days": None if as_of is None else (now - as_of) / DAY,
        "settings_differ": differences(state),
        "churn": _churn(state),
        "clv": _clv(state),
        "policy": _policy(state),
        "reasons": {
            "top": release.reasons.top,
            "highest_risk_share": release.reasons.highest_risk_share,
            "highest_value_share": release.reasons.highest_value_share,
        },
        "versions": dict(manifest.get("versions", {})),
        "running_versions": running(),
        "scores": _scores(state),
        "reload": _reload(status),
    }


@cache
def running() -> dict[str, str]:
    """Versions of the libraries in this process."""
    return {library: version(library) for library in LIBRARIES}


def _instant(t: int | None) -> str | None:
    return None if t is None else instant_text(t)


def _of_model(state: State, kind: str) -> tuple[Mapping[str, Any], Json]:
    """A model's manifest, and what is told alike of each."""
    about = state.origin.models.get(kind, {})
    name = f"{state.shop.shop}-{kind}"
    version = state.release.manifest.get("versions_registered", {}).get(name)
    facts: Json = {
        "name": name,
        "version": version,
        "data_from": about.get("data_from"),
        "data_until": about.get("observed_until"),
        "customers": _whole(about.get("customers")),
        "metrics": _figures(about.get("metrics", {})),
    }
    return about, facts


def _whole(value: object) -> int | None:
    return int(value) if isinstance(value, int) or (isinstance(value, str) and value.isdigit()) else None


def _figures(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The model's own; what other methods got at the same test (`method/metric`) is for the report."""
    return {
        name.removeprefix("model_"): float(value)
        for name, value in metrics.items()
        if isinstance(value, int | float) and "/" not in name and name not in TOLD and _own(name, metrics)
    }


def _own(name: str, metrics: Mapping[str, Any]) -> bool:
    return name.startswith("model_") or not any(other.startswith("model_") for other in metrics)


def _churn(state: State) -> Json:
    churn = state.release.churn
    about, facts = _of_model(state, "churn")
    cutoffs = about.get("cutoffs", {})
    calibrator = churn.calibrator
    return {
        **facts,
        "definition": churn.definition,
        "horizon_days": float(churn.horizon_days),
        "kind": "gradient-boosted trees" if churn.booster is not None else "logistic regression",
        "features": len(churn.features),
        "grade": about.get("grade"),
        "grade_measure": _measure(about.get("metrics", {})),
        "ships": about.get("ships"),
        "out_of_time": state.release.manifest.get("out_of_time", about.get("out_of_time")),
        "calibration": {"method": calibrator.method, "a": calibrator.a, "b": calibrator.b, "c": calibrator.c},
        "cutoffs": {name: value for name, value in cutoffs.items() if isinstance(value, str | list)},
    }


def _measure(metrics: Mapping[str, Any]) -> str | None:
    """What the grade compares (see churn.grade)."""
    if "grade" not in metrics:
        return None
    return "roc_auc" if metrics.get("grade_by_roc_auc") else "average_precision"


def _clv(state: State) -> Json | None:
    clv = state.release.clv
    if clv is None:
        return None
    _, facts = _of_model(state, "clv")
    return {
        **facts,
        "horizon_days": float(clv.horizon_days),
        "order_model": clv.order_model,
        "yearly_discount_rate": clv.yearly_discount_rate,
        "margin": clv.margin,
    }


def _policy(state: State) -> Json:
    policy = state.release.policy
    return {
        "name": policy.name,
        "version": policy.version,
        "label": policy.label,
        "language": policy.language,
        "default": policy.default,
        "stages": [
            {"name": stage.name, "en": stage.labels.en, "zh": stage.labels.zh} for stage in policy.stages
        ],
    }


def _scores(state: State) -> Json:
    """The run that stored scores come from, or why there is none."""
    why = None
    run = None
    try:
        run = state.store.current()
    except InputError as error:
        why = without_paths(str(error), state.shop)
    if run is None:
        why = why or "no scores are stored yet; run python -m training.score"
        return {"run": None, "as_of": None, "customers": None, "release": None, "why": why}
    return {**run, "as_of": instant_text(run["as_of"]), "why": None}


def _reload(status: Status | None) -> Json | None:
    if status is None:
        return None
    failed = status.failed
    return {
        "checked_at": instant_text(status.checked_at),
        "loaded_at": instant_text(status.loaded_at),
        "failed": failed
        and {"release": failed.release, "error": failed.error, "at": instant_text(failed.at)},
    }
