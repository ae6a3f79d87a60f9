"""Staging: the four rules against a plain-Python oracle, and what surrounds them."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifestage.errors import InputError
from lifestage.lifecycle.columns import GIVEN
from lifestage.lifecycle.policy import Policy, load, parse, parse_text
from lifestage.lifecycle.staging import RESULT, assign
from lifestage.schemas import PREVIOUS

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
AS_OF = datetime(2024, 5, 1, tzinfo=UTC)
T = (AS_OF - EPOCH) // timedelta(microseconds=1)

Row = dict[str, Any]


def block(rows: list[Row]) -> pa.Table:
    """Published columns with NULL wherever a row says nothing."""
    columns = {"customer_id": pa.array([f"c{i}" for i in range(len(rows))], pa.string())}
    for name, published in GIVEN.items():
        columns[name] = pa.array([row.get(name) for row in rows], published.type)
    return pa.table(columns)


def before(rows: list[tuple[str | None, datetime | None]]) -> pa.Table:
    ids = [f"c{i}" for i in range(len(rows))]
    return pa.table([ids, [r[0] for r in rows], [r[1] for r in rows]], schema=PREVIOUS)


def policy(stages: list[Row], default: str, **more: Any) -> Policy:
    labels = {"en": "x", "zh": "x"}
    document = {"name": "p", "default": default, "stages": [{"labels": labels, **s} for s in stages], **more}
    return parse(document, "p.yaml")


# --- the four rules ------------------------------------------------------------------------------------
# Each condition is written twice: as SQL, and as a function that gives True, False or None (unknown).
CONDITIONS: dict[str, Any] = {
    "order_count > 2": lambda r: None if r["order_count"] is None else r["order_count"] > 2,
    "order_count <= 1": lambda r: None if r["order_count"] is None else r["order_count"] <= 1,
    "clv > 10": lambda r: None if r["clv"] is None else r["clv"] > 10,
    "order_count > 2 AND clv > 10": lambda r: _and(
        None if r["order_count"] is None else r["order_count"] > 2,
        None if r["clv"] is None else r["clv"] > 10,
    ),
    "previous_stage = 'b'": lambda r: None if r["was"] is None else r["was"] == "b",
    "days_in_stage >= 7": lambda r: None if r["days"] is None else r["days"] >= 7,
    "eligible": lambda r: r["eligible"],
    "NOT eligible": lambda r: None if r["eligible"] is None else not r["eligible"],
    "clv IS NULL": lambda r: r["clv"] is None,
    "TRUE": lambda _: True,
    "FALSE": lambda _: False,
}


def _and(a: bool | None, b: bool | None) -> bool | None:
    if a is False or b is False:
        return False
    return None if a is None or b is None else True


def oracle(stages: list[Row], default: str, row: Row) -> str:
    """The stage of one customer, by the words of the rules."""
    for stage in stages:
        if stage.get("preempts") and CONDITIONS[stage["enter"]](row) is True:
            return str(stage["name"])
    for stage in stages:
        if stage["name"] == row["was"]:
            if "exit" in stage:
                leaves = CONDITIONS[stage["exit"]](row) is True
            else:
                leaves = CONDITIONS[stage["enter"]](row) is not True
            if not leaves:
                return str(stage["name"])
    for stage in stages:
        if CONDITIONS[stage["enter"]](row) is True:
            return str(stage["name"])
    return default


ANY = st.sampled_from(list(CONDITIONS))
STAGES = st.lists(
    st.fixed_dictionaries({"enter": ANY}, optional={"exit": ANY, "preempts": st.booleans()}),
    min_size=1,
    max_size=4,
).map(lambda found: [{"name": name, **stage} for name, stage in zip("abcd", found, strict=False)])
CUSTOMERS = st.lists(
    st.fixed_dictionaries(
        {
            "order_count": st.sampled_from([None, 0.0, 1.0, 2.0, 3.0]),
            "clv": st.sampled_from([None, 0.0, 10.0, 11.0]),
            "eligible": st.sampled_from([None, True, False]),
            "was": st.sampled_from([None, "a", "b", "c", "d", "gone"]),
            "days": st.sampled_from([None, 0.0, 6.5, 7.0, 30.0]),
        }
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=50, deadline=None)
@given(STAGES, CUSTOMERS, st.data())
def test_stage_follows_the_four_rules(stages: list[Row], customers: list[Row], data: st.DataObject) -> None:
    default = data.draw(st.sampled_from([stage["name"] for stage in stages]))
    since = [None if c["days"] is None else AS_OF - timedelta(days=c["days"]) for c in customers]
    previous = before([(c["was"], s) for c, s in zip(customers, since, strict=True)])
    got = assign(policy(stages, default), block(customers), T, previous).to_pylist()
    assert len(got) == len(customers)
    for customer, began, row in zip(customers, since, got, strict=True):
        expected = oracle(stages, default, customer)
        assert row["stage"] == expected
        assert row["previous_stage"] == customer["was"]
        stays = expected == customer["was"] and began is not None
        assert row["stage_since"] == (began if stays else AS_OF)


TWO = [{"name": "a", "enter": "order_count > 2"}, {"name": "b", "enter": "order_count <= 2"}]


def test_a_move_begins_now_and_a_stay_keeps_its_beginning() -> None:
    began = datetime(2024, 1, 1, tzinfo=UTC)
    rows = [{"order_count": 3.0}, {"order_count": 3.0}, {"order_count": 3.0}, {"order_count": 3.0}]
    got = assign(
        policy(TWO, "b"), block(rows), T, before([("a", began), ("b", began), (None, None), ("a", None)])
    )
    assert got["stage"].to_pylist() == ["a"] * 4
    assert got["stage_since"].to_pylist() == [began, AS_OF, AS_OF, AS_OF]
    assert got["previous_stage"].to_pylist() == ["a", "b", None, "a"]


def test_an_unknown_previous_stage_is_reported_but_does_not_hold() -> None:
    stages = [
        {"name": "a", "enter": "previous_stage = 'old'", "exit": "FALSE"},
        {"name": "b", "enter": "TRUE"},
    ]
    got = assign(policy(stages, "b"), block([{}, {}]), T, before([("old", AS_OF), ("older", AS_OF)]))
    assert got["stage"].to_pylist() == ["a", "b"]
    assert got["previous_stage"].to_pylist() == ["old", "older"]


def test_null_is_not_true_in_enter_and_exit() -> None:
    stages = [{"name": "a", "enter": "clv > 1", "exit": "clv <= 1"}, {"name": "b", "enter": "clv <= 1"}]
    got = assign(
        policy([*stages, {"name": "c", "enter": "FALSE"}], "c"),
        block([{}, {}]),
        T,
        before([("a", AS_OF), (None, None)]),
    )
    assert got["stage"].to_pylist() == ["a", "c"]


FULL: Row = {
    "tiers": [
        {"name": "top", "labels": {"en": "x", "zh": "x"}, "min_percentile": 0.9},
        {"name": "rest", "labels": {"en": "x", "zh": "x"}, "min_percentile": 0},
    ],
    "signals": [
        {
            "name": "quiet",
            "labels": {"en": "x", "zh": "x"},
            "high": "days_since_last_order > 90",
            "low": "days_since_last_order > 30",
            "because": {"en": "{days_since_last_order} days, 100% so", "zh": "{clv}"},
        },
        {
            "name": "rich",
            "labels": {"en": "x", "zh": "x"},
            "medium": "tier = 'top'",
            "because": {"en": "worth {clv} at {clv_percentile} from {acquisition_channel}", "zh": "x"},
        },
    ],
    "risk": [
        {"name": "high", "labels": {"en": "x", "zh": "x"}, "when": "signal_quiet AND signal_rich"},
        {"name": "low", "labels": {"en": "x", "zh": "x"}, "when": "signal_quiet OR signal_rich"},
    ],
}
FULL_STAGES = [
    {
        "name": "a",
        "enter": "risk = 'high' AND segment = 'prospects'",
        "actions": ["call", "mail"],
        "because": {"en": "plain", "zh": "平"},
    },
    {"name": "b", "enter": "NOT signal_quiet"},
]
FULL_ROWS: list[Row] = [
    {"days_since_last_order": 90.6, "clv": 12.345, "clv_percentile": 0.95, "acquisition_channel": "a%s{b}"},
    {"days_since_last_order": 90.0, "clv_percentile": 0.9},
    {"clv_percentile": 0.8999},
    {},
]


def test_tier_signals_risk_stage_action_and_reasons() -> None:
    got = assign(policy(FULL_STAGES, "b", **FULL), block(FULL_ROWS), T, None).to_pylist()
    assert [r["tier"] for r in got] == ["top", "top", "rest", None]
    assert [[(s["name"], s["level"]) for s in r["signals"]] for r in got] == [
        [("quiet", "high"), ("rich", "medium")],
        [("quiet", "low"), ("rich", "medium")],
        [],
        [],
    ]
    assert [r["risk"] for r in got] == ["high", "high", None, None]
    assert [r["stage"] for r in got] == ["a", "a", "b", "b"]
    assert [r["action"] for r in got] == ["call", "call", None, None]
    assert [r["reasons"] for r in got] == [
        ["a: plain", "quiet: 91 days, 100% so", "rich: worth 12.35 at 95% from a%s{b}"],
        ["a: plain", "quiet: 90 days, 100% so"],  # nothing about worth: its values are missing
        [],
        [],
    ]


def test_reasons_in_chinese() -> None:
    got = assign(policy(FULL_STAGES, "b", language="zh", **FULL), block(FULL_ROWS[:1]), T, None)
    assert got["reasons"].to_pylist() == [["a: 平", "quiet: 12.35", "rich: x"]]


def test_the_result_has_its_schema_even_without_rows_or_parts() -> None:
    for rows in ([], [{}]):
        got = assign(policy(TWO, "b"), block(rows), T, None)
        assert got.schema == RESULT
        assert got.num_rows == len(rows)
        got.validate(full=True)


@settings(max_examples=8, deadline=None)
@given(CUSTOMERS, st.randoms())
def test_a_block_of_one_equals_a_block_of_many(customers: list[Row], random: Any) -> None:
    preset = load("ecommerce")
    rows = [
        {
            name: random.choice([None, random.uniform(0, 400)])
            for name, c in GIVEN.items()
            if c.type == pa.float64()
        }
        | {"eligible": customer["eligible"], "purchase_days": random.choice([None, 1.0, 2.0, 3.0])}
        for customer in customers
    ]
    previous = before([(c["was"], AS_OF) for c in customers])
    whole = assign(preset, block(rows), T, previous)
    one_by_one = [assign(preset, block(rows).slice(i, 1), T, previous.slice(i, 1)) for i in range(len(rows))]
    assert pa.concat_tables(one_by_one).combine_chunks().to_pylist() == whole.to_pylist()
    chunked = pa.concat_tables([block(rows).slice(0, 1), block(rows).slice(1)])
    assert assign(preset, chunked, T, previous).equals(whole)
    assert assign(preset, block(rows).combine_chunks().to_batches()[0], T, previous).equals(whole)


def test_threads_do_not_disturb_one_another() -> None:
    preset = load("ecommerce")
    bought = {"order_count": 1.0, "purchase_days": 1.0, "days_since_last_order": 1.0, "eligible": True}
    blocks = [
        block([{**bought, "days_since_first_contact": days}] * 50) for days in (1.0, 10.0, 100.0, 200.0)
    ]
    expected = ["acquisition", "activation", "growth", "loyalty"]
    wrong: list[str] = []

    def work(i: int) -> None:
        for _ in range(10):
            got = set(assign(preset, blocks[i], T, None)["stage"].to_pylist())
            if got != {expected[i]}:
                wrong.append(f"{i}: {got}")

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_two_policies_take_turns() -> None:
    first, second = policy(TWO, "b"), policy([{"name": "c", "enter": "TRUE"}], "c")
    rows = block([{"order_count": 5.0}])
    got = [assign(p, rows, T, None)["stage"][0].as_py() for p in (first, second, first, second)]
    assert got == ["a", "c", "a", "c"]


def test_a_missing_column_is_named() -> None:
    with pytest.raises(InputError, match=r"policy p: .*'order_count'.* missing"):
        assign(policy(TWO, "b"), block([{}]).drop_columns(["order_count"]), T, None)


def test_a_condition_that_fails_on_a_value_is_an_input_error() -> None:
    risky = policy([{"name": "a", "enter": "CAST(acquisition_channel AS INTEGER) > 1"}], "a")
    with pytest.raises(
        InputError, match=r"policy p: a condition fails for these customers: .*guard it, e.g."
    ):
        assign(risky, block([{"acquisition_channel": "web"}]), T, None)
    assert assign(risky, block([{"acquisition_channel": "2"}]), T, None)["stage"].to_pylist() == ["a"]


def test_previous_stages_of_other_customers_are_refused() -> None:
    with pytest.raises(ValueError, match="same customers in the same order"):
        assign(policy(TWO, "b"), block([{}]), T, before([("a", None), ("a", None)]))


def test_a_policy_survives_its_own_text() -> None:
    preset = load("ecommerce")
    again = parse_text(preset.source, "release")
    assert again == preset
    assert hash(again) == hash(preset)


def test_one_is_counted_in_the_singular() -> None:
    speaking = {"en": "{orders_90d} orders, last {days_since_last_order} days ago", "zh": "{orders_90d}单"}
    counted = policy([{"name": "a", "enter": "true = true", "because": speaking}], "a")
    rows = [
        {"orders_90d": 1.0, "days_since_last_order": 1.0},
        {"orders_90d": 11.0, "days_since_last_order": 21.0},
        {"orders_90d": -1.0, "days_since_last_order": 0.0},
    ]
    assert [r[0] for r in assign(counted, block(rows), T, None)["reasons"].to_pylist()] == [
        "a: 1 order, last 1 day ago",
        "a: 11 orders, last 21 days ago",
        "a: -1 orders, last 0 days ago",
    ]
