"""Figures of a churn forecast that scikit-learn lacks; none depends on the order of customers, ties included."""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from lifestage.churn.calibration import level_shift
from lifestage.ragged import Bools, Floats

BINS = 10


@dataclass(frozen=True, slots=True)
class Reliability:
    """One row per bin of equal mass, ascending in probability."""

    predicted: Floats
    """Mean probability."""
    observed: Floats
    """Share that churned."""
    customers: Floats


def reliability(probability: Floats, churned: Bools, bins: int = BINS) -> Reliability:
    """Predicted against observed, in `bins` bins whose sizes differ by at most one customer.

    Customers with the same probability share their mean outcome, so that cutting through them does not depend
    on the order of rows. Fewer than `bins` customers give one bin each.
    """
    order = np.argsort(probability, kind="stable")
    p, outcome = probability[order], _tied_mean(probability[order], churned[order].astype(np.float64))
    edges = np.unique(np.linspace(0, len(p), min(bins, len(p)) + 1).astype(np.int64))
    size = np.diff(edges).astype(np.float64)
    return Reliability(
        np.add.reduceat(p, edges[:-1]) / size, np.add.reduceat(outcome, edges[:-1]) / size, size
    )


def calibration_error(probability: Floats, churned: Bools, bins: int = BINS) -> float:
    """Expected calibration error: mean of |observed - predicted| over bins of equal mass, weighted by size.

    Naeini, Cooper & Hauskrecht (2015), eq. 1, with equal-mass bins.
    """
    r = reliability(probability, churned, bins)
    return float((r.customers * np.abs(r.observed - r.predicted)).sum() / r.customers.sum())


def perfect_calibration_error(probability: Floats, bins: int = BINS) -> float:
    """What `calibration_error` is on average if the probabilities are exactly true: chance alone.

    Each bin's observed share is then normal about the predicted one with variance mean(p (1 - p)) / size, and
    E|N(0, s^2)| = s sqrt(2 / pi).
    """
    groups = np.array_split(np.sort(probability), min(bins, len(probability)))
    deviation = [np.sqrt((g * (1 - g)).sum() * 2 / np.pi) for g in groups]
    return float(sum(deviation) / len(probability))


def calibration_interval(probability: Floats, *, seed: int, repetitions: int = 400) -> tuple[float, float]:
    """2.5 and 97.5 % points of `calibration_error` if the probabilities are exactly true: outcomes drawn from them."""
    p = np.sort(probability)
    rng = np.random.default_rng(seed)
    edges = np.unique(np.linspace(0, len(p), min(BINS, len(p)) + 1).astype(np.int64))
    size = np.diff(edges)
    # Of customers within a bin only the number that churn counts: normal about its mean, where bins are large.
    predicted = np.add.reduceat(p, edges[:-1])
    spread = np.sqrt(np.add.reduceat(p * (1 - p), edges[:-1]))
    if size.min() >= 100:
        errors = np.abs(rng.standard_normal((repetitions, len(size))) * spread).sum(axis=1) / len(p)
    else:
        drawn = (
            np.add.reduceat(rng.random(len(p)) < p, edges[:-1], dtype=np.int64) for _ in range(repetitions)
        )
        errors = np.array([np.abs(churned - predicted).sum() / len(p) for churned in drawn])
    low, high = np.quantile(errors, [0.025, 0.975])
    return float(low), float(high)


def calibration_error_interval(
    probability: Floats, churned: Bools, *, seed: int, repetitions: int = 400
) -> tuple[float, float]:
    """95 % interval of `calibration_error`: the basic bootstrap of each bin's outcomes, never below 0.

    The plain percentiles would lie too high, since each draw adds chance to the error that chance already made;
    the basic interval, 2 x error - percentile, takes it off (Davison & Hinkley 1997, section 5.2).
    """
    r = reliability(probability, churned)
    rng = np.random.default_rng(seed)
    share = np.clip(r.observed, 0, 1)
    drawn = rng.binomial(r.customers.astype(np.int64), share, (repetitions, len(share))) / r.customers
    errors = (r.customers * np.abs(drawn - r.predicted)).sum(axis=1) / r.customers.sum()
    error = calibration_error(probability, churned)
    low, high = 2 * error - np.quantile(errors, [0.975, 0.025])
    return max(0.0, float(low)), max(0.0, float(high))


def level_error(probability: Floats, churned: Bools) -> float:
    """Mean probability - share that churned: what a shift of the whole level, such as Christmas, does."""
    return float(probability.mean() - churned.mean())


def shape_error(probability: Floats, churned: Bools, bins: int = BINS) -> float:
    """`calibration_error` after the level is set right (a shift of all log-odds): what is wrong beside it."""
    score, share = logit(np.clip(probability, 1e-12, 1 - 1e-12)), float(churned.mean())
    if not 0 < share < 1:
        return float("nan")
    shift = level_shift(lambda c: expit(score + c), share)
    return calibration_error(expit(score + shift), churned, bins)


def top_decile_lift(score: Floats, churned: Bools) -> float:
    """Share of churners in the tenth of customers with the highest score / their share in all.

    Customers who tie at the border count in part, as if drawn at random among them. NaN if nobody churned.
    """
    captured = gain_curve(score, churned, np.array([0.1]))[0]
    return float(captured / 0.1)


def gain_curve(score: Floats, churned: Bools, share: Floats) -> Floats:
    """Share of all churners found among the `share` (0 to 1) of customers with the highest score."""
    order = np.argsort(-score, kind="stable")
    outcome = _tied_mean(score[order], churned[order].astype(np.float64))
    found = np.concatenate([[0.0], np.cumsum(outcome)])
    if found[-1] == 0:
        return np.full(len(share), np.nan)
    curve: Floats = np.interp(share * len(score), np.arange(len(found)), found) / found[-1]
    return curve


def _tied_mean(ordered: Floats, outcome: Floats) -> Floats:
    """Outcome, replaced by its mean among equal values of `ordered` (sorted either way)."""
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    size = np.diff(np.append(starts, len(ordered)))
    mean: Floats = np.repeat(np.add.reduceat(outcome, starts) / size, size)
    return mean
