"""The policy language beyond stages: rules, own columns, tiers and segments by condition, health, actions, places."""

from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lifestage.errors import InputError
from lifestage.lifecycle.columns import GIVEN, OPTIONAL
from lifestage.lifecycle.places import Places
from lifestage.lifecycle.policy import Policy, load, parse_text
from lifestage.lifecycle.segments import EIGHT
from lifestage.lifecycle.staging import assign, stage_codes
from lifestage.schemas import PREVIOUS
from tests.lifecycle.test_staging import AS_OF, T, block

TEXT = """
name: own
default: rest
core_event: login
columns:
  - {name: silent_days, unit: days, labels: {en: s, zh: 静}, value: "least(days_since_last_order, days_since_last_event)"}
  - {name: long_silent, labels: {en: l, zh: 久}, unit: flag, value: silent_days > 50}
  - {name: way, labels: {en: w, zh: 路}, unit: text, value: upper(acquisition_channel)}
tiers:
  - {name: vip, labels: {en: V, zh: 贵}, when: clv > 100 OR way = 'FRIEND'}
  - {name: plain, labels: {en: P, zh: 普}, when: clv > 0}
segments:
  - {name: loud, labels: {en: L, zh: 响}, when: NOT long_silent}
  - {name: quiet, labels: {en: Q, zh: 静}, when: long_silent}
signals:
  - {name: hush, labels: {en: h, zh: 静}, high: long_silent, because: {en: "silent {silent_days} days", zh: "静{silent_days}天"}}
health:
  - {name: fresh, labels: {en: f, zh: 新}, weight: 3, points: 100 - silent_days}
  - {name: worth, labels: {en: w, zh: 值}, weight: 1, points: clv}
risk:
  - {name: high, labels: {en: h, zh: 高}, when: health < 40}
stages:
  - name: risky
    labels: {en: R, zh: 险}
    role: at_risk
    preempts: true
    enter:
      - {rule: unwell, when: risk = 'high', because: {en: "health {health} in {segment}", zh: "健康{health}"}}
      - {rule: silent, when: signal_hush AND r_score <= 2}
    exit: health >= 60
    because: {en: "one of {order_count} orders", zh: "{order_count}单"}
    actions:
      - {name: call, en: Call, zh: 致电, when: tier = 'vip'}
      - {name: write, en: Write, zh: 写信, when: tier = 'plain'}
  - name: rest
    labels: {en: O, zh: 余}
    enter: clv > 1000
    actions: [wait]
"""
POLICY = parse_text(TEXT, "own.yaml")
Row = dict[str, Any]


def staged(rows: list[Row], was: list[str | None] | None = None, policy: Policy = POLICY) -> list[Row]:
    table = block(rows)
    previous = None
    if was is not None:
        since = [AS_OF - timedelta(days=9)] * len(rows)
        previous = pa.table([table["customer_id"], pa.array(was, pa.string()), since], schema=PREVIOUS)
    found: list[Row] = assign(policy, table, T, previous).to_pylist()
    return found


def test_own_columns_are_read_by_everything_after_them() -> None:
    silent = {"days_since_last_order": 80.0, "days_since_last_event": 60.0, "clv": 20.0, "order_count": 2.0}
    loud = {
        "days_since_last_order": 80.0,
        "days_since_last_event": 5.0,
        "clv": 20.0,
        "acquisition_channel": "friend",
    }
    nothing: Row = {}
    got = staged([silent, loud, nothing])
    assert [r["tier"] for r in got] == ["plain", "vip", None]
    assert [r["segment"] for r in got] == ["quiet", "loud", None]
    assert [[s["name"] for s in r["signals"]] for r in got] == [["hush"], [], []]
    assert got[0]["reasons"] == ["risky: health 35 in quiet", "hush: silent 60 days"]


def test_health_is_the_weighted_mean_of_the_parts_that_are_known() -> None:
    rows: list[Row] = [
        {"days_since_last_order": 30.0, "clv": 50.0},
        {"days_since_last_order": 30.0},
        {"clv": 500.0},
        {"days_since_last_order": 300.0, "clv": -5.0},
        {},
        {"days_since_last_order": float("nan"), "clv": float("nan")},
    ]
    got = staged(rows)
    assert [r["health"] for r in got] == [(3 * 70 + 50) / 4, 70.0, 100.0, 0.0, None, None]
    assert [[p["points"] for p in r["health_parts"]] for r in got] == [
        [70.0, 50.0],
        [70.0, None],
        [None, 100.0],
        [0.0, 0.0],
        [None, None],
        [None, None],
    ]
    assert [p["name"] for p in got[0]["health_parts"]] == ["fresh", "worth"]


def test_the_rule_that_fired_is_told() -> None:
    unwell = {"days_since_last_order": 99.0, "clv": 1.0}
    silent = {"days_since_last_order": 55.0, "clv": 100.0, "recency_percentile": 0.7} | {
        "frequency_percentile": 0.1,
        "monetary_percentile": 0.1,
        "order_count": 1.0,
    }
    between = {"days_since_last_order": 49.0, "clv": 51.0}  # health 51: neither enters nor leaves
    rich = {"days_since_last_order": 1.0, "clv": 2000.0}
    got = staged(
        [unwell, silent, between, between, rich, between, unwell],
        [None, None, "risky", "rest", "risky", None, "risky"],
    )
    assert [r["rule"] for r in got] == [
        "risky.unwell",
        "risky.silent",
        "risky.stays",
        "rest.default",
        "rest.enter",
        "rest.default",
        "risky.unwell",
    ]
    assert got[1]["reasons"][0] == "risky: one of 1 order"
    assert got[2]["reasons"] == []  # its sentence lacks a value
    assert got[6]["stage_since"] == AS_OF - timedelta(days=9)


def test_the_next_action_is_the_first_that_is_meant_for_them() -> None:
    risky = {"days_since_last_order": 99.0}
    got = staged([{**risky, "acquisition_channel": "Friend"}, {**risky, "clv": 9.0}, risky, {"clv": 50.0}])
    assert [r["action"] for r in got] == ["call", "write", None, "wait"]


def test_every_row_tells_the_policy_and_its_text() -> None:
    assert {r["policy"] for r in staged([{}, {}])} == {POLICY.label}
    other = parse_text(TEXT + "# one word more\n", "own.yaml")
    assert other.label != POLICY.label
    assert other.label.startswith("own v1 ")


def test_the_stage_alone_is_the_stage() -> None:
    rows: list[Row] = [
        {"days_since_last_order": float(d), "clv": float(c)} for d in (5, 45, 90) for c in (0, 60, 2000)
    ]
    names = [stage.name for stage in POLICY.stages]
    assert [names[i] for i in stage_codes(POLICY, block(rows), T, None)] == [r["stage"] for r in staged(rows)]


RANKS = st.one_of(st.none(), st.floats(0, 1))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(RANKS, RANKS, RANKS), min_size=1, max_size=8))
def test_eight_segments_are_the_halves_of_three_ranks(ranks: list[tuple[float | None, ...]]) -> None:
    text = TEXT[: TEXT.index("segments:")] + "segments: rfm_8\n" + TEXT[TEXT.index("signals:") :]
    columns = ("recency_percentile", "frequency_percentile", "monetary_percentile")
    got = staged([dict(zip(columns, r, strict=True)) for r in ranks], policy=parse_text(text, "own.yaml"))
    for (recency, frequency, spend), row in zip(ranks, got, strict=True):
        if recency is None or frequency is None or spend is None:
            assert row["segment"] == "prospects"
            continue
        important = "high_value" if spend >= 0.5 else "low_value"
        often = "_frequent" if frequency >= 0.5 else ""
        now = "_recent" if recency < 0.5 else "_lapsing"
        assert row["segment"] == important + often + now
        assert EIGHT[row["segment"]][1].startswith("重要" if spend >= 0.5 else "一般")


def test_columns_of_tables_that_a_shop_lacks_are_missing() -> None:
    rows: list[Row] = [{"days_since_last_order": 60.0, "clv": 1.0}]
    table = block(rows).drop_columns(sorted(OPTIONAL))
    assert assign(POLICY, table, T, None).to_pylist() == staged(rows)
    with pytest.raises(InputError, match="the column 'clv' is missing"):
        assign(POLICY, table.drop_columns(["clv"]), T, None)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats()), min_size=1, max_size=6))
def test_nan_is_missing(values: list[float | None]) -> None:
    policy = load("ecommerce")
    given = [name for name, column in GIVEN.items() if column.type == pa.float64()]
    rows = [dict.fromkeys(given, value) for value in values]
    plain = [{name: None if v is not None and np.isnan(v) else v for name, v in row.items()} for row in rows]
    assert staged(rows, policy=policy) == staged(plain, policy=policy)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "value: silent_days > 50",
            "value: silnt_days > 50",
            "line 7, column 68: columns.long_silent.value: unknown",
        ),
        ("name: way,", "name: clv,", "columns.clv: there is a column of that name; choose another"),
        ("name: way,", "name: signal_hush,", "columns.signal_hush: there is a column of that name"),
        ("upper(acquisition_channel)", "DATE '2024-01-01'", "columns.way.value: gives a value of type DATE"),
        ("value: silent_days > 50", "value: way = 'x'", "columns.long_silent.value: unknown column 'way'"),
        ("clv > 100 OR way", "segment = 'loud' OR way", "tiers.vip.when: unknown column 'segment'"),
        (
            "when: clv > 0}",
            "min_percentile: 0}",
            "tiers: give min_percentile to all of them or `when` to all",
        ),
        (
            "when: clv > 0}",
            "when: clv > 0, min_percentile: 0}",
            "tiers.plain: give either min_percentile or when",
        ),
        (
            "points: clv}",
            "points: clv > 3}",
            "health.worth.points: gives a value of type BOOLEAN, expected a number",
        ),
        ("points: clv}", "points: health}", "health.worth.points: unknown column 'health'"),
        ("weight: 1", "weight: 0", "health.worth.weight: Input should be greater than 0"),
        ("rule: silent", "rule: unwell", "stages.risky: enter: the rule 'unwell' stands twice"),
        ("rule: silent", "rule: stays", "stages.risky: enter: no rule may be called 'stays'"),
        (
            "r_score <= 2",
            "r_scor <= 2",
            "stages.risky.enter.silent.when: unknown column 'r_scor'; did you mean 'r_score'?",
        ),
        ("{health} in", "{helth} in", "stages.risky.enter.unwell.because.en: unknown place '{helth}'"),
        ("tier = 'plain'}", "tier = 'plane'}", "stages.risky.actions.write.when: tier is never 'plane'"),
        (
            "role: at_risk",
            "role: in_danger",
            "stages.risky.role: Input should be 'prospect', 'new', 'active'",
        ),
        ("exit: health >= 60", "exit: health ≥ 60", "stages.risky.exit: "),
        ("exit: health >= 60", "exit: health ＞ 60", "'＞' is a full-width sign; write '>' (请使用半角符号)"),
        ("name: own", "name： own", "write ':' and a space after a key, not '：'"),
        ("default: rest", "\tdefault: rest", "indent with spaces, not with tabs"),
        ("en: L, zh", "en: a: b, zh", "is not valid YAML (line 13, column 32): expected ',' or '}'"),
    ],
)
def test_mistakes_are_named_with_their_place(old: str, new: str, expected: str) -> None:
    assert old in TEXT
    with pytest.raises(InputError) as error:
        parse_text(TEXT.replace(old, new, 1), "own.yaml")
    assert expected in str(error.value)


def test_all_wrong_expressions_are_told_at_once() -> None:
    wrong = (
        TEXT.replace("health < 40", "helth < 40")
        .replace("exit: health", "exit: heath")
        .replace("{order_count} o", "{ordr} o")
    )
    with pytest.raises(InputError) as error:
        parse_text(wrong, "own.yaml")
    lines = str(error.value).split("\n")
    assert [line.split(": ")[1] for line in lines] == [
        "risk.high.when",
        "stages.risky.exit",
        "stages.risky.because.en",
    ]
    assert all(line.startswith("own.yaml, line ") for line in lines)


STYLES = [
    "a: {}\nb: c == XX\n",
    "a: {}\nb: 'it''s XX'\n",
    'a: {}\nb: "x \\" XX"\n',
    "a: {}\nb: >-\n  c = 1\n  AND d = XX\n",
    "a: {}\nb: |\n  c = 1\n  AND d = XX\n",
    "a: {}\nb:\n  c = 1\n\n  AND XX\n",
    "# 中文\na: {}\nb: 中文 XX\n",
]


@pytest.mark.parametrize("text", STYLES)
def test_a_character_is_found_in_every_style_of_text(text: str) -> None:
    offset = yaml.safe_load(text)["b"].index("XX")
    line = next(i for i, row in enumerate(text.split("\n"), 1) if "XX" in row)
    column = text.split("\n")[line - 1].index("XX") + 1
    assert Places(text).at(("b",), offset) == f", line {line}, column {column}"


def test_what_is_missing_is_placed_at_what_should_hold_it() -> None:
    assert Places("a:\n  - {b: 1}\n").at(("a", 0, "c")) == ", line 2, column 5"
    assert Places("a:\n  b: {c: 1}\n").at(("a", "b")) == ", line 2, column 3"
