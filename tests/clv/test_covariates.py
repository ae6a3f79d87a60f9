"""Covariates: levels as stated, effects found, nothing changed where they say nothing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lifestage.clv.covariates import Covariate, learn
from lifestage.clv.model import ClvModel
from lifestage.clv.outlook import new_customer
from lifestage.clv.summary import Summary
from lifestage.errors import InputError

SETTINGS = {
    "horizon_days": 90,
    "yearly_discount_rate": 0.1,
    "margin": 1.0,
    "order_models": ("bg_nbd", "mbg_nbd"),
}
RATE = {"ads": 1.0, "friend": 2.0, "organic": 1.5}
LEAVING = {"ads": 1.0, "friend": 1.0, "organic": 0.5}


def shop(n: int = 9_000) -> Summary:
    """Customers of three channels, whose rates and leaving differ by RATE and LEAVING; region says nothing."""
    rng = np.random.default_rng(6)
    channel = rng.choice([*RATE], n, p=[0.5, 0.25, 0.25])
    rows = []
    for name in channel:
        rate, p, T = (
            rng.gamma(0.8) / 40 * RATE[name],
            rng.beta(0.9 * LEAVING[name], 3.0),
            rng.uniform(60, 500),
        )
        x, last, now = 0, 0.0, 0.0
        while (now := now + rng.exponential(1 / max(rate, 1e-12))) < T:
            x, last = x + 1, now
            if rng.random() < p:
                break
        rows.append((x, last, T))
    x, t_x, T = np.array(rows).T
    traits = {"channel": channel.astype(object), "region": rng.choice(["n", "s"], n).astype(object)}
    made = Summary.of(x, t_x, T, np.where(x > 0, 20.0 + rng.gamma(4, 5, n), 0.0))
    return replace(made, traits=traits)


@pytest.fixture(scope="module")
def customers() -> Summary:
    return shop()


@pytest.fixture(scope="module")
def fitted(customers: Summary) -> ClvModel:
    return ClvModel.fit(customers, **SETTINGS)


def test_effects_are_found_and_idle_covariates_left_out(fitted: ClvModel) -> None:
    assert fitted.covariate_names == ("channel",)
    (channel,) = fitted.covariates
    assert channel.levels[0] == "ads"  # most customers
    effect = dict(zip(channel.levels, np.exp(channel.rate), strict=True))
    leaving = dict(zip(channel.levels, np.exp(channel.leaving), strict=True))
    assert effect == pytest.approx(RATE, rel=0.15)
    assert leaving == pytest.approx(LEAVING, rel=0.25)
    assert "channel (beside ads): friend orders x" in fitted.notes()[-1]
    assert fitted.diagnostics["orders"]["covariates"]["region"]["p_value"] > 0.01


def test_a_model_without_effects_is_the_plain_model(customers: Summary, fitted: ClvModel) -> None:
    plain = replace(fitted, covariates=())
    flat = tuple(replace(c, rate=(0.0,) * 3, leaving=(0.0,) * 3) for c in fitted.covariates)
    zero = replace(fitted, covariates=flat)
    for name, values in plain.predict(customers).items():
        np.testing.assert_array_equal(zero.predict(customers)[name], values)


def test_same_bits_alone_and_in_a_block(customers: Summary, fitted: ClvModel) -> None:
    whole = fitted.predict(customers)
    for i in range(0, 40, 3):
        for name, value in fitted.predict(customers.take(np.array([i]))).items():
            assert value.tobytes() == whole[name][i : i + 1].tobytes(), (name, i)


def test_saved_and_loaded(customers: Summary, fitted: ClvModel, tmp_path: Path) -> None:
    loaded = ClvModel.load(fitted.save(tmp_path / "clv", {}))
    assert loaded == fitted
    np.testing.assert_array_equal(loaded.predict(customers)["clv"], fitted.predict(customers)["clv"])


def test_new_customers_by_channel(fitted: ClvModel) -> None:
    friend, ads = (new_customer(fitted, 365, channel=name) for name in ("friend", "ads"))
    assert friend["expected_orders"] > 1.4 * ads["expected_orders"]
    # a channel never seen counts as the one with most customers
    assert new_customer(fitted, 365, channel="tv") == ads
    with pytest.raises(InputError, match="the CLV model reads 'channel' of each customer"):
        new_customer(fitted)


def test_a_summary_without_the_traits_is_refused(customers: Summary, fitted: ClvModel) -> None:
    with pytest.raises(InputError, match="the CLV model reads 'channel'"):
        fitted.predict(replace(customers, traits={}))
    numbers = {"channel": np.ones(len(customers))}
    with pytest.raises(InputError, match="covariate 'channel' was learnt from texts"):
        fitted.predict(replace(customers, traits=numbers))


def test_levels_of_a_number_are_its_fifths() -> None:
    trait = np.concatenate([np.arange(1_000.0), [np.nan] * 100])
    found = learn("first_order_value", trait)
    assert found is not None
    assert len(found.levels) == 6
    assert found.levels[-1] == "missing" or "missing" in found.levels
    codes = found.codes(np.array([-1e9, 0.0, 199.7, 500, 1e12, np.nan]))
    assert [found.levels[c].split()[0] for c in codes] == ["up", "up", "up", "up", "above", "missing"]
    assert np.bincount(found.codes(trait)).tolist().count(200) == 5


def test_rare_levels_are_no_levels() -> None:
    trait = np.array(["a"] * 500 + ["b"] * 100 + [f"rare{i}" for i in range(60)] + [None] * 3, object)
    found = learn("region", trait)
    assert found is not None
    assert found.levels == ("a", "b", "other")
    codes = found.codes(np.array(["a", "b", "rare1", "new", None], object))
    assert [found.levels[c] for c in codes] == ["a", "b", "other", "other", "a"]
    assert Covariate.from_json(found.to_json()) == found
    assert learn("region", np.array(["a"] * 500, object)) is None
    assert learn("x", np.full(500, 3.0)) is None
