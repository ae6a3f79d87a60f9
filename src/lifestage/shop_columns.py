"""The published columns of a shop's own customers and their stored stages, block by block: what a dry run stages.

Nothing is written: the same columns and the same earlier stages as the next scoring run would find.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from lifestage.decision import align, condition_columns
from lifestage.history_file import HistoryFile
from lifestage.release import Release
from lifestage.schemas import PREVIOUS
from lifestage.store import open_store


@dataclass(frozen=True)
class OwnBlock:
    """One row per customer known before `as_of`."""

    columns: pa.Table
    previous: pa.Table
    """schemas.PREVIOUS of the same customers, nulls at first sight."""


def own_blocks(
    file: HistoryFile,
    release: Release,
    as_of: int,
    store: str | None,
    wanted: Collection[str],
    *,
    most: int | None = None,
    progress: Callable[[int], Any] | None = None,
) -> Iterator[OwnBlock]:
    """The columns `wanted` (and customer_id) of every customer, or of about `most`: blocks evenly spread.

    `store`: URL of the store whose stages count as the previous ones (None: first sight of everybody).
    """
    for place in _spread(file, most):
        history = file.block(place)
        if not len(history):
            continue
        ids = history.customer_id
        columns = condition_columns(history, as_of, release)
        table = pa.table(
            {name: columns[name] for name in ("customer_id", *sorted(wanted)) if name in columns}
        )
        stored = open_store(store).previous(as_of, ids[0].as_py(), ids[-1].as_py()) if store else None
        previous = align(stored, ids)
        if previous is None:
            nulls = [pa.nulls(len(ids), PREVIOUS.field(name).type) for name in ("stage", "stage_since")]
            previous = pa.table([ids, *nulls], schema=PREVIOUS)
        known = pa.array(history.known(as_of))
        if progress is not None:
            progress(len(history))
        yield OwnBlock(table.filter(known), previous.filter(known))


def _spread(file: HistoryFile, most: int | None) -> list[int]:
    """Positions of the blocks to read."""
    if most is None or file.customers <= most:
        return list(range(file.blocks))
    wanted = max(1, round(file.blocks * most / file.customers))
    return sorted({int(i) for i in np.linspace(0, file.blocks - 1, wanted).round()})


def gathered(blocks: Iterator[OwnBlock]) -> OwnBlock | None:
    """All blocks as one; None without any customer."""
    found = [block for block in blocks if len(block.columns)]
    if not found:
        return None
    return OwnBlock(
        pa.concat_tables([block.columns for block in found]).combine_chunks(),
        pa.concat_tables([block.previous for block in found]).combine_chunks(),
    )
