"""All that is said of a shop's drift at one instant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from lifestage.drift.findings import (
    Finding,
    Status,
    limit_of,
    of_distributions,
    of_rows,
    status_of,
    unusual,
)
from lifestage.drift.movement import Movement, distance_days, movements, weighted_index
from lifestage.drift.population import NEW, Watched
from lifestage.drift.profile import Profile, rows_kept_and_rejected
from lifestage.drift.volume import Freshness, Volume, freshness, rejects_since, volume
from lifestage.json_values import json_values
from lifestage.localtime import DAY, EPOCH, day_of
from lifestage.settings import Monitoring

FRESHER_DAYS = 7
"""Newer labels than the release's are worth a training from so many days on."""
NO_REFERENCE = (
    "the release keeps no reference to tell distributions from (it was published before drift was watched); "
    "python -m training.promote publishes one with it"
)
FEW_NOW = "fewer than 50 customers now or at training: their distributions tell nothing yet"


@dataclass(frozen=True)
class Drift:
    """What changed since a release was trained."""

    status: Status
    findings: Sequence[Finding]
    movements: Sequence[Movement]
    volumes: Sequence[Volume]
    fresh: Sequence[Freshness]
    rejects: Mapping[str, tuple[int, float]]
    notes: Sequence[str]
    """What could not be told, and why."""
    limits: Monitoring
    days: float | None
    """From the middle of the training cutoffs to as_of."""

    def document(self) -> dict[str, Any]:
        """Plain types for JSON: status, findings, figures, notes."""
        return {
            "status": self.status,
            "findings": [json_values(f._asdict()) for f in self.findings],
            "notes": list(self.notes),
            "figures": json_values(
                {
                    "days_since_training": self.days,
                    "weighted_stability_index": weighted_index(self.movements),
                    "weighted_unusual_index": weighted_index(
                        [m if unusual(m, self.limits) else _still(m) for m in self.movements]
                    ),
                    "columns": {
                        f"{m.kind}/{m.name}": {
                            "stability_index": m.index,
                            "before_chance": m.raw,
                            "chance": m.chance,
                            "normal": m.normal,
                            "limit": limit_of(m, self.limits),
                            "importance": m.importance,
                            "unusual": unusual(m, self.limits),
                        }
                        for m in self.movements
                    },
                    "volume": {
                        v.name: {
                            "rows": v.rows,
                            "expected": v.expected,
                            "low": v.low,
                            "high": v.high,
                            "change": v.change,
                            "by_year": v.by_year,
                        }
                        for v in self.volumes
                    },
                    "freshness": {
                        f.name: {
                            "newest": str((EPOCH + timedelta(days=f.newest)).date()),
                            "days_silent": f.silent,
                            "usual": f.usual,
                        }
                        for f in self.fresh
                    },
                    "rejects": {
                        n: {"rows": rows, "share": share} for n, (rows, share) in self.rejects.items()
                    },
                }
            ),
        }

    def metrics(self) -> dict[str, float]:
        """Numbers for a tracking server."""
        found = {"findings": float(len(self.findings)), "retrain": float(self.status == "retrain")}
        found["weighted_stability_index"] = weighted_index(self.movements)
        found |= {f"psi/{m.kind}/{_plain_name(m.name)}": m.index for m in self.movements}
        found |= {f"volume_change/{v.name}": v.change for v in self.volumes if v.change is not None}
        return found | {f"days_silent/{f.name}": float(f.silent) for f in self.fresh}


def _still(movement: Movement) -> Movement:
    return replace(movement, index=0.0)


def _plain_name(name: str) -> str:
    return "".join(c if (c.isalnum() and c.isascii()) or c in "_-. " else "_" for c in name)


def drift_of(
    profile: Profile | None,
    seen: Watched,
    report: Mapping[str, Any],
    limits: Monitoring,
    *,
    as_of: int,
    zone: str,
    policy: str,
    importance: Mapping[str, float],
    newest_labels: int,
) -> Drift:
    """`seen`: the customers at as_of. `newest_labels`: the latest cutoff whose label window is complete by now.

    `policy`: label of the release's policy. Raises InputError where the reference does not fit the release.
    """
    notes: list[str] = []
    moved: list[Movement] = []
    found: list[Finding] = []
    if profile is None:
        notes.append(NO_REFERENCE)
    else:
        moved = movements(profile, seen.at[as_of], as_of, importance)
        if profile.policy != policy:
            moved = [m for m in moved if m.kind != "stage"]
            notes.append(
                "stages are not compared: the release's policy is newer than its reference; the next promotion "
                "brings both together"
            )
        if not moved:
            notes.append(FEW_NOW)
        through = profile.training[-1]
        found += of_distributions(
            moved,
            limits,
            trained_through=str(day_of(through, zone)),
            newer=newest_labels >= through + FRESHER_DAYS * DAY,
        )
    end = (day_of(as_of, zone) - EPOCH.date()).days
    known = {name: rows for name, rows in seen.rows.items() if len(rows.counts)}
    volumes = [volume(name, rows, end) for name, rows in known.items()]
    fresh = [f for n, rows in known.items() if n != NEW and (f := freshness(n, rows, end)) is not None]
    if not known:
        notes.append("no table has dated rows: how many came lately, and how new they are, cannot be told")
    rejects = {}
    if profile is not None:
        for name, counts in rows_kept_and_rejected(report).items():
            since = rejects_since(profile.report.get(name), counts)
            if since is not None:
                rejects[name] = since
    found += of_rows(volumes, fresh, rejects, limits)
    return Drift(
        status_of(found),
        found,
        moved,
        volumes,
        fresh,
        rejects,
        notes,
        limits,
        None if profile is None else distance_days(profile, as_of),
    )
