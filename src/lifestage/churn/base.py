"""The linear part of the churn model: what a person would look at, weighed by a logistic regression.

The trees are boosted from it, so that where there is little to learn the model is no worse than such a rule, and
where there is much the trees correct it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
from scipy.special import log1p, logit

from lifestage.churn.dataset import Sample
from lifestage.churn.logistic import logistic
from lifestage.errors import InputError
from lifestage.ragged import Bools, Floats

Transform = Literal["log1p", "logit"]
RIDGE = 1.0
"""Of the weights of standardised terms: one row's worth, which only a handful of customers feel."""
CERTAIN = 1e-6
"""Probabilities are kept so far from 0 and 1 before their log-odds are taken."""

RFM: tuple[tuple[str, Transform], ...] = (
    ("days_since_last_order", "log1p"),
    ("order_count", "log1p"),
    ("mean_order_value", "log1p"),
)
"""Recency, frequency and monetary value: the logistic regression that an analyst would write."""
P_NO_ORDER = "btyd_p_no_order"
TERMS: dict[str, tuple[tuple[str, Transform], ...]] = {
    "purchase": (*RFM, ("days_since_first_order", "log1p"), (P_NO_ORDER, "logit")),
    "activity": (
        ("days_since_last_event", "log1p"),
        ("active_days_30d", "log1p"),
        ("active_days_90d", "log1p"),
    ),
}
"""Churn definition -> what its base looks at, of what is there; the others' bases are the base rate."""


@dataclass(frozen=True, slots=True)
class Term:
    """weight x (transform(column) - mean) / scale, in log-odds of churn; 0 where the value is missing."""

    column: str
    transform: Transform
    mean: float
    scale: float
    weight: float

    def __call__(self, features: Mapping[str, Floats]) -> Floats:
        """One row per customer, log-odds."""
        values = (transformed(features[self.column], self.transform) - self.mean) / self.scale
        return self.weight * np.where(np.isnan(values), 0.0, values)


@dataclass(frozen=True, slots=True)
class Base:
    """Log-odds of churn = intercept + the sum of the terms."""

    intercept: float
    terms: tuple[Term, ...] = ()

    def __call__(self, features: Mapping[str, Floats]) -> Floats:
        """One row per customer, shape (n,): each customer's sum is taken alone and in the terms' order."""
        n = len(next(iter(features.values())))
        score = np.full(n, self.intercept)
        for term in self.terms:
            score += term(features)
        return score

    def to_json(self) -> dict[str, Any]:
        return {"intercept": self.intercept, "terms": [asdict(term) for term in self.terms]}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Base":
        """Raises InputError for a damaged document."""
        try:
            terms = tuple(
                Term(str(t["column"]), t["transform"], *(float(t[k]) for k in ("mean", "scale", "weight")))
                for t in document["terms"]
            )
            numbers = [float(document["intercept"]), *(x for t in terms for x in (t.mean, t.scale, t.weight))]
            if not np.isfinite(numbers).all() or any(t.transform not in get_args(Transform) for t in terms):
                raise ValueError("a weight is not finite, or a transform unknown")
            return cls(numbers[0], terms)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"the churn model's linear part is damaged ({error}); train again") from None


NOTHING = Base(0.0)


def transformed(values: Floats, transform: Transform) -> Floats:
    """Elementwise: log(1 + value), negative ones as 0; or the log-odds of a probability."""
    if transform == "log1p":
        return np.asarray(log1p(np.maximum(values, 0.0)), np.float64)
    odds: Floats = logit(np.clip(values, CERTAIN, 1 - CERTAIN))
    return odds


def fit_base(sample: Sample, wanted: Sequence[tuple[str, Transform]] = (), ridge: float = RIDGE) -> Base:
    """Ridge logistic regression on those of `wanted` that the sample has and that vary in it."""
    columns, found = [], []
    for name, transform in wanted:
        if name not in sample.features:
            continue
        values = transformed(sample.features[name], transform)
        known = ~np.isnan(values)
        mean, scale = _moments(values, known)
        if scale > 0:
            columns.append(np.where(known, (values - mean) / scale, 0.0))
            found.append((name, transform, mean, scale))
    design = np.column_stack([*columns, np.ones(len(sample))])
    penalty = np.array([ridge] * len(found) + [0.0])
    *weights, intercept = logistic(design, sample.churned.astype(np.float64), ridge=penalty)
    terms = tuple(Term(*about, float(weight)) for about, weight in zip(found, weights, strict=True))
    return Base(float(intercept), terms)


def _moments(values: Floats, known: Bools) -> tuple[float, float]:
    """Mean and standard deviation of the known values; a deviation of 0 where there is next to none."""
    if not known.any():
        return 0.0, 0.0
    some = values[known]
    mean, scale = float(some.mean()), float(some.std())
    return mean, scale if scale > 1e-9 * max(1.0, abs(mean)) else 0.0
