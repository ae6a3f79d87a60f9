"""The honest grade of a churn forecast: the same figures for the model and for the plain rules beside it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from lifestage.churn.calibration import platt
from lifestage.churn.grade import COLUMN, GRADES, Grade, Measure, grade
from lifestage.churn.intervals import REPETITIONS, Interval, paired_differences
from lifestage.churn.metrics import (
    calibration_error,
    calibration_error_interval,
    calibration_interval,
    level_error,
    perfect_calibration_error,
    shape_error,
    top_decile_lift,
)
from lifestage.errors import InputError
from lifestage.ragged import Bools, Floats

MODEL = "model"
RULES = {
    "days_since_last_order": 1.0,
    "bg_nbd_expected_orders": -1.0,
    "days_since_last_event": 1.0,
    "days_subscribed": -1.0,
}
"""Plain rule -> sign: +1 where a higher value means likelier to churn, -1 where a lower one does."""
BASE_RATE = "base_rate"
"""The same probability for everybody: what there is where no rule is to be had."""
LOGISTIC = "logistic_rfm"
"""The logistic regression on recency, frequency and monetary value that an analyst would write."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One row per method (the model first, then the rules) on one test sample."""

    scores: Mapping[str, Floats]
    """Method -> what it ranks by, higher = likelier to churn."""
    probabilities: Mapping[str, Floats]
    """Method -> probability of churn; a rule's by a logistic curve fitted on validation."""
    churned: Bools
    figures: Mapping[str, Mapping[str, float]]
    """Method -> figure -> value."""
    differences: Mapping[str, Mapping[str, Interval]]
    """Rule -> `roc_auc` and `average_precision` (of the rarer class) -> the model's lead over it."""
    rarer: str
    """`churned` or `stayed`, whichever was rarer before the test."""
    grade: Grade
    """Against the first of the rules, in `measure`."""
    measure: Measure = "average_precision"
    out_of_time: bool = True
    """False: the test customers were drawn at random from the days of training, which flatters."""

    @property
    def base_rate(self) -> float:
        """Share of test customers who churned."""
        return float(np.mean(self.churned))

    def table(self) -> pd.DataFrame:
        """One row per method; the model's lead in ROC-AUC and its 95 % interval stand in the rule's row."""
        frame = pd.DataFrame([{"method": m, **f} for m, f in self.figures.items()])
        leads = [self.differences[m]["roc_auc"] if m in self.differences else None for m in self.figures]
        for column in ("value", "low", "high"):
            label = "model_lead" if column == "value" else f"model_lead_{column}"
            frame[label] = [np.nan if lead is None else getattr(lead, column) for lead in leads]
        return frame

    @property
    def rule(self) -> str:
        """The plain rule that the grade is against."""
        return next(iter(self.differences))

    @property
    def best_baseline(self) -> str:
        """The method that is best in the measure of the grade, the model left out."""
        others = [method for method in self.figures if method != MODEL]
        column = COLUMN[self.measure]
        return max(others, key=lambda method: self.figures[method][column])

    def metrics(self) -> dict[str, float]:
        """Flat figures: `grade` is 2 for A, 1 for B, 0 for C; `roc_auc` is the model's,
        `days_since_last_order/roc_auc` a rule's,
        `lead_over/days_since_last_order/roc_auc` (`..._low`, `..._high`) the difference."""
        flat = {
            "n": float(len(self.churned)),
            "base_rate": self.base_rate,
            "out_of_time": float(self.out_of_time),
            "grade": float(GRADES.index(self.grade)),
            "grade_by_roc_auc": float(self.measure == "roc_auc"),
        }
        for method, figures in self.figures.items():
            prefix = "" if method == MODEL else f"{method}/"
            flat |= {f"{prefix}{name}": value for name, value in figures.items()}
        for rule, measures in self.differences.items():
            for measure, lead in measures.items():
                name = f"lead_over/{rule}/{measure}"
                flat |= {name: lead.value, f"{name}_low": lead.low, f"{name}_high": lead.high}
        return flat


def evaluate(
    model_probability: Floats,
    rules: Mapping[str, Floats | None],
    rules_validation: Mapping[str, Floats | None],
    churned: Bools,
    churned_validation: Bools,
    *,
    methods: Mapping[str, Floats] | None = None,
    measure: Measure = "average_precision",
    training_base_rate: float | None = None,
    out_of_time: bool = True,
    seed: int = 7,
    repetitions: int = REPETITIONS,
) -> Evaluation:
    """Grade the model beside plain rules on the test sample, shape (n,).

    `rules`: names of RULES -> the rule's value for each test customer (days; expected orders), None where it
    is not to be had; `rules_validation`: the same for the validation customers. A rule ranks by its own value;
    its probability is a logistic curve of log(1 + value) fitted on validation, out of time like the model's
    calibration, so that log loss, Brier score and calibration error compare. Churned is the positive class of
    `pr_auc` (average precision); `pr_auc_rarer` is that of the class rarer in training
    (`training_base_rate` = share churned there; without it the validation sample decides). `methods`: further
    forecasts beside the rules, name -> probability. `measure`: what the grade goes by.

    Raises InputError for one class only, a probability outside [0, 1] or NaN, unknown rules, wrong lengths.
    """
    for part, outcome in (("test", churned), ("validation", churned_validation)):
        if outcome.all() or not outcome.any():
            only = "churned" if outcome.any() else "stayed"
            raise InputError(
                f"churn {part}: all {len(outcome)} customers {only}; both outcomes are needed to grade"
            )
    _check_probability(model_probability, len(churned))
    base_rate = float(np.mean(churned_validation)) if training_base_rate is None else training_base_rate
    rarer_is_churned = base_rate < 0.5
    scores, probabilities = {MODEL: model_probability}, {MODEL: model_probability}
    for rule, value in rules.items():
        if value is None:
            continue
        earlier = rules_validation.get(rule)
        if earlier is None:
            raise InputError(f"rule '{rule}' has test values but none for validation; give both or neither")
        _check_rule(rule, value, len(churned), "test")
        _check_rule(rule, earlier, len(churned_validation), "validation")
        scores[rule] = RULES[rule] * value
        curve = platt(RULES[rule] * np.log1p(earlier), churned_validation)
        probabilities[rule] = curve(RULES[rule] * np.log1p(value))
    for method, probability in (methods or {}).items():
        _check_probability(probability, len(churned), f"{method} probability")
        scores[method] = probabilities[method] = probability
    if len(scores) == 1:  # nothing to be compared with: the base rate, which ranks nobody
        scores[BASE_RATE] = np.zeros(len(churned))
        probabilities[BASE_RATE] = np.full(len(churned), float(np.mean(churned_validation)))
    figures = {
        m: figures_of(scores[m], probabilities[m], churned, rarer_is_churned, seed=seed) for m in scores
    }
    differences = paired_differences(
        model_probability,
        {rule: score for rule, score in scores.items() if rule != MODEL},
        churned,
        rarer_is_churned=rarer_is_churned,
        seed=seed,
        repetitions=repetitions,
    )
    return Evaluation(
        scores=scores,
        probabilities=probabilities,
        churned=churned,
        figures=figures,
        differences=differences,
        rarer="churned" if rarer_is_churned else "stayed",
        grade=grade(figures, differences, model=MODEL, rule=next(iter(differences)), measure=measure),
        measure=measure,
        out_of_time=out_of_time,
    )


def figures_of(
    score: Floats, probability: Floats, churned: Bools, rarer_is_churned: bool, *, seed: int = 7
) -> dict[str, float]:
    """The figures of one method on customers of both outcomes."""
    low, high = calibration_interval(probability, seed=seed)
    own_low, own_high = calibration_error_interval(probability, churned, seed=seed)
    average_precision = float(average_precision_score(churned, score))
    rarer = average_precision if rarer_is_churned else float(average_precision_score(~churned, -score))
    return {
        "roc_auc": float(roc_auc_score(churned, score)),
        "pr_auc": average_precision,
        "pr_auc_rarer": rarer,
        "log_loss": float(log_loss(churned, probability)),
        "brier": float(brier_score_loss(churned, probability)),
        "ece": calibration_error(probability, churned),
        "ece_low": own_low,
        "ece_high": own_high,
        "ece_if_perfect": perfect_calibration_error(probability),
        "ece_if_perfect_low": low,
        "ece_if_perfect_high": high,
        "ece_level": level_error(probability, churned),
        "ece_shape": shape_error(probability, churned),
        "lift_top_decile": top_decile_lift(score, churned),
    }


def _check_probability(probability: Floats, n: int, name: str = "churn probability") -> None:
    if len(probability) != n:
        raise InputError(f"{len(probability)} values of {name} for {n} test customers; give one each")
    good = (probability >= 0) & (probability <= 1)
    if not good.all():
        row = int(np.argmin(good))
        raise InputError(f"{name} of test row {row} is {probability[row]}, expected 0 to 1")


def _check_rule(rule: str, value: Floats, n: int, part: str) -> None:
    if rule not in RULES:
        raise InputError(f"unknown rule '{rule}'; known are: {', '.join(RULES)}")
    if len(value) != n:
        raise InputError(f"rule '{rule}' has {len(value)} {part} values for {n} customers; give one each")
    good = np.isfinite(value) & (value >= 0)
    if not good.all():
        row = int(np.argmin(good))
        raise InputError(f"rule '{rule}' is {value[row]} in {part} row {row}, expected a finite number >= 0")
