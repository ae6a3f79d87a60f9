"""The CLV models beside lifetimes on the same customers, in one run; each size in a process of its own.

`lifetimes` fits every customer's row, ours every distinct history; both get the same arrays. Goals: a fit of a
million at least 15 times as fast, its parameters the same to 1e-4 and its likelihood not worse, under 1 GB; 12 steps
of 30 days of value for a million at least 10 times as fast, the same to 1e-3; next-order dates of a million within
5 s, spend quantiles within 60 s.
"""

import json
import sys

import numpy as np
from lifetimes import BetaGeoFitter as TheirOrders
from lifetimes import GammaGammaFitter as TheirSpend
from lifetimes.generate_data import beta_geometric_nbd_model
from pandas import Series

from lifestage.clv import bg_nbd
from lifestage.clv.compress import compress, distinct
from lifestage.clv.fitters import BetaGeoFitter, GammaGammaFitter
from lifestage.clv.model import ClvModel
from lifestage.clv.order_fit import fit
from lifestage.clv.summary import Summary
from lifestage.ragged import Floats
from tests.benchmarks.clock import Figure, alone, peak_megabytes, timed

SIZES = (10_000, 100_000, 1_000_000)
HORIZON = 365.0


def shop(n: int) -> Summary:
    """Customers who came at any day of two years, in days; spend by a Gamma-Gamma."""
    rng = np.random.default_rng(7)
    np.random.seed(7)  # lifetimes' generator knows only the global one
    T = rng.integers(30, 730, n).astype(np.float64)
    data = beta_geometric_nbd_model(T, 0.243, 31.0, 0.793, 2.426, size=n)
    x, t_x = (data[name].to_numpy(np.float64) for name in ("frequency", "recency"))
    t_x = np.where(x > 0, np.clip(np.ceil(t_x), 1, T), 0.0)
    spend = np.where(x > 0, rng.gamma(6.25 * np.maximum(x, 1), 1 / rng.gamma(3.74, 1 / 15.44, n)), 0.0)
    return Summary.of(x, t_x, T, np.where(x > 0, spend / np.maximum(x, 1), 0.0))


def ours(n: int) -> dict[str, float]:
    """Seconds of the fits and of the predictions, and this process's peak memory after the order fit."""
    s = shop(n)
    before = peak_megabytes()
    seconds, found = timed(lambda: fit("bg_nbd", compress(s.frequency, s.recency, s.T)), 2)
    result = {"fit": seconds, "peak": peak_megabytes(), "before": before}
    result |= {"log_likelihood": found.log_likelihood, **found.params._asdict()}
    for name in ("mbg_nbd", "pareto_nbd"):
        result[name] = timed(lambda name=name: fit(name, compress(s.frequency, s.recency, s.T)))[0]
    model = ClvModel.fit(
        s, horizon_days=HORIZON, yearly_discount_rate=0.1, margin=1.0, order_models=("bg_nbd",)
    )
    result["dates"] = timed(lambda: dates(model, s), 2)[0]
    result["spend"] = timed(lambda: spends(model, s))[0]
    result["score"] = timed(lambda: model.predict(s))[0]
    return result | {"whole": peak_megabytes()}


def dates(model: ClvModel, s: Summary) -> list[Floats]:
    """The 10, 50 and 90 % points of every customer's next order, as `ClvModel.predict` has them."""
    index, number = distinct(s.frequency, s.T)
    x, T = s.frequency[index], s.T[index]
    return [bg_nbd.next_order_quantile(model.orders, q, HORIZON, x, T)[number] for q in (0.1, 0.5, 0.9)]


def spends(model: ClvModel, s: Summary) -> dict[str, Floats]:
    return model._spend_points(model.orders, s, (s.recency, s.T), HORIZON)


def theirs(n: int) -> dict[str, float]:
    """lifetimes: seconds of its fit and of its CLV, the differences between the parameters and values of both."""
    s = shop(n)
    seconds, orders = timed(lambda: TheirOrders().fit(s.frequency, s.recency, s.T))
    found = fit("bg_nbd", compress(s.frequency, s.recency, s.T))
    at_theirs = float(
        bg_nbd.log_likelihood(
            bg_nbd.BetaGeoParams(*(orders.params_[name] for name in bg_nbd.NAMES)),
            s.frequency,
            s.recency,
            s.T,
        ).sum()
    )
    apart = max(abs(value / orders.params_[name] - 1) for name, value in found.params._asdict().items())
    result = {"fit": seconds, "apart": apart, "better": found.log_likelihood - at_theirs}
    again = s.take(s.monetary_value > 0)
    spend = TheirSpend().fit(again.frequency, again.monetary_value)
    columns = [Series(c) for c in (s.frequency, s.recency, s.T, s.monetary_value)]
    result["clv"], they = timed(lambda: spend.customer_lifetime_value(orders, *columns, time=12, freq="D"))
    mine = BetaGeoFitter()
    mine._take(bg_nbd.BetaGeoParams(*(orders.params_[name] for name in bg_nbd.NAMES)), None)
    value = GammaGammaFitter()
    value.params_ = spend.params_  # the same parameters: what differs is how the value is worked out
    result["own_clv"], we = timed(lambda: value.customer_lifetime_value(mine, *columns, time=12, freq="D"), 2)
    scale = np.maximum(np.abs(they.to_numpy()), 1e-9)
    result["clv_apart"] = float((np.abs(we.to_numpy() - they.to_numpy()) / scale).max())
    return result


def run(sizes: tuple[int, ...] = SIZES) -> None:
    found: list[Figure] = []
    notes: list[str] = []
    for n in sizes:
        mine, they = alone("clv", "ours", str(n)), alone("clv", "theirs", str(n))
        goal = 15.0 if n >= 1_000_000 else None
        what = f"{n:,} customers"
        found += [
            Figure(f"{what}: BG/NBD fit from arrays", mine["fit"], "lifetimes", they["fit"], goal),
            Figure(f"{what}: MBG/NBD fit", mine["mbg_nbd"]),
            Figure(f"{what}: Pareto/NBD fit", mine["pareto_nbd"]),
            Figure(
                f"{what}: 12 steps of 30 days of value",
                they["own_clv"],
                "lifetimes",
                they["clv"],
                10.0 if goal else None,
            ),
            Figure(f"{what}: next-order dates", mine["dates"], "limit", 5.0, 1.0),
            Figure(f"{what}: spend quantiles", mine["spend"], "limit", 60.0, 1.0),
            Figure(f"{what}: all CLV columns of a score", mine["score"]),
            Figure(f"{what}: peak memory with the BG/NBD fit, MB", mine["peak"], "limit", 1000.0, 1.0),
        ]
        notes.append(
            f"clv: {what}: parameters differ by {they['apart']:.1e} at most, log-likelihood {they['better']:+.3f} beside "
            f"lifetimes; values by {they['clv_apart']:.1e}"
        )
    print(f"{'clv: seconds, unless said otherwise':<66}{'ours':>10}  {'peer':<26}{'peer':>10}{'ratio':>8}")
    for figure in found:
        print(figure)
    print("\n".join(notes), flush=True)


STEPS = {"ours": ours, "theirs": theirs}

if __name__ == "__main__":
    print(json.dumps(STEPS[sys.argv[1]](int(sys.argv[2]))))
