"""The simulated shop's tables, one chunk of customers at a time: what the shop would see, and the truth."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lifestage.datasets.simulated import Floats, Ints, Lives, World, closeness, departure, expected_orders
from lifestage.localtime import DAY

HOUR = DAY // 24
CATEGORIES = ("服饰", "美妆", "食品", "家居", "electronics", "books")
CATEGORY_SHARES = (0.30, 0.20, 0.22, 0.14, 0.09, 0.05)
TOUCHPOINTS = ("app", "web", "小程序")
EVENT_TYPES = ("login", "view", "cart", "support")
TAIL_DAYS = 14.0
"""After leaving, visits die away at this mean."""
FLOOR = 0.25
"""Share of the visits that is left on the day of leaving."""


def tables(world: World, rng: np.random.Generator, lives: Lives, offset: int) -> dict[str, pa.Table]:
    """The five tables of one chunk whose first customer is number `offset`.

    One row per order or refund, per event, per customer, per answer or ticket; truth: per customer.
    """
    n = len(lives.rate)
    ids = _names("C", np.arange(offset, offset + n))
    value = 1.0 if world.shift is None else world.shift.value
    amounts = rng.gamma(world.p, 1 / lives.nu[lives.buys_of]) * np.where(
        lives.buys_at < world.shift_t, 1.0, value
    )
    amounts = np.maximum(np.round(amounts, 2), 0.01)
    return {
        "customers": _customers(world, rng, lives, ids),
        "transactions": _transactions(world, rng, lives, ids, amounts),
        "events": _events(world, rng, lives, ids),
        "feedback": _feedback(world, rng, lives, ids),
        "truth_customers": _truth(world, lives, ids),
    }


def _names(prefix: str, numbers: Ints) -> pa.Array:
    digits = pc.utf8_lpad(pc.cast(pa.array(numbers), pa.string()), 9, "0")
    return pc.binary_join_element_wise(prefix, digits, "")


def _instants(world: World, t: Ints, missing: npt.NDArray[np.bool_] | None = None) -> pa.Array:
    return pa.array(t, pa.int64(), mask=missing).cast(pa.timestamp("us", tz=world.timezone))


def _words(levels: Any, codes: npt.NDArray[Any], missing: npt.NDArray[np.bool_] | None = None) -> pa.Array:
    return pa.array(list(levels), pa.string()).take(pa.array(codes, mask=missing))


def _choice(rng: np.random.Generator, n: int, shares: tuple[float, ...]) -> Ints:
    bounds = np.cumsum(shares) / np.sum(shares)
    return np.asarray(np.searchsorted(bounds, rng.random(n), side="right"), np.int64)


def _customers(world: World, rng: np.random.Generator, lives: Lives, ids: pa.Array) -> pa.Table:
    n = len(ids)
    unknown = rng.random(n) < 0.08  # some do not tell their age
    columns: dict[str, pa.Array] = {
        "customer_id": ids,
        "signed_up_at": _instants(world, lives.signed_up),
        "acquisition_channel": _words(world.channels, lives.codes["acquisition_channel"]),
        "acquisition_cost": pa.array(lives.cost),
    }
    for name, attribute in world.profile.items():
        columns[name] = _words(attribute, lives.codes[name], unknown if name == "age_band" else None)
    columns["newsletter"] = pa.array(rng.random(n) < 0.4)
    return pa.table(columns)


def _transactions(
    world: World, rng: np.random.Generator, lives: Lives, ids: pa.Array, amounts: Floats
) -> pa.Table:
    """Orders, and refunds as negative rows that name their order."""
    of, at = lives.buys_of, lives.buys_at
    n = len(of)
    nth = np.arange(n) - np.searchsorted(of, of)
    # An order's name holds its customer's, so that it does not depend on how many others there are.
    names = pc.binary_join_element_wise(ids.take(pa.array(of)), pc.cast(pa.array(nth + 1), pa.string()), "-")
    category, touchpoint = _choice(rng, n, CATEGORY_SHARES), _choice(rng, n, (0.5, 0.2, 0.3))
    discount = np.where(rng.random(n) < 0.25, np.round(amounts * rng.uniform(0.05, 0.3, n), 2), 0.0)

    back_at = at + (rng.uniform(0.5, 20, n) * DAY).astype(np.int64)
    partly = np.maximum(np.round(amounts * rng.uniform(0.2, 0.8, n), 2), 0.01)
    back = np.where(rng.random(n) < 0.7, amounts, partly)
    row = np.flatnonzero((rng.random(n) < world.refund_share) & (back_at < world.end_t))

    rows = np.concatenate([np.arange(n), row])
    t = np.concatenate([at, back_at[row]])
    table = pa.table(
        {
            "order_id": names.take(pa.array(rows)),
            "customer_id": ids.take(pa.array(of[rows])),
            "ordered_at": _instants(world, t),
            "amount": pa.array(np.concatenate([amounts, -back[row]])),
            "discount": pa.array(np.concatenate([discount, np.zeros(len(row))])),
            "category": _words(CATEGORIES, category[rows]),
            "channel": _words(TOUCHPOINTS, touchpoint[rows]),
        }
    )
    return table.take(pa.array(np.lexsort((t, of[rows]))))


def _events(world: World, rng: np.random.Generator, lives: Lives, ids: pa.Array) -> pa.Table:
    """Visits of one to a few events; their rate falls before leaving and dies away after it."""
    n = len(ids)
    per_day = lives.rate + rng.gamma(2.0, 0.008, n)
    per_day = np.where(lives.buyer, per_day, 0.08)
    leaves = departure(lives)
    stops = np.minimum(leaves + np.int64(4 * TAIL_DAYS * DAY), world.end_t)
    span = np.maximum(stops - lives.signed_up, 0)
    visits = rng.poisson(per_day * span / DAY)
    of = np.repeat(np.arange(n), visits)
    key = np.sort(of + rng.random(len(of)))
    at = lives.signed_up[of] + ((key - of) * span[of]).astype(np.int64)
    near = closeness(world, lives, of, at)
    past = np.maximum(at - leaves[of], 0) / (TAIL_DAYS * DAY)
    intensity = np.where(lives.buyer[of], 1 - (1 - FLOOR) * near, 1.0) * np.exp(-past)
    kept = rng.random(len(of)) < intensity
    of, at, near = of[kept], at[kept], near[kept] * lives.buyer[of[kept]]

    # A visit begins with a login; then views, a cart, or (more and more before leaving) support.
    more = np.minimum(rng.geometric(0.55, len(of)) - 1, 8)
    visit = np.repeat(np.arange(len(of)), more + 1)
    nth = np.arange(len(visit)) - np.repeat(np.cumsum(more + 1) - (more + 1), more + 1)
    u = rng.random(len(visit))
    support = 0.03 + 0.15 * near[visit]
    kind = np.where(nth == 0, 0, np.where(u < support, 3, np.where(u < support + 0.2, 2, 1)))
    t = at[visit] + nth * 45_000_000 + (rng.random(len(visit)) * 40_000_000).astype(np.int64)
    inside = t < world.end_t
    visit, kind, t = visit[inside], kind[inside], t[inside]
    number = np.arange(len(of)) - np.searchsorted(of, of) + 1
    visitor, number_text = ids.take(pa.array(of)), pc.cast(pa.array(number), pa.string())
    session = pc.binary_join_element_wise(visitor, number_text, "-s")
    return pa.table(
        {
            "customer_id": ids.take(pa.array(of[visit])),
            "occurred_at": _instants(world, t),
            "event_type": _words(EVENT_TYPES, kind),
            "session_id": session.take(pa.array(visit)),
            "channel": _words(TOUCHPOINTS, _choice(rng, len(of), (0.5, 0.2, 0.3))[visit]),
        }
    )


def _feedback(world: World, rng: np.random.Generator, lives: Lives, ids: pa.Array) -> pa.Table:
    """Answers and tickets some days after an order; scores fall and complaints rise before leaving."""
    of, ordered = lives.buys_of, lives.buys_at
    n = len(of)
    near = closeness(world, lives, of, ordered)
    u, mood = rng.random(n), rng.normal(0, 0.7, len(ids))[of]
    # nps, csat, review; complaint, ticket; nothing at all
    bounds = np.cumsum([*np.full((3, n), 0.045), 0.015 + 0.06 * near, 0.01 + 0.05 * near], axis=0)
    kind = (u >= bounds).sum(axis=0)
    raw = np.where(kind == 0, 8.4 - 3.5 * near + 1.5 * mood, 4.4 - 1.5 * near + 0.6 * mood)
    raw = np.round(raw + rng.normal(0, 1, n) * np.where(kind == 0, 1.2, 0.6))
    score = np.where(kind == 0, np.clip(raw, 0, 10), np.clip(raw, 1, 5))
    at = ordered + (rng.exponential(2.0, n) * DAY).astype(np.int64) + HOUR
    solved = at + ((rng.exponential(1.5, n) * (1 + 2 * near) + 0.05) * DAY).astype(np.int64)
    open_ = (kind < 3) | (solved >= world.end_t) | (rng.random(n) < 0.05 + 0.2 * near)
    row = np.flatnonzero((kind < 5) & (at < world.end_t))
    return pa.table(
        {
            "customer_id": ids.take(pa.array(of[row])),
            "submitted_at": _instants(world, at[row]),
            "kind": _words(("nps", "csat", "review", "complaint", "ticket"), kind[row]),
            "score": pa.array(score[row], mask=kind[row] >= 3),
            "resolved_at": _instants(world, solved[row], open_[row]),
        }
    )


def _truth(world: World, lives: Lives, ids: pa.Array) -> pa.Table:
    none = ~lives.buyer
    orders = np.bincount(lives.buys_of, minlength=len(ids))
    return pa.table(
        {
            "customer_id": ids,
            "buyer": pa.array(lives.buyer),
            "orders_per_day": pa.array(lives.rate, mask=none),
            "dropout_probability": pa.array(lives.dropout, mask=none),
            "mean_order_value": pa.array(world.p / lives.nu, mask=none),
            "orders": pa.array(orders),
            "first_order_at": _instants(world, lives.first_order, none),
            "alive_at_end": pa.array(lives.buyer & ~lives.gone),
            "left_at": _instants(world, lives.left, ~lives.gone),
            "expected_orders_90_days": pa.array(expected_orders(world, lives, 90.0)),
            "expected_orders_365_days": pa.array(expected_orders(world, lives, 365.0)),
        }
    )
