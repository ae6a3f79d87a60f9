"""The CLV model as a whole: meaning of its columns, same bits in any block, save and load."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lifestage.clv import bg_nbd, gamma_gamma
from lifestage.clv.model import ClvModel
from lifestage.clv.summary import Summary
from lifestage.errors import InputError

DEFAULTS = {"horizon_days": 90, "yearly_discount_rate": 0.1, "margin": 1.0}


def test_same_bits_alone_and_in_a_block(model: ClvModel, crowd: Summary) -> None:
    block = model.predict(crowd)
    shuffled = np.random.default_rng(1).permutation(len(crowd))
    again = model.predict(crowd.take(shuffled))
    for name, values in block.items():
        assert again[name].tobytes() == values[shuffled].tobytes(), name
    for i in range(0, len(crowd), 3):
        for name, value in model.predict(crowd.take(np.array([i]))).items():
            assert value.tobytes() == block[name][i : i + 1].tobytes(), (name, i)


@pytest.mark.parametrize("size", [2, 3, 5, 7, 8, 9, 17, 64, 1_001])
def test_same_bits_in_blocks_of_any_size(model: ClvModel, crowd: Summary, size: int) -> None:
    whole = model.predict(crowd)
    for start in range(0, len(crowd) if size > 10 else 200, size):
        part = model.predict(crowd.take(np.arange(start, min(start + size, len(crowd)))))
        for name, values in part.items():
            assert values.tobytes() == whole[name][start : start + size].tobytes(), (name, start)


@pytest.mark.parametrize("only", [("clv",), ("spend_high",), ("p_order", "next_order_days"), ()])
def test_some_columns_have_the_bits_they_have_among_all(
    model: ClvModel, crowd: Summary, only: tuple[str, ...]
) -> None:
    whole, some = model.predict(crowd), model.predict(crowd, only=only)
    assert set(some) == set(only)
    for name, values in some.items():
        assert values.tobytes() == whole[name].tobytes(), name


def test_columns_mean_what_they_say(model: ClvModel, crowd: Summary) -> None:
    found, has = model.predict(crowd), crowd.has_purchase
    assert tuple(found) == ClvModel.OUTPUTS
    for values in found.values():
        assert np.isnan(values[~has]).all()
        assert np.isfinite(values[has]).all()
        assert (values[has] >= 0).all()
    f = {name: values[has] for name, values in found.items()}
    s = crowd.take(has)
    args = (s.frequency, s.recency, s.T)
    np.testing.assert_array_equal(f["p_alive"], bg_nbd.probability_alive(model.orders, *args))
    np.testing.assert_allclose(
        f["expected_orders"], bg_nbd.expected_purchases(model.orders, 365.0, *args), rtol=1e-13
    )
    np.testing.assert_allclose(
        f["p_order"], bg_nbd.probability_of_order(model.orders, 365.0, *args), rtol=1e-13
    )
    assert (f["p_order"] <= f["p_alive"]).all()
    assert (f["p_order"] <= f["expected_orders"] * (1 + 1e-12)).all()
    expected = gamma_gamma.expected_order_value(model.gamma_gamma, s.frequency, s.monetary_value)
    np.testing.assert_array_equal(f["expected_order_value"], expected)
    undiscounted = f["expected_orders"] * f["expected_order_value"] * model.margin
    ratio = f["clv"] / undiscounted
    assert ((ratio > 1.1**-1) & (ratio < 1)).all()
    assert (f["next_order_low_days"] < f["next_order_days"]).all()
    assert (f["next_order_days"] < f["next_order_high_days"]).all()
    assert (f["next_order_high_days"] < 365).all()
    assert (f["spend_low"] <= f["spend_high"]).all()
    assert ((f["spend_high"] > 0) == (f["p_order"] > 0.1)).all()
    assert ((f["spend_low"] > 0) == (f["p_order"] > 0.9)).all()


def test_another_horizon_changes_what_depends_on_it_only(model: ClvModel, crowd: Summary) -> None:
    year, month = model.predict(crowd), model.predict(crowd, horizon_days=30)
    has = crowd.has_purchase
    assert (month["expected_orders"][has] < year["expected_orders"][has]).all()
    np.testing.assert_array_equal(month["p_alive"], year["p_alive"])
    np.testing.assert_array_equal(month["expected_order_value"], year["expected_order_value"])


def test_nobody_and_only_strangers(model: ClvModel, crowd: Summary) -> None:
    assert [len(v) for v in model.predict(crowd.take(np.empty(0, np.int64))).values()] == [0] * 10
    strangers = model.predict(crowd.take(~crowd.has_purchase))
    assert all(np.isnan(values).all() for values in strangers.values())


def test_silence_lowers_the_probability_to_be_alive(model: ClvModel) -> None:
    T = np.arange(100.0, 600.0, 20)
    found = model.predict(Summary.of(np.full_like(T, 5), np.full_like(T, 90), T, np.full_like(T, 30)))
    for name in ("p_alive", "expected_orders", "clv", "p_order"):
        assert (np.diff(found[name]) < 0).all(), name


def test_impossible_input_is_refused(model: ClvModel) -> None:
    with pytest.raises(InputError, match="recency of customer number 0 is 9"):
        one = np.ones(1)
        model.predict(Summary(one, one * 9, one * 8, one, np.ones(1, bool)))
    with pytest.raises(InputError, match=r"horizon_days is -1\.0, expected a number of days above 0"):
        model.predict(Summary.of([0], [0], [5]), horizon_days=-1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"horizon_days": 0}, "horizon_days is 0, expected a number of days above 0"),
        ({"yearly_discount_rate": -0.1}, "yearly_discount_rate is -0.1, expected 0 or more"),
        ({"margin": 1.5}, "margin is 1.5, expected above 0 and at most 1"),
        ({"margin": float("nan")}, "margin is nan"),
    ],
)
def test_bad_settings_are_named(cdnow_sample: Summary, change: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ClvModel.fit(cdnow_sample, **{**DEFAULTS, **change})


def test_fit_leaves_out_customers_without_a_purchase(cdnow_sample: Summary) -> None:
    nan, n = np.array([np.nan]), cdnow_sample
    with_stranger = Summary(
        np.concatenate([nan, n.frequency]),
        np.concatenate([nan, n.recency]),
        np.concatenate([nan, n.T]),
        np.concatenate([nan, n.monetary_value]),
        np.concatenate([[False], n.has_purchase]),
    )
    assert ClvModel.fit(with_stranger, **DEFAULTS) == ClvModel.fit(n, **DEFAULTS)


def test_fit_refuses_a_shop_without_repeats() -> None:
    with pytest.raises(InputError, match="no customer has a repeat purchase with positive spend"):
        ClvModel.fit(Summary.of([0, 0], [0, 0], [9, 8]), **DEFAULTS)
    nobody = Summary.of([], [], [])
    with pytest.raises(InputError, match="no customer has a purchase before the cutoff"):
        ClvModel.fit(nobody, **DEFAULTS)


def test_amounts_of_1e12(cdnow_sample: Summary) -> None:
    s = cdnow_sample
    large = Summary.of(s.frequency, s.recency, s.T, s.monetary_value * 1e12)
    value = ClvModel.fit(large, **DEFAULTS).predict(large)["clv"]
    np.testing.assert_allclose(value, ClvModel.fit(s, **DEFAULTS).predict(s)["clv"] * 1e12, rtol=1e-6)


def test_save_and_load_give_the_same_bits(cdnow_sample: Summary, crowd: Summary, tmp_path: Path) -> None:
    fitted = ClvModel.fit(cdnow_sample, **DEFAULTS)
    assert "Order values are not independent of how often a customer orders" in fitted.notes()[0]
    folder = fitted.save(tmp_path / "clv", {"as_of": "1998-01-01"}, {"reference.json": b"[1]"})
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["kind"] == "clv"
    assert manifest["as_of"] == "1998-01-01"
    assert sorted(manifest["files"]) == ["clv.json", "reference.json"]
    assert json.loads((folder / "clv.json").read_text(encoding="utf-8")) == fitted.parameters()
    loaded = ClvModel.load(folder)
    assert loaded == fitted
    for name, values in fitted.predict(crowd).items():
        assert loaded.predict(crowd)[name].tobytes() == values.tobytes()


def test_an_altered_model_is_refused(model: ClvModel, tmp_path: Path) -> None:
    folder = model.save(tmp_path / "clv", {})
    path = folder / "clv.json"
    path.write_text(path.read_text(encoding="utf-8").replace("0.25", "0.26"), encoding="utf-8")
    with pytest.raises(InputError, match="differs from its checksum"):
        ClvModel.load(folder)


def test_scoring_imports_no_training_packages() -> None:
    code = (
        "import sys, lifestage.clv.model; "
        "print([m for m in ('lifetimes', 'pandas', 'sklearn', 'matplotlib', 'autograd') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
