"""What lies ahead of customers, beyond the columns of a score: P(alive) later, number of orders, value by month."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np

from lifestage.clv import gamma_gamma
from lifestage.clv.model import ClvModel, lived_times
from lifestage.clv.summary import Summary
from lifestage.clv.value import DAYS_A_YEAR, future_orders
from lifestage.errors import InputError
from lifestage.ragged import Floats, Ints

FOR_EVER = 1e-12
"""Discount at which "for ever" ends."""
PIECES = 12
"""Stretches of time, each three times as long as the one before it, over which a value for ever is integrated."""


def alive_at(model: ClvModel, summary: Summary, days: float | Sequence[float]) -> Floats:
    """P(still alive so many days after the cutoff), float64[times, n]; NaN without a purchase.

    days: one or several, 0 or more; 0 is P(alive) now. Raises InputError.
    """
    times = _times(days)
    found = np.full((len(times), len(summary)), np.nan)
    for params, rows, some in _alike(model, summary):
        t_x, T = lived_times(some, model.clock)
        now = model.family.probability_alive(params, some.frequency, t_x, T)
        for i, ahead in enumerate(model.clock.ahead(some.cutoff_day, times)):
            later = model.family.alive_later_given_alive(params, float(ahead), some.frequency, T)
            found[i, rows] = now * later if ahead else now
    return found


def order_counts(model: ClvModel, summary: Summary, horizon_days: float, most: int) -> Floats:
    """P(0, 1, ... most orders within the horizon), float64[most + 1, n]; NaN without a purchase."""
    horizon_days = float(_times(horizon_days)[0])
    if most < 0:
        raise InputError(f"most is {most}, expected a number of orders of 0 or more")
    found = np.full((most + 1, len(summary)), np.nan)
    for params, rows, some in _alike(model, summary):
        t_x, T = lived_times(some, model.clock)
        horizon = float(model.clock.ahead(some.cutoff_day, horizon_days))
        alive = model.family.probability_alive(params, some.frequency, t_x, T)
        law = alive * model.family.order_counts_given_alive(params, horizon, some.frequency, T, most)
        law[0] += 1.0 - alive
        found[:, rows] = law
    return found


def expected_orders_until(model: ClvModel, summary: Summary, days: float | Sequence[float]) -> Floats:
    """Orders expected in (cutoff, cutoff + days], float64[times, n]; differences are those of any period."""
    times = _times(days)
    found = np.full((len(times), len(summary)), np.nan)
    for params, rows, some in _alike(model, summary):
        t_x, T = lived_times(some, model.clock)
        alive = model.family.probability_alive(params, some.frequency, t_x, T)
        for i, ahead in enumerate(model.clock.ahead(some.cutoff_day, times)):
            found[i, rows] = alive * model.family.expected_purchases_given_alive(
                params, float(ahead), some.frequency, T
            )
    return found


def month_ends(cutoff: date, months: int) -> list[int]:
    """Days from the cutoff to its day of each of the next calendar months, or a month's last where it has none.

    2024-01-31: 2024-02-29, 2024-03-31 ...: a month is a month, and not 30 days.
    """
    ends = []
    for i in range(1, months + 1):
        year, month = divmod(cutoff.year * 12 + cutoff.month - 1 + i, 12)
        first = np.datetime64(f"{year:04d}-{month + 1:02d}")
        last = int((first + 1).astype("datetime64[D]").astype(int)) - 1
        ends.append(min(int(first.astype("datetime64[D]").astype(int)) + cutoff.day - 1, last))
    start = int(np.datetime64(cutoff).astype(int))
    return [end - start for end in ends]


def value_path(model: ClvModel, summary: Summary, days: float | Sequence[float]) -> Floats:
    """Discounted value of the orders within so many days, float64[times, n], currency: a customer's path to their clv.

    `days` ascending, e.g. `month_ends(cutoff, 12)`; the last row is the clv of that horizon. After margin.
    """
    nothing = np.where(summary.has_purchase, 0.0, np.nan)
    rows = [model.predict(summary, float(d), only=("clv",))["clv"] if d else nothing for d in _times(days)]
    return np.array(rows).reshape(-1, len(summary))


def value_for_ever(model: ClvModel, summary: Summary) -> Floats:
    """Discounted value of all orders to come, float64[n], currency, after margin; NaN without a purchase.

    The horizon at which a discount of `FOR_EVER` is reached, in stretches that grow; for a Pareto/NBD it is DERT
    (Fader, Hardie & Lee 2005, "RFM and CLV", Journal of Marketing Research 42, 415-430) x expected order value.
    Raises InputError without a discount, as the sum then has no end.
    """
    rate = model.yearly_discount_rate
    if rate <= 0:
        raise InputError(
            "yearly_discount_rate is 0, and orders for ever have no finite value; give a rate above 0"
        )
    whole = -np.log(FOR_EVER) / np.log1p(rate) * DAYS_A_YEAR
    borders = np.concatenate([[0.0], whole * 3.0 ** np.arange(1 - PIECES, 1)])
    found = np.full(len(summary), np.nan)
    for params, rows, some in _alike(model, summary):
        found[rows] = _value_between(model, params, some, borders)
    return found


def _value_between(model: ClvModel, params: Any, some: Summary, borders: Floats) -> Floats:
    family, clock, day = model.family, model.clock, some.cutoff_day
    t_x, T = lived_times(some, clock)
    alive = family.probability_alive(params, some.frequency, t_x, T)
    discounted = np.zeros(len(some))
    lived = clock.ahead(day, borders)
    for begin, end in zip(lived[:-1].tolist(), lived[1:].tolist(), strict=True):

        def rate(t: Floats, begin: float = begin) -> Floats:
            return family.order_rate_given_alive(params, begin + t, some.frequency, T)

        def days(t: Floats, begin: float = begin) -> Floats:
            return clock.days(day, begin + t)

        scale = family.time_scale(params, T) + begin
        discounted += future_orders(rate, scale, end - begin, model.yearly_discount_rate, days)[1]
    value = gamma_gamma.expected_order_value(model.gamma_gamma, some.frequency, some.monetary_value)
    return alive * discounted * value * model.margin


def new_customer(
    model: ClvModel, horizon_days: float | None = None, *, cutoff_day: float = math.nan, **traits: Any
) -> dict[str, float]:
    """What a brand-new customer brings after the first order: the columns of `ClvModel.predict`, one number each.

    traits: the covariates of the model, e.g. acquisition_channel="ads"; all of them where it has any. cutoff_day:
    number of the day, for a model with a season. The first order itself is not in it. Raises InputError for a trait
    the model does not read, or one that it misses.
    """
    unknown = sorted(set(traits) - set(model.covariate_names))
    if unknown:
        known = ", ".join(model.covariate_names) or "none"
        raise InputError(f"the CLV model reads no '{unknown[0]}' (covariates: {known}); leave it out")
    today = Summary.of([0], [0], [0])
    columns = {
        name: np.array([value], np.float64 if isinstance(value, int | float) else object)
        for name, value in traits.items()
    }
    found = model.predict(replace(today, traits=columns, cutoff_day=cutoff_day), horizon_days)
    return {name: float(values[0]) for name, values in found.items()}


def _times(days: float | Sequence[float]) -> Floats:
    times = np.atleast_1d(np.asarray(days, np.float64))
    if not (np.isfinite(times) & (times >= 0)).all():
        odd = times[~(np.isfinite(times) & (times >= 0))][0]
        raise InputError(f"days is {odd:g}, expected finite numbers of 0 or more")
    return times


def _alike(model: ClvModel, summary: Summary) -> Iterator[tuple[Any, Ints, Summary]]:
    """Customers with a purchase by equal order parameters: these, their rows, their summary."""
    summary.check()
    known = np.flatnonzero(summary.has_purchase)
    some = summary.take(known)
    for params, rows in model.alike(some) if len(known) else ():
        yield (params, known, some) if rows is None else (params, known[rows], some.take(rows))
