"""The published columns of a shop's own customers and their stored stages, block by block: what a dry run stages.

Nothing is written: the same columns and the same earlier stages as the next scoring run would find.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from lifestage.decision import align, condition_columns, reads_journeys
from lifestage.history_file import HistoryFile
from lifestage.lifecycle import journey
from lifestage.lifecycle.columns import JOURNEY
from lifestage.lifecycle.policy import Policy
from lifestage.lifecycle.staging import columns_read
from lifestage.release import NO_REASONS, Release
from lifestage.schemas import PREVIOUS
from lifestage.store import open_store


@dataclass(frozen=True)
class OwnBlock:
    """One row per customer known before `as_of`."""

    columns: tuple[pa.Table, ...]
    """customer_id and what each policy reads, by policy: they may mean different things by the core behaviour."""
    previous: pa.Table
    """schemas.PREVIOUS of the same customers, nulls at first sight."""


def own_blocks(
    file: HistoryFile,
    release: Release,
    as_of: int,
    store: str | None,
    policies: Sequence[Policy],
    *,
    more: Sequence[str] = (),
    most: int | None = None,
    progress: Callable[[int], Any] | None = None,
) -> Iterator[OwnBlock]:
    """The columns that `policies` read, and `more`, of every customer, or of about `most`: blocks evenly spread.

    `store`: URL of the store whose stages count as the previous ones (None: first sight of everybody).
    """
    release = replace(release, reasons=NO_REASONS)  # of the churn probability: nobody reads them here
    for place in _spread(file, most):
        history = file.block(place)
        if not len(history):
            continue
        ids = history.customer_id
        plain = condition_columns(history, as_of, release, journeys=False)
        contact = np.asarray(plain["days_since_first_contact"].to_numpy(zero_copy_only=False), np.float64)
        view = history.before(as_of)
        known = pa.array(history.known(as_of))
        tables = []
        for policy in policies:
            columns = plain
            if reads_journeys(policy) or not JOURNEY.keys().isdisjoint(more):
                columns = {**plain, **journey.compute(view, policy.core_event, contact)}
            wanted = ("customer_id", *sorted({*columns_read(policy), *more}))
            tables.append(pa.table({n: columns[n] for n in wanted if n in columns}).filter(known))
        stored = open_store(store).previous(as_of, ids[0].as_py(), ids[-1].as_py()) if store else None
        previous = align(stored, ids)
        if previous is None:
            nulls = [pa.nulls(len(ids), PREVIOUS.field(name).type) for name in ("stage", "stage_since")]
            previous = pa.table([ids, *nulls], schema=PREVIOUS)
        if progress is not None:
            progress(len(history))
        yield OwnBlock(tuple(tables), previous.filter(known))


def own_columns(
    file: HistoryFile,
    release: Release,
    as_of: int,
    types: Mapping[str, pa.DataType],
    *,
    progress: Callable[[int], Any] | None = None,
) -> pa.Table:
    """One row per customer known before `as_of`: customer_id and the columns of `types`, null where the shop lacks
    their table; in the order of the history."""
    schema = pa.schema([("customer_id", pa.string()), *types.items()])
    blocks = own_blocks(file, release, as_of, None, (release.policy,), more=tuple(types), progress=progress)
    parts = [block.columns[0] for block in blocks]
    return (
        pa.concat_tables(
            pa.table([_column(part, field) for field in schema], schema=schema) for part in parts
        )
        if parts
        else schema.empty_table()
    )


def _column(part: pa.Table, field: pa.Field) -> pa.Array | pa.ChunkedArray:
    """The column cast to its type, nulls where there is none."""
    if field.name not in part.column_names:
        return pa.nulls(len(part), field.type)
    return part[field.name].cast(field.type)


def _spread(file: HistoryFile, most: int | None) -> list[int]:
    """Positions of the blocks to read."""
    if most is None or file.customers <= most:
        return list(range(file.blocks))
    wanted = max(1, round(file.blocks * most / file.customers))
    return sorted({int(i) for i in np.linspace(0, file.blocks - 1, wanted).round()})
