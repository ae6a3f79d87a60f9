"""What is worth a word: beyond its limit, beyond chance, beyond the shop's normal movement, and of weight."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from lifestage.drift import wording
from lifestage.drift.movement import Movement
from lifestage.drift.volume import Freshness, Volume
from lifestage.settings import Monitoring

Severity = Literal["warn", "retrain"]
Status = Literal["steady", "warn", "retrain"]


class Finding(NamedTuple):
    """One thing that changed and matters."""

    what: Literal["feature", "score", "stage", "volume", "freshness"]
    name: str
    figure: float
    limit: float
    severity: Severity
    sentence: str


def limit_of(movement: Movement, limits: Monitoring) -> float:
    """The index that a column must exceed to be unusual."""
    normal = movement.normal or 0.0
    return max(limits.warn_stability_index, limits.normal_movement_factor * normal)


def unusual(movement: Movement, limits: Monitoring) -> bool:
    """Moved beyond the limit, beyond chance and beyond what is normal here."""
    return not movement.by_chance and movement.index >= limit_of(movement, limits)


def of_distributions(
    moved: Sequence[Movement], limits: Monitoring, *, trained_through: str, newer: bool
) -> list[Finding]:
    """Features that matter, scores, stages. `newer`: a training today would learn from later customers than the
    release did; without that nothing asks for retraining, for it would bring the same model again.

    A stage is a rule of the policy, which no training changes: it warns at most.
    """
    beyond = [m for m in moved if unusual(m, limits)]
    another = {m.name for m in beyond if m.index >= limits.retrain_stability_index and m.normal is not None}
    carried = sum(m.importance for m in beyond if m.kind == "feature" and m.name in another)
    found = []
    for m in sorted(beyond, key=lambda m: (-m.importance, -m.index)):
        if m.kind == "feature" and m.importance < limits.least_importance:
            continue
        asks = m.name in another and (
            m.kind == "score" or (m.kind == "feature" and carried >= limits.retrain_importance)
        )
        told = [f"{m.name} moved: {wording.moved(m)}"]
        if m.kind == "feature":
            told.append(wording.carries(m.importance))
        told.append(wording.beside_normal(m))
        if asks and not newer:
            told.append(
                f"retraining cannot help yet, since the release learnt through {trained_through} and no newer labels "
                "are complete"
            )
        if m.kind == "stage":
            told = [
                f"the stages' shares moved: {wording.moved(m)}",
                wording.beside_normal(m),
                "look at the policy's conditions",
            ]
        found.append(
            Finding(
                m.kind,  # type: ignore[arg-type]
                m.name,
                m.index,
                limit_of(m, limits),
                "retrain" if asks and newer else "warn",
                "; ".join(told),
            )
        )
    return found


def of_rows(
    volumes: Sequence[Volume],
    fresh: Sequence[Freshness],
    rejects: dict[str, tuple[int, float]],
    limits: Monitoring,
) -> list[Finding]:
    """Tables with far more or fewer rows, silent ones, and those with many rejects. They warn and never ask for
    retraining: a model trained on a broken export would be worse."""
    found = []
    for v in volumes:
        if v.change is not None and v.unusual and abs(v.change) > limits.warn_volume_change:
            limit = limits.warn_volume_change
            found.append(Finding("volume", v.name, v.change, limit, "warn", wording.of_volume(v)))
    for f in fresh:
        limit = max(limits.warn_days_silent, f.usual)
        if f.silent > limit:
            found.append(
                Finding("freshness", f.name, float(f.silent), float(limit), "warn", wording.of_freshness(f))
            )
    for name, (rows, share) in rejects.items():
        if share > limits.warn_rejects_share:
            said = (
                f"{name}: {wording.percent(share)} of the {rows:,} rows since the release were set aside; "
                "python -m training.check says why"
            )
            found.append(Finding("volume", f"{name} rejects", share, limits.warn_rejects_share, "warn", said))
    return found


def status_of(found: Sequence[Finding]) -> Status:
    """The gravest of all."""
    severities = {f.severity for f in found}
    return "retrain" if "retrain" in severities else "warn" if severities else "steady"
