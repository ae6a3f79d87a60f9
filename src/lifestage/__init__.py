"""Lifestage: churn and customer-lifetime-value scores, lifecycle stages and the next action for every customer.

For Python users: `fit`, `fit_churn`, `fit_clv`, `load`, `score` and `stage` take and give pandas frames; the functions
underneath are those of the training scripts and of the service.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lifestage.api import fit, fit_churn, fit_clv, load, score, stage

__all__ = ["fit", "fit_churn", "fit_clv", "load", "score", "stage"]


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    """Import the frame interface only where it is used: scripts' --help and the service need none of it."""
    if name in __all__:
        from lifestage import api

        return getattr(api, name)
    raise AttributeError(f"module 'lifestage' has no attribute '{name}'")
