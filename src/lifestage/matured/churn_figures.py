"""What a churn forecast was worth once its horizon had passed."""

import numpy as np
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from lifestage.churn.metrics import (
    calibration_error,
    calibration_interval,
    perfect_calibration_error,
    top_decile_lift,
)
from lifestage.ragged import Bools, Floats

SEED = 7
EPS = 1e-12


def churn_figures(probability: Floats, churned: Bools) -> dict[str, float]:
    """Figures of one run's eligible customers, one at least; what is undefined (all left, or none) is left out.

    eligible, churned: customers. predicted_churned: sum of the probabilities. predicted_rate, observed_rate: shares.
    rate_error: predicted - observed; rate_chance: what it may be by chance, 95 %, if the probabilities are true.
    calibration_error (ECE) beside calibration_error_if_perfect (its mean if they are true) and
    calibration_error_chance (97.5 % point). log_loss, brier; log_loss_of_rate: of the observed rate for everybody.
    roc_auc; average_precision of the rarer outcome, rarer_share: what chance gives. lift: how many times as many
    churned of the riskiest tenth as of all; riskiest_rate: their share.
    """
    n = len(churned)
    observed, predicted = float(churned.mean()), float(probability.mean())
    spread = 1.96 * float(np.sqrt((probability * (1 - probability)).sum())) / n
    found = {
        "eligible": float(n),
        "churned": float(churned.sum()),
        "predicted_churned": float(probability.sum()),
        "observed_rate": observed,
        "predicted_rate": predicted,
        "rate_error": predicted - observed,
        "rate_chance": spread,
        "calibration_error": calibration_error(probability, churned),
        "calibration_error_if_perfect": perfect_calibration_error(probability),
        "calibration_error_chance": calibration_interval(probability, seed=SEED)[1],
        "log_loss": float(log_loss(churned, np.clip(probability, EPS, 1 - EPS), labels=[False, True])),
        "brier": float(brier_score_loss(churned, probability)),
    }
    if 0 < observed < 1:
        found |= {"rarer_share": min(observed, 1 - observed), **_order(probability, churned)}
        found["riskiest_rate"] = found["lift"] * observed
        found["log_loss_of_rate"] = float(
            -observed * np.log(observed) - (1 - observed) * np.log(1 - observed)
        )
    return {name: float(value) for name, value in found.items() if np.isfinite(value)}


def rule_figures(days_silent: Floats, churned: Bools) -> dict[str, float]:
    """rule_roc_auc, rule_average_precision, rule_lift: what the days since the last order (or event) alone tell.

    Empty where all churned, or none, or somebody's last one is not known, as for subscriptions.
    """
    if not 0 < churned.mean() < 1 or not np.isfinite(days_silent).all():
        return {}
    return {f"rule_{name}": value for name, value in _order(days_silent, churned).items()}


def _order(score: Floats, churned: Bools) -> dict[str, float]:
    sign = 1.0 if churned.mean() <= 0.5 else -1.0  # average precision is that of the rarer outcome
    return {
        "roc_auc": float(roc_auc_score(churned, score)),
        "average_precision": float(average_precision_score(churned if sign > 0 else ~churned, sign * score)),
        "lift": top_decile_lift(score, churned),
    }
