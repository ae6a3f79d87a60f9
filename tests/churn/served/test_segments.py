"""Figures by segment: against loops, with a planted failure that is found, and few false alarms."""

import math

import numpy as np
import pytest

from lifestage.churn.served.auc import auc, promised_auc
from lifestage.churn.served.dimensions import Dimension, check_names, dimensions
from lifestage.churn.served.segments import SIGNIFICANCE, evaluate_segments, holm, judge
from lifestage.errors import InputError
from lifestage.features import FeatureSpec
from lifestage.features.spec import Attribute

SPEC = FeatureSpec(
    attributes=(
        Attribute("region", "text", ("north", "south", "west")),
        Attribute("acquisition_channel", "text", ("shop", "web")),
        Attribute("loyal", "bool"),
        Attribute("Age (years)", "number"),
    )
)


def parted(rng: np.random.Generator, n: int, name: str, levels: int) -> Dimension:
    return Dimension(
        name, name, name, rng.integers(0, levels, n), tuple(f"{name}{place}" for place in range(levels))
    )


def customers(seed: int, n: int) -> tuple[np.ndarray, np.ndarray, list[Dimension]]:
    """True probabilities, outcomes, three ways to part that have nothing to do with either."""
    rng = np.random.default_rng(seed)
    p = 1 / (1 + np.exp(-rng.normal(-0.5, 1.3, n)))
    made = [parted(rng, n, name, levels) for name, levels in (("a", 5), ("b", 4), ("c", 2))]
    return p, rng.random(n) < p, made


def test_auc_equals_a_loop_over_pairs_with_delongs_error() -> None:
    rng = np.random.default_rng(5)
    score, churned = np.round(rng.normal(0, 1, 60), 1), rng.random(60) < 0.4
    ours, theirs = score[churned], score[~churned]
    wins = np.array([[(a > b) + (a == b) / 2 for b in theirs] for a in ours])
    found = auc(score, churned)
    assert found.value == pytest.approx(wins.mean(), rel=1e-12)
    variance = np.var([sum(row) / len(theirs) for row in wins], ddof=1) / len(ours)
    variance += np.var([sum(row) / len(ours) for row in wins.T], ddof=1) / len(theirs)
    assert found.error == pytest.approx(math.sqrt(variance), rel=1e-12)
    assert found.low < found.value < found.high
    assert math.isnan(auc(score, np.ones(60, bool)).value)


def test_promised_auc_equals_a_loop_and_what_outcomes_drawn_from_it_give() -> None:
    rng = np.random.default_rng(6)
    p = np.round(rng.uniform(0.1, 0.9, 200), 1)
    above = pairs = 0.0
    for i in range(200):
        for j in range(200):
            if i != j:
                weight = p[i] * (1 - p[j])
                above += weight * ((p[i] > p[j]) + (p[i] == p[j]) / 2)
                pairs += weight
    assert promised_auc(p, p) == pytest.approx(above / pairs, rel=1e-12)
    drawn = [auc(p, rng.random(200) < p).value for _ in range(400)]
    assert promised_auc(p, p) == pytest.approx(float(np.mean(drawn)), abs=0.01)
    assert math.isnan(promised_auc(np.zeros(3), np.zeros(3)))


def test_holm_against_a_worked_example() -> None:
    # Four tests: .01 x 4, .02 x 3, .03 x 2, .04 x 1, each at least the one before.
    found = holm(np.array([0.03, math.nan, 0.01, 0.04, 0.02]))
    assert found[[0, 2, 3, 4]].tolist() == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert math.isnan(found[1])
    assert holm(np.array([0.9, 0.8])).tolist() == [1.0, 1.0]


def test_chance_alone_seldom_names_a_segment() -> None:
    alarms, runs, raw = 0, 200, []
    for seed in range(runs):
        p, churned, made = customers(seed, 1_500)
        verdicts = judge(p, churned, made).values()
        tests = np.array([[v.level_p, v.order_p] for v in verdicts])
        raw.append(tests)
        alarms += bool((holm(tests.ravel()) <= SIGNIFICANCE).any())
    # Binomial(200, .05): above 19 in one of a thousand.
    assert alarms <= 19
    level, order = np.concatenate(raw).T
    assert np.mean(level <= 0.05) == pytest.approx(0.05, abs=0.02)  # each test alone errs as often as it says
    assert 0.01 < np.mean(order <= 0.05) < 0.07


def test_a_planted_level_and_a_planted_order_are_found_and_nothing_else() -> None:
    p, churned, made = customers(1, 6_000)
    off, shuffled = made[0].codes == 2, made[1].codes == 1
    rng = np.random.default_rng(2)
    said = p.copy()
    said[off] = 1 / (1 + np.exp(-(np.log(p[off] / (1 - p[off])) - 0.9)))
    said[shuffled] = rng.permutation(said[shuffled])
    found = evaluate_segments(said, churned, made, rarer_is_churned=True)
    failing = {(row.dimension, row.level): (row.fails_level, row.fails_order) for row in found.failing}
    assert failing == {("a", "a2"): (True, False), ("b", "b1"): (False, True)}
    en, zh = found.sentence()
    assert en.startswith("2 of 11 segments are served worse than the whole by more than chance allows: ")
    assert "a a2" in en
    assert "11个分群中有2个" in zh


def test_a_whole_that_is_off_alike_fails_no_segment() -> None:
    p, churned, made = customers(3, 6_000)
    said = 1 / (1 + np.exp(-(1.6 * np.log(p / (1 - p)) - 0.7)))  # too low and too sure, everywhere
    found = evaluate_segments(said, churned, made, rarer_is_churned=True)
    assert all(row.level_error < -0.05 for row in found.rows)
    assert found.failing == ()
    assert (
        found.sentence()[0]
        == "None of 11 segments is served worse than the whole by more than chance allows."
    )


def test_figures_equal_loops() -> None:
    p, churned, made = customers(4, 900)
    found = evaluate_segments(p, churned, made[:1], rarer_is_churned=False)
    assert len(found.table()) == 5
    for place, row in enumerate(found.rows):
        mine = [i for i in range(900) if made[0].codes[i] == place]
        assert row.customers == len(mine)
        assert row.base_rate == pytest.approx(sum(churned[i] for i in mine) / len(mine))
        assert row.mean_probability == pytest.approx(sum(p[i] for i in mine) / len(mine))
        off = [p[i] - churned[i] for i in mine]
        mean = sum(off) / len(off)
        error = math.sqrt(sum((x - mean) ** 2 for x in off) / (len(off) - 1) / len(off))
        assert (row.level_error_low, row.level_error_high) == pytest.approx(
            (mean - 1.95996 * error, mean + 1.95996 * error), rel=1e-4
        )
        stayed = sorted(mine, key=lambda i: p[i])
        hits = [not churned[i] for i in stayed]
        precision = [sum(hits[: k + 1]) / (k + 1) for k in range(len(hits)) if hits[k]]
        assert row.pr_auc_rarer == pytest.approx(sum(precision) / sum(hits))


def test_equal_probabilities_and_one_outcome_are_no_error() -> None:
    rng = np.random.default_rng(8)
    churned = rng.random(600) < 0.5
    codes = np.where(churned, 0, rng.integers(0, 2, 600))
    found = evaluate_segments(
        np.full(600, 0.5), churned, [Dimension("d", "d", "d", codes, ("x", "y"))], rarer_is_churned=True
    )
    stayers = found.rows[1]
    assert (stayers.base_rate, stayers.fails_level) == (0.0, True)
    assert math.isnan(stayers.roc_auc)
    assert math.isnan(stayers.p_order)


def features(n: int = 1_000) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(9)
    return {
        "spend_total": np.arange(n, dtype=float),
        "days_since_first_order": np.concatenate(
            [np.full(n - 250, 400.0), np.full(40, 30.0), np.full(210, 800.0)]
        ),
        "profile_region": rng.choice([0.0, 1.0, 2.0, 3.0, np.nan], n, p=[0.4, 0.3, 0.05, 0.1, 0.15]),
        "profile_acquisition_channel": rng.choice([0.0, 1.0], n),
        "profile_loyal": rng.choice([0.0, 1.0], n),
        "profile_age_years": rng.uniform(18, 80, n),
    }


def test_dimensions_levels_and_pools() -> None:
    made = {d.name: d for d in dimensions(features(), SPEC, ["region", "loyal", "Age (years)"])}
    assert list(made) == ["value", "tenure", "acquisition_channel", "region", "loyal", "Age (years)"]
    assert np.bincount(made["value"].codes).tolist() == [200] * 5
    assert made["value"].levels[0] == "1: ≤ 200"
    assert made["value"].levels[-1] == "5: > 799"
    assert made["tenure"].levels == ("4: 365 – 730", "5: > 730")  # the 40 new ones are too few, even pooled
    assert np.count_nonzero(made["tenure"].codes == -1) == 40
    assert made["acquisition_channel"].levels == ("shop", "web")
    assert made["region"].levels == ("north", "south", "unknown", "others")  # west and other together
    region = features()["profile_region"]
    assert np.array_equal(made["region"].codes == 3, (region == 2) | (region == 3))
    assert made["loyal"].levels == ("no", "yes")
    assert len(made["Age (years)"].levels) == 5


def test_a_number_of_few_values_has_them_as_levels() -> None:
    spec = FeatureSpec(attributes=(Attribute("senior", "number"),))
    values = np.concatenate([np.zeros(800), np.ones(150), np.full(150, 2.5), np.full(130, np.nan)])
    (senior,) = dimensions({"profile_senior": values}, spec, ["senior"])
    assert senior.levels == ("0", "1", "2.5", "unknown")
    assert np.bincount(senior.codes).tolist() == [800, 150, 150, 130]


def test_tenure_in_one_band_is_told_apart_by_fifths() -> None:
    values = {"days_since_first_order": np.linspace(366, 455, 1_000)}
    (tenure,) = dimensions(values, FeatureSpec())
    assert tenure.levels[0] == "1: ≤ 384"
    assert np.bincount(tenure.codes).tolist() == [200] * 5
    assert dimensions({"days_since_first_order": np.full(500, 7.0)}, FeatureSpec()) == []


def test_an_unknown_attribute_is_named_with_the_nearest() -> None:
    with pytest.raises(
        InputError, match=r"churn\.segments: 'regoin' is no attribute of the customers; did you mean 'region'"
    ):
        check_names(["regoin"], SPEC)
    with pytest.raises(InputError, match=r"this shop has none: map columns under sources\.customers"):
        check_names(["region"], FeatureSpec())
