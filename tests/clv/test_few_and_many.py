"""A customer's figures have the same bits alone, among few and among many: rows about every limit of a shortcut."""

from dataclasses import replace

import numpy as np
import pytest

from lifestage.clv import compress, decay_integral, geometric_dropout, order_laws, pareto_counts, value
from lifestage.clv.clock import Clock
from lifestage.clv.covariates import Covariate
from lifestage.clv.decay_integral import decay_integral as integral
from lifestage.clv.decay_integral import decay_means
from lifestage.clv.families import FAMILIES
from lifestage.clv.gamma_gamma import StratifiedParams
from lifestage.clv.geometric_dropout import BetaGeoParams
from lifestage.clv.model import ClvModel
from lifestage.clv.pareto_nbd import ParetoParams
from lifestage.clv.summary import Summary

SIZES = (1, 2, 11, 12, 13, 23, 24, 31, 32, 33, 63, 64, 65, 128, 129, 1_000)
ORDERS = {
    "bg_nbd": BetaGeoParams(0.61, 60.0, 0.8, 2.5),
    "mbg_nbd": BetaGeoParams(0.61, 60.0, 1.1, 8.0),
    "pareto_nbd": ParetoParams(0.61, 95.0, 0.32, 44.0),  # who is new has A > 2 B: the other way to the law
}
CHANNEL = Covariate(
    "channel",
    (),
    ("shop", "web"),
    ("web", "shop", "missing"),
    (1, 0, 0, 2),
    (0.0, 0.4, -0.3),
    (0.0, -0.2, 0.1),
)
SEASON = Clock((0.7, 0.8, 1.0, 1.0, 0.9, 0.8, 0.7, 0.8, 1.0, 1.1, 1.5, 1.7), 1.1)


def customers(n: int) -> Summary:
    """Newcomers, one-time buyers, regulars with up to 300 orders; every ninth without a purchase."""
    rng = np.random.default_rng(12)
    x = np.select(
        [rng.random(n) < 0.3, rng.random(n) < 0.7], [0.0, rng.geometric(0.1, n)], rng.integers(20, 300, n)
    )
    T = rng.integers(0, 700, n).astype(float)
    t_x = np.where(x > 0, np.ceil(T * rng.random(n) ** 0.3), 0.0)
    m = np.where(x > 0, rng.gamma(2.0, 20.0, n), 0.0)
    has = np.arange(n) % 9 != 4
    columns = [np.where(has, c, np.nan) for c in (x, t_x, T, m)]
    channel = rng.choice(np.array(["web", "shop", "kiosk", None], object), n)
    return Summary(*columns, has, 10_500.0, {"channel": channel})


@pytest.fixture(scope="module", params=[(name, rich) for name in FAMILIES for rich in (False, True)])
def shop(request: pytest.FixtureRequest, model: ClvModel) -> ClvModel:
    name, rich = request.param
    spend = StratifiedParams(5.09, 4.0, 18.9, (1, 2, 16), (1.0, 1.1, 1.4))
    plain = replace(model, order_model=name, orders=ORDERS[name], gamma_gamma=spend)
    return replace(plain, clock=SEASON, covariates=(CHANNEL,)) if rich else plain


def test_a_prediction_has_the_same_bits_in_blocks_about_every_limit(shop: ClvModel) -> None:
    crowd = customers(max(SIZES))
    whole = shop.predict(crowd)
    known = crowd.has_purchase
    assert np.isfinite([values[known] for values in whole.values()]).all()
    for size in SIZES[:-1]:
        # blocks here and there; the last one holds whatever is left
        for start in (size, len(crowd) - size // 2 - 1):
            rows = np.arange(start, min(start + size, len(crowd)))
            for name, values in shop.predict(crowd.take(rows)).items():
                assert values.tobytes() == whole[name][rows].tobytes(), (name, size, start)
    for i in range(0, len(crowd), 41):
        for name, values in shop.predict(crowd.take(np.array([i]))).items():
            assert values.tobytes() == whole[name][i : i + 1].tobytes(), (name, i)


def test_the_sizes_stand_about_the_limits() -> None:
    limits = (compress.FEW, order_laws.FEW, value.FEW, decay_integral.FEW)
    for limit in (*limits, pareto_counts.FEW, geometric_dropout.FEW):
        assert {limit - 1, limit, limit + 1} <= set(SIZES)


@pytest.mark.parametrize("size", [1, 2, 63, 64, 65])
def test_an_integral_has_the_same_bits_by_node_and_all_at_once(size: int) -> None:
    rng = np.random.default_rng(4)
    columns = [np.exp(rng.uniform(-3, 6, 2_000)) for _ in range(5)]
    whole, means = integral(*columns), decay_means(*columns)
    for start in range(0, 2_000 - size, 3 * size + 40):
        part = [c[start : start + size] for c in columns]
        np.testing.assert_array_equal(integral(*part), whole[start : start + size])
        for one, of_all in zip(decay_means(*part), means, strict=True):
            np.testing.assert_array_equal(one, of_all[start : start + size])


@pytest.mark.parametrize("most", [1, 8, 64, 256])
@pytest.mark.parametrize(
    "params", [ORDERS["bg_nbd"], BetaGeoParams(0.02, 900.0, 0.01, 0.3), ORDERS["mbg_nbd"]]
)
def test_a_law_has_the_same_bits_order_by_order_and_all_at_once(
    monkeypatch: pytest.MonkeyPatch, params: BetaGeoParams, most: int
) -> None:
    some = customers(geometric_dropout.FEW)
    known = some.has_purchase
    now = geometric_dropout.alive(params, 1, some.frequency[known], some.T[known])
    found = geometric_dropout.order_counts(now, 365.0, most)
    monkeypatch.setattr(geometric_dropout, "FEW", 0)
    assert found.tobytes() == geometric_dropout.order_counts(now, 365.0, most).tobytes()


@pytest.mark.parametrize("most", [1, 8, 64, 256])
@pytest.mark.parametrize(
    "params", [ORDERS["pareto_nbd"], ParetoParams(0.61, 10.0, 2.5, 44.0), ParetoParams(3.0, 40.0, 0.01, 45.0)]
)
def test_the_law_from_the_most_orders_down_is_the_mixture(
    monkeypatch: pytest.MonkeyPatch, params: ParetoParams, most: int
) -> None:
    """Its derivation against the quadrature of every number of orders; both regimes of c, and few and many rows."""
    some = customers(120)
    x, T = some.frequency[some.has_purchase], some.T[some.has_purchase]
    found = pareto_counts.order_counts_given_alive(params, 365.0, x, T, most)
    assert ((params.alpha + T <= 2 * (params.beta + T)).sum()) > 60
    monkeypatch.setattr(pareto_counts, "LEAST_C", 2.0)
    mixture = pareto_counts.order_counts_given_alive(params, 365.0, x, T, most)
    np.testing.assert_allclose(found, mixture, rtol=1e-8, atol=1e-12)
    assert (found >= 0).all()
