"""Rows of forgotten people, left out before anything else is done with them: as though the sources had none.

Whoever an alias ties to a forgotten person is that person, under however many new ids.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import compress
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from lifestage.errors import InputError
from lifestage.intake.engine import DuckDB, Engine
from lifestage.intake.identities import resolve
from lifestage.intake.staging import Staged, stage
from lifestage.privacy import Privacy
from lifestage.schemas import CANONICAL
from lifestage.settings import Shop

LEFT = "forgotten_ids"


def leave_out(
    engine: Engine, staged: dict[str, Staged], privacy: Privacy
) -> tuple[dict[str, Staged], dict[str, int]]:
    """The tables without the forgotten, and how many rows of how many customers that left out (empty for none)."""
    if not privacy.forgotten:
        return staged, {}
    every = [
        table.rows.select(customer_id=column).distinct()
        for name, table in staged.items()
        for column in (("customer_id", "alias") if name == "identities" else ("customer_id",))
    ]
    ids = every[0] if len(every) == 1 else ibis.union(*every, distinct=True)
    found: set[str] = set()
    for names in _texts(engine.stream(ids)):
        found.update(compress(names, privacy.are_forgotten(names)))
    if not found:
        return staged, {}
    people = {name: {name} for name in found}
    if "identities" in staged:
        people = persons(_pairs(engine, staged["identities"]), found)
    gone = sorted(set().union(*people.values()))
    engine.copy(LEFT, pa.table({"forgotten_id": pa.array(gone, pa.string())}))
    kept, left = dict(staged), 0
    for name, table in staged.items():
        columns = ["customer_id", *(["alias"] if name == "identities" else [])]
        rows = engine.keep(f"present_{name}", _without(engine, table.rows, columns))
        if n := engine.count(table.rows) - engine.count(rows):
            kept[name] = replace(table, rows=rows, read=_without(engine, table.read, columns))
            left += n
    return kept, {"customers": len(people), "rows": left}


def persons(pairs: pa.Table, ids: Iterable[str]) -> dict[str, set[str]]:
    """All ids of each person who is known under one of `ids`, by one of them; `pairs` = alias, customer_id."""
    merged = resolve(pairs["alias"].combine_chunks(), pairs["customer_id"].combine_chunks())
    named = dict(zip(merged.ids.to_pylist(), merged.canonical.to_pylist(), strict=True))
    found: dict[str, set[str]] = {}
    for name in ids:
        found.setdefault(named.get(name, name), set()).update((name, named.get(name, name)))
    for name, canonical in named.items():
        if canonical in found:
            found[canonical].add(name)
    return found


def known_as(shop: Shop, ids: Iterable[str], extracted_at: int) -> list[set[str]]:
    """All ids of each person known under one of `ids`, as the shop's table of identities has them now.

    Raises InputError.
    """
    ids = set(ids)
    source = shop.sources.given.get("identities")
    if source is None:
        return [{name} for name in ids]
    if source.table is not None and "://" not in shop.engine:
        raise InputError(
            f"sources.identities.table: '{source.table}' lies on a cluster, which is not read here; name all ids of "
            "the person, and add --without-aliases"
        )
    with DuckDB(
        shop.timezone, shop.output, warehouse=shop.engine if "://" in shop.engine else None
    ) as engine:
        pairs = _pairs(engine, stage(engine, CANONICAL["identities"], source, extracted_at))
        return list(persons(pairs, ids).values())


def _pairs(engine: Engine, identities: Staged) -> pa.Table:
    kept = identities.kept.select("alias", "customer_id").distinct()
    return pa.Table.from_batches(list(engine.stream(kept)), schema=kept.schema().to_pyarrow())


def _without(engine: Engine, rows: ir.Table, columns: list[str]) -> ir.Table:
    for column in columns:
        name = f"forgotten_{column}"
        left: Any = engine.table(LEFT).select(**{name: "forgotten_id"})
        rows = rows.anti_join(left, rows[column] == left[name])
    return rows


def _texts(reader: pa.RecordBatchReader) -> Iterator[list[str]]:
    for batch in reader:
        yield batch.column(0).drop_null().to_pylist()
