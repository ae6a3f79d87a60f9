"""Histories from plain records: against a slow plain-Python oracle, and against intake on the same rows."""

import csv
import math
import random
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifestage import intake
from lifestage.errors import InputError
from lifestage.localtime import instant
from lifestage.online import RecordError, history_from_records
from lifestage.record_values import parse_instant
from lifestage.schemas import HISTORY, RAGGED
from lifestage.settings import parse

ZONE = "Europe/Berlin"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


# --- the oracle: rows of one customer, sorted and linked in plain loops ---------------------------------------


def us(text: str, zone: str = ZONE) -> int:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        offsets = [ZoneInfo(zone).utcoffset(moment.replace(fold=fold)) for fold in (0, 1)]
        moment = moment.replace(tzinfo=timezone(min(o for o in offsets if o is not None)))
    return (moment - EPOCH) // timedelta(microseconds=1)


def last(value: Any) -> tuple[bool, Any]:
    """Sort key with None after everything."""
    return (value is None, value if value is not None else 0)


def expected(record: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    bought, back = [], []
    for row in record.get("purchases", []):
        more = (row.get("category"), row.get("channel"), row.get("discount"))
        (bought if row["amount"] >= 0 else back).append(
            (us(row["ordered_at"]), row.get("order_id"), abs(row["amount"]), more)
        )
    bought.sort(key=lambda r: (r[0], last(r[1]), r[2], *map(last, r[3])))
    back.sort(key=lambda r: (r[0], last(r[1]), r[2]))
    refunds = []
    for t, order, size, _ in back:
        named = [at for at, name, *_ in bought if name is not None and name == order and at <= t]
        refunds.append({"t": t, "amount": size, "order_at": named[0] if named else None})
    events = [(us(e["occurred_at"]), e["event_type"], e.get("session_id")) for e in record.get("events", [])]
    events.sort(key=lambda e: (e[0], e[1], last(e[2])))
    answers = [
        (
            us(f["submitted_at"]),
            f["kind"].lower(),
            f.get("score"),
            us(f["resolved_at"]) if f.get("resolved_at") else None,
        )
        for f in record.get("feedback", [])
    ]
    answers.sort(key=lambda f: (f[0], f[1], last(f[2]), last(f[3])))
    return {
        "purchases": [
            {"t": t, "amount": size, "category": category, "channel": channel, "discount": discount}
            for t, _, size, (category, channel, discount) in bought
        ],
        "refunds": refunds,
        "events": [{"t": t, "event_type": kind, "session_id": session} for t, kind, session in events],
        "feedback": [{"t": t, "kind": k, "score": s, "resolved_at": r} for t, k, s, r in answers],
    }


def got(records: list[dict[str, Any]], zone: str = ZONE) -> list[dict[str, Any]]:
    """The block as plain Python, instants as integers."""
    history = history_from_records(records, zone)
    out: list[dict[str, Any]] = [{"customer_id": name} for name in history.customer_id.to_pylist()]
    for kind, struct in RAGGED.items():
        plain = pa.struct([(f.name, pa.int64() if pa.types.is_timestamp(f.type) else f.type) for f in struct])
        column = pa.concat_arrays(history._lists[kind].chunks).cast(pa.list_(plain))
        for row, values in zip(out, column.to_pylist(), strict=True):
            row[kind] = values
    for name, values in history.profile.items():
        plain_values = values.cast(pa.int64()) if pa.types.is_timestamp(values.type) else values
        for row, value in zip(out, plain_values.to_pylist(), strict=True):
            row[name] = value
    return out


TIMES = st.sampled_from(
    [
        "2024-03-31T02:30:00",  # skipped by the clock change
        "2024-10-27T02:30:00",  # repeated by it
        "2024-10-27",
        "2024-10-27T00:30:00Z",
        "2024-10-27T01:30:00+00:00",
        "2024-02-29 23:59:59.999999",
        "2023-01-01T00:00:00-05:00",
    ]
)
CENTS = st.integers(-500, 5_000).map(lambda c: c / 100)
PURCHASE = st.fixed_dictionaries(
    {"ordered_at": TIMES, "amount": CENTS},
    optional={
        "order_id": st.sampled_from([None, "b", "a", "ä", "Z"]),
        "category": st.sampled_from([None, "书", "books", "art"]),
        "channel": st.sampled_from([None, "web", "app"]),
        "discount": st.sampled_from([None, 0, 0.5, 3]),
    },
)
EVENT = st.fixed_dictionaries(
    {"occurred_at": TIMES, "event_type": st.sampled_from(["login", "view"])},
    optional={"session_id": st.sampled_from([None, "s1", "s2"])},
)
ANSWER = st.fixed_dictionaries(
    {"submitted_at": TIMES, "kind": st.sampled_from(["nps", "NPS", "ticket"])},
    optional={"score": st.sampled_from([None, 0, 3.5, 10]), "resolved_at": st.one_of(st.none(), TIMES)},
)


def once(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each order_id at one purchase only."""
    seen: set[str] = set()
    kept = []
    for row in rows:
        name = row.get("order_id")
        if name is None or row["amount"] < 0 or name not in seen:
            kept.append(row)
            if name is not None and row["amount"] >= 0:
                seen.add(name)
    return kept


@settings(deadline=None)  # the first example builds the zone's calendar
@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "purchases": st.lists(PURCHASE, max_size=8).map(once),
                "events": st.lists(EVENT, max_size=5),
                "feedback": st.lists(ANSWER, max_size=5),
            },
        ),
        min_size=1,
        max_size=4,
    )
)
def test_the_block_is_what_a_plain_loop_makes(records: list[dict[str, Any]]) -> None:
    named = [{"customer_id": f"c{9 - i}", **record} for i, record in enumerate(records)]
    for record, row in zip(named, got(named), strict=True):
        assert row["customer_id"] == record["customer_id"]
        for kind, rows in expected(record).items():
            assert row[kind] == rows


def test_a_block_of_one_equals_its_row_in_a_block_of_many() -> None:
    records = [
        {"customer_id": name, "purchases": [{"ordered_at": "2024-01-02", "amount": a} for a in amounts]}
        for name, amounts in (("x", [3.0, 1.0]), ("a", []), ("m", [2.0, -2.0, 0.1]))
    ]
    many = got(records)
    assert [row["customer_id"] for row in many] == ["x", "a", "m"]
    assert many == [got([record])[0] for record in records]


def test_the_schema_is_the_history() -> None:
    history = history_from_records([{"customer_id": "c"}], ZONE)
    assert set(history.profile) | set(RAGGED) | {"customer_id"} == set(HISTORY.names)
    assert history.profile["signed_up_at"].type == HISTORY.field("signed_up_at").type


def test_a_refund_names_only_an_earlier_order_of_the_same_customer() -> None:
    first, second = got(
        [
            {
                "customer_id": "a",
                "purchases": [
                    {"ordered_at": "2024-01-05", "amount": -5.0, "order_id": "o1"},
                    {"ordered_at": "2024-01-03", "amount": -2.0, "order_id": "o1"},
                    {"ordered_at": "2024-01-04", "amount": 9.0, "order_id": "o1"},
                ],
            },
            {
                "customer_id": "b",
                "purchases": [{"ordered_at": "2024-01-06", "amount": -1.0, "order_id": "o1"}],
            },
        ]
    )
    assert [r["order_at"] for r in first["refunds"]] == [None, us("2024-01-04")]
    assert second["refunds"] == [{"t": us("2024-01-06"), "amount": 1.0, "order_at": None}]


def test_profile_values_and_python_times() -> None:
    moment = datetime(2024, 5, 1, 12, tzinfo=UTC)
    row = got(
        [
            {
                "customer_id": " c ",
                "signed_up_at": date(2024, 5, 1),
                "acquisition_channel": " ads ",
                "acquisition_cost": 3,
                "purchases": [
                    {"ordered_at": moment, "amount": 1},
                    {"ordered_at": datetime(2024, 5, 2), "amount": -0.0},
                ],
            }
        ]
    )[0]
    assert row["customer_id"] == "c"
    assert row["acquisition_channel"] == "ads"
    assert row["acquisition_cost"] == 3.0
    assert row["signed_up_at"] == us("2024-05-01")
    assert [p["t"] for p in row["purchases"]] == [us("2024-05-01T12:00Z"), us("2024-05-02")]
    assert math.copysign(1, row["purchases"][1]["amount"]) == 1


@pytest.mark.parametrize(
    "zone", ["UTC", "America/Sao_Paulo", "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Apia"]
)
def test_many_local_times_read_like_one(zone: str) -> None:
    draw = random.Random(7)
    moments = [datetime(1990, 1, 1) + timedelta(minutes=draw.randrange(22_000_000)) for _ in range(3_000)]
    # A day around every clock change of some years, minute by half hour.
    moments += [
        datetime(year, 1, 1) + timedelta(minutes=30 * i) for year in (2011, 2018) for i in range(17_520)
    ]
    record = {"customer_id": "c", "events": [{"occurred_at": m, "event_type": "x"} for m in moments]}
    assert [e["t"] for e in got([record], zone)[0]["events"]] == sorted(instant(m, zone) for m in moments)


@pytest.mark.parametrize(
    ("record", "path", "text"),
    [
        ({}, (0, "customer_id"), "customer_id is missing"),
        (
            {"customer_id": "c", "purchases": [{"ordered_at": "2024-01-01", "amount": float("nan")}]},
            (0, "purchases", 0, "amount"),
            r"customer 'c': purchases\[0\]\.amount is nan; expected a finite number",
        ),
        (
            {"customer_id": "c", "purchases": [{"ordered_at": "2024-01-01", "amount": -math.inf}]},
            (0, "purchases", 0, "amount"),
            r"amount is -inf; expected a finite number",
        ),
        (
            {"customer_id": "c", "purchases": [{"ordered_at": "2024-01-01", "amount": "12"}]},
            (0, "purchases", 0, "amount"),
            r"amount is '12'; expected a number",
        ),
        (
            {"customer_id": "c", "purchases": [{"ordered_at": "2024-01-01", "amount": 2e15}]},
            (0, "purchases", 0, "amount"),
            r"amount is 2000000000000000\.0; expected at most 1e\+15",
        ),
        (
            {
                "customer_id": "c",
                "purchases": [
                    {"ordered_at": "2024-01-01", "amount": 1.0},
                    {"ordered_at": "1.2.2024", "amount": 1.0},
                ],
            },
            (0, "purchases", 1, "ordered_at"),
            r"purchases\[1\]\.ordered_at is '1\.2\.2024', no time; expected ISO-8601",
        ),
        (
            {"customer_id": "c", "purchases": [{"amount": 1.0}]},
            (0, "purchases", 0, "ordered_at"),
            r"ordered_at is missing",
        ),
        (
            {"customer_id": "c", "purchases": [{"ordered_at": "1900-01-01", "amount": 1.0}]},
            (0, "purchases", 0, "ordered_at"),
            r"ordered_at is '1900-01-01'; expected a time from 1950 to 2099",
        ),
        (
            {
                "customer_id": "c",
                "purchases": [
                    {"ordered_at": "2024-01-01", "amount": 1.0, "order_id": "o"},
                    {"ordered_at": "2024-01-02", "amount": 2.0, "order_id": "o"},
                ],
            },
            (0, "purchases", 1, "order_id"),
            r"customer 'c': purchases\[1\]\.order_id 'o' names two purchases",
        ),
        (
            {"customer_id": "c", "events": [{"occurred_at": "2024-01-01", "event_type": " "}]},
            (0, "events", 0, "event_type"),
            r"event_type is missing",
        ),
        (
            {"customer_id": "c", "feedback": [{"submitted_at": "2024-01-01", "kind": "npss"}]},
            (0, "feedback", 0, "kind"),
            r"kind is 'npss'; expected one of nps, csat",
        ),
        (
            {"customer_id": "c", "acquisition_cost": -1.0},
            (0, "acquisition_cost"),
            r"acquisition_cost is -1\.0",
        ),
        (
            {"customer_id": "c", "signed_up_at": "soon"},
            (0, "signed_up_at"),
            r"signed_up_at is 'soon', no time",
        ),
    ],
)
def test_a_fault_names_customer_field_and_value(
    record: dict[str, Any], path: tuple[Any, ...], text: str
) -> None:
    with pytest.raises(RecordError, match=text) as caught:
        history_from_records([record], ZONE)
    assert caught.value.path == path


def test_the_fault_is_found_in_the_right_record() -> None:
    fine = {"customer_id": "a", "purchases": [{"ordered_at": "2024-01-01", "amount": 1.0}] * 3}
    odd = {
        "customer_id": "b",
        "purchases": [{"ordered_at": "2024-01-01", "amount": 1.0}, {"ordered_at": "x", "amount": 1.0}],
    }
    with pytest.raises(RecordError, match=r"customer 'b': purchases\[1\]\.ordered_at is 'x'") as caught:
        history_from_records([fine, odd], ZONE)
    assert caught.value.path == (1, "purchases", 1, "ordered_at")


def test_a_customer_stands_once() -> None:
    with pytest.raises(RecordError, match="customer 'a': customer_id stands twice"):
        history_from_records([{"customer_id": "a"}, {"customer_id": "a"}], ZONE)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("later", "'later' is no time"),
        (5, "5 is no time"),
        ("0001-01-01", "out of range"),
        ("9999-12-31T23:59:59-12:00", "out of range"),
    ],
)
def test_an_instant_that_does_not_read(value: Any, text: str) -> None:
    with pytest.raises(InputError, match=text):
        parse_instant(value, ZONE)


def test_an_instant_reads_local_time_dates_and_offsets() -> None:
    assert parse_instant("2024-07-01", ZONE) == us("2024-06-30T22:00:00+00:00")
    assert parse_instant("2024-07-01T10:00", ZONE) == us("2024-07-01T08:00:00Z")
    assert parse_instant("2024-07-01T10:00:00+00:00", ZONE) == us("2024-07-01T10:00:00Z")


# --- the same rows through intake ----------------------------------------------------------------------------


def _write(path: Path, rows: list[dict[str, Any]]) -> str:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(key for row in rows for key in row)))
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def _records(draw: random.Random) -> list[dict[str, Any]]:
    """Customers with ties in time, refunds of all kinds, empty values, clock changes."""

    def when() -> str:
        day = datetime(2023, 10, 20) + timedelta(days=draw.randrange(20))
        return day.replace(hour=draw.choice([0, 2, 14]), minute=draw.choice([0, 30])).isoformat(" ")

    records = []
    for i in range(60):
        purchases: list[dict[str, Any]] = []
        for j in range(draw.randrange(9)):
            purchases.append(
                {
                    "ordered_at": when(),
                    "amount": draw.randrange(9_999) / 100,
                    "order_id": draw.choice([None, f"o{i}-{j}"]),
                    "category": draw.choice([None, "书", "books"]),
                    "channel": draw.choice([None, "web", "app"]),
                    "discount": draw.choice([None, 0, 1.25]),
                }
            )
        for _ in range(draw.randrange(4) if purchases else 0):
            order = draw.choice([None, "o-unknown", *(p["order_id"] for p in purchases)])
            purchases.append(
                {"ordered_at": when(), "amount": -draw.randrange(1, 3_000) / 100, "order_id": order}
                | dict.fromkeys(("category", "channel", "discount"))
            )
        draw.shuffle(purchases)
        events = [
            {
                "occurred_at": when(),
                "event_type": draw.choice(["login", "view"]),
                "session_id": draw.choice([None, "s", "t"]),
            }
            for _ in range(draw.randrange(6))
        ]
        feedback = [
            {
                "submitted_at": when(),
                "kind": draw.choice(["nps", "Ticket"]),
                "score": draw.choice([None, 3, 9.5]),
                "resolved_at": draw.choice([None, when()]),
            }
            for _ in range(draw.randrange(4))
        ]
        records.append(
            {
                "customer_id": f"k{i:03d}",
                "purchases": purchases,
                "events": events,
                "feedback": feedback,
                "signed_up_at": when() if i % 3 else None,
                "acquisition_channel": draw.choice([None, "ads", "search"]),
                "acquisition_cost": draw.choice([None, 0, 2.5]),
                "attributes": {
                    "city": draw.choice([None, "Köln", "Rome"]),
                    "age": draw.choice([None, 31, 44.5]),
                    "vip": draw.choice([None, True, False]),
                },
            }
        )
    return records


def test_intake_makes_the_same_block_of_the_same_rows(tmp_path: Path) -> None:

    records = _records(random.Random(3))
    keys = {"purchases": "transactions", "events": "events", "feedback": "feedback"}
    files = {
        table: [{"customer_id": r["customer_id"], **row} for r in records for row in r[kind]]
        for kind, table in keys.items()
    }
    files["customers"] = [
        {k: v for k, v in r.items() if k not in (*keys, "attributes")} | r["attributes"] for r in records
    ]
    sources = {}
    for table, rows in files.items():
        random.Random(5).shuffle(rows)
        path = _write(tmp_path / f"{table}.csv", rows)
        sources[table] = {"path": path, "columns": {name: name for name in rows[0]}}
    sources["customers"]["columns"] |= {"age": "CAST(age AS DOUBLE)", "vip": "CAST(vip AS BOOLEAN)"}
    document = {
        "shop": "same",
        "timezone": ZONE,
        "currency": "EUR",
        "sources": sources,
        "as_of": date(2024, 1, 1),
    }
    shop = parse({**document, "output_dir": str(tmp_path / "out")}, "test")
    with intake.open_tables(shop, us("2025-01-01")) as opened:
        block = pa.Table.from_batches(list(opened.blocks(1_000)))
    types = {"city": pa.string(), "age": pa.float64(), "vip": pa.bool_()}
    history = history_from_records(sorted(records, key=lambda r: r["customer_id"]), ZONE, types)
    assert {*types} < {*history.profile}
    assert block["customer_id"].to_pylist() == history.customer_id.to_pylist()
    for name in RAGGED:
        assert block[name].combine_chunks().equals(history._lists[name].combine_chunks()), name
    for name, column in history.profile.items():
        assert block[name].combine_chunks().equals(column), name


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (" A\ufeff", "A"),
        ("17850.0", "17850"),
        ("-3.00", "-3"),
        ("1.05", "1.05"),
        ("a.0", "a.0"),
        ("\u3000客户\u00a0", "客户"),
        ("A\u2003", "A\u2003"),
    ],
)
def test_ids_are_read_as_intake_reads_them(written: str, read: str, tmp_path: Path) -> None:
    purchase = {"ordered_at": "2021-01-01", "amount": 1.0}
    history = history_from_records([{"customer_id": written, "purchases": [purchase]}], "UTC")
    assert history.customer_id.to_pylist() == [read]
    path = tmp_path / "orders.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("id", "at", "amount"), (written, "2021-01-01", "1.0")])
    columns = {"customer_id": "id", "ordered_at": "at", "amount": "amount"}
    shop = parse(
        {
            "shop": "s",
            "timezone": "UTC",
            "currency": "EUR",
            "output_dir": str(tmp_path / "out"),
            "sources": {"transactions": {"path": str(path), "columns": columns}},
        },
        "test",
    )
    with intake.open_tables(shop, instant(datetime(2022, 1, 1), "UTC")) as opened:
        (block,) = opened.blocks(10)
    assert block.column("customer_id").to_pylist() == [read]


def test_attributes_are_checked_by_name_and_type() -> None:
    types = {"city": pa.string(), "age": pa.float64(), "vip": pa.bool_()}
    for attributes, message in (
        ({"ctiy": "Rome"}, "attributes.ctiy is no attribute that the model reads; did you mean 'city'"),
        ({"city": 3.0}, "attributes.city is 3.0; expected a text"),
        ({"vip": 1.0}, "attributes.vip is 1.0; expected true or false"),
        ({"age": "old"}, "attributes.age is 'old'; expected a number"),
    ):
        with pytest.raises(RecordError, match=message):
            history_from_records([{"customer_id": "c", "attributes": attributes}], ZONE, types)
    with pytest.raises(RecordError, match=r"purchases\[0\].discount is -1.0; expected 0 or more"):
        bought = {"ordered_at": "2024-01-01", "amount": 3.0, "discount": -1.0}
        history_from_records([{"customer_id": "c", "purchases": [bought]}], ZONE)
