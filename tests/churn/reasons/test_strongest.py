"""Contributions against Shapley values worked out over all subsets; reasons one by one as many."""

import math
from collections.abc import Callable, Mapping
from itertools import combinations
from math import factorial
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest

from lifestage.churn.base import NOTHING, Base, Term
from lifestage.churn.calibration import IDENTITY
from lifestage.churn.model import ChurnModel, Trees
from lifestage.churn.reasons.merging import merge
from lifestage.churn.reasons.strongest import (
    LEAST_SHARE,
    Grouping,
    contributions,
    model_contributions,
    reasons,
)
from lifestage.features import PLAIN, names
from lifestage.schemas import REASON
from tests.features.families import SPEC

SETTINGS = {
    "objective": "binary",
    "learning_rate": 0.3,
    "num_leaves": 6,
    "min_data_in_leaf": 10,
    "seed": 1,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}
Node = Mapping[str, Any]


def grown(x: np.ndarray, y: np.ndarray, trees: int, feature_names: list[str], **more: Any) -> lgb.Booster:
    data = lgb.Dataset(x, y, feature_name=feature_names, free_raw_data=False)
    return lgb.train({**SETTINGS, **more}, data, trees)


@pytest.fixture(scope="module")
def small() -> tuple[lgb.Booster, np.ndarray]:
    rng = np.random.default_rng(5)
    x = rng.standard_normal((600, 5))
    x[rng.random(600) < 0.2, 2] = np.nan
    logit = x[:, 0] - x[:, 1] * (x[:, 3] > 0) + np.where(np.isnan(x[:, 2]), 1.0, 0.0)
    y = (rng.random(600) < 1 / (1 + np.exp(-2 * logit))).astype(float)
    return grown(x, y, 6, ["a", "b", "c", "d", "e"]), x


# --- the oracle: a customer's value of a coalition, tree by tree, and Shapley's sum over subsets ----------------


def goes_left(node: Node, value: float) -> bool:
    if np.isnan(value):
        return bool(node["default_left"]) if node["missing_type"] == "NaN" else node["threshold"] >= 0
    return bool(value <= node["threshold"])


def rows_of(node: Node) -> int:
    return int(node["internal_count"] if "split_feature" in node else node["leaf_count"])


def expected(node: Node, row: np.ndarray, known: frozenset[int]) -> float:
    """Mean of a tree where only the features `known` are: at the others both ways, by the rows of training."""
    if "split_feature" not in node:
        return float(node["leaf_value"])
    left, right = node["left_child"], node["right_child"]
    if node["split_feature"] in known:
        return expected(left if goes_left(node, row[node["split_feature"]]) else right, row, known)
    parts = [rows_of(child) * expected(child, row, known) for child in (left, right)]
    return sum(parts) / rows_of(node)


def shapley(tree: Node, row: np.ndarray, n: int) -> list[float]:
    found = []
    for i in range(n):
        others = [j for j in range(n) if j != i]
        total = 0.0
        for size in range(n):
            weight = factorial(size) * factorial(n - size - 1) / factorial(n)
            for chosen in combinations(others, size):
                with_i = expected(tree, row, frozenset((*chosen, i)))
                total += weight * (with_i - expected(tree, row, frozenset(chosen)))
        found.append(total)
    return [*found, expected(tree, row, frozenset())]


def test_contributions_are_shapley_values(small: tuple[lgb.Booster, np.ndarray]) -> None:
    booster, x = small
    trees = [tree["tree_structure"] for tree in booster.dump_model()["tree_info"]]
    rows = x[:25]
    got = contributions(booster, rows)
    assert np.isnan(rows).any()
    for row, contributed in zip(rows, got, strict=True):
        wanted = np.sum([shapley(tree, row, 5) for tree in trees], axis=0)
        np.testing.assert_allclose(contributed, wanted, rtol=0, atol=1e-9)


def test_contributions_of_a_tree_worked_out_by_hand() -> None:
    """40 rows a corner of the square, y = 1 only at (1, 1): v() = 1/4, v(a) = v(b) = 1/2, v(a, b) = 1 at (1, 1),
    so each side adds (1/2 - 1/4 + 1 - 1/2) / 2 = 3/8; at (0, 0) each takes 1/8, at (1, 0) +1/8 and -3/8."""
    x = np.repeat([[0.0, 0], [0, 1], [1, 0], [1, 1]], 40, axis=0)
    y = x.prod(axis=1)
    more = {"objective": "regression", "learning_rate": 1.0, "num_leaves": 4, "min_data_in_leaf": 1}
    booster = grown(x, y, 1, ["a", "b"], **more)
    corners = np.array([[1.0, 1], [0, 0], [1, 0]])
    wanted = [[3 / 8, 3 / 8, 1 / 4], [-1 / 8, -1 / 8, 1 / 4], [1 / 8, -3 / 8, 1 / 4]]
    np.testing.assert_allclose(contributions(booster, corners), wanted, atol=1e-7)


# --- a model with the catalogue's names -----------------------------------------------------------------------


def customers(n: int, seed: int, spec: Any = SPEC) -> dict[str, np.ndarray]:
    """Values of every feature of a spec, whole numbers from 0 to 4 and some missing, that hang together no further."""
    rng = np.random.default_rng(seed)
    columns = {name: rng.integers(0, 5, n).astype(float) for name in names(spec)}
    for column in columns.values():
        column[rng.random(n) < 0.1] = np.nan
    for name in ("profile_acquisition_channel", "profile_city"):
        columns[name] = np.where(np.isnan(columns[name]), np.nan, columns[name] % 3)
    return columns


@pytest.fixture(scope="module")
def model() -> tuple[lgb.Booster, tuple[str, ...], dict[str, np.ndarray]]:
    columns = customers(1_500, 1)
    own = tuple(columns)
    rng = np.random.default_rng(2)
    logit = np.nansum([columns[name] * rng.standard_normal() for name in own[::7]], axis=0)
    logit += np.where(columns["profile_city"] == 1, 6.0, 0.0)
    y = (rng.random(1_500) < 1 / (1 + np.exp(logit.mean() - logit))).astype(float)
    booster = grown(np.column_stack([columns[n] for n in own]), y, 40, list(own), feature_fraction=0.4)
    return booster, own, customers(400, 3)


def test_contributions_sum_to_the_raw_score_in_any_block(model: Any) -> None:
    booster, own, columns = model
    rows = np.column_stack([columns[name] for name in own])
    got = contributions(booster, rows)
    np.testing.assert_allclose(got.sum(axis=1), booster.predict(rows, raw_score=True), rtol=0, atol=1e-9)
    for i in (0, 7, 399):
        assert contributions(booster, rows[i : i + 1]).tobytes() == got[i : i + 1].tobytes()
    assert contributions(booster, rows, num_threads=2).tobytes() == got.tobytes()


def test_chunks_change_no_bit(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    booster, own, columns = model
    rows = np.column_stack([columns[name] for name in own])
    whole = contributions(booster, rows)
    monkeypatch.setattr("lifestage.churn.reasons.strongest.CHUNK", 37)
    assert contributions(booster, rows).tobytes() == whole.tobytes()


def test_groups_add_up(model: Any) -> None:
    _, own, _ = model
    contributed = np.random.default_rng(4).standard_normal((50, len(own)))
    grouping = Grouping(own, SPEC)
    sums = grouping.sums(contributed)
    assert len(set(grouping.groups)) == len(grouping.groups) < len(own)
    for g, group in enumerate(grouping.groups):
        members = [j for j in range(len(own)) if grouping.groups[grouping.group[j]] == group]
        for row in range(50):
            assert sums[row, g] == pytest.approx(sum(contributed[row, j] for j in members), abs=1e-12)
    rhythm = grouping.groups.index("rhythm")
    signs = np.sign(sums[:, rhythm])
    best = grouping.strongest(contributed, rhythm, signs)
    members = [j for j, g in enumerate(grouping.group.tolist()) if g == rhythm]
    for row in range(50):
        assert best[row] == max(members, key=lambda j, r=row: contributed[r, j] * signs[r])


def model_of(booster: lgb.Booster | None, own: tuple[str, ...], base: Base = NOTHING) -> ChurnModel:
    text = "" if booster is None else booster.model_to_string()
    fits = {"evaluation": Trees(text, IDENTITY, base)}
    return ChurnModel(
        fits,  # type: ignore[arg-type]
        "evaluation",
        features=own,
        horizon_days=90,
        active_within_days=365,
        spec=SPEC,
    )


def every(n: int) -> np.ndarray:
    return np.ones(n, np.bool_)


def test_reasons_of_one_equal_those_of_many(model: Any) -> None:
    booster, own, columns = model
    how = {"top": 4, "currency": "EUR"}
    many = reasons(model_of(booster, own), columns, every(400), **how)
    assert many.type.value_type == REASON
    for i in range(0, 400, 5):
        one = {name: values[i : i + 1] for name, values in columns.items()}
        assert (
            reasons(model_of(booster, own), one, every(1), **how).to_pylist() == many[i : i + 1].to_pylist()
        )


def test_reasons_against_a_slow_loop(model: Any) -> None:
    """Ranked by the group's sum, told by the feature that adds most to its direction, shares of all groups."""
    booster, own, columns = model
    got = reasons(model_of(booster, own), columns, every(400), top=3).to_pylist()
    contributed = contributions(booster, np.column_stack([columns[name] for name in own]))[:, :-1]
    merge(contributed, columns, own, SPEC)
    grouping = Grouping(own, SPEC)
    of = [grouping.groups[g] for g in grouping.group.tolist()]
    for i, found in enumerate(got):
        sums: dict[str, float] = {}
        for name, c in zip(of, contributed[i].tolist(), strict=True):
            sums[name] = sums.get(name, 0.0) + c
        whole = sum(abs(c) for c in sums.values())
        ranked = sorted(sums.items(), key=lambda item: -abs(item[1]))[:3]
        ranked = [(name, c) for name, c in ranked if abs(c) >= LEAST_SHARE * whole]
        assert [r["group"] for r in found] == [name for name, _ in ranked]
        for reason, (name, c) in zip(found, ranked, strict=True):
            assert reason["contribution"] == pytest.approx(c, abs=1e-12)
            assert reason["share"] == pytest.approx(abs(c) / whole)
            assert reason["direction"] == ("raises" if c > 0 else "lowers")
            told = own.index(reason["feature"])
            assert of[told] == name
            best = max(np.sign(c) * contributed[i, j] for j in range(len(own)) if of[j] == name)
            assert np.sign(c) * contributed[i, told] == pytest.approx(best)
            value = columns[reason["feature"]][i]
            if reason["feature"] == "profile_city":
                assert reason["value"] is None
                assert reason["level"] == (None if np.isnan(value) else ("Rome", "Köln", "other")[int(value)])
            else:
                assert reason["level"] is None
                assert reason["value"] == (None if np.isnan(value) else value)
            assert reason["en"] and reason["zh"]
    assert any(r["feature"] == "profile_city" for found in got for r in found)


def test_reasons_only_where_wanted(model: Any) -> None:
    booster, own, columns = model
    wanted = np.arange(400) % 3 == 0
    how: dict[str, Any] = {"top": 2, "currency": "EUR"}
    some = reasons(model_of(booster, own), columns, wanted, **how)
    every_one = reasons(model_of(booster, own), columns, every(400), **how).to_pylist()
    assert some.to_pylist() == [every_one[i] if wanted[i] else None for i in range(400)]
    assert reasons(model_of(booster, own), columns, ~every(400), **how).to_pylist() == [None] * 400
    assert reasons(model_of(booster, own), columns, wanted, top=0).to_pylist() == [
        [] if w else None for w in wanted
    ]


def test_the_linear_part_counts_from_its_mean_and_the_whole_adds_up(model: Any) -> None:
    booster, own, columns = model
    rows = np.column_stack([columns[name] for name in own])
    base = Base(0.4, (Term("order_count", "log1p", 1.2, 0.7, -50.0),))
    linear, trees = model_of(booster, own, base), model_of(booster, own)
    got = model_contributions(linear, rows)
    assert got.sum(axis=1) == pytest.approx(linear.score({name: columns[name] for name in own}), abs=1e-9)
    added = got - model_contributions(trees, rows)
    by_hand = np.zeros_like(added)
    by_hand[:, own.index("order_count")] = [
        0.0 if math.isnan(c) else -50.0 * (math.log1p(c) - 1.2) / 0.7 for c in columns["order_count"].tolist()
    ]
    by_hand[:, -1] = 0.4
    assert added == pytest.approx(by_hand, abs=1e-9)


def test_a_model_without_trees_has_reasons_too(model: Any) -> None:
    _, own, columns = model
    base = Base(0.0, (Term("order_count", "log1p", 0.0, 1.0, -1.0),))
    found = reasons(model_of(None, own, base), columns, every(400), top=3).to_pylist()
    for row in found:
        assert [r["direction"] for r in row] in (["lowers"], [])  # a fact that order_count tells, or nothing
    assert any(found)


# --- facts that are one for a customer ------------------------------------------------------------------------

Merged = Callable[[dict[str, float]], dict[str, float]]


def merged(values: dict[str, float], spec: Any = PLAIN) -> dict[str, float]:
    """Where each feature's contribution of 1 ends up."""
    columns = {name: np.array([values.get(name, 9.0)]) for name in names(spec)}
    contributed = np.ones((1, len(columns)))
    merge(contributed, columns, tuple(columns), spec)
    assert contributed.sum() == len(columns)
    return dict(zip(columns, contributed[0].tolist(), strict=True))


def test_nothing_is_moved_where_facts_differ() -> None:
    values = {"days_since_last_event": 1.0, "days_since_event_view": 5.0}
    assert set(merged(values, SPEC).values()) == {1.0}


def test_a_window_without_orders_says_no_more_than_the_silence() -> None:
    moved = merged({"orders_90d": 0.0, "spend_90d": 0.0, "orders_change_90d": 0.0, "spend_change_90d": 0.0})
    assert moved["days_since_last_order"] == 5.0
    assert all(moved[f"{name}_90d"] == 0 for name in ("orders", "spend", "orders_change", "spend_change"))
    assert moved["orders_365d"] == 1.0
    fewer = merged({"orders_90d": 0.0, "spend_90d": 0.0, "orders_change_90d": -2.0, "spend_change_90d": -7.0})
    assert fewer["orders_change_90d"] == 1.0


def test_the_only_order_is_the_first_and_the_last() -> None:
    moved = merged({"order_count": 1.0, "days_since_first_contact": 400.0})
    for name in ("order_count", "orders_365d", "days_since_first_order", "std_gap_days", "weekday_entropy"):
        assert moved[name] == 0
    assert moved["spend_365d"] == moved["days_since_first_contact"] == 1.0
    same = merged({"order_count": 1.0, "days_since_first_contact": 9.5})
    assert same["days_since_first_contact"] == 0


def test_the_last_login_is_the_last_event() -> None:
    moved = merged({"days_since_event_view": 9.4, "event_view_7d": 0.0, "days_since_event_cart": 40.0}, SPEC)
    assert moved["days_since_event_view"] == moved["event_view_7d"] == 0
    assert moved["days_since_event_cart"] == moved["event_view_30d"] == 1.0
    assert (
        moved["days_since_last_event"] == 4.0
    )  # its own, view's age and empty window, and "add to list"'s age
    never = merged({"events_90d": 0.0, "event_count": 0.0}, SPEC)
    assert never["sessions_90d"] == never["event_types_90d"] == never["active_days"] == 0
