"""Functions of blocks over a folder of parts, block by block elsewhere: the same as over the blocks here."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lifestage import features, samples
from lifestage.gather import concatenated, decoded, encoded
from lifestage.history_file import FACTS, HistoryFile
from lifestage.labels import Definition
from lifestage.readiness.scan import scan
from lifestage.settings import Features
from tests.builders import DAY, make_table, us

START = us("2021-01-01")
CUTOFF = START + 200 * DAY


class Elsewhere:
    """A cluster whose workers take the items backwards, and give back what travels as bytes."""

    def map(self, work: Callable[[Any], pa.Table], items: Sequence[Any]) -> Iterator[pa.Table]:
        found = {item: work(item) for item in reversed(items)}
        return (found[item] for item in items)


def rows(seed: int, n: int) -> list[dict[str, Any]]:
    r = random.Random(seed)

    def times(most: int) -> list[int]:
        return sorted(START + r.randrange(300 * 24) * DAY // 24 for _ in range(r.randrange(most)))

    return [
        {
            "purchases": [(t, r.randrange(1, 900) / 10) for t in times(6)],
            "events": [(t, r.choice("xyz"), None) for t in times(9)],
            "signed_up_at": START if i % 3 else None,
        }
        for i in range(n)
    ]


@pytest.fixture
def files(tmp_path: Path) -> tuple[HistoryFile, HistoryFile]:
    """The same customers in one file, and in a folder of three parts that another machine works on."""
    folder = tmp_path / "parts"
    folder.mkdir()
    facts = '{"timezone": "America/New_York", "as_of": 1}'
    (folder / FACTS).write_text(facts, encoding="utf-8")
    table = make_table(rows(1, 50))
    for part, (low, high) in enumerate([(0, 20), (20, 21), (21, 50)]):
        pq.write_table(table.slice(low, high - low), folder / f"part-{part:06d}.parquet", row_group_size=12)
    pq.write_table(
        table.replace_schema_metadata({b"lifestage": facts}), tmp_path / "h.parquet", row_group_size=50
    )
    return HistoryFile(tmp_path / "h.parquet"), HistoryFile(folder, Elsewhere())


def alike(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return bool(a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f"))
    if is_dataclass(a) and not isinstance(a, type):
        return type(a) is type(b) and all(alike(getattr(a, n), getattr(b, n)) for n in a.__dataclass_fields__)
    if isinstance(a, dict):
        return list(a) == list(b) and all(alike(a[key], b[key]) for key in a)
    return bool(a == b)


RULE = Definition("purchase", 60, 100)
SPEC = features.FeatureSpec(behaviour=True, event_types=("x", "z"))
FUNCTIONS: dict[str, Callable[[HistoryFile], Any]] = {
    "samples": lambda file: samples.churn_samples(file, [CUTOFF, CUTOFF + DAY], definition=RULE, spec=SPEC),
    "buyers": lambda file: samples.buyers(
        file, CUTOFF, CUTOFF + 60 * DAY, definition=RULE, earlier=(CUTOFF - 90 * DAY, CUTOFF - 30 * DAY)
    ),
    "days": lambda file: samples.shop_days(file, CUTOFF + 60 * DAY, came_before=CUTOFF),
    "drawn": lambda file: samples.drawn_buyers(file, CUTOFF, 0.5),
    "learn": lambda file: features.learn(file, CUTOFF, Features(max_event_types=2)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_blocks_worked_on_elsewhere_give_the_same(files: tuple[HistoryFile, HistoryFile], name: str) -> None:
    here, there = files
    assert (here.customers, here.blocks) == (50, 1)
    assert (there.customers, there.blocks) == (50, 6)
    mine = FUNCTIONS[name](here)
    assert alike(mine, FUNCTIONS[name](there))
    assert alike(mine, FUNCTIONS[name](HistoryFile(there.path)))


def test_a_scan_adds_up(files: tuple[HistoryFile, HistoryFile]) -> None:
    mine, other = (scan(file, [CUTOFF], RULE) for file in files)
    assert mine.burst == other.burst
    assert mine.respelt == other.respelt
    assert sorted(np.concatenate(mine.spellings)) == sorted(np.concatenate(other.spellings))
    mine.seconds = other.seconds = []
    mine.spellings = other.spellings = []  # a list a block: the files have different ones
    assert alike(mine, other)


def test_progress_hears_of_all_customers(files: tuple[HistoryFile, HistoryFile]) -> None:
    done: list[int] = []
    features.learn(files[1], CUTOFF, Features(), done.append)
    assert done == [50]


@dataclass(frozen=True)
class Thing:
    values: Any
    more: Any


def test_a_result_travels_whole() -> None:
    result = {
        7: Thing(np.array([0.1, np.nan, -0.0]), ("a", {1, 2}, [None, True, 1e300])),
        "é": Thing(np.array([True, False]), Counter({"x": 2**60})),
        "none": np.empty(0, np.int64),
    }
    back = decoded(encoded(result))
    assert back[7].values.tobytes() == result[7].values.tobytes()  # type: ignore[union-attr]
    assert alike(back, result)


def test_concatenated_joins_arrays_and_nothing_else() -> None:
    one = Thing({"a": np.array([1.0])}, ("fixed",))
    two = Thing({"a": np.array([2.0, 3.0])}, ("fixed",))
    joined = concatenated([one, two])
    assert joined.values["a"].tolist() == [1.0, 2.0, 3.0]
    assert joined.more == ("fixed",)
