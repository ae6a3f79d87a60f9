"""A simulated shop whose truth is known: the world, and the latent life of each of its customers.

Purchases follow BG/NBD (Fader, Hardie & Lee 2005): after the first order a customer buys at rate
lambda ~ Gamma(r, rate alpha) and leaves after each repeat order with probability p ~ Beta(a, b). Order
values follow Gamma-Gamma (Fader & Hardie 2013): z ~ Gamma(p, rate nu), nu ~ Gamma(q, rate v). Acquisition
channel and profile multiply 1/alpha, a and v by known factors, so that every group of equal factors is a
BG/NBD and Gamma-Gamma world of its own.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from lifestage.localtime import DAY, midnight

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Level:
    """One value of an attribute: its share of the customers and what it multiplies."""

    share: float
    rate: float = 1.0
    """Multiplies the order rate (divides alpha)."""
    dropout: float = 1.0
    """Multiplies a of the dropout Beta(a, b)."""
    value: float = 1.0
    """Multiplies the order value (v of Gamma-Gamma)."""
    cost: float = 0.0
    """Mean acquisition cost, currency."""


Attribute = Mapping[str, Level]

CHANNELS: Attribute = {
    "organic": Level(0.28, rate=1.15, dropout=0.80),
    "search_ads": Level(0.24, cost=38.0),
    "social": Level(0.18, rate=0.95, dropout=1.20, value=0.90, cost=26.0),
    "referral": Level(0.12, rate=1.30, dropout=0.60, value=1.10, cost=15.0),
    "直播": Level(0.18, rate=1.10, dropout=1.60, value=0.75, cost=12.0),
}
PROFILE: Mapping[str, Attribute] = {
    "region": {
        "华东": Level(0.34, value=1.15),
        "华南": Level(0.22, value=1.05),
        "华北": Level(0.20),
        "西南": Level(0.13, value=0.90),
        "东北": Level(0.08, value=0.85),
        "Overseas": Level(0.03, rate=0.70, value=1.50),
    },
    "age_band": {
        "18-24": Level(0.20, rate=0.90, dropout=1.20, value=0.75),
        "25-34": Level(0.36, rate=1.10),
        "35-44": Level(0.24, value=1.15),
        "45-54": Level(0.13, rate=0.90, dropout=0.85, value=1.10),
        "55+": Level(0.07, rate=0.80, dropout=0.80),
    },
    "device": {"android": Level(0.46), "ios": Level(0.34, value=1.15), "web": Level(0.20, rate=0.85)},
}


@dataclass(frozen=True, slots=True)
class Shift:
    """From a day on every customer behaves differently; each factor multiplies what the customer had before."""

    after_days: int
    """Days after the start at whose midnight it begins."""
    rate: float = 0.7
    """Of the order rate."""
    dropout: float = 1.8
    """Of the chance to leave after a repeat order, which stays below 1."""
    value: float = 0.85
    """Of the order values."""


@dataclass(frozen=True, slots=True)
class World:
    """The parameters of the simulated shop; rates are per day, money is in yuan."""

    end: date = date(2026, 1, 1)
    """Local day at whose midnight the data end (exclusive)."""
    days: int = 1096
    timezone: str = "Asia/Shanghai"
    r: float = 0.5
    alpha: float = 55.0
    a: float = 0.6
    b: float = 2.4
    p: float = 6.0
    q: float = 4.0
    v: float = 60.0
    buyer_share: float = 0.85
    """The others sign up, look round, and never buy."""
    refund_share: float = 0.03
    fade_days: float = 42.0
    """Behaviour fades and feedback worsens over so many days before a customer leaves."""
    shift: Shift | None = None
    channels: Attribute = field(default_factory=lambda: CHANNELS)
    profile: Mapping[str, Attribute] = field(default_factory=lambda: PROFILE)

    @property
    def start_t(self) -> int:
        return midnight(self.end - timedelta(days=self.days), self.timezone)

    @property
    def end_t(self) -> int:
        return midnight(self.end, self.timezone)

    @property
    def shift_t(self) -> int:
        """The instant of the shift; the end where there is none."""
        if self.shift is None:
            return self.end_t
        return midnight(self.end - timedelta(days=self.days - self.shift.after_days), self.timezone)


def plain(world: World) -> World:
    """The same world in which channel and profile change nothing."""

    def level(attribute: Attribute) -> Attribute:
        return {name: Level(share=v.share, cost=v.cost) for name, v in attribute.items()}

    profile = {name: level(attribute) for name, attribute in world.profile.items()}
    return replace(world, channels=level(world.channels), profile=profile)


@dataclass(frozen=True, slots=True)
class Lives:
    """One row per customer of a chunk; instants in UTC microseconds."""

    codes: dict[str, npt.NDArray[np.int8]]
    """Index of the level of acquisition_channel and of each profile attribute."""
    signed_up: Ints
    buyer: npt.NDArray[np.bool_]
    rate: Floats
    """lambda, orders per day while active, before a shift."""
    dropout: Floats
    """p, chance to leave after each repeat order, before a shift."""
    nu: Floats
    """Rate of the Gamma of the customer's order values; their mean is world.p / nu."""
    first_order: Ints
    """May lie at or after the end of the data: then not seen yet."""
    left: Ints
    """Instant of the last order of those who left before the end; the end for all others."""
    gone: npt.NDArray[np.bool_]
    """Left before the end of the data."""
    buys_of: Ints
    """Customer of each order, ordered by customer and time."""
    buys_at: Ints
    cost: Floats
    """Acquisition cost."""


def _levels(
    rng: np.random.Generator, n: int, attribute: Attribute
) -> tuple[npt.NDArray[np.int8], dict[str, Floats]]:
    levels = list(attribute.values())
    shares = np.cumsum([level.share for level in levels])
    codes = np.searchsorted(shares / shares[-1], rng.random(n), side="right").astype(np.int8)
    named = ("rate", "dropout", "value", "cost")
    factors = {name: np.array([getattr(level, name) for level in levels])[codes] for name in named}
    return codes, factors


def live(world: World, rng: np.random.Generator, n: int) -> Lives:
    """Draw the lives of `n` customers who sign up evenly over the period."""
    codes: dict[str, npt.NDArray[np.int8]] = {}
    factor = {k: np.ones(n) for k in ("rate", "dropout", "value")}
    for name, attribute in {"acquisition_channel": world.channels, **world.profile}.items():
        codes[name], factors = _levels(rng, n, attribute)
        factor = {k: factor[k] * factors[k] for k in factor}
        if name == "acquisition_channel":
            cost = np.round(factors["cost"] * rng.lognormal(-0.08, 0.4, n), 2)
    span = world.days * DAY
    signed_up = to_habits(world.start_t + (rng.random(n) * span).astype(np.int64), world)
    buyer = rng.random(n) < world.buyer_share
    rate = rng.gamma(world.r, 1 / world.alpha, n) * factor["rate"]
    dropout = rng.beta(world.a * factor["dropout"], world.b)
    nu = rng.gamma(world.q, 1 / (world.v * factor["value"]))
    # Half order within the hour of signing up, the others take some days.
    delay = np.where(rng.random(n) < 0.5, rng.random(n) / 24, rng.exponential(8.0, n))
    first_order = signed_up + (delay * DAY).astype(np.int64)
    window = np.where(buyer, np.maximum(world.end_t - first_order, 0), 0).astype(np.float64)
    # A shift changes the speed of each customer's own clock, on which orders come at an even rate.
    before = np.clip(world.shift_t - first_order, 0.0, window)
    speed = 1.0 if world.shift is None else world.shift.rate
    effective = before + (window - before) * speed

    # Poisson orders over the whole window, of which those up to the one that drops the customer happen.
    repeats = rng.poisson(rate * effective / DAY)
    until = rng.geometric(np.maximum(dropout, 1e-12))
    of = np.repeat(np.arange(n), repeats)
    # One sort for all customers: the integer part keeps them apart, the fraction orders their times.
    key = np.sort(of + rng.random(len(of)))
    nth = np.arange(len(of)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    elapsed = (key - of) * effective[of]
    late = np.maximum(elapsed - before[of], 0.0)
    if world.shift is not None:  # chances to leave have no memory: who is left draws anew
        early = np.bincount(of[late == 0], minlength=n)
        anew = early + rng.geometric(shifted_dropout(world, dropout))
        until = np.where(until <= early, until, anew)
    gone = until <= repeats
    kept = nth < until[of]
    of, elapsed, late = of[kept], elapsed[kept], late[kept]
    at = first_order[of] + (elapsed - late + late / speed).astype(np.int64)

    ordered = buyer & (first_order < world.end_t)
    buys_of = np.concatenate([np.flatnonzero(ordered), of])
    buys_at = np.concatenate([first_order[ordered], np.maximum(to_habits(at, world), first_order[of] + 1)])
    order = np.lexsort((buys_at, buys_of))
    buys_of, buys_at = buys_of[order], buys_at[order]
    left = np.full(n, world.end_t)
    np.maximum.at(last := np.full(n, world.start_t), buys_of, buys_at)
    left[gone] = last[gone]
    return Lives(codes, signed_up, buyer, rate, dropout, nu, first_order, left, gone, buys_of, buys_at, cost)


def shifted_dropout(world: World, dropout: Floats) -> Floats:
    """The chance to leave after each repeat order at the end of the data."""
    factor = 1.0 if world.shift is None else world.shift.dropout
    return np.clip(dropout * factor, 1e-12, 1.0)


_HOURS = np.array([2, 1, 0.5, 0.3, 0.3, 0.5, 1, 2, 3, 4, 5, 5, 6, 5, 4, 4, 4, 4, 5, 7, 9, 10, 8, 5])
_NEVER = np.iinfo(np.int64).max // 2
_WARP = np.concatenate([[0.0], np.cumsum(_HOURS / _HOURS.sum())])


def to_habits(t: Ints, world: World) -> Ints:
    """The instants moved within their day, order kept: the shop has quiet nights and busy evenings."""
    day, rest = np.divmod(t - world.start_t, DAY)
    moved = np.interp(rest / DAY, _WARP, np.arange(25) / 24)
    return world.start_t + day * DAY + np.minimum((moved * DAY).astype(np.int64), DAY - 1)


def expected_orders(world: World, lives: Lives, days: float) -> Floats:
    """Orders within `days` after the end, given lambda, p and whether the customer left: closed form.

    (1 - exp(-lambda p t)) / p, Fader, Hardie & Lee (2005), equation 7; who signed up but has not ordered
    yet (first_order known) adds the first order and has that much less time.
    """
    pending = lives.buyer & (lives.first_order >= world.end_t)
    waiting = np.where(pending, (lives.first_order - world.end_t) / DAY, 0.0)
    left = np.maximum(days - waiting, 0.0)
    p = shifted_dropout(world, lives.dropout)
    rate = lives.rate * (1.0 if world.shift is None else world.shift.rate)
    repeats = -np.expm1(-rate * p * left) / p
    expected = np.where(lives.buyer & ~lives.gone, repeats, 0.0) + (pending & (waiting < days))
    return np.asarray(expected, np.float64)


def departure(lives: Lives) -> Ints:
    """Instant at which each customer turns away: leaving, signing up for who never buys, else far off."""
    return np.where(lives.gone, lives.left, np.where(lives.buyer, _NEVER, lives.signed_up))


def closeness(world: World, lives: Lives, of: Ints, t: Ints) -> Floats:
    """How near departure customer `of` is at `t`: 0 up to fade_days before it, 1 from it on."""
    days_left = (departure(lives)[of] - t) / DAY
    return np.asarray(np.clip(1 - days_left / world.fade_days, 0.0, 1.0), np.float64)


def describe(world: World) -> dict[str, Any]:
    """The parameters as JSON-able values."""

    def levels(attribute: Attribute) -> dict[str, dict[str, float]]:
        keys = ("share", "rate", "dropout", "value", "cost")
        return {name: {k: getattr(level, k) for k in keys} for name, level in attribute.items()}

    return {
        "start": (world.end - timedelta(days=world.days)).isoformat(),
        "end": world.end.isoformat(),
        "timezone": world.timezone,
        "orders": {"r": world.r, "alpha": world.alpha, "a": world.a, "b": world.b, "unit": "day"},
        "order_value": {"p": world.p, "q": world.q, "v": world.v},
        "buyer_share": world.buyer_share,
        "refund_share": world.refund_share,
        "fade_days": world.fade_days,
        **({} if world.shift is None else {"shift": asdict(world.shift)}),
        "factors": {
            "acquisition_channel": levels(world.channels),
            **{name: levels(attribute) for name, attribute in world.profile.items()},
        },
        "reading": "a customer's alpha = alpha / product of rate, a = a x product of dropout, "
        "v = v x product of value over the factors of his levels",
    }
