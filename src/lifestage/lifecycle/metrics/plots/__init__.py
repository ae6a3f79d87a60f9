"""Pictures of lifecycle metrics, as matplotlib Figures without a window (extra `train`)."""

from matplotlib.figure import Figure

from lifestage.lifecycle.metrics.plots.moves import alluvial, transition_matrix
from lifestage.lifecycle.metrics.plots.over_time import flow, retention, stages_over_time, time_in_stage
from lifestage.lifecycle.metrics.plots.worth import ltv_cac, nps
from lifestage.lifecycle.metrics.tables import LifecycleMetrics
from lifestage.lifecycle.policy import Policy

__all__ = [
    "alluvial",
    "flow",
    "ltv_cac",
    "nps",
    "pictures",
    "retention",
    "stages_over_time",
    "time_in_stage",
    "transition_matrix",
]


def pictures(metrics: LifecycleMetrics, policy: Policy, zone: str) -> dict[str, Figure]:
    """By name, all pictures that the figures allow; one without anything to show is left out."""
    found = {"stages": stages_over_time(metrics, policy, zone)}
    if metrics.flow.num_rows:
        found["flow"] = flow(metrics, zone)
        found["alluvial"] = alluvial(metrics, policy, zone)
        found["transitions"] = transition_matrix(metrics, policy, zone)
    if any(row["stays"] for row in metrics.stays.to_pylist()):
        found["time-in-stage"] = time_in_stage(metrics, policy)
    if metrics.cohorts.num_rows:
        found["retention"] = retention(metrics)
    if any(row["metric"] == "ltv_cac" and row["value"] is not None for row in metrics.channels.to_pylist()):
        found["ltv-cac"] = ltv_cac(metrics)
    figures = metrics.figures.to_pylist()
    newest = max(row["end"] for row in figures) if figures else None
    if any(row["metric"] == "nps" and row["value"] is not None and row["end"] == newest for row in figures):
        found["nps"] = nps(metrics, policy)
    return found
