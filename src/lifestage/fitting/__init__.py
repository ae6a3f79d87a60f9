"""Both models of a shop from its history file: evaluation fit, holdout figures, shipped fit. No tracking here."""

from lifestage.fitting.churn import FittedChurn, fit_churn
from lifestage.fitting.clv import ClvHoldout, FittedClv, fit_clv, holdout_at, holdout_cutoff
from lifestage.fitting.draws import Parts, Samples, draw_samples, parts_of, shares_of
from lifestage.fitting.plan import Progress, definition_of, families_of, folds_of, learn_features, silent

__all__ = [
    "ClvHoldout",
    "FittedChurn",
    "FittedClv",
    "Parts",
    "Progress",
    "Samples",
    "definition_of",
    "draw_samples",
    "families_of",
    "fit_churn",
    "fit_clv",
    "folds_of",
    "holdout_at",
    "holdout_cutoff",
    "learn_features",
    "parts_of",
    "shares_of",
    "silent",
]
