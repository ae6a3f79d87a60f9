"""Which order model of the family a shop gets: the configured one or the best on a holdout."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lifestage.clv.compress import Compressed, distinct
from lifestage.clv.families import FAMILIES, LABELS
from lifestage.clv.order_fit import WEAK, OrderFit, fit
from lifestage.errors import InputError
from lifestage.ragged import Floats


def fit_orders(
    customers: Compressed, models: Sequence[str] = tuple(FAMILIES), extra_start: Floats | None = None
) -> OrderFit:
    """The first of `models` that the data identify; where they identify none, the first that passes under weak priors.

    `diagnostics["fallback"]` is None or the sentence that says what the data do not identify and what was done;
    "tried": what was found against each. extra_start: of order_fit.fit. Raises InputError where none passes.
    """
    tried: list[OrderFit] = []
    for priors in (False, True):
        for name in models:
            found = fit(name, customers, extra_start, priors=priors)
            if found.fault is None:
                return _with_report(found, tried)
            tried.append(found)
    raise InputError(f"{_sentence(tried)} No order model can be fitted; check frequency, recency and T")


def _label(fitted: OrderFit) -> str:
    return LABELS[fitted.name] + (f" under weak priors ({WEAK})" if fitted.diagnostics["priors"] else "")


def _sentence(tried: Sequence[OrderFit]) -> str:
    return " ".join(f"{_label(one)}: {one.fault}." for one in tried)


def _with_report(found: OrderFit, tried: Sequence[OrderFit]) -> OrderFit:
    fallback = f"{_sentence(tried)} {_label(found)} was fitted instead." if tried else None
    kept = ("model", "priors", "fault", "log_likelihood", "at_bound", "converged")
    report = [{**{k: one.diagnostics[k] for k in kept}, "params": one.params._asdict()} for one in tried]
    return replace(found, diagnostics={**found.diagnostics, "fallback": fallback, "tried": report})


ROWS = 20_000
"""Histories whose order-count laws are worked out at a time."""


@dataclass(frozen=True, slots=True)
class Held:
    """One row per distinct (history, orders after it): what a holdout saw within `horizon` of the cutoff."""

    before: Compressed
    orders: Floats
    horizon: float

    @classmethod
    def of(cls, x: Floats, t_x: Floats, T: Floats, orders: Floats, horizon: float) -> "Held":
        """From one row per customer; orders: distinct purchase days in the holdout."""
        index, number = distinct(orders, x, t_x, T)  # by number of orders: rows of a block need as many terms
        count = np.bincount(number, minlength=len(index)).astype(np.float64)
        return cls(Compressed(x[index], t_x[index], T[index], count), orders[index], horizon)


def log_probability(fitted: OrderFit, held: Held) -> Floats:
    """One per row of `held`: log P(as many orders as came | history)."""
    family, before = FAMILIES[fitted.name], held.before
    parts = []
    for low in range(0, len(held.orders), ROWS):
        rows = slice(low, low + ROWS)
        x, t_x, T = before.frequency[rows], before.recency[rows], before.T[rows]
        came = held.orders[rows].astype(np.int64)
        most = int(came.max())
        alive = family.probability_alive(fitted.params, x, t_x, T)
        law = family.order_counts_given_alive(fitted.params, held.horizon, x, T, most)
        chance = alive * law[came, np.arange(len(came))] + np.where(came == 0, 1.0 - alive, 0.0)
        parts.append(np.log(np.maximum(chance, 1e-300)))
    return np.concatenate(parts)


def rank(customers: Compressed, held: Held) -> tuple[list[str], dict[str, Any]]:
    """The models of the family by the log-likelihood of a holdout, the best first, and the figures (JSON).

    customers: as seen at the holdout's cutoff. Models that the data do not identify come last, in the family's
    order; where that is all of them, they are compared under the weak priors.
    """
    fits: dict[str, OrderFit] = {}
    faults: dict[str, str] = {}
    for priors in (False, True):
        for name in FAMILIES if not fits else ():
            found = fit(name, customers, priors=priors)
            if found.fault is None:
                fits[name] = found
            elif not priors:
                faults[name] = found.fault
    total = {name: log_probability(found, held) for name, found in fits.items()}
    w, once = held.before.count, held.before.count * (held.before.frequency == 0)
    score = {name: float((w * value).sum()) for name, value in total.items()}
    best = sorted(score, key=lambda name: -score[name])
    report = {
        "customers": float(w.sum()),
        "horizon": held.horizon,
        "holdout_log_likelihood": score,
        "of_one_time_buyers": {name: float((once * value).sum()) for name, value in total.items()},
        "not_identified": faults,
    }
    return [*best, *(name for name in FAMILIES if name not in best)], report


def why(order: Sequence[str], report: Mapping[str, Any]) -> str:
    """In one sentence, what spoke for the first of `order`."""
    score = report["holdout_log_likelihood"]
    if not score:
        return "no order model could be compared on the holdout"
    first, *others = (name for name in order if name in score)
    said = ", ".join(f"{LABELS[name]} {score[name] - score[first]:.1f}" for name in others)
    less = f" (log-likelihood less by: {said})" if others else ""
    out = "".join(f"; {LABELS[name]}: {fault}" for name, fault in report["not_identified"].items())
    return f"{LABELS[first]} foresaw the holdout's orders best{less}{out}"
