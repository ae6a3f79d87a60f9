"""Are forecasts as sure as they should be: the probability integral transform of what came, and interval coverage.

Where a predictive law is right, its distribution function at what came is uniform on (0, 1), apart from atoms, over
which it is spread: Czado, Gneiting & Held (2009), "Predictive Model Assessment for Count Data", Biometrics 65,
1254-1261. A histogram of ten bins is then flat (0.1 each); a U says that the law is too narrow, a hump that it is
too wide, a slope that it is too low or too high.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lifestage.clv.compress import once
from lifestage.clv.families import FAMILIES
from lifestage.clv.held import ROWS, Held
from lifestage.clv.model import ClvModel, lived_times
from lifestage.clv.order_laws import order_laws
from lifestage.clv.spend_law import spend_cdf
from lifestage.clv.summary import Summary
from lifestage.errors import InputError
from lifestage.ragged import Floats, Ints

BINS = 10
LOW, HIGH = 0.1, 0.9
"""Shares between which an interval of 80 % lies."""
MOST = 100_000
"""Customers whose laws of spend are worked out."""


@dataclass(frozen=True, slots=True)
class Pit:
    """bins: share of customers in each tenth of (0, 1), float64[10]; central: share in (0.1, 0.9), 0.8 where right."""

    bins: Floats
    central: float


@dataclass(frozen=True, slots=True)
class SpendIntervals:
    """How often spend fell within its predicted 10-90 % interval.

    coverage: share of customers; expected_coverage: what the law itself promises, above 0.8 for the atom at zero;
    pit: of the spend.
    """

    coverage: float
    expected_coverage: float
    pit: Pit


def pit_between(below: Floats, upto: Floats, weights: Floats | None = None) -> Pit:
    """One pair a row: the law's P(less than came) and P(at most what came); the mass between is spread evenly.

    That is the mean of the randomised transform over all its draws (Czado et al. eq. (2)), so nothing is drawn.
    weights: customers each row stands for.
    """
    w = np.ones(len(below)) if weights is None else weights
    if not len(w) or not float(w.sum()) > 0:
        raise InputError("a histogram asks for one customer at least; there is nobody in the holdout")
    width = upto - below

    def share_at(edge: float) -> float:
        inside = np.where(upto <= edge, 1.0, 0.0)
        np.divide(edge - below, width, out=inside, where=width > 0)
        return float(np.sum(w * np.clip(inside, 0.0, 1.0)) / w.sum())

    edges = np.array([0.0, *(share_at(k / BINS) for k in range(1, BINS)), 1.0])
    return Pit(np.diff(edges), share_at(HIGH) - share_at(LOW))


def order_pit(model: ClvModel, summary: Summary, orders: Floats, horizon_days: float) -> Pit:
    """Of the orders (purchase days) that came in the horizon; summary: customers with a purchase, at the cutoff."""
    parts: list[tuple[Floats, Floats, Floats]] = []
    for params, rows in model.alike(summary):
        some, came = (summary, orders) if rows is None else (summary.take(rows), orders[rows])
        held = Held.of(some, came, horizon_days).lived(model.clock)
        parts.append((*order_count_borders(held, model.order_model, params), held.before.count))
    below, upto, count = (np.concatenate(column) for column in zip(*parts, strict=True))
    return pit_between(below, upto, count)


def drawn_customers(customers: int) -> Ints:
    """Rows of those whose laws of spend are worked out: everybody, or `MOST` of a larger shop; always the same ones."""
    if customers <= MOST:
        return np.arange(customers)
    return np.sort(np.random.default_rng(0).choice(customers, MOST, replace=False))


def spend_pit(model: ClvModel, summary: Summary, spend: Floats, horizon_days: float) -> Pit:
    """Of the spend in the horizon, currency; summary as in `order_pit`. Of a larger shop `MOST` customers are drawn."""
    if len(summary) > MOST:
        drawn = drawn_customers(len(summary))
        summary, spend = summary.take(drawn), spend[drawn]
    upto = np.empty(len(summary))
    for params, rows in model.alike(summary):
        group = np.arange(len(summary)) if rows is None else rows
        some = summary.take(group)
        t_x, T = lived_times(some, model.clock)
        horizon = float(model.clock.ahead(some.cutoff_day, horizon_days))
        x, m, came = some.frequency, some.monetary_value, np.maximum(spend[group], 0.0)
        for part, counts in order_laws(model.family, params, (x, t_x, T), horizon):
            upto[group[part]] = spend_cdf(model.gamma_gamma, counts, x[part], m[part], came[part])
    # nothing spent is the law's atom; above it the law has no other
    return pit_between(np.where(spend > 0, upto, 0.0), upto)


def order_count_borders(held: Held, name: str, params: Any) -> tuple[Floats, Floats]:
    """One per row: P(fewer orders than came | history) and P(at most as many)."""
    family, before = FAMILIES[name], held.before
    below, upto = np.zeros(len(held.orders)), np.zeros(len(held.orders))
    for low in range(0, len(held.orders), ROWS):
        rows = slice(low, low + ROWS)
        x, t_x, T = before.frequency[rows], before.recency[rows], before.T[rows]
        came = held.orders[rows].astype(np.int64)
        alive = family.probability_alive(params, x, t_x, T)
        index, number = once(x, T)  # given alive the future hangs on them alone
        law = family.order_counts_given_alive(params, held.horizon, x[index], T[index], int(came.max()))
        least = np.minimum(np.cumsum(law, axis=0)[came, number], 1.0)
        less = np.maximum(least - law[came, number], 0.0)
        upto[rows] = 1.0 - alive + alive * least
        below[rows] = np.where(came > 0, 1.0 - alive + alive * less, 0.0)
    return below, upto


def spend_intervals(
    spend_low: Floats, spend_high: Floats, p_order: Floats, actual_spend: Floats, pit: Pit
) -> SpendIntervals:
    """Of every customer's 10-90 % interval of spend against what was spent, currency.

    p_order: P(an order in the horizon): below 0.9 the interval begins at the atom of no order at all and promises
    0.9, below 0.1 it is that atom. pit: of `spend_pit`, or pit_between(u, u) of a randomised transform u.
    Raises InputError where columns differ in length or a value is impossible.
    """
    columns = (spend_low, spend_high, p_order, actual_spend)
    if {c.shape for c in columns} != {(len(p_order),)} or not all(np.isfinite(c).all() for c in columns):
        raise InputError(
            "spend_low, spend_high, p_order and actual_spend must be one finite number a customer each; "
            "leave out who has no purchase"
        )
    if bool((spend_low > spend_high).any()):
        raise InputError("expected spend_low <= spend_high for every customer; ask one model for both")
    inside = (spend_low <= actual_spend) & (actual_spend <= spend_high)
    return SpendIntervals(float(inside.mean()), float(promised_coverage(p_order).mean()), pit)


def promised_coverage(p_order: Floats) -> Floats:
    """P(spend within its 10-90 % interval) by the law itself, one per customer.

    Nothing spent is an atom of 1 - p_order: an interval that begins there holds all of it.
    """
    return np.where(p_order > HIGH, HIGH - LOW, np.where(p_order > LOW, HIGH, 1.0 - p_order))
