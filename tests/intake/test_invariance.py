"""What must not change the history: later rows, the order of rows, how they are cut into files, the format."""

import random
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lifestage.intake import open_tables, write_history
from lifestage.localtime import midnight

CUT = midnight(date(2021, 2, 1), "America/New_York")


def tables(seed: int) -> dict[str, list[dict[str, str]]]:
    r = random.Random(seed)

    def at() -> str:
        return f"2021-0{r.choice('123')}-{r.randrange(1, 29):02d} {r.randrange(24):02d}:00:00"

    def who() -> str:
        return f"c{r.randrange(30)}"

    return {
        "transactions": [
            {
                "cust": who(),
                "at": at(),
                "amount": str(r.randrange(-300, 900) / 100),
                "oid": f"o{r.randrange(250)}",
            }
            for _ in range(400)
        ],
        "events": [
            {"cust": who(), "at": at(), "what": r.choice("ab"), "sess": r.choice("xyz")} for _ in range(300)
        ],
        "feedback": [
            {"cust": who(), "at": at(), "kind": "nps", "score": str(r.randrange(11)), "done": at()}
            for _ in range(90)
        ],
        "customers": [{"cust": f"c{i}", "at": at(), "cost": "", "city": r.choice("pq")} for i in range(40)],
    }


def blocks(intake: Any, size: int = 7) -> pa.Table:
    return pa.Table.from_batches(list(intake.blocks(size)))


@pytest.mark.parametrize("grain", ["order", "line"])
def test_rows_at_or_after_the_as_of_make_no_difference(build, grain: str) -> None:
    everything = tables(1)
    earlier = {name: [row for row in rows if row["at"] < "2021-02-01"] for name, rows in everything.items()}

    def run(given: dict[str, Any], as_of: int | None) -> Any:
        shop = build.shop(given)
        source = shop.sources.transactions.model_copy(update={"grain": grain})
        sources = shop.sources.model_copy(update={"transactions": source})
        return open_tables(shop.model_copy(update={"sources": sources}), 2 * CUT, as_of)

    full, cut = run(everything, CUT), run(earlier, CUT)
    assert blocks(full).equals(blocks(cut))
    assert (full.observed_until, full.first_purchase) == (cut.observed_until, cut.first_purchase)
    for name in everything:
        mine, other = full.report["tables"][name], cut.report["tables"][name]
        assert mine["rejected"] == other["rejected"]
        assert mine["kept"] == other["kept"]
        assert mine["out_of_scope"] > other["out_of_scope"] == 0
    assert blocks(full).num_rows < blocks(run(everything, None)).num_rows  # the rest was not yet known


def test_row_order_files_and_format_make_no_difference(build, tmp_path) -> None:
    given = tables(2)
    first = build.open(given)
    write_history(first, tmp_path / "a.parquet", 7, None)
    r = random.Random(3)
    for grain in ("csv", "parquet"):
        split: dict[str, Any] = {}
        for name, rows in given.items():
            shuffled = r.sample(rows, len(rows))
            build.write(f"{grain}-{name}-1", shuffled[:11], grain)
            build.write(f"{grain}-{name}-2", shuffled[11:], grain)
            split[name] = {"path": (tmp_path / f"{grain}-{name}-*").as_posix()}
            if name == "customers":
                split[name]["columns"] = {
                    "customer_id": "cust",
                    "signed_up_at": "at",
                    "acquisition_cost": "cost",
                    "city": "city",
                }
        second = build.open(split)
        assert blocks(second).equals(blocks(first))
        assert (
            second.report["tables"]["transactions"]["rejected"]
            == first.report["tables"]["transactions"]["rejected"]
        )
        write_history(second, tmp_path / "b.parquet", 1000, None)
        facts = [pq.read_schema(tmp_path / f"{n}.parquet").metadata[b"lifestage"] for n in "ab"]
        prints = [f.split(b'"fingerprint": ')[1] for f in facts]
        assert prints[0] == prints[1]


def test_the_sum_of_an_order_does_not_hang_on_the_order_of_its_lines(build, read) -> None:
    lines = [
        {"cust": "a", "at": "2021-01-01", "amount": v, "oid": "1"}
        for v in ("0.1", "0.2", "0.3", "1e9", "-1e9")
    ]
    for seed in range(4):
        path = build.write("l", random.Random(seed).sample(lines, 5))
        got = read(build.open({"transactions": {"path": path, "grain": "line"}}))
        assert got["a"]["purchases"][0]["amount"] == 0.6


def test_a_day_later_the_same_order_is_another_one(build, read) -> None:
    rows = [
        {"cust": "a", "at": "2021-01-01 23:00", "amount": "10", "oid": "1"},
        {"cust": "a", "at": "2021-01-01 23:30", "amount": "-4", "oid": "1"},
        {"cust": "a", "at": "2021-01-02 00:00", "amount": "-5", "oid": "1"},
        {"cust": "b", "at": "2021-01-03 23:00", "amount": "3", "oid": "1"},
    ]
    got = read(build.open({"transactions": {"path": build.write("l", rows), "grain": "line"}}))
    first = got["a"]["purchases"][0]
    assert [p["amount"] for p in got["a"]["purchases"]] == [6.0]
    assert [(r["amount"], r["order_at"]) for r in got["a"]["refunds"]] == [(5.0, first["t"])]
    assert got["b"]["purchases"][0]["amount"] == 3.0
    assert got["b"]["refunds"] == []


def test_who_is_known(build, read) -> None:
    given = {
        "transactions": [{"cust": "buyer", "at": "2021-01-15", "amount": "1"}],
        "customers": [
            {"cust": "early", "at": "2021-01-31", "cost": "", "city": ""},
            {"cust": "undated", "at": "", "cost": "", "city": ""},
            {"cust": "late", "at": "2021-02-01", "cost": "", "city": ""},
            {"cust": "buyer", "at": "2021-02-01", "cost": "", "city": "Rome"},
        ],
        "events": [{"cust": "visitor", "at": "2021-01-31", "what": "view", "sess": ""}],
        "feedback": [
            {"cust": "caller", "at": "2021-01-31", "kind": "Ticket", "score": "", "done": "2021-02-01"}
        ],
    }
    got = read(build.open(given, as_of=CUT))
    assert list(got) == ["buyer", "caller", "early", "undated", "visitor"]
    assert got["buyer"]["signed_up_at"] is None
    assert got["buyer"]["city"] is None  # a row of the future tells nothing
    assert got["caller"]["feedback"][0]["kind"] == "ticket"
    assert got["caller"]["feedback"][0]["resolved_at"] is None
