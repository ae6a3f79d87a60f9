"""What a registered model's folder says of the data behind it: has its graded fit seen an outcome it is tested on?"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

Question = tuple[str, int, int, int]


def newest_label(manifest: Mapping[str, Any], label_days: int) -> date | None:
    """The day on which the last label ends that a churn evaluation fit learnt from; None where it is not told."""
    try:
        days = manifest["cutoffs"]["evaluation"]
        return date.fromisoformat(str(days[-1])[:10]) + timedelta(days=label_days)
    except (LookupError, TypeError, ValueError):
        return None


def churn_saw(manifest: Mapping[str, Any], label_days: int, test: date) -> str:
    """A sentence where a champion's evaluation fit may have seen labels after the test cutoff; else empty."""
    if not manifest.get("out_of_time", True):
        return (
            "The labels carry no days, so the champion may have learnt from some of these customers: the comparison "
            "may flatter it."
        )
    newest = newest_label(manifest, label_days)
    if newest is None:
        return "The champion does not tell which labels it learnt from, so it may have seen these customers' outcome."
    if newest > test:
        return (
            f"The champion's graded fit learnt from labels that end on {newest}, after the test cutoff {test}: it is "
            "so young that it has seen outcomes of these customers, and the comparison flatters it."
        )
    return ""


def day_told(manifest: Mapping[str, Any], key: str) -> date | None:
    """A day of a manifest, None where it is not there."""
    try:
        return date.fromisoformat(str(manifest[key])[:10])
    except (LookupError, ValueError):
        return None
