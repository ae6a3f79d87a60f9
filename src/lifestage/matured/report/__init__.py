"""The page of matured outcomes."""

from lifestage.matured.report.page import backtest_page
from lifestage.matured.report.plots import pictures

__all__ = ["backtest_page", "pictures"]
