"""The history file: whole, described, and of the schema that everything after intake reads."""

import json
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lifestage.intake import open_tables, write_history
from lifestage.localtime import midnight
from lifestage.schemas import HISTORY

ROWS = [{"cust": f"c{i}", "at": f"2021-01-{i + 1:02d} 12:00", "amount": "1"} for i in range(7)]
ZONE = "America/New_York"


def test_one_row_group_a_block_and_the_facts(build, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    path = tmp_path / "deep" / "history.parquet"
    with build.open({"transactions": ROWS}) as intake:
        write_history(intake, path, 3, lambda done, total: calls.append((done, total)))
    assert calls == [(3, 7), (6, 7), (7, 7)]
    with pq.ParquetFile(path) as file:
        assert file.num_row_groups == 3
        assert file.schema_arrow.remove_metadata().equals(HISTORY)
        table = file.read()
    assert table["customer_id"].to_pylist() == [f"c{i}" for i in range(7)]
    assert table["events"].to_pylist() == [[]] * 7
    facts = json.loads(pq.read_schema(path).metadata[b"lifestage"])
    assert facts["as_of"] == midnight(date(2021, 1, 8), ZONE)
    assert facts["observed_until"] == midnight(date(2021, 1, 7), ZONE)
    assert facts["timezone"], facts["currency"] == (ZONE, "USD")
    assert facts["report"]["purchases"] == 7
    assert len(facts["fingerprint"]) == 64
    assert [p.name for p in path.parent.iterdir()] == ["history.parquet"]


@pytest.mark.parametrize("change", [{"amount": "2"}, {"at": "2021-01-01 12:01"}, {"cust": "c00"}])
def test_the_fingerprint_sees_every_change(build, tmp_path: Path, change: dict[str, str]) -> None:
    prints = []
    for rows in (ROWS, [{**ROWS[0], **change}, *ROWS[1:]]):
        with build.open({"transactions": rows}) as intake:
            write_history(intake, tmp_path / "h.parquet", 3, None)
        prints.append(
            json.loads(pq.read_schema(tmp_path / "h.parquet").metadata[b"lifestage"])["fingerprint"]
        )
    assert prints[0] != prints[1]


def test_a_stop_half_way_leaves_the_old_file(build, tmp_path: Path) -> None:
    path = tmp_path / "there" / "history.parquet"
    path.parent.mkdir()
    path.write_text("old")

    def stop(done: int, _: int) -> None:
        if done > 3:
            raise KeyboardInterrupt

    with build.open({"transactions": ROWS}) as intake, pytest.raises(KeyboardInterrupt):
        write_history(intake, path, 3, stop)
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("configured", "as_of", "observed"),
    [
        ({}, date(2021, 1, 8), date(2021, 1, 7)),
        ({"as_of": "now"}, date(2021, 1, 6), date(2021, 1, 5)),
        ({"as_of": "2021-01-05"}, date(2021, 1, 5), date(2021, 1, 4)),
        ({"as_of": "2021-01-05", "observed_until": "2021-01-02"}, date(2021, 1, 5), date(2021, 1, 2)),
        ({"as_of": "2021-01-05", "observed_until": "2022-01-02"}, date(2021, 1, 5), date(2021, 1, 5)),
    ],
)
def test_as_of_and_observed_until(build, configured: dict[str, str], as_of: date, observed: date) -> None:
    extracted = midnight(date(2021, 1, 6), ZONE) + 3_600_000_000
    late = extracted if configured.get("as_of") == "now" else 2 * extracted
    intake = open_tables(build.shop({"transactions": ROWS}, **configured), late)
    assert intake.as_of == midnight(as_of, ZONE)
    assert intake.observed_until == midnight(observed, ZONE)
    assert intake.first_purchase == midnight(date(2021, 1, 1), ZONE) + 12 * 3_600_000_000


def test_blocks_of_any_size_are_the_same_rows(build) -> None:
    with build.open({"transactions": ROWS}) as intake:
        whole = pa.Table.from_batches(list(intake.blocks(100)))
        for size in (1, 2, 7):
            assert pa.Table.from_batches(list(intake.blocks(size))).equals(whole)
