"""Rejected rows are counted, kept as evidence, and too many of them stop the run."""

import json
from pathlib import Path

import pytest

from lifestage.errors import InputError
from lifestage.history import History

GOOD = {"cust": "a", "at": "2021-01-01 10:00", "amount": "1", "oid": "1"}


def test_the_raw_row_is_kept_as_evidence(build, quarantined) -> None:
    bad = {"cust": "b", "at": "soon", "amount": "1", "oid": "2"}
    intake = build.open({"transactions": [GOOD, bad]})
    assert [(t, why, json.loads(row)) for t, why, row in quarantined(intake)] == [
        ("transactions", "unparseable ordered_at", bad)
    ]


def test_too_many_rejects_stop_the_run_with_counts_and_the_file(build, tmp_path: Path, quarantined) -> None:
    rows = [GOOD, {**GOOD, "oid": "2", "amount": "inf"}, {**GOOD, "oid": "3", "at": "soon"}]
    with pytest.raises(
        InputError,
        match=r"transactions: 2 of 3 rows \(66\.7%\) cannot be used, more than intake\.max_reject_share = 50\.0%: "
        r"1 amount not finite, 1 unparseable ordered_at \(e\.g\. \{.*inf.*\}\)\. See the rows in "
        r".*out/quarantine\.parquet; correct",
    ):
        build.open({"transactions": rows}, intake={"max_reject_share": 0.5})
    assert len(quarantined(tmp_path / "out" / "quarantine.parquet")) == 2
    assert build.open({"transactions": rows}, intake={"max_reject_share": 0.7}).report["purchases"] == 1


def test_all_rows_rejected(build) -> None:
    with pytest.raises(InputError, match=r"1 of 1 rows .*1 missing customer_id"):
        build.open({"transactions": [{**GOOD, "cust": " "}]}, intake={"max_reject_share": 0.05})
    with pytest.raises(InputError, match=r"holds no usable purchase; check the file"):
        build.open({"transactions": [{**GOOD, "amount": "-1"}]})
    with pytest.raises(InputError, match=r"no usable purchase before 2020-12-31 19:00 America/New_York"):
        build.open({"transactions": [GOOD]}, as_of=1_609_459_200_000_000)


def test_filtered_rows_are_no_rejects(build) -> None:
    columns = {"customer_id": "cust", "ordered_at": "at", "amount": "amount"}
    where = "cust IS NOT NULL AND cust <> 0"
    numbered = build.write("n", [{**GOOD, "cust": "5"}, {**GOOD, "cust": "0", "at": "soon"}])
    intake = build.open({"transactions": {"path": numbered, "columns": columns, "where": where}})
    table = intake.report["tables"]["transactions"]
    assert (table["rows_read"], table["filtered"], table["rejected_rows"], table["kept"]) == (2, 1, 0, 1)


def test_a_repeated_order_id_keeps_the_earliest_and_a_refund_may_carry_it(build, read, quarantined) -> None:
    rows = [
        {**GOOD, "at": "2021-01-02", "amount": "5"},
        GOOD,
        {**GOOD, "amount": "0.5", "at": "2021-01-01 10:00"},
        {**GOOD, "at": "2021-01-03", "amount": "-1"},
        {**GOOD, "at": "2021-01-04", "amount": "-2"},
        {**GOOD, "at": "2021-01-04", "amount": "7", "oid": ""},
        {**GOOD, "at": "2021-01-04", "amount": "8", "oid": ""},
    ]
    intake = build.open({"transactions": rows})
    a = read(intake)["a"]
    assert [p["amount"] for p in a["purchases"]] == [0.5, 7, 8]
    assert [(r["amount"], r["order_at"]) for r in a["refunds"]] == [
        (1, a["purchases"][0]["t"]),
        (2, a["purchases"][0]["t"]),
    ]
    assert sorted(json.loads(row)["amount"] for _, _, row in quarantined(intake)) == ["1", "5"]


def test_sentinel_dates_and_absurd_amounts(build) -> None:
    rows = [GOOD, {**GOOD, "at": "1900-01-01", "oid": "2"}, {**GOOD, "amount": "1e16", "oid": "3"}]
    rejected = build.open({"transactions": rows}).report["tables"]["transactions"]["rejected"]
    assert rejected == {"ordered_at before 1950": 1, "amount beyond 1e+15": 1}


def test_a_time_after_the_extraction_is_a_reject_unless_an_earlier_as_of_was_asked_for(build) -> None:
    rows = [GOOD, {**GOOD, "at": "2021-03-01", "oid": "2"}]
    extracted_at = 1_612_137_600_000_000  # 2021-02-01
    table = build.open({"transactions": rows}, extracted_at=extracted_at).report["tables"]["transactions"]
    assert table["rejected"] == {"time after the extraction": 1}
    asked = build.open({"transactions": rows}, extracted_at=extracted_at, as_of=extracted_at)
    assert asked.report["tables"]["transactions"]["out_of_scope"] == 1
    assert asked.report["tables"]["transactions"]["rejected"] == {}


def test_an_order_taken_back_in_full_on_its_day_is_a_refunded_one(build) -> None:
    """Not a free order: it is no purchase occasion, and it counts as a refund; a discount line stays inside."""
    lines = [
        {"cust": "a", "at": "2021-01-01 10:00", "amount": "20", "oid": "1"},
        {"cust": "a", "at": "2021-01-01 15:00", "amount": "-20", "oid": "1"},
        {"cust": "a", "at": "2021-01-02 10:00", "amount": "30", "oid": "2"},
        {"cust": "a", "at": "2021-01-02 10:00", "amount": "-5", "oid": "2"},
    ]
    source = {"path": build.write("lines", lines), "grain": "line"}
    intake = build.open({"transactions": source})
    (block,) = intake.blocks(10)
    (customer,) = block.to_pylist()
    assert [p["amount"] for p in customer["purchases"]] == [20.0, 25.0]
    (refund,) = customer["refunds"]
    assert (refund["amount"], refund["order_at"]) == (20.0, customer["purchases"][0]["t"])
    known = History(block, "UTC").before(intake.as_of).purchases
    assert known.amount.tolist() == [25.0]
