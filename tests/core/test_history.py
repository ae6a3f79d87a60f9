"""The history block and its view before a cutoff: what is in, what reads as null, in whatever form it comes."""

import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifestage.errors import InputError
from lifestage.features import compute
from lifestage.history import History, complete
from lifestage.history_file import KEY, HistoryFile
from lifestage.schemas import HISTORY
from tests.builders import DAY, INSTANTS, customers, make_history, make_table, us
from tests.features.oracle import occasions


def bits(history: History, cutoff: int) -> dict[str, bytes]:
    return {name: values.tobytes() for name, values in compute(history.before(cutoff)).items()}


def known_purchases(history: History, cutoff: int) -> list[list[tuple[int, float]]]:
    view = history.before(cutoff).purchases
    bounds = zip(view.starts.tolist(), view.ends.tolist(), strict=True)
    return [list(zip(view.t[s:e].tolist(), view.amount[s:e].tolist(), strict=True)) for s, e in bounds]


def test_builder_makes_the_history_schema() -> None:
    table = make_table([{"purchases": [(1, 2.0)], "signed_up_at": 5}, {}])
    assert table.schema == HISTORY
    assert table.column("customer_id").to_pylist() == ["c00000", "c00001"]


def test_complete_adds_every_column_empty() -> None:
    table = complete(pa.table({"customer_id": ["a", "b"]}))
    assert set(table.schema.names) == set(HISTORY.names)
    history = History(table, "UTC")
    assert len(history) == 2
    assert known_purchases(history, 10**17) == [[], []]
    assert table.column("signed_up_at").null_count == 2
    assert complete(table) is table


@settings(max_examples=100, deadline=None)
@given(rows=st.lists(customers(), max_size=4), cutoff=INSTANTS)
def test_before_holds_the_occasions_known_then(rows: list[dict[str, Any]], cutoff: int) -> None:
    got = known_purchases(make_history(rows), cutoff)
    for row, mine in zip(rows, got, strict=True):
        bought = [(t, round(a * 100)) for t, a in row.get("purchases", [])]
        back = [(t, round(a * 100), order) for t, a, order in row.get("refunds", [])]
        assert [(t, round(a * 100)) for t, a in mine] == occasions(bought, back, cutoff)


@settings(max_examples=50, deadline=None)
@given(rows=st.lists(customers(), max_size=4), cutoff=INSTANTS)
def test_every_row_of_a_purchase_view_belongs_to_a_customer_and_lies_before(
    rows: list[dict[str, Any]], cutoff: int
) -> None:
    view = make_history(rows, "Asia/Kathmandu").before(cutoff).purchases
    assert int(view.counts.sum()) == len(view.t) == len(view.amount) == len(view.day) == len(view.local)
    assert (view.t < cutoff).all() and (view.amount >= 0).all()
    assert view.zone == "Asia/Kathmandu"


def test_before_leaves_ties_to_the_future() -> None:
    cutoff = us("2022-01-01")
    row = {
        "purchases": [(cutoff - 1, 1.0), (cutoff, 2.0)],
        "refunds": [(cutoff - 1, 1.0, None), (cutoff, 2.0, None)],
        "events": [(cutoff - 1, "login"), (cutoff, "login")],
        "feedback": [(cutoff - 1, "ticket", None, cutoff), (cutoff, "ticket")],
        "signed_up_at": cutoff,
    }
    view = make_history([row]).before(cutoff)
    assert [view.refunds.counts[0], view.events.counts[0], view.feedback.counts[0]] == [1, 1, 1]
    assert view.feedback.columns["resolved_at"].to_pylist()[0] is None
    assert math.isnan(view.signed_up_at[0])
    later = make_history([row]).before(cutoff + 1)
    assert later.feedback.columns["resolved_at"].cast(pa.int64()).to_pylist()[0] == cutoff
    assert later.signed_up_at[0] == cutoff


def test_known_is_any_row_or_registration_before() -> None:
    t = us("2022-01-01")
    rows: list[dict[str, Any]] = [
        {},
        {"purchases": [(t, 1.0)]},
        {"refunds": [(t, 1.0, None)]},
        {"events": [(t, "login")]},
        {"feedback": [(t, "nps", 9.0)]},
        {"signed_up_at": t},
    ]
    history = make_history(rows)
    # Who has no date at all, only attributes, was always there.
    assert history.known(t).tolist() == [True] + [False] * 5
    assert history.known(t + 1).tolist() == [True] * 6


def test_block_without_customers() -> None:
    history = make_history([])
    assert len(history) == 0
    assert history.known(0).tolist() == []
    assert all(values.shape == (0,) for values in compute(history.before(0)).values())


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(customers(), max_size=6),
    cut=st.tuples(st.integers(0, 6), st.integers(0, 6)),
    cutoff=INSTANTS,
)
def test_slices_batches_and_chunks_give_the_same_bits(
    rows: list[dict[str, Any]], cut: tuple[int, int], cutoff: int
) -> None:
    low, high = sorted(min(c, len(rows)) for c in cut)
    table = make_table(rows)
    plain = bits(make_history(rows[low:high], "America/New_York"), cutoff)
    part = table.slice(low, high - low)
    assert bits(History(part, "America/New_York"), cutoff) == plain
    batch = table.combine_chunks().to_batches()
    if batch:
        assert bits(History(batch[0].slice(low, high - low), "America/New_York"), cutoff) == plain
    chunked = pa.concat_tables([table.slice(0, low), part, table.slice(high)])
    whole = bits(make_history(rows, "America/New_York"), cutoff)
    assert bits(History(chunked, "America/New_York"), cutoff) == whole


def write(path: Path, table: pa.Table, group: int) -> HistoryFile:
    facts = b'{"timezone": "America/New_York", "as_of": 1}'
    pq.write_table(table.replace_schema_metadata({KEY: facts}), path, row_group_size=group)
    return HistoryFile(path)


def test_row_groups_read_back_give_the_same_bits(tmp_path: Path) -> None:
    start = us("2021-01-01")
    rows: list[dict[str, Any]] = [
        {
            "purchases": [(start + (i * 37 + j * 11) % 300 * DAY, float(i + j)) for j in range(i % 4)],
            "refunds": [(start + 320 * DAY, 2.5, None)] * (i % 2),
            "signed_up_at": start if i % 3 else None,
        }
        for i in range(10)
    ]
    table = make_table(rows)
    file = write(tmp_path / "h.parquet", table, 4)
    cutoff = start + 330 * DAY
    assert (file.blocks, file.customers, file.zone, file.facts["as_of"]) == (3, 10, "America/New_York", 1)
    blocks = list(file)
    assert [len(b) for b in blocks] == [4, 4, 2]
    for i, block in enumerate(blocks):
        expected = bits(make_history(rows[4 * i : 4 * i + 4], "America/New_York"), cutoff)
        assert bits(block, cutoff) == expected == bits(file.block(i), cutoff)
        assert block.zone == "America/New_York"


def test_history_file_refuses_what_is_none(tmp_path: Path) -> None:
    (tmp_path / "text.parquet").write_text("no parquet")
    pq.write_table(pa.table({"x": [1]}), tmp_path / "foreign.parquet")
    for name in ("text", "foreign", "missing"):
        with pytest.raises(
            InputError, match=rf"{name}.parquet: is no history file; make it with 'python -m training"
        ):
            _ = HistoryFile(tmp_path / f"{name}.parquet").facts


def test_conftest_make_history(make_history: Any) -> None:
    assert len(make_history([{"purchases": [(1, 1.0)]}], "UTC")) == 1
