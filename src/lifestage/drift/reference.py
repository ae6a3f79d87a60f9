"""The reference of a release, made when it is published, and found again in its folder."""

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from lifestage.drift.population import share_of, watch
from lifestage.drift.profile import (
    FILE,
    Profile,
    from_bytes,
    instants_of,
    make_profile,
    rows_kept_and_rejected,
)
from lifestage.history_file import HistoryFile
from lifestage.localtime import DAY, midnight
from lifestage.release import Release

SETTLED_DAYS = 90
"""After the first row: before it every customer is new, whatever the shop is like."""
YOUTH = 0.5
"""Share of the history in which a shop still fills with customers: what moved then is not what is normal later."""


def training_cutoffs(manifest: Mapping[str, Any], zone: str) -> list[int]:
    """The cutoffs that the shipped churn model learnt from, by its manifest; none in one that does not say."""
    days = (manifest.get("cutoffs") or {}).get("shipped") or []
    return [midnight(date.fromisoformat(str(day)[:10]), zone) for day in days]


def make_reference(
    file: HistoryFile,
    release: Release,
    churn_manifest: Mapping[str, Any],
    *,
    progress: Callable[[int], None] | None = None,
) -> Profile:
    """What `release` sees in the history at its training cutoffs, at the months before as_of, and at as_of."""
    as_of = int(file.facts["as_of"])
    begun = int(file.facts["first_row"])
    first = begun + max(SETTLED_DAYS * DAY, int(YOUTH * (as_of - begun)))
    instants, training = instants_of(training_cutoffs(churn_manifest, file.zone), first, as_of, file.zone)
    seen = watch(file, instants, None, release, share=share_of(file.customers), progress=progress)
    report = rows_kept_and_rejected(file.facts["report"])
    return make_profile(seen.at, training, release.policy.label, report)


def reference_bytes(folder: Path) -> bytes | None:
    """The reference as it stands in a release's folder; None in one made before there were any."""
    path = folder / FILE
    return path.read_bytes() if path.is_file() else None


def reference_of(folder: Path) -> Profile | None:
    """The reference of a release. Raises InputError for one that is damaged."""
    content = reference_bytes(folder)
    return None if content is None else from_bytes(content, f"{folder.name}/{FILE}")
