"""P(alive) of one customer over time: on every day until a cutoff, and after it as foreseen at it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from lifestage.clv.model import ClvModel
from lifestage.clv.summary import Summary
from lifestage.errors import InputError
from lifestage.ragged import Floats, Ints


def day_numbers(days: npt.ArrayLike | Any) -> Ints:
    """Days since 1970-01-01 of numpy dates, ISO texts or such numbers themselves."""
    given = np.asarray(days)
    if given.dtype.kind not in "iu":
        given = given.astype("datetime64[D]")
    return np.asarray(given.astype(np.int64))


def alive_path(
    model: ClvModel, purchase_days: npt.ArrayLike, cutoff: Any, **traits: Any
) -> tuple[Ints, Floats]:
    """Day numbers from the first purchase to the cutoff, and P(alive) at each as the model sees it on that day.

    On a day everything bought until its end is known, but for the cutoff's own day, of which nothing is: its value
    is `predict`'s. traits: the customer's covariates, those of the model.
    Raises InputError without a purchase before the cutoff.
    """
    bought, end = _known(purchase_days, cutoff)
    _, params = customer(model, bought, end, traits)
    days = np.arange(int(bought[0]), end + 1)
    seen = np.searchsorted(bought, days, side="right")
    last = bought[seen - 1]
    # place of each day in operational time, back from the cutoff
    place = -model.clock.past(float(end), (end - days).astype(np.float64))
    T = place - place[0]
    t_x = place[last - bought[0]] - place[0]
    alive = model.family.probability_alive(params, (seen - 1).astype(np.float64), np.minimum(t_x, T), T)
    return days, alive


def alive_ahead(
    model: ClvModel, purchase_days: npt.ArrayLike, cutoff: Any, ahead_days: Floats, **traits: Any
) -> Floats:
    """One per time: P(alive so many days after the cutoff), given what is known at the cutoff."""
    bought, end = _known(purchase_days, cutoff)
    _, params = customer(model, bought, end, traits)
    _, alive = alive_path(model, bought, end, **traits)
    t = model.clock.ahead(float(end), ahead_days)
    T = model.clock.past(float(end), np.array([float(end - bought[0])]))
    x = np.full_like(t, len(bought) - 1.0)
    later = model.family.alive_later_given_alive(params, t, x, np.full_like(t, T[0]))
    return np.asarray(alive[-1] * later)


def customer(
    model: ClvModel, purchase_days: npt.ArrayLike, cutoff: Any, traits: Mapping[str, Any]
) -> tuple[Summary, Any]:
    """The customer's summary at the cutoff (its value left open, at 0), and their order parameters."""
    bought, end = _known(purchase_days, cutoff)
    first, last = float(bought[0]), float(bought[-1])
    columns = {
        name: np.array([value], np.float64 if isinstance(value, int | float) else object)
        for name, value in traits.items()
    }
    now = Summary.of([len(bought) - 1.0], [last - first], [end - first])
    now = replace(now, cutoff_day=float(end), traits=columns)
    return now, next(iter(model.alike(now)))[0]


def _known(purchase_days: npt.ArrayLike, cutoff: Any) -> tuple[Ints, int]:
    """Distinct purchase days before the cutoff, ascending, and the cutoff's day."""
    end = int(day_numbers(cutoff))
    days = np.unique(day_numbers(purchase_days))
    days = days[days < end]
    if not len(days):
        raise InputError(
            "purchase_days holds no day before the cutoff, expected one at least; choose a later cutoff"
        )
    return days, end
