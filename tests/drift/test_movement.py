"""Movement beside the shop's normal one: false alarms of shops that do not change, and power where one does."""

import re
from dataclasses import replace

import numpy as np
import pytest

from lifestage.drift.bins import Bins
from lifestage.drift.findings import of_distributions, status_of
from lifestage.drift.movement import Movement, movements, normal_movement, weighted_index
from lifestage.drift.plots import bin_names
from lifestage.drift.population import Population
from lifestage.drift.profile import Counted, Profile, from_bytes, instants_of, make_profile
from lifestage.drift.wording import moved
from lifestage.errors import InputError
from lifestage.localtime import DAY, midnight
from lifestage.settings import Monitoring

LIMITS = Monitoring()
INSTANTS = [day * DAY for day in range(1_000, 1_391, 30)]
TRAINING = INSTANTS[-8:-3]
AS_OF = INSTANTS[-1]
LATER = AS_OF + 30 * DAY
FEATURES = 16


def world(rng: np.random.Generator, n: int, *, day: float = 0.0, shift: float = 0.0) -> Population:
    """n customers with features of several shapes; `shift` moves the first, `day` the growing one."""
    shapes = [
        rng.gamma(2.0, 30.0 * np.exp(shift), n),
        day + rng.uniform(0, 100, n),
        np.where(rng.uniform(size=n) < 0.6, 0.0, rng.gamma(1.0, size=n)),
        np.where(rng.uniform(size=n) < 0.2, np.nan, rng.normal(size=n)),
        rng.choice(np.array(["web", "app", None], object), n),
    ]
    more = {f"f{i}": rng.lognormal(size=n) for i in range(FEATURES - 5)}
    named = dict(zip(("gap", "tenure", "spend", "score", "channel"), shapes, strict=True))
    stages = rng.choice(np.array(["new", "active", "lost"], object), n, p=[0.2, 0.5, 0.3])
    return Population({**named, **more}, {"churn_probability": rng.beta(2, 3, n)}, stages)


def profile_of(rng: np.random.Generator, n: int) -> Profile:
    at = {t: world(rng, n, day=(t - INSTANTS[0]) / DAY) for t in INSTANTS}
    return make_profile(at, TRAINING, "policy", {})


IMPORTANCE = {"gap": 0.4, "tenure": 0.3, "spend": 0.1, "channel": 0.05, "f0": 0.15}


def found_in(profile: Profile, now: Population) -> list[str]:
    moves = movements(profile, now, LATER, IMPORTANCE)
    return [f.name for f in of_distributions(moves, LIMITS, trained_through="x", newer=True)]


@pytest.mark.parametrize("n", [300, 900])
def test_a_shop_that_only_grows_older_is_warned_in_less_than_one_round_of_twenty(n: int) -> None:
    """Every column matters here, so that any of them could raise the alarm."""
    rng = np.random.default_rng(5)
    alarms, runs = 0, 60
    everything = dict.fromkeys(world(rng, 50).features, 1 / FEATURES)
    for _ in range(runs):
        moves = movements(
            profile_of(rng, n), world(rng, n, day=(LATER - INSTANTS[0]) / DAY), LATER, everything
        )
        alarms += bool(of_distributions(moves, LIMITS, trained_through="x", newer=True))
    assert alarms < 0.05 * runs


@pytest.mark.parametrize("n", [300, 900])
def test_a_changed_shop_is_found(n: int) -> None:
    """Gaps between orders half as long again: a PSI of about a third."""
    rng = np.random.default_rng(6)
    hits = 0
    for _ in range(10):
        now = world(rng, n, day=(LATER - INSTANTS[0]) / DAY, shift=np.log(1.5))
        hits += found_in(profile_of(rng, n), now) == ["gap"]
    assert hits >= 9


def test_tenure_moves_by_construction_and_is_no_finding() -> None:
    rng = np.random.default_rng(8)
    profile = profile_of(rng, 1_500)
    now = world(rng, 1_500, day=(LATER - INSTANTS[0]) / DAY)
    tenure = next(m for m in movements(profile, now, LATER, IMPORTANCE) if m.name == "tenure")
    assert tenure.index > 1 and tenure.normal is not None and tenure.normal > 1
    jumped = world(rng, 1_500, day=(LATER - INSTANTS[0]) / DAY)
    gap = np.asarray(jumped.features["gap"], float)
    columns = {**jumped.features, "gap": gap * 100}  # in another unit
    assert "gap" in found_in(profile, replace(jumped, features=columns))


def test_normal_movement_by_a_plain_loop() -> None:
    rng = np.random.default_rng(2)
    counts = rng.integers(20, 60, (13, 5))
    column = Counted("feature", "x", Bins((1.0, 2.0, 3.0)), counts)
    instants = [i * 30 * DAY for i in range(13)]
    from lifestage.drift.stability import excess

    best = 0.0
    for i in range(13):
        for j in range(i + 1, 13):
            if 0.67 * 90 <= (j - i) * 30 <= 1.5 * 90:
                best = max(best, excess(counts[i], counts[j]))
    assert normal_movement(column, instants, 90.0) == best
    assert normal_movement(column, instants[:1], 90.0) is None
    # farther than the past reaches: with the square of the distance, up to three times as far
    far = normal_movement(column, instants[:4], 180.0)
    near = max(
        excess(counts[i], counts[j]) * (180 / (30 * (j - i))) ** 2
        for i in range(4)
        for j in range(i + 1, 4)
        if (j - i) * 30 >= 0.67 * 90
    )
    assert far == pytest.approx(near)
    assert normal_movement(column, instants[:4], 300.0) is None


def movement(**about: object) -> Movement:
    made: dict[str, object] = {
        "kind": "feature",
        "name": "days_since_last_order",
        "bins": Bins((30.0, 60.0, 120.0)),
        "then": np.array([300, 300, 220, 180, 0]),
        "now": np.array([200, 250, 240, 310, 0]),
        "index": 0.12,
        "raw": 0.13,
        "chance": 0.05,
        "normal": 0.02,
        "importance": 0.24,
    }
    return Movement(**{**made, **about})  # type: ignore[arg-type]


def told(*moves: Movement, newer: bool = True) -> list[tuple[str, str]]:
    found = of_distributions(moves, LIMITS, trained_through="2026-01-01", newer=newer)
    return [(f.severity, f.sentence) for f in found]


def test_the_sentence_says_where_it_moved_and_what_it_weighs() -> None:
    [(severity, sentence)] = told(movement())
    assert severity == "warn"
    assert "above 60 for 55% of customers now, 40% at training" in sentence
    assert "it carries 24% of the churn model's importance" in sentence
    assert "over as long a time before at most 0.02" in sentence


def test_what_is_normal_small_chance_or_of_no_weight_is_not_told() -> None:
    assert not told(movement(normal=0.09))  # 1.5 times as much is more than 0.12
    assert not told(movement(chance=0.2))
    assert not told(movement(index=0.09))
    assert not told(movement(importance=0.01))


def test_another_distribution_of_weight_asks_for_retraining_where_that_helps() -> None:
    other = movement(index=0.4, raw=0.41)
    assert told(other)[0][0] == "retrain"
    assert told(movement(index=0.4, raw=0.41, importance=0.05))[0][0] == "warn"
    assert told(movement(index=0.4, raw=0.41, normal=None))[0][0] == "warn"
    severity, sentence = told(other, newer=False)[0]
    assert severity == "warn" and "retraining cannot help yet" in sentence and "2026-01-01" in sentence
    assert (
        told(movement(kind="score", name="churn_probability", importance=0.0, index=0.4))[0][0] == "retrain"
    )
    stage = movement(
        kind="stage",
        name="stage",
        importance=0.0,
        index=0.9,
        bins=Bins(levels=("new", "lost")),
        then=np.array([90, 10, 0, 0]),
        now=np.array([10, 90, 0, 0]),
    )
    severity, sentence = told(stage)[0]
    assert severity == "warn" and "policy" in sentence
    assert status_of([]) == "steady"


def test_wording_of_missing_values_levels_and_atoms() -> None:
    rare = movement(then=np.array([90, 0, 0, 0, 10]), now=np.array([40, 0, 0, 0, 60]))
    assert moved(rare) == "unknown for 60% of customers now, 10% at training"
    levels = movement(bins=Bins(levels=("web",)), then=np.array([80, 10, 10]), now=np.array([20, 70, 10]))
    assert moved(levels).startswith("'web' for 20% of customers now, 80% at")
    atom = movement(
        bins=Bins((float(np.nextafter(0.0, -np.inf)), 0.0)),
        then=np.array([0, 900, 100, 0]),
        now=np.array([0, 500, 500, 0]),
    )
    assert moved(atom) == "above 0 for 50% of customers now, 10% at training"


def test_bins_have_short_names() -> None:
    zero = float(np.nextafter(0.0, -np.inf))
    assert bin_names(Bins((zero, 0.0, 1_500.0))) == ["< 0", "0", "to 1,500", "> 1,500", "unknown"]
    assert bin_names(Bins(levels=("web",))) == ["web", "other", "unknown"]
    assert bin_names(Bins()) == ["any", "unknown"]


def test_the_weighted_index_is_the_mean_by_importance() -> None:
    moves = [movement(index=0.1, importance=0.75), movement(index=0.5, importance=0.25)]
    assert weighted_index(moves) == pytest.approx(0.2)
    assert weighted_index([]) == 0


def test_a_profile_survives_its_file() -> None:
    made = profile_of(np.random.default_rng(3), 200)
    content = made.to_bytes()
    back = from_bytes(content, "here")
    assert back.to_bytes() == content and len(content) < 60_000
    assert back.columns[0].bins == made.columns[0].bins
    assert (back.columns[-1].counts == made.columns[-1].counts).all()
    with pytest.raises(InputError, match=r"here: is no reference of drift .*promote again"):
        from_bytes(content[:100], "here")


def test_a_profile_of_another_feature_spec_is_refused() -> None:
    rng = np.random.default_rng(3)
    profile, now = profile_of(rng, 200), world(rng, 200)
    fewer = {name: column for name, column in now.features.items() if name != "spend"}
    with pytest.raises(InputError, match=r"feature 'spend', which its models do not read.*promote again"):
        movements(profile, replace(now, features=fewer), LATER, {})


def test_instants_are_the_training_cutoffs_and_the_months_before() -> None:
    zone = "Europe/London"
    from datetime import date

    as_of = midnight(date(2026, 1, 1), zone)
    training = [midnight(date(2025, month, 2), zone) for month in range(1, 10)]
    instants, kept = instants_of(training, midnight(date(2025, 3, 1), zone), as_of, zone)
    assert len(kept) == 6 and kept[0] == training[0] and kept[-1] == training[-1]
    assert instants[-1] == as_of and set(kept) <= set(instants)
    assert min(set(instants) - set(kept)) >= midnight(date(2025, 3, 1), zone)
    assert instants_of([], as_of, as_of, zone) == ([as_of], [as_of])


def test_limits_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(
        ValueError, match=re.escape("warn_stability_index (0.3) is above retrain_stability_index (0.25)")
    ):
        Monitoring(warn_stability_index=0.3)
