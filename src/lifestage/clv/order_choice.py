"""Which order model of the family a shop gets: the configured one or the best on a holdout."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lifestage.clv.compress import Compressed
from lifestage.clv.families import FAMILIES, LABELS
from lifestage.clv.held import Held
from lifestage.clv.order_fit import BOUND, WEAK, OrderFit, fit
from lifestage.errors import InputError
from lifestage.ragged import Floats

TIE = 2.0
"""Of the log-likelihood: less speaks for no model."""


def fit_orders(
    customers: Compressed, models: Sequence[str] = tuple(FAMILIES), extra_start: Floats | None = None
) -> OrderFit:
    """The first of `models` that the data identify; where they identify none, the first that passes under weak priors.

    `diagnostics["fallback"]` is None or the sentence that says what the data do not identify and what was done;
    "tried": what was found against each. extra_start: of order_fit.fit. Raises InputError where none passes.
    """
    return _first(lambda name, priors: fit(name, customers, extra_start, priors=priors), models)


class HeldFits:
    """Fits on the customers of holdouts, as they were at its cutoff; each is made once."""

    def __init__(self) -> None:
        self._made: dict[tuple[float, float, str, bool], OrderFit] = {}

    def one(self, held: Held, name: str, *, priors: bool = False) -> OrderFit:
        """Of one model."""
        key = (held.cutoff_day, held.horizon, name, priors)
        if key not in self._made:
            self._made[key] = fit(name, held.customers, priors=priors)
        return self._made[key]

    def first(self, held: Held, models: Sequence[str]) -> OrderFit:
        """As `fit_orders`."""
        return _first(lambda name, priors: self.one(held, name, priors=priors), models)


def _first(make: Callable[[str, bool], OrderFit], models: Sequence[str]) -> OrderFit:
    tried: list[OrderFit] = []
    for priors in (False, True):
        for name in models:
            found = make(name, priors)
            if found.fault is None:
                return _with_report(found, tried)
            tried.append(found)
    for found in tried:
        if found.fault == BOUND:
            return _with_report(found, tried)
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


def rank(holdouts: Sequence[Held], fits: HeldFits) -> tuple[list[str], dict[str, Any]]:
    """The models of the family by the log-likelihood of holdouts, the best first, and the figures (JSON).

    A simpler model, earlier in the family, stands before one that leads by `TIE` or less.

    Each model is fitted on what was seen at a holdout's cutoff, and the log-likelihoods of all holdouts add up.
    A model that the data of the newest one do not identify comes last, in the family's order; where that is all of
    them, they are compared under the weak priors.
    """
    newest = max(holdouts, key=lambda held: held.cutoff_day)
    plain = {name: fits.one(newest, name) for name in FAMILIES}
    faults = {name: found.fault for name, found in plain.items() if found.fault is not None}
    names = [name for name in FAMILIES if name not in faults] or list(FAMILIES)
    score, once = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0)
    for held in holdouts:
        count = held.before.count
        for name in names:
            known = fits.one(held, name)
            found = known if known.fault is None else fits.one(held, name, priors=True)
            value = count * held.log_probability(name, found.params)
            score[name] += float(value.sum())
            once[name] += float(value[held.before.frequency == 0].sum())
    best = sorted(score, key=lambda name: -score[name])
    near = [name for name in names if score[best[0]] - score[name] <= TIE]
    best = [near[0], *(name for name in best if name != near[0])]
    report = {
        "cutoffs": [str(np.datetime64(int(held.cutoff_day), "D")) for held in holdouts],
        "customers": newest.before.customers,
        "horizon": newest.horizon,
        "holdout_log_likelihood": score,
        "of_one_time_buyers": once,
        "not_identified": faults,
    }
    return [*best, *(name for name in FAMILIES if name not in best)], report


def why(order: Sequence[str], report: Mapping[str, Any]) -> str:
    """In one sentence, what spoke for the first of `order`."""
    score = report["holdout_log_likelihood"]
    first, *others = (name for name in order if name in score)
    said = ", ".join(f"{LABELS[name]} {score[name] - score[first]:+.1f}" for name in others)
    less = f" (log-likelihood beside it: {said})" if others else ""
    out = "".join(f"; {LABELS[name]}: {fault}" for name, fault in report["not_identified"].items())
    return f"{LABELS[first]} foresaw the orders of {len(report['cutoffs'])} holdouts best{less}{out}"
