"""Few customers staged value by value in Python, and by DuckDB: every bit of the results is the same."""

import random
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifestage.errors import InputError
from lifestage.lifecycle import few
from lifestage.lifecycle.blocks import before
from lifestage.lifecycle.columns import SCORES
from lifestage.lifecycle.plan import Speaker, plan, stage_plan
from lifestage.lifecycle.policy import Policy, presets
from lifestage.lifecycle.segments import GROUPINGS, scores, scores_of_one, segment_of_one, segments
from lifestage.lifecycle.sentences import sentence
from lifestage.lifecycle.staging import RESULT, assign, stage_codes
from tests.lifecycle.test_staging import block, policy
from tests.properties.test_presets import Row, T, drawn

MORE = tuple(
    Speaker(sentence(text, SCORES, "more"), '("purchase_days" = 1) IS TRUE', ("purchase_days",))
    for text in ("100% 活 {p_alive}, it's {clv}", "{eligible} {clv} {expected_orders} orders")
)


def by_duckdb(policy: Policy, columns: pa.Table, *more: Any) -> pa.Table:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(few, "FEW", 0)
        return assign(policy, columns, T, *more)


def by_python(
    policy: Policy, columns: pa.Table, previous: pa.Table | None, more: tuple[Speaker, ...] = ()
) -> bool:
    """Whether these rows are staged without DuckDB."""
    held = before(previous, columns, columns.num_rows)
    return few.answers(policy, plan(policy, more), columns, T, held) is not None


def same(one: pa.Table, other: pa.Table) -> bool:
    """In every bit: equality of Arrow's knows no -0.0."""
    return (
        one.schema == other.schema and one.equals(other) and repr(one.to_pylist()) == repr(other.to_pylist())
    )


def drawn_block(name: str, rows: Sequence[Row]) -> tuple[pa.Table, pa.Table]:
    """Rows of a preset with all that the further sentences tell."""
    columns, previous = drawn(name).block(list(rows))
    for column in ("p_alive", "clv", "expected_orders", "eligible", "purchase_days"):
        if column not in columns.column_names:
            kind = SCORES[column].type if column in SCORES else pa.float64()
            columns = columns.append_column(column, pa.array([len(rows)] * len(rows)).cast(kind))
    return columns, previous


@pytest.mark.parametrize("name", presets())
def test_every_preset_is_ready_for_single_rows(name: str) -> None:
    preset = drawn(name).policy
    for ready in (plan(preset), plan(preset, MORE), stage_plan(preset)):
        assert few.query_of(ready) is not None


@pytest.mark.parametrize("name", presets())
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_few_rows_are_what_duckdb_makes_of_them(name: str, data: st.DataObject) -> None:
    preset = drawn(name)
    codes = data.draw(
        st.lists(st.binary(min_size=preset.bytes, max_size=preset.bytes), min_size=1, max_size=12)
    )
    columns, previous = drawn_block(name, [preset.row(code) for code in codes])
    for more in ((), MORE):
        got = assign(preset.policy, columns, T, previous, more)
        assert got.schema == RESULT
        assert same(got, by_duckdb(preset.policy, columns, previous, more))
    assert same(assign(preset.policy, columns, T, None), by_duckdb(preset.policy, columns, None))


@pytest.mark.parametrize("name", presets())
def test_single_rows_are_staged_without_duckdb_and_are_the_same(name: str) -> None:
    preset, rng = drawn(name), random.Random(7)
    rows = [preset.row(rng.randbytes(preset.bytes)) for _ in range(60)]
    columns, previous = drawn_block(name, rows)
    whole = by_duckdb(preset.policy, columns, previous, MORE)
    codes = stage_codes(preset.policy, columns, T, previous)
    alone = 0
    for i in range(len(rows)):
        one, was = columns.slice(i, 1), previous.slice(i, 1)
        alone += by_python(preset.policy, one, was, MORE)
        assert same(assign(preset.policy, one, T, was, MORE), whole.slice(i, 1))
        assert stage_codes(preset.policy, one, T, was).tolist() == [codes[i]]
    assert alone > 40  # the others have numbers like 1e300 to tell


def test_the_segments_of_one_customer_are_those_of_many() -> None:
    ranks = [
        None,
        0.0,
        -0.0,
        -1.0,
        2.0,
        float("inf"),
        float("-inf"),
        *(i / 20 for i in range(21)),
        0.19999999999999998,
    ]
    rows = [(r, f, m) for r in ranks for f in ranks for m in ranks]
    arrays = [
        pa.array(column, pa.float64()).to_numpy(zero_copy_only=False) for column in zip(*rows, strict=True)
    ]
    for grouping in GROUPINGS:
        assert [segment_of_one(*row, grouping) for row in rows] == segments(*arrays, grouping).to_pylist()
    for row, *expected in zip(rows, *scores(*arrays), strict=True):
        if None not in row:
            assert scores_of_one(*row) == tuple(expected)
        else:
            assert scores_of_one(*row) == (None, None, None)


# --- what only DuckDB can tell ---------------------------------------------------------------------------
RISKY = {"order_count": 3.0, "plan": "12", "clv": 1e300}


def one_stage(enter: str, because: str = "x") -> Policy:
    stages = [
        {"name": "a", "enter": enter, "because": {"en": because, "zh": because}},
        {"name": "b", "enter": "TRUE"},
    ]
    return policy(stages, "b")


@pytest.mark.parametrize(
    "enter",
    [
        "sqrt(order_count) > 1",
        "TRY_CAST(plan AS DOUBLE) > 5",
        "order_count // 2 > 1",
        "ln(order_count) > 1",
        "plan ILIKE '1%'",
    ],
)
def test_a_policy_with_what_is_not_certain_is_staged_by_duckdb(enter: str) -> None:
    tried = one_stage(enter)
    assert few.query_of(plan(tried)) is None
    assert same(assign(tried, block([RISKY]), T, None), by_duckdb(tried, block([RISKY]), None))


@pytest.mark.parametrize(
    ("tried", "row"),
    [
        (one_stage("TRUE", "worth {clv}"), RISKY),
        (one_stage("lower(plan) = 'é'"), {"plan": "É"}),
    ],
)
def test_a_value_that_is_not_certain_is_told_by_duckdb(tried: Policy, row: Row) -> None:
    assert few.query_of(plan(tried)) is not None
    assert not by_python(tried, block([row]), None)
    assert by_python(tried, block([{}]), None)
    got = assign(tried, block([{}, row]), T, None)
    assert same(got, by_duckdb(tried, block([{}, row]), None))
    assert got["stage"].to_pylist()[1] == "a"


def test_what_fails_on_a_value_fails_for_one_as_for_many() -> None:
    failing = one_stage("order_count < 0 AND CAST(plan AS INTEGER) > 5")
    for rows in ([{"plan": "gold"}], [{"plan": "gold"}] * 100):
        with pytest.raises(
            InputError, match=r"policy p: a condition fails for these customers: .*gold.*guard it"
        ):
            assign(failing, block(rows), T, None)


def test_a_missing_column_is_named_for_one_as_for_many() -> None:
    for n in (1, 100):
        columns = block([{}] * n).drop_columns(["clv"])
        with pytest.raises(
            InputError, match="policy p: the column 'clv' is missing, but a condition reads it"
        ):
            assign(one_stage("clv > 1"), columns, T, None)


def test_columns_of_other_types_are_cast() -> None:
    columns = block([{"order_count": 2.0, "plan": "x"}])
    for name, type_ in (("order_count", pa.int32()), ("plan", pa.dictionary(pa.int8(), pa.string()))):
        columns = columns.set_column(columns.column_names.index(name), name, columns[name].cast(type_))
    tried = one_stage("order_count = 2 AND plan = 'x'")
    assert by_python(tried, columns, None)
    assert assign(tried, columns, T, None)["stage"].to_pylist() == ["a"]
    assert same(assign(tried, columns, T, None), by_duckdb(tried, columns, None))
