"""Is a history fit to train on? One pass measures it, stated minimums judge it, gaps suggest a horizon."""

from lifestage.readiness.judge import Line, Report, assess

__all__ = ["Line", "Report", "assess"]
