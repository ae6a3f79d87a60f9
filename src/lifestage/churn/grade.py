"""A, B or C: what the model is worth beside what a person would do without it."""

from collections.abc import Mapping
from typing import Literal

from lifestage.churn.intervals import Interval

Grade = Literal["A", "B", "C"]
GRADES: tuple[Grade, ...] = ("C", "B", "A")
"""Place = the metric `grade`."""
Measure = Literal["average_precision", "roc_auc"]
COLUMN: dict[Measure, str] = {"average_precision": "pr_auc_rarer", "roc_auc": "roc_auc"}
"""Measure -> the figure of Evaluation.figures."""
MIN_GAIN = 0.10
"""Relative gain over the plain rule from which on a model is graded A."""
MEANING: dict[Grade, tuple[str, str]] = {
    "A": (
        "clearly better than the plain rule, and no baseline is better",
        "明显优于简单规则，且没有基线更好",
    ),
    "B": ("better than the plain rule", "优于简单规则"),
    "C": ("not proven better than the plain rule", "未能证明优于简单规则"),
}


def grade(
    figures: Mapping[str, Mapping[str, float]],
    differences: Mapping[str, Mapping[str, Interval]],
    *,
    model: str,
    rule: str,
    measure: Measure = "average_precision",
) -> Grade:
    """Of `model` against `rule`, the plain one that a person would use, and the other methods of `figures`.

    A: at least MIN_GAIN of the rule's own value better than it and significantly so (95 % paired bootstrap), and
    no method better. B: significantly better than the rule. C: else. `measure`: average precision is that of the
    rarer class.
    """
    column = COLUMN[measure]
    own = figures[model][column]
    if not differences[rule][measure].low > 0:
        return "C"
    others = [values[column] for method, values in figures.items() if method != model]
    gained = own >= (1 + MIN_GAIN) * figures[rule][column]
    return "A" if gained and own >= max(others) else "B"
