"""The lifecycle report: one self-contained page in English and Chinese (extra `train`)."""

from lifestage.lifecycle.metrics.report.page import LifecycleReport, lifecycle_page

__all__ = ["LifecycleReport", "lifecycle_page"]
