"""A history that a cluster made: its blocks are matched there, one by one, and every figure is the same."""

import pickle
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lifestage.history_file import FACTS, KEY, HistoryFile
from lifestage.matured import backtest

from .conftest import AS_OF, Shop, midnight_us, scores, write_release, write_run


class Elsewhere:
    """A cluster to which work travels as bytes."""

    def map(self, work: Callable[[Any], pa.Table], items: Sequence[Any]) -> Iterator[pa.Table]:
        found = {item: pickle.loads(pickle.dumps(work))(item) for item in reversed(items)}  # noqa: S301
        return (found[item] for item in items)


def test_a_clusters_history_gives_the_same(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    then = AS_OF + timedelta(days=28)
    write_release(shop.releases, "r2", then)
    write_run(shop.runs, "next", midnight_us(then), "r2", scores(shop.rows, midnight_us(then), "r2", seed=3))
    here = backtest("shop", shop.history, shop.runs, shop.releases).rounds
    folder = shop.path.with_name("parts")
    folder.mkdir()
    table = pq.read_table(shop.path)
    (folder / FACTS).write_bytes(pq.read_metadata(shop.path).metadata[KEY])
    for part, (low, high) in enumerate([(0, 150), (150, 151), (151, len(table))]):
        pq.write_table(table.slice(low, high - low), folder / f"part-{part:06d}.parquet", row_group_size=100)
    monkeypatch.chdir(shop.runs.parent)
    there = backtest(
        "shop", HistoryFile(folder, Elsewhere()), shop.runs.relative_to(shop.runs.parent), shop.releases
    ).rounds
    assert len(here) == len(there) == 2
    for a, b in zip(here, there, strict=True):
        assert (a.figures(), a.notes) == (b.figures(), b.notes)
    assert there[0].ahead["foreseen"] > 0
