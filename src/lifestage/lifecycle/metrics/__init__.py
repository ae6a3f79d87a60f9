"""What each lifecycle stage is judged by: moves, rates, time in stage, cohorts, channels; and the report on them."""

from lifestage.lifecycle.metrics.catalogue import METRICS, Metric
from lifestage.lifecycle.metrics.compute import MINIMUM, lifecycle_metrics
from lifestage.lifecycle.metrics.tables import LifecycleMetrics

__all__ = ["METRICS", "MINIMUM", "LifecycleMetrics", "Metric", "lifecycle_metrics"]
