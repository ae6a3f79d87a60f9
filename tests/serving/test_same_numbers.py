"""Live service against batch, bit for bit: random histories, many callers at once, bad requests among them."""

import asyncio
import copy
import csv
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lifestage.decision import decide_block
from lifestage.errors import InputError
from lifestage.history_file import HistoryFile
from lifestage.intake import open_tables, write_history
from lifestage.localtime import DAY
from lifestage.online import history_from_records
from lifestage.record_values import parse_instant
from lifestage.release import current
from lifestage.runs import score_run
from lifestage.schemas import PREVIOUS
from lifestage.settings import load, parse
from tests.builders import us

ZONE = "Europe/Berlin"
FIRST = datetime(2021, 10, 1)
INSTANTS = (
    "2022-06-01",
    "2023-03-26T02:30:00",
    "2023-06-25",
    "2023-06-25T12:34:56.789012+02:00",
    "2024-02-29",
)
ODD_TIMES = (
    "2022-03-27T02:30:00", "2022-10-30 02:30:00", "2022-10-30T02:30:00+01:00", "2022-12-31T23:59:59.999999Z",
    "2023-06-25", "2023-06-24T22:00:00Z", "2023-06-24T21:59:59.999999Z", "1971-01-01", "2022-02-28T12:00:00-11:00",
)  # fmt: skip


def plain(row: dict[str, Any]) -> dict[str, Any]:
    """A batch score as the API writes it: instants as text."""
    return {
        name: value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        if isinstance(value, datetime)
        else value
        for name, value in row.items()
    }


def same_bits(got: dict[str, Any], expected: dict[str, Any]) -> bool:
    """By the digits: 0.0 and -0.0 differ, 1 and 1.0 do."""
    return repr(got) == repr(expected)


# --- random records ---------------------------------------------------------------------------------------------


def _time(code: int) -> str:
    if code % 13 == 0:
        return ODD_TIMES[code // 13 % len(ODD_TIMES)]
    at = FIRST + timedelta(seconds=code % (700 * 86_400))
    if code % 5 == 0:
        return str(at.date())
    return at.isoformat(sep=" ") + ("Z" if code % 3 == 0 else "")


times = st.integers(0, 10**9).map(_time)
amounts = st.one_of(
    st.integers(-30_000, 100_000).map(lambda cents: cents / 100),
    st.floats(-1e9, 1e9),
    st.sampled_from([0.0, -0.0, 5e-324, 0.1, 1e12, -1e12]),
)
words = st.sampled_from([None, "art", "books", "书", "never seen", "", " x "])
purchases = st.fixed_dictionaries(
    {"ordered_at": times, "amount": amounts},
    optional={
        "order_id": st.sampled_from([None, "1", "2", "3", "书"]),
        "category": words,
        "channel": words,
        "discount": st.sampled_from([None, 0.0, 1.25]),
    },
)
events = st.fixed_dictionaries(
    {"occurred_at": times, "event_type": st.sampled_from(["view", "cart", "Add to list!", "new"])},
    optional={"session_id": st.sampled_from([None, "s1", "s2"])},
)
feedback = st.fixed_dictionaries(
    {"submitted_at": times, "kind": st.sampled_from(["nps", "csat", "ticket", "complaint", "review"])},
    optional={"score": st.sampled_from([None, 1.0, 4.5, 5.0]), "resolved_at": st.one_of(st.none(), times)},
)
records = st.fixed_dictionaries(
    {},
    optional={
        "purchases": st.lists(purchases, max_size=30),
        "events": st.lists(events, max_size=15),
        "feedback": st.lists(feedback, max_size=4),
        "signed_up_at": st.one_of(st.none(), times),
        "acquisition_channel": words,
        "acquisition_cost": st.sampled_from([None, 0.0, 12.5]),
        "attributes": st.fixed_dictionaries(
            {},
            optional={
                "city": st.sampled_from([None, "Köln", "Rome", "Atlantis"]),
                "age": st.sampled_from([None, 31.0, -1.5, 1e300]),
                "vip": st.sampled_from([None, True, False]),
            },
        ),
        "previous": st.fixed_dictionaries(
            {"stage": st.sampled_from(["active", "at_risk", "lost", "no stage"]), "stage_since": times}
        ),
    },
)


def named(drawn: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"customer_id": f"c{i:03d}", **record} for i, record in enumerate(drawn)]


def batch(made: Any, customers: list[dict[str, Any]], as_of: str) -> list[dict[str, Any]]:
    """decide_block of all customers in one block. Raises InputError."""
    history = history_from_records(customers, ZONE, made.release.attribute_types)
    given = [(c["customer_id"], c["previous"]) for c in customers if "previous" in c]
    since = pa.array([parse_instant(p["stage_since"], ZONE) for _, p in given], pa.int64())
    previous = pa.table(
        [
            pa.array([name for name, _ in given], pa.string()),
            pa.array([p["stage"] for _, p in given], pa.string()),
            since.cast(PREVIOUS.field("stage_since").type),
        ],
        schema=PREVIOUS,
    )
    scores = decide_block(history, parse_instant(as_of, ZONE), made.release, previous)
    return [plain(row) for row in scores.to_pylist()]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(drawn=st.lists(records, min_size=1, max_size=8), as_of=st.sampled_from(INSTANTS))
def test_random_histories_get_the_batch_scores(
    served: Any, made: Any, drawn: list[dict[str, Any]], as_of: str
) -> None:
    """Either both score, with the same bits, or both refuse."""
    customers = named(drawn)
    answer = served.client.post("/v1/score", json={"as_of": as_of, "customers": customers})
    try:
        expected = batch(made, customers, as_of)
    except InputError:
        assert answer.status_code == 400 or answer.json()["errors"]
        return
    assert answer.status_code == 200, answer.text
    got = answer.json()["scores"]
    for score, row in zip(got, expected, strict=True):
        assert same_bits(score, row), {k: (score[k], row[k]) for k in row if score.get(k) != row[k]}


# --- many callers at once ---------------------------------------------------------------------------------------


CALLERS = 64


def spoil(record: dict[str, Any], draw: random.Random) -> dict[str, Any]:
    """The record with one fault, which nobody else may feel."""
    spoilt = copy.deepcopy(record)
    faults: list[dict[str, Any]] = [
        {"purchases": [*spoilt["purchases"], {"ordered_at": "2023-02-30", "amount": 1.0}]},
        {"purchases": [{"ordered_at": "2023-02-01", "amount": "1"}]},
        {"purchases": [{"ordered_at": "2023-02-01", "amount": 1e300}]},
        {"feedback": [{"submitted_at": "2023-02-01", "kind": "praise"}]},
        {"surname": "x"},
        {"customer_id": ""},
    ]
    return {**spoilt, **draw.choice(faults)}


def test_callers_at_once_get_the_scores_of_one_alone(served: Any, made: Any) -> None:
    """280 requests of one to three customers, as of different instants, every seventh with a fault."""
    draw = random.Random(3)
    names = sorted(made.scores)
    asked: list[tuple[dict[str, Any], bool]] = []
    for number in range(280):
        customers = [made.record(name) for name in draw.sample(names, draw.choice((1, 1, 1, 3)))]
        spoilt = number % 7 == 0
        if spoilt:
            customers = [spoil(customers[0], draw)]
        asked.append(({"as_of": draw.choice(INSTANTS), "customers": customers}, spoilt))

    async def one(client: httpx.AsyncClient, free: asyncio.Semaphore, body: dict[str, Any]) -> httpx.Response:
        async with free:
            return await client.post("/v1/score", json=body)

    async def everyone() -> list[httpx.Response]:
        free = asyncio.Semaphore(CALLERS)
        limits = httpx.Limits(max_connections=CALLERS)
        async with httpx.AsyncClient(
            base_url=served.client.base_url, timeout=60, limits=limits, trust_env=False
        ) as client:
            return await asyncio.gather(*(one(client, free, body) for body, _ in asked))

    answers = asyncio.run(everyone())
    everybody = [made.record(name) for name in names]
    expected = {at: {r["customer_id"]: r for r in batch(made, everybody, at)} for at in INSTANTS}
    for (body, spoilt), answer in zip(asked, answers, strict=True):
        if spoilt:
            assert answer.status_code == 400, answer.text
            assert answer.json()["path"].startswith("customers[0]")
            continue
        assert answer.status_code == 200, answer.text
        scores = answer.json()["scores"]
        assert [s["customer_id"] for s in scores] == [c["customer_id"] for c in body["customers"]]
        for score in scores:
            assert same_bits(score, expected[body["as_of"]][score["customer_id"]])


# --- through files ----------------------------------------------------------------------------------------------


def test_rows_of_new_files_get_the_same_scores(served: Any, made: Any, tmp_path: Path) -> None:
    """Customers that the release never saw, through intake and a scoring run, and through requests."""
    draw = random.Random(29)
    customers = []
    for i in range(300):
        at = [
            FIRST + timedelta(seconds=draw.randrange(630 * 86_400))
            for _ in range(draw.choice((1, 1, 2, 5, 40)))
        ]
        bought = [
            {
                "ordered_at": t.isoformat(sep=" "),
                "amount": round(draw.lognormvariate(3, 1), 2),
                "order_id": f"{i}-{k}",
            }
            for k, t in enumerate(sorted(at))
        ]
        back = [{**row, "amount": -row["amount"]} for row in bought if draw.random() < 0.05]
        customers.append({"customer_id": f"n{i:03d}", "purchases": [*bought, *back]})
    columns = ["customer_id", "ordered_at", "amount", "order_id"]
    with (tmp_path / "transactions.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(
            {"customer_id": c["customer_id"], **row} for c in customers for row in c["purchases"]
        )
    sources = {
        "transactions": {
            "path": str(tmp_path / "transactions.csv"),
            "columns": {name: name for name in columns},
        }
    }
    shop = parse(
        {"shop": "new", "timezone": ZONE, "currency": "EUR", "sources": sources, "output_dir": str(tmp_path)},
        "new",
    )
    with open_tables(shop, us("2030-01-01")) as intake:
        write_history(intake, tmp_path / "history.parquet", 100, None)
    history = HistoryFile(tmp_path / "history.parquet")
    as_of = int(history.facts["as_of"]) - 20 * DAY
    run = score_run(history, current(load(made.config).releases), tmp_path / "runs", "new", as_of, store=None)
    rows = {row["customer_id"]: plain(row) for part in run.batches() for row in part.to_pylist()}
    moment = datetime.fromtimestamp(as_of / 1e6, UTC).isoformat()
    known = [c for c in customers if c["customer_id"] in rows]
    assert len(known) > 250
    for size in (1, 100):
        for start in range(0, len(known) if size > 1 else 60, size):
            body = {"as_of": moment, "customers": known[start : start + size]}
            for score in served.client.post("/v1/score", json=body).json()["scores"]:
                assert same_bits(score, rows[score["customer_id"]])
