"""A policy on trial: each kind of finding by a policy that has exactly that defect, and a sound one that has none."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lifestage.errors import InputError
from lifestage.lifecycle.checking.check import Report, check
from lifestage.lifecycle.checking.findings import Finding, as_json
from lifestage.lifecycle.checking.generated import AS_OF, Customers
from lifestage.lifecycle.checking.reach import made_up
from lifestage.lifecycle.checking.text import report_lines
from lifestage.lifecycle.columns import GIVEN
from lifestage.lifecycle.matches import matches
from lifestage.lifecycle.policy import Policy, load, parse, presets
from lifestage.lifecycle.staging import assign
from lifestage.schemas import PREVIOUS

Row = dict[str, Any]
LABELS = {"en": "x", "zh": "x"}
FEW = 3_000


def policy(*stages: Row, default: str | None = None, **more: Any) -> Policy:
    labelled = [{"labels": LABELS, **stage} for stage in stages]
    document = {"name": "p", "default": default or stages[0]["name"], "stages": labelled, **more}
    return parse(document, "p.yaml")


def customers(rows: list[Row]) -> Customers:
    """Columns with NULL wherever a row says nothing; `was` is the previous stage, `days` since when."""
    ids = [f"c{i}" for i in range(len(rows))]
    columns: dict[str, pa.Array] = {"customer_id": pa.array(ids, pa.string())}
    for name, published in GIVEN.items():
        columns[name] = pa.array([row.get(name) for row in rows], published.type)
    since = [None if "was" not in r else AS_OF - int(r.get("days", 30) * 86_400_000_000) for r in rows]
    previous = pa.table(
        [ids, [row.get("was") for row in rows], pa.array(since, PREVIOUS[2].type)], schema=PREVIOUS
    )
    return Customers(pa.table(columns), previous, AS_OF)


def found(report: Report, *kinds: str) -> list[Finding]:
    return [finding for finding in report.findings if finding.kind in kinds]


def kinds(report: Report) -> set[str]:
    return {finding.kind for finding in report.findings}


NONE = {"name": "none", "enter": "coalesce(order_count, 0) = 0"}
FEW_ORDERS = {"name": "few", "enter": "order_count >= 1 AND order_count < 3"}
MANY = {"name": "many", "enter": "order_count >= 3"}


def test_a_sound_policy_has_no_findings() -> None:
    report = check(policy(NONE, FEW_ORDERS, MANY), generated=FEW)
    assert report.findings == ()
    assert set(report.generated) == {"none", "few", "many"}
    assert min(report.generated.values()) > 0
    assert "nothing found" in list(report_lines(report))
    own = customers([{"order_count": n} for n in (0, 1, 2, 3, 9)])
    assert check(policy(NONE, FEW_ORDERS, MANY), own, FEW).findings == ()


def test_a_gap_between_two_thresholds_is_found_with_an_example() -> None:
    gappy = policy(
        NONE, {**FEW_ORDERS, "enter": "order_count IN (1, 2)"}, {**MANY, "enter": "order_count > 3"}
    )
    report = check(gappy, generated=FEW)
    (gap,) = found(report, "gap")
    assert kinds(report) == {"gap"}
    assert gap.severity == "warn"
    assert gap.example is not None
    assert gap.example.values["order_count"] == 3
    assert gap.names == ("none",)
    own = customers([{"order_count": n} for n in (0, 1, 3, 3)])
    (gap,) = found(check(gappy, own, FEW), "gap")
    assert gap.counts.own == 2
    assert gap.example is not None
    assert gap.example.customer == "c2"
    assert gap.example.own
    spared = customers([{"order_count": n} for n in (0, 1, 4)])
    (gap,) = found(check(gappy, spared, FEW), "gap")
    assert (gap.severity, gap.counts.own) == ("info", 0)


def test_counts_are_those_of_a_plain_loop() -> None:
    tried = policy(
        {"name": "a", "enter": "order_count > 2"},
        {"name": "b", "enter": "clv > 10 OR order_count = 5"},
        {"name": "c", "enter": "eligible", "preempts": True},
        default="b",
    )
    rng = np.random.default_rng(1)
    rows = [
        {
            "order_count": None if rng.random() < 0.2 else float(rng.integers(0, 7)),
            "clv": None if rng.random() < 0.2 else float(rng.integers(0, 20)),
            "eligible": bool(rng.random() < 0.3),
        }
        for _ in range(500)
    ]
    report = check(tried, customers(rows), FEW)

    def a(r: Row) -> bool:
        return r["order_count"] is not None and r["order_count"] > 2

    def b(r: Row) -> bool:
        return (r["clv"] is not None and r["clv"] > 10) or r["order_count"] == 5

    both = [i for i, r in enumerate(rows) if a(r) and b(r)]
    (overlap,) = found(report, "overlap")
    assert overlap.names == ("a", "b")
    assert overlap.counts.own == len(both)
    assert overlap.example is not None
    assert overlap.example.customer == f"c{both[0]}"
    assert set(overlap.example.values) == {"order_count", "clv"}
    (gap,) = found(report, "gap")
    assert gap.counts.own == sum(not (a(r) or b(r) or r["eligible"]) for r in rows)
    (preempts,) = found(report, "preempts")
    assert preempts.severity == "info"
    assert preempts.counts.own == sum(r["eligible"] and (a(r) or b(r)) for r in rows)
    expected = {"a": 0, "b": 0, "c": 0}
    for r in rows:
        expected["c" if r["eligible"] else "a" if a(r) else "b"] += 1
    assert report.own == expected


def test_a_last_stage_for_everybody_is_no_accident() -> None:
    report = check(policy(MANY, {"name": "rest", "enter": "TRUE"}), generated=FEW)
    (catch_all,) = report.findings
    assert (catch_all.kind, catch_all.severity) == ("catch_all", "info")


def test_an_overlap_of_made_up_customers_alone_is_a_note() -> None:
    two = policy(NONE, FEW_ORDERS, {**MANY, "enter": "order_count >= 2"})
    (overlap,) = check(two, customers([{"order_count": 0}]), FEW).findings[:1]
    assert (overlap.kind, overlap.severity, overlap.counts.own) == ("overlap", "info", 0)
    (overlap,) = found(check(two, customers([{"order_count": 2}]), FEW), "overlap")
    assert (overlap.severity, overlap.counts.own) == ("warn", 1)


def test_a_stage_behind_another_one_never_gets_anybody() -> None:
    shadowed = {"name": "regulars", "enter": "order_count > 5"}
    (finding,) = found(check(policy(NONE, FEW_ORDERS, MANY, shadowed), generated=FEW), "shadowed")
    assert finding.severity == "warn"
    assert finding.names == ("regulars", "many")
    assert "all of them are taken before by many" in finding.text


def test_a_stage_that_nobody_gets_into() -> None:
    out_of_reach = {"name": "regulars", "enter": "order_count > 5 AND coalesce(clv, 0) * 0 > 1"}
    (finding,) = found(check(policy(NONE, FEW_ORDERS, MANY, out_of_reach), generated=FEW), "unreachable")
    assert "a search that finds nobody is no proof" in finding.text
    assert "order_count > 5 AND" in finding.advice
    report = check(policy({**NONE, "enter": "FALSE"}, {"name": "all", "enter": "TRUE"}), generated=FEW)
    assert kinds(report) == {"default_only"}


def test_the_search_finds_a_needle() -> None:
    needle = {
        "name": "needle",
        "preempts": True,
        "enter": "order_count = 17 AND clv > 300.5 AND clv < 300.8 AND days_since_last_order BETWEEN 41.9 AND 42 "
        "AND churn_percentile > 0.313 AND churn_percentile < 0.314 AND acquisition_channel = 'radio' "
        "AND signal_quiet AND risk = 'middle' AND span > 400 AND span < 401",
    }
    tried = policy(
        NONE,
        FEW_ORDERS,
        MANY,
        needle,
        columns=[
            {"name": "span", "value": "days_since_first_order - days_since_last_order", "labels": LABELS}
        ],
        signals=[{"name": "quiet", "labels": LABELS, "high": "orders_90d = 1 AND weekend_share < 0.05"}],
        risk=[
            {"name": "high", "labels": LABELS, "when": "churn_probability > 0.8"},
            {"name": "middle", "labels": LABELS, "when": "churn_probability > 0.77"},
        ],
    )
    made = made_up(tried, FEW)
    staged = matches(tried, made.columns, made.as_of, made.previous).staged["stage"].to_pylist()
    assert staged[:FEW].count("needle") == 0
    assert staged[FEW:].count("needle") >= 1
    assert not found(check(tried, generated=FEW), "unreachable", "shadowed", "signal_never", "risk_never")


@pytest.mark.parametrize(
    ("exit_", "kind", "told"),
    [
        ("order_count = 1 AND order_count > 2", "exit_never", "stays for good"),
        ("TRUE", "exit_always", "nobody is kept by it"),
        ("order_count > 0", "flicker", "the 'exit' keeps nobody"),
    ],
)
def test_exits_that_open_never_or_always(exit_: str, kind: str, told: str) -> None:
    tried = policy(NONE, FEW_ORDERS, {**MANY, "exit": exit_})
    warned = [f for f in check(tried, generated=FEW).findings if f.kind == kind]
    assert [f.severity for f in warned] == ["warn"]
    assert told in warned[0].text


def test_a_space_between_enter_and_exit_is_sound() -> None:
    lost = {
        "name": "lost",
        "preempts": True,
        "enter": "days_since_last_order > 90",
        "exit": "days_since_last_order < 30",
    }
    report = check(policy({"name": "all", "enter": "TRUE"}, lost), generated=FEW)
    assert kinds(report) == {"preempts"}


def test_stages_that_swap_on_an_unchanged_customer() -> None:
    swapping = policy(
        {"name": "a", "enter": "previous_stage = 'b'", "exit": "TRUE"},
        {"name": "b", "enter": "coalesce(previous_stage, '') <> 'b'", "exit": "TRUE"},
        default="b",
    )
    swaps = found(check(swapping, customers([{"was": "a"}, {"was": "b"}]), FEW), "swap")
    assert {finding.names for finding in swaps} == {("a", "b"), ("b", "a")}
    assert [finding.severity for finding in swaps] == ["warn", "warn"]
    assert [finding.counts.own for finding in swaps] == [1, 1]
    settling = policy(
        {"name": "back", "enter": "previous_stage = 'gone'"},
        {"name": "all", "enter": "TRUE"},
        {"name": "gone", "enter": "FALSE"},
    )
    report = check(settling, generated=FEW)
    assert not found(report, "swap")
    (unsettled,) = found(report, "unsettled")
    assert (unsettled.names, unsettled.severity) == (("back", "all"), "info")


@pytest.mark.parametrize(
    ("enter", "told"),
    [
        ("order_count > 5 AND order_count < 3", "no number is all of that"),
        ("order_count > 1 AND order_count < 2", "as it counts whole ones"),
        ("churn_percentile >= 90", "always between 0 and 1; write a share, e.g. 0.9 for 90 %"),
        ("days_since_last_order < 0", "days_since_last_order is always 0 or more"),
        ("5 < order_count AND (order_count <= 5)", "order_count <= 5"),
        ("(clv > 5 AND clv < 3) OR (clv > 9 AND clv < 8)", "clv > 5 AND clv < 3"),
        ("clv BETWEEN 5 AND 3", "clv BETWEEN 5 AND 3"),
    ],
)
def test_thresholds_that_contradict_each_other_are_an_error(enter: str, told: str) -> None:
    report = check(policy(NONE, FEW_ORDERS, MANY, {"name": "x", "enter": enter}), generated=FEW)
    assert report.count("error") >= 1
    assert told in found(report, "contradiction")[0].text
    assert "stages.x.enter is never true" in found(report, "contradiction")[0].text


@pytest.mark.parametrize(
    "enter",
    [
        "clv > 5 AND clv <= 6",
        "order_count > 5 OR order_count < 3",
        "clv >= 5 AND clv <= 5",
        "order_count >= 3 AND (order_count < 9 OR clv > 3)",
        "spend_change_90d < -10",
        "NOT (order_count > 5 AND order_count < 3)",
        "expected_orders > 0.1 AND expected_orders < 0.2",
        "share > 2",
    ],
)
def test_thresholds_that_fit_are_no_error(enter: str) -> None:
    named = [{"name": "share", "value": "clv / 100", "labels": LABELS, "unit": "percentile"}]
    report = check(
        policy({"name": "x", "enter": enter}, {"name": "y", "enter": "TRUE"}, columns=named), generated=FEW
    )
    assert not found(report, "contradiction", "unreachable")


def test_one_impossible_alternative_is_a_warning() -> None:
    tried = policy(
        {"name": "x", "enter": "clv > 900 OR (clv > 5 AND clv < 3)"}, {"name": "y", "enter": "TRUE"}
    )
    (finding,) = found(check(tried, generated=FEW), "contradiction")
    assert finding.severity == "warn"
    assert "this part of it is never true" in finding.text


def test_what_never_comes_is_told_by_its_kind() -> None:
    impossible = "coalesce(clv, 0) * 0 > 1"
    tried = policy(
        {
            "name": "all",
            "enter": [{"rule": "usual", "when": "TRUE"}, {"rule": "late", "when": "clv > 1"}],
            "actions": [
                {"name": "call", "en": "x", "zh": "x", "when": impossible},
                "write",
                "read_by_people",
            ],
        },
        signals=[{"name": "s", "labels": LABELS, "high": "order_count > 1", "medium": "order_count > 2"}],
        risk=[{"name": "some", "labels": LABELS, "when": impossible}],
        tiers=[
            {"name": "one", "labels": LABELS, "when": "clv >= 1"},
            {"name": "two", "labels": LABELS, "when": "clv >= 2"},
        ],
        segments=[{"name": "g", "labels": LABELS, "when": impossible}],
    )
    report = check(tried, generated=FEW)
    never = {(f.kind, f.names) for f in report.findings if f.kind.endswith("_never")}
    assert never == {
        ("signal_never", ("s",)),
        ("risk_never", ("some",)),
        ("tier_never", ("two",)),
        ("segment_never", ("g",)),
        ("rule_never", ("all.late",)),
        ("action_never", ("all.call",)),
    }
    assert "signal s at level medium" in found(report, "signal_never")[0].text
    own = customers([{"order_count": 0.0, "clv": 0.5}])
    (today,) = found(check(tried, own, FEW), "none_today")
    assert set(today.names) == {"s", "one"}
    assert "signal s at level high, tier one" in today.text


def test_columns_that_the_shop_never_fills() -> None:
    tried = policy(
        {"name": "all", "enter": "TRUE"}, {"name": "quiet", "preempts": True, "enter": "events_30d = 0"}
    )
    (finding,) = found(check(tried, customers([{"order_count": 1}] * 3), FEW), "unfilled")
    assert finding.severity == "warn"
    assert "Your shop gives no events: events_30d is missing" in finding.text
    assert "stages.quiet.enter" in finding.text
    signal = {"name": "quiet", "labels": LABELS, "high": "events_30d = 0 AND nps_last < 7"}
    notes = found(
        check(policy({"name": "all", "enter": "TRUE"}, signals=[signal]), customers([{}]), FEW), "unfilled"
    )
    assert {(f.severity, f.names) for f in notes} == {("info", ("events_30d",)), ("info", ("nps_last",))}
    filled = customers([{"events_30d": 0.0}, {}])
    assert not found(check(tried, filled, FEW), "unfilled")


def test_everybody_in_the_default_is_an_error() -> None:
    report = check(policy(NONE, MANY), customers([{"order_count": 1.0}] * 4), FEW)
    (finding,) = found(report, "nobody_enters")
    assert finding.severity == "error"
    assert "All of your 4 customers land in the default" in finding.text


def test_a_condition_that_fails_on_a_value_is_refused() -> None:
    tried = policy({"name": "x", "enter": "CAST(acquisition_channel AS INTEGER) > 3"})
    with pytest.raises(InputError, match=r"a condition fails for these customers.*guard it"):
        check(tried, customers([{"acquisition_channel": "radio"}]), FEW)


def test_made_up_customers_are_the_same_each_time_and_can_exist() -> None:
    tried = load("ecommerce")
    one, two = made_up(tried, 4_000), made_up(tried, 4_000)
    assert one.columns.equals(two.columns)
    assert one.previous.equals(two.previous)
    for r, was in zip(one.columns.to_pylist(), one.previous.to_pylist(), strict=True):
        bought = (r["order_count"] or 0) >= 1
        assert bought == (r["days_since_last_order"] is not None)
        if bought:
            assert r["order_count"] >= r["purchase_days"] >= 1
            assert r["days_since_first_contact"] >= r["days_since_last_order"]
            assert (r["orders_90d"] >= 1) == (r["days_since_last_order"] <= 90)
            assert r["orders_90d"] <= r["order_count"]
        assert (r["recency_over_mean_gap"] is not None) == (bought and r["purchase_days"] >= 2)
        assert (r["churn_probability"] is not None) == r["eligible"]
        assert (was["stage"] is None) == (was["stage_since"] is None)


def test_matches_are_what_staging_decides_by() -> None:
    tried = load("ecommerce")
    made = made_up(tried, FEW)
    names = [stage.name for stage in tried.stages]
    seen = matches(tried, made.columns, made.as_of, made.previous)
    assert seen.staged.equals(assign(tried, made.columns, made.as_of, made.previous))
    was = made.previous["stage"].to_pylist()
    for row in range(len(made)):
        enter = [n for i, n in enumerate(names) if seen.enter[row, i]]
        ahead = [n for n in enter if tried.stage(n).preempts]
        stays = was[row] in names and not seen.exit[row, names.index(was[row])]
        expected = (ahead or ([was[row]] if stays else []) or enter or [tried.default])[0]
        assert names[seen.stage[row]] == expected
        assert names[seen.fresh[row]] == (ahead or enter or [tried.default])[0]
        assert seen.nobody[row] == (not enter)


@pytest.mark.parametrize("name", presets())
def test_every_preset_is_without_errors(name: str) -> None:
    report = check(load(name), generated=FEW)
    assert report.count("error") == 0
    assert not found(report, "unreachable", "shadowed", "swap", "exit_never", "exit_always")


def test_a_report_reads_as_sentences_and_as_json() -> None:
    report = check(policy(NONE, MANY), customers([{"order_count": 2.0}, {"order_count": 4.0}]), FEW)
    text = "\n".join(report_lines(report))
    assert "WARNING (gap): 1 of your 2 customers (50.0%)" in text
    assert "for example: customer c0: order_count 2" in text
    assert "what to do: " in text
    assert "1 warning" in text
    document = as_json(found(report, "gap")[0])
    assert document["own"] == 1
    assert document["example"] == {"customer": "c0", "own": True, "values": {"order_count": 2.0}}
