"""Naive forecasts and plain lifetimes: what they say, and what they say where they cannot."""

import numpy as np
import pytest

from lifestage.clv import plain_lifetimes
from lifestage.clv.baselines import last_year, naive_orders, past_rate
from lifestage.clv.plain_lifetimes import lifetimes_forecast
from lifestage.clv.summary import Summary


def test_the_own_past_rate() -> None:
    few = Summary.of([0, 3, 0], [0, 20, 0], [50, 30, 0], [0, 7, 0])
    assert naive_orders(few, 60).tolist() == [0, 6, 0]
    found = past_rate(few, 60)
    assert found.spend is not None
    assert found.spend.tolist() == [0, 42, 0]


def test_last_year_needs_a_year_before() -> None:
    orders, spend = np.array([1.0, 0.0]), np.array([20.0, 0.0])
    old = Summary.of([1, 0], [10, 0], [365, 9])
    found = last_year(old, 90, orders, spend)
    assert found.orders is not None and found.spend is not None
    assert (found.orders.tolist(), found.spend.tolist(), found.note) == ([1, 0], [20, 0], "")
    young = last_year(Summary.of([1, 0], [10, 0], [364, 9]), 90, orders, spend)
    assert young.orders is None
    assert "only 364 days before the cutoff were seen" in young.note
    assert "a horizon of 366 days reaches past the year" in last_year(old, 366, None, None).note


def test_lifetimes_on_cdnow_is_the_published_fit(cdnow_sample: Summary) -> None:
    """FHL (2005): r .243, alpha 4.414, a .793, b 2.426; expected orders by their eq. (10) with those figures."""
    from scipy.special import hyp2f1

    found = lifetimes_forecast(cdnow_sample, 39.0)
    assert found.note == "plain lifetimes: BG/NBD with penalizer 0"
    assert found.orders is not None and found.spend is not None
    r, alpha, a, b = 0.243, 4.414, 0.793, 2.426
    for i in (0, 7, 100, 2000):
        x, t_x, T = cdnow_sample.frequency[i], cdnow_sample.recency[i], cdnow_sample.T[i]
        curve = hyp2f1(r + x, b + x, a + b + x - 1, 39 / (alpha + T + 39))
        above = (a + b + x - 1) / (a - 1) * (1 - ((alpha + T) / (alpha + T + 39)) ** (r + x) * curve)
        gone = a / (b + x - 1) * ((alpha + T) / (alpha + t_x)) ** (r + x) if x else 0.0
        assert found.orders[i] == pytest.approx(above / (1 + gone), rel=0.01)
    assert (found.spend > 0).all()


def test_what_fails_in_lifetimes_is_a_note(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import lifetimes

    rng = np.random.default_rng(3)
    x = rng.poisson(2.0, 300).astype(float)
    T = np.full(300, 100.0)
    t_x = np.where(x > 0, 90.0 + rng.uniform(0, 10, 300), 0.0)
    some = Summary.of(x, t_x, T, np.where(x > 0, 10.0, 0.0))

    def fails(_self: object, *_args: object, **_kwargs: object) -> None:
        print("a long report")
        raise lifetimes.utils.ConvergenceError("\n The model did not\n converge. Try more.")

    real = lifetimes.BetaGeoFitter.fit
    monkeypatch.setattr(lifetimes.BetaGeoFitter, "fit", fails)
    found = lifetimes_forecast(some, 30)
    assert (found.orders, found.spend) == (None, None)
    assert "with penalizer 0 the BG/NBD fails (ConvergenceError: The model did not converge)" in found.note
    assert "with penalizer 0.01 the BG/NBD fails" in found.note

    def at_first(self: lifetimes.BetaGeoFitter, *args: object, **kwargs: object) -> object:
        return real(self, *args, **kwargs) if self.penalizer_coef else fails(self)

    monkeypatch.setattr(lifetimes.BetaGeoFitter, "fit", at_first)
    monkeypatch.setattr(lifetimes.GammaGammaFitter, "fit", fails)
    found = lifetimes_forecast(some, 30)
    assert found.orders is not None
    assert found.spend is None
    assert "; BG/NBD with penalizer 0.01; its Gamma-Gamma fails" in found.note
    assert capsys.readouterr().out == ""


def test_a_large_shop_is_drawn_for_the_fit_and_foreseen_whole(
    cdnow_sample: Summary, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = lifetimes_forecast(cdnow_sample, 39.0)
    monkeypatch.setattr(plain_lifetimes, "MOST", 1_500)
    drawn = lifetimes_forecast(cdnow_sample, 39.0)
    assert drawn.orders is not None and whole.orders is not None
    assert len(drawn.orders) == len(cdnow_sample)
    assert drawn.orders.sum() == pytest.approx(whole.orders.sum(), rel=0.2)
    assert (drawn.orders != whole.orders).all()
