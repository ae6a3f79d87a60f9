"""Their columns as ours: the same from text as from typed columns."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lifestage.errors import InputError
from lifestage.expressions import parse_expression, to_sql
from lifestage.intake.numbers import typed

TYPES = {"q": "VARCHAR", "n": "INTEGER", "d": "DOUBLE", "day": "DATE", "name": "VARCHAR"}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("q * d", 'TRY_CAST("q" AS DOUBLE) * "d"'),
        ("n * n", 'TRY_CAST("n" AS DOUBLE) * TRY_CAST("n" AS DOUBLE)'),
        ("-q", '-TRY_CAST("q" AS DOUBLE)'),
        ("q <> 0 AND name = 'x'", 'TRY_CAST("q" AS DOUBLE) <> 0 AND "name" = \'x\''),
        ("q BETWEEN 1 AND 2", 'TRY_CAST("q" AS DOUBLE) BETWEEN 1 AND 2'),
        ("q IN (1, 2)", 'TRY_CAST("q" AS DOUBLE) IN (1, 2)'),
        ("q IN ('1', '2')", "\"q\" IN ('1', '2')"),
        ("coalesce(q, 0) * 2", 'COALESCE(TRY_CAST("q" AS DOUBLE), 0) * 2'),
        ("n <> 0", '"n" <> 0'),
        ("day + INTERVAL 1 DAY", "\"day\" + INTERVAL '1' DAY"),
        ("strptime(q, '%Y')", "TRY_STRPTIME(\"q\", '%Y')"),
        ("epoch_ms(n)", 'MAKE_TIMESTAMPTZ(CAST((("n") * 1000) AS BIGINT))'),
    ],
)
def test_what_an_expression_leaves_unsaid(written: str, meant: str) -> None:
    got = to_sql(typed(parse_expression(written, TYPES, "w"), TYPES))
    assert got == meant


NAMES = {"customer_id": "cust", "ordered_at": "at", "amount": "amount"}


@pytest.fixture
def opened(build, read):
    def run(columns: dict[str, Any], mapping: dict[str, str] | None = None, where: str | None = None) -> Any:
        path = build.folder / "t.parquet"
        pq.write_table(pa.table(columns), path)
        source = {"path": path.as_posix(), "columns": {**NAMES, **(mapping or {})}, "where": where}
        return read(build.open({"transactions": source}))

    return run


@pytest.mark.parametrize(
    ("ids", "texts"),
    [
        (pa.array([17850, 3], pa.int64()), ["17850", "3"]),
        (pa.array([18446744073709551615, 3], pa.uint64()), ["18446744073709551615", "3"]),
        (pa.array([17850.0, 3.5], pa.float64()), ["17850", "3.5"]),
        (pa.array([Decimal("17850.00"), Decimal("3.50")]), ["17850", "3.50"]),
        (pa.array([" 17850.0 ", "\u3000x\u00a0"]), ["17850", "x"]),
        (pa.array(["007.0", "1.0a"]), ["007", "1.0a"]),
    ],
)
def test_ids_are_texts(opened, ids: pa.Array, texts: list[str]) -> None:
    got = opened({"cust": ids, "at": ["2021-01-01"] * 2, "amount": [1, 2]})
    assert sorted(got) == sorted(texts)


NEW_YEAR = 1_609_477_200_000_000  # 2021-01-01 00:00 in New York


@pytest.mark.parametrize(
    "times",
    [
        pa.array(["2021-01-01"]),
        pa.array([" 2021-01-01 05:00:00Z "]),
        pa.array(["2021-01-01T13:00:00+08:00"]),
        pa.array([date(2021, 1, 1)]),
        pa.array([datetime(2021, 1, 1)], pa.timestamp("s")),
        pa.array([datetime(2021, 1, 1)], pa.timestamp("ns")),
        pa.array([datetime(2021, 1, 1, 5)], pa.timestamp("us", tz="UTC")),
        pa.array([datetime(2021, 1, 1, 5)], pa.timestamp("ms", tz="Asia/Tokyo")),
    ],
)
def test_times_are_instants(opened, times: pa.Array) -> None:
    got = opened({"cust": ["a"], "at": times, "amount": [1]})
    assert got["a"]["purchases"][0]["t"] == NEW_YEAR


@pytest.mark.parametrize(
    ("value", "expression"),
    [
        (1_609_477_200, "to_timestamp(at)"),
        (1_609_477_200_000, "epoch_ms(at)"),
        ("1609477200000", "epoch_ms(at)"),
        (20210101, "strptime(CAST(at AS VARCHAR), '%Y%m%d')"),
        ("1/1/2021 0:00", "strptime(at, '%m/%d/%Y %H:%M')"),
    ],
)
def test_times_from_expressions(opened, value: Any, expression: str) -> None:
    got = opened({"cust": ["a"], "at": [value], "amount": [1]}, {"ordered_at": expression})
    assert got["a"]["purchases"][0]["t"] == NEW_YEAR


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("2021-11-07 01:30:00", "2021-11-07T06:30:00"),  # happened twice
        ("2021-11-07 01:30:00-04:00", "2021-11-07T05:30:00"),
        ("2021-03-14 02:30:00", "2021-03-14T07:30:00"),  # never happened
    ],
)
def test_a_repeated_or_skipped_hour_is_the_later_instant(opened, written: str, utc: str) -> None:
    got = opened({"cust": ["a"], "at": [written], "amount": [1]})
    expected = int(datetime.fromisoformat(utc + "+00:00").timestamp()) * 1_000_000
    assert got["a"]["purchases"][0]["t"] == expected


def test_arithmetic_on_whole_numbers_does_not_overflow(opened) -> None:
    big = pa.array([2_000_000_000], pa.int32())
    got = opened({"cust": ["a"], "at": ["2021-01-01"], "q": big, "p": big}, {"amount": "q * p / 1000000"})
    assert got["a"]["purchases"][0]["amount"] == 4e12


def test_no_negative_zero(opened) -> None:
    got = opened({"cust": ["a"], "at": ["2021-01-01"], "amount": [-0.0]})
    assert str(got["a"]["purchases"][0]["amount"]) == "0.0"


def test_an_exact_column_name_is_that_column_before_it_is_an_expression(opened) -> None:
    got = opened(
        {"cust": ["a"], "at": ["2021-01-01"], "a - b": [5.0], "a": [1.0], "b": [9.0]}, {"amount": "a - b"}
    )
    assert got["a"]["purchases"][0]["amount"] == 5.0


def test_a_filter_must_be_a_condition(opened) -> None:
    with pytest.raises(
        InputError, match=r"sources\.transactions\.where .*is of type VARCHAR; write a condition"
    ):
        opened({"cust": ["a"], "at": ["2021-01-01"], "amount": [1]}, where="cust")


def test_an_expression_that_does_not_fit_the_types(opened) -> None:
    with pytest.raises(InputError, match=r"columns\.amount .*does not fit the types of the columns"):
        opened(
            {"cust": ["a"], "at": ["2021-01-01"], "amount": [date(2021, 1, 1)]}, {"amount": "sqrt(amount)"}
        )


def test_attributes_keep_their_kind(build, read) -> None:
    path = build.folder / "c.parquet"
    pq.write_table(pa.table({"cust": ["a", "z"], "age": [30, None], "vip": [True, None], "born": [date(1990, 1, 2)] * 2,
                             "card": pa.array(["x", " "])}), path)  # fmt: skip
    columns = {"customer_id": "cust", "age": "age", "vip": "vip", "born": "born", "card": "card"}
    intake = build.open({
        "transactions": [{"cust": c, "at": "2021-01-01", "amount": "1"} for c in "ab"],
        "customers": {"path": path.as_posix(), "columns": columns},
    })  # fmt: skip
    assert intake.attributes == {
        "age": pa.float64(),
        "vip": pa.bool_(),
        "born": pa.string(),
        "card": pa.string(),
    }
    got = read(intake)
    assert [got["a"][c] for c in intake.attributes] == [30.0, True, "1990-01-02", "x"]
    assert [got["b"][c] for c in intake.attributes] == [None] * 4
    assert got["z"]["purchases"] == []
    with pytest.raises(InputError, match=r"columns\.amount: the name is taken"):
        build.open({
            "transactions": [{"cust": "a", "at": "2021-01-01", "amount": "1"}],
            "customers": {"path": path.as_posix(), "columns": {"customer_id": "cust", "amount": "age"}},
        })  # fmt: skip
