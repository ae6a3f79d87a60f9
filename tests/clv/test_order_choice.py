"""Which order model a shop gets: the holdout decides, and what the data do not identify is told and replaced."""

import json
from dataclasses import replace
from math import log

import numpy as np
import pytest

from lifestage.clv import bg_nbd, mbg_nbd
from lifestage.clv.clock import Clock
from lifestage.clv.compress import compress
from lifestage.clv.families import FAMILIES
from lifestage.clv.geometric_dropout import BetaGeoParams
from lifestage.clv.held import Held, join_held
from lifestage.clv.level import level_ahead
from lifestage.clv.order_choice import HeldFits, fit_orders, rank, why
from lifestage.clv.order_fit import fit
from lifestage.clv.summary import Summary

PARAMS = BetaGeoParams(0.8, 40.0, 0.9, 1.5)


def shop(leave_first: bool, n: int = 6_000, seed: int = 3) -> tuple[Summary, np.ndarray]:
    """Histories of 400 days and the orders of the 120 days after, one customer at a time."""
    rng = np.random.default_rng(seed)
    rows, after = [], []
    for rate, p in zip(
        rng.gamma(PARAMS.r, 1 / PARAMS.alpha, n), rng.beta(PARAMS.a, PARAMS.b, n), strict=True
    ):
        born = rng.uniform(0, 380)
        now, x, last, later = born, 0, born, 0
        gone = leave_first and rng.random() < p
        while not gone and (now := now + rng.exponential(1 / max(rate, 1e-12))) < 520:
            x, last, later = (x + 1, now, later) if now < 400 else (x, last, later + 1)
            gone = rng.random() < p
        rows.append((x, last - born, 400 - born))
        after.append(later)
    x, t_x, T = np.array(rows).T
    return Summary.of(x, t_x, T), np.array(after, float)


@pytest.mark.parametrize(("leave_first", "model"), [(False, "bg_nbd"), (True, "mbg_nbd")])
def test_the_holdout_finds_the_model_that_made_it(leave_first: bool, model: str) -> None:
    summary, after = shop(leave_first)
    models, report = rank([Held.of(replace(summary, cutoff_day=400.0), after, 120)], HeldFits())
    assert models[0] == model or (model == "mbg_nbd" and models[0] == "pareto_nbd")
    assert sorted(models) == sorted(FAMILIES)
    assert json.loads(json.dumps(report)) == report
    assert "foresaw the orders of 1 holdouts best" in why(models, report)
    score = report["holdout_log_likelihood"]
    assert score["bg_nbd"] != score["mbg_nbd"]


def test_log_probability_by_hand() -> None:
    """Two customers, one of whom orders twice in the holdout; FHL eq. (8) given alive, in plain Python."""
    summary = Summary.of([0, 2], [0, 30], [50, 60])
    held = Held.of(summary, np.array([0.0, 2.0]), 40)
    found = held.log_probability("bg_nbd", PARAMS)
    r, alpha, a, b = PARAMS

    def negative_binomial(n: int, R: float, A: float) -> float:
        value = (A / (A + 40)) ** R
        for k in range(n):
            value *= (R + k) / (k + 1) * 40 / (A + 40)
        return value

    alive = bg_nbd.probability_alive(PARAMS, summary.frequency, summary.recency, summary.T)
    R, A, B = r + 2, alpha + 60, b + 2
    stays = B / (a + B) * (B + 1) / (a + B + 1)
    leaves = B / (a + B) * a / (a + B + 1)
    fewer = negative_binomial(0, R, A) + negative_binomial(1, R, A)
    two = alive[1] * (stays * negative_binomial(2, R, A) + leaves * (1 - fewer))
    none = 1 - alive[0] + alive[0] * (alpha + 50) ** r / (alpha + 90) ** r
    assert found.tolist() == pytest.approx([log(none), log(two)], rel=1e-10)


def test_held_is_the_customers_compressed() -> None:
    summary, after = shop(True, 500)
    whole = Held.of(summary, after, 120)
    half = np.arange(500) < 200
    joined = join_held(
        [Held.of(summary.take(half), after[half], 120), Held.of(summary.take(~half), after[~half], 120)]
    )
    assert joined.came == whole.came == after.sum()
    np.testing.assert_array_equal(joined.before.count, whole.before.count)
    assert whole.customers.customers == 500
    expected = float(np.sum(whole.before.count * whole.expected("mbg_nbd", PARAMS)))
    alive = mbg_nbd.probability_alive(PARAMS, summary.frequency, summary.recency, summary.T)
    each = alive * mbg_nbd.expected_purchases_given_alive(PARAMS, 120.0, summary.frequency, summary.T)
    assert expected == pytest.approx(each.sum(), rel=1e-12)
    assert whole.lived(Clock()) is whole
    assert whole.lived(Clock(level=2.0)).horizon == 240


def test_a_model_under_priors_says_what_was_tried() -> None:
    nobody_repeats = compress(np.zeros(50), np.zeros(50), np.full(50, 100.0))
    found = fit_orders(nobody_repeats)
    assert found.name == "bg_nbd"
    assert [one["model"] for one in found.diagnostics["tried"]] == [*FAMILIES]
    assert found.diagnostics["fallback"].count("do not identify") == len(FAMILIES)
    assert "BG/NBD under weak priors (normal on the logarithms" in found.diagnostics["fallback"]
    assert json.loads(json.dumps(found.diagnostics)) == found.diagnostics


def test_leaving_is_tested_against_nobody_leaving(cdnow_sample: Summary) -> None:
    s = cdnow_sample
    found = fit("bg_nbd", compress(s.frequency, s.recency, s.T)).diagnostics
    assert found["log_likelihood"] > found["log_likelihood_if_nobody_left"]
    lead = found["log_likelihood"] - found["log_likelihood_if_nobody_left"]
    assert found["leaving_likelihood_ratio"] == pytest.approx(2 * lead)
    assert found["leaving_p_value"] < 1e-6


# --- the level ahead ----------------------------------------------------------------------------------------


def forecasts(errors: list[float], step: int = 30) -> tuple[dict[int, float], dict[int, float]]:
    came = {1_000 + i * step: 1_000 * float(np.exp(e)) for i, e in enumerate(errors)}
    return came, dict.fromkeys(came, 1_000.0)


def test_a_level_that_is_always_wrong_is_put_right() -> None:
    found = level_ahead(*forecasts([-0.3] * 12), 30, 1_000 + 12 * 30)
    assert 0.9 < found.trust <= 1
    assert found.factor == pytest.approx(np.exp(-0.3), rel=0.03)
    assert "12 earlier forecasts of all orders were off by 26 %" in found.sentence()


def test_errors_that_come_and_go_change_next_to_nothing() -> None:
    errors = np.random.default_rng(2).normal(0, 0.1, 12).tolist()
    assert level_ahead(*forecasts(errors), 30, 1_360).factor == pytest.approx(1, abs=0.03)


def test_nothing_from_after_the_day_is_used() -> None:
    came, foreseen = forecasts([0.2] * 12)
    early = level_ahead(came, foreseen, 30, 1_150)
    later = {c: (v if c + 30 <= 1_150 else v * 9) for c, v in came.items()}
    assert level_ahead(later, foreseen, 30, 1_150) == early
    assert max(early.errors) + 30 <= 1_150


def test_without_a_forecast_the_level_stays() -> None:
    found = level_ahead({}, {}, 90, 1_000)
    assert found.factor == 1
    assert "no earlier forecast has come due" in found.sentence()
