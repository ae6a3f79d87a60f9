"""Paired bootstrap of ranking measures: is the model's lead over a plain rule more than luck?"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lifestage.ragged import Bools, Floats

BAG = 20_000
REPETITIONS = 500


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95 % interval of the bootstrap over customers."""

    value: float
    low: float
    high: float


class _Ranking:
    """One score's customers in descending order; measures under bootstrap weights cost one pass each."""

    def __init__(self, score: Floats, churned: Bools) -> None:
        self.order = np.argsort(-score, kind="stable")
        ordered = score[self.order]
        self.starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        self.churned = churned[self.order].astype(np.float64)

    def _groups(self, weight: Floats) -> tuple[Floats, Floats]:
        """Weight of the churned and of the others in each group of equal scores, descending."""
        w = weight[self.order]
        churned = np.add.reduceat(w * self.churned, self.starts)
        return churned, np.add.reduceat(w, self.starts) - churned

    def roc_auc(self, weight: Floats) -> float:
        """P(a churned customer ranks above another), ties half (Mann-Whitney)."""
        churned, other = self._groups(weight)
        below = other.sum() - np.cumsum(other)
        return float((churned * (below + other / 2)).sum() / (churned.sum() * other.sum()))

    def average_precision(self, weight: Floats) -> float:
        """Sum over thresholds of the recall gained x precision."""
        churned, other = self._groups(weight)
        found = np.cumsum(churned)
        contacted = found + np.cumsum(other)
        gained = churned > 0
        return float((churned[gained] * found[gained] / contacted[gained]).sum() / found[-1])


def bootstrap(
    n: int, rng: np.random.Generator, repetitions: int
) -> tuple[npt.NDArray[np.int64], Iterator[Floats]]:
    """The customers who are drawn from, as places among n, and draws of n of them: how often each, float64[bag].

    Above BAG customers all draws are from one random bag of BAG (Kleiner, Talwalkar, Sarkar & Jordan 2014).
    """
    bag = np.arange(n) if n <= BAG else np.sort(rng.choice(n, BAG, replace=False))
    size = len(bag)
    draws = (
        np.bincount(rng.integers(0, size, n), minlength=size).astype(np.float64) for _ in range(repetitions)
    )
    return bag, draws


def paired_differences(
    model: Floats,
    rules: Mapping[str, Floats],
    churned: Bools,
    *,
    rarer_is_churned: bool,
    seed: int,
    repetitions: int = REPETITIONS,
) -> dict[str, dict[str, Interval]]:
    """Rule -> measure -> model minus rule; scores are higher = likelier to churn, shape (n,).

    Measures: `roc_auc`, and `average_precision` of the rarer class. Model and rules are weighed on the same
    draws. Above BAG customers each draw is still of n, but from a random bag of BAG of them, and the
    interval is moved to the difference on all: the bag of little bootstraps with one bag (Kleiner, Talwalkar,
    Sarkar & Jordan 2014). A draw with one class only is left out.
    """
    n = len(churned)
    rng = np.random.default_rng(seed)
    everyone = np.arange(n)
    bag, draws = bootstrap(n, rng, repetitions)
    scores = {"model": model, **rules}
    on_all = _measures(scores, everyone, churned, [np.ones(n)], rarer_is_churned)[:, :, 0]
    weights = [w for w in draws if 0 < w @ churned[bag] < n]
    centre = _measures(scores, bag, churned, [np.ones(len(bag))], rarer_is_churned)
    drawn = _measures(scores, bag, churned, weights, rarer_is_churned) - centre
    result: dict[str, dict[str, Interval]] = {}
    for i, rule in enumerate(rules, start=1):
        result[rule] = {}
        for j, measure in enumerate(("roc_auc", "average_precision")):
            value = float(on_all[0, j] - on_all[i, j])
            spread = drawn[0, j] - drawn[i, j]
            low, high = np.quantile(spread, [0.025, 0.975]) if len(spread) else (np.nan, np.nan)
            result[rule][measure] = Interval(value, value + float(low), value + float(high))
    return result


def _measures(
    scores: Mapping[str, Floats],
    rows: npt.NDArray[np.int64],
    churned: Bools,
    weights: list[Floats],
    rarer_is_churned: bool,
) -> Floats:
    """Shape (scores, 2 measures, weights)."""
    out = np.empty((len(scores), 2, len(weights)))
    for i, score in enumerate(scores.values()):
        by_churn = _Ranking(score[rows], churned[rows])
        rarer = by_churn if rarer_is_churned else _Ranking(-score[rows], ~churned[rows])
        for k, weight in enumerate(weights):
            out[i, 0, k] = by_churn.roc_auc(weight)
            out[i, 1, k] = rarer.average_precision(weight)
    return out
