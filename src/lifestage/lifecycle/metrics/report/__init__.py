"""The lifecycle report: one self-contained page in English and Chinese (extra `train`)."""

from lifestage.lifecycle.metrics.report.ahead import about_to_move
from lifestage.lifecycle.metrics.report.page import LifecycleReport, lifecycle_page

__all__ = ["LifecycleReport", "about_to_move", "lifecycle_page"]
