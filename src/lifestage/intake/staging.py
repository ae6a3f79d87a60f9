"""One table from its file to canonical rows with a fate, computed once."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import ibis
import ibis.expr.types as ir

from lifestage.errors import InputError
from lifestage.intake.checks import FILTERED, FUTURE, KEPT, MALFORMED, instant_column, with_fate
from lifestage.intake.engine import DuckDB, Engine
from lifestage.intake.mapping import attributes, read_as_ours
from lifestage.intake.sources import Raw, open_source
from lifestage.intake.warehouse import open_table
from lifestage.schemas import INSTANT, Table
from lifestage.settings import Source

NEEDED: dict[str, tuple[str, ...]] = {
    "transactions": ("amount", "order_id", "category", "channel", "discount"),
    "events": ("event_type", "session_id"),
    "feedback": ("kind", "score", "resolved_at"),
    "customers": ("acquisition_channel", "acquisition_cost"),
    "identities": ("alias",),
    "subscriptions": ("ended_at", "plan", "monthly_price"),
    "labels": ("churned",),
}
"""What the history takes of each table, besides customer_id and its instant `t`."""


@dataclass(frozen=True)
class Staged:
    """A table's rows: `rows` hold customer_id, t and what is needed, of every fate; `read` still has the raw row."""

    table: Table
    raw: Raw
    rows: ir.Table
    read: ir.Table
    extra: list[str]
    repeats: ir.Table | None = None
    """Kept rows whose id occurs more than once, ranked (with `row`, the raw one); rank 0 stays."""
    repeats_reason: str = ""

    @property
    def kept(self) -> ir.Table:
        return self.rows.filter(self.rows["fate"] == KEPT).drop("fate")


def stage(engine: DuckDB, table: Table, source: Source, extracted_at: int) -> Staged:
    """Open, read and judge one table. Raises InputError."""
    if source.table is None:
        raw = open_source(engine, table.name, source)
    else:
        raw = open_table(engine, table, source)
    ours, extra = judged(engine, table, source, raw, extracted_at)
    try:
        rows = engine.keep(f"rows_{table.name}", ours.drop("row"))
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{table.name}: {raw.origin} cannot be read to its end: {reason}") from None
    return filled(engine, Staged(table, raw, rows, ours, extra))


def filled(engine: Engine, staged: Staged) -> Staged:
    """The same. Raises InputError where no row was read."""
    if not sum(fates(engine, staged, None, asked=False)["read"].values()):
        raise InputError(
            f"{staged.table.name}: {staged.raw.origin} has no rows; give a file with data, or remove the table"
        )
    return staged


def judged(
    engine: DuckDB, table: Table, source: Source, raw: Raw, extracted_at: int
) -> tuple[ir.Table, list[str]]:
    """One row per raw row, lazily: customer_id, t, what is needed, `fate` and the raw `row`; further attributes.

    Each row is read by itself: parts of a table may be read in different places.
    """
    extra = attributes(table, source) if table.name == "customers" else []
    read = read_as_ours(engine, table, source, raw)
    read = with_fate(read, table, extracted_at=extracted_at, lines=source.grain == "line")
    instant = instant_column(table, read)
    columns: dict[str, Any] = {"t": read[instant] if instant else ibis.null("int64")}
    for name in NEEDED[table.name]:
        kind = "int64" if table[name].type == INSTANT else str(table[name].type).replace("double", "float64")
        columns[name] = read[name] if name in read.columns else ibis.null(kind)
    if table.name == "feedback":
        columns["kind"] = read["kind"].lower()
    if "local_day" in read.columns:
        columns["local_day"] = read["local_day"]
    return read.select("customer_id", *extra, "fate", "row", **columns), extra


def find_repeats(
    engine: Engine,
    staged: Staged,
    among: Callable[[ir.Table], ir.Table],
    key: str,
    order: list[str],
) -> Staged:
    """The same table with its repeated ids found; `among` gives the rows whose id must be its own.

    Of those with one id the least in `order` stays (empty values last).
    """
    rows = among(staged.rows)
    repeated = engine.keep(f"twice_{staged.table.name}", rows.group_by(key).having(rows.count() > 1).agg())
    if not engine.count(repeated):
        return staged
    again = among(staged.read).semi_join(repeated, key)
    keys = [again[column].asc(nulls_first=False) for column in (*order, "row")]
    ranked = again.mutate(rank=ibis.row_number().over(group_by=key, order_by=keys))
    return replace(
        staged, repeats=engine.keep(f"repeats_{staged.table.name}", ranked), repeats_reason=f"repeated {key}"
    )


def without_repeats(staged: Staged, kept: ir.Table, key: str) -> ir.Table:
    """Kept rows, of repeated ids only the one to keep."""
    if staged.repeats is None:
        return kept
    ranked = staged.repeats
    stays = ranked.filter(ranked["rank"] == 0).select(*kept.columns)
    return kept.anti_join(ranked.select(key).distinct(), key).union(stays)


def in_scope(rows: ir.Table, as_of: int | None, *, asked: bool) -> ir.BooleanValue:
    """Rows before the as_of or of unknown time.

    A time after the extraction is a reject wherever the as_of came from the data or the clock; where it was
    asked for, such a row is later than it, and no later row may make a difference.
    """
    if as_of is None:
        return ibis.literal(True)
    inside = rows["t"].isnull() | (rows["t"] < as_of)
    return inside if asked else inside | (rows["fate"] == FUTURE)


def fates(engine: Engine, staged: Staged, as_of: int | None, *, asked: bool) -> dict[str, Counter[str]]:
    """How many rows of each fate were read, and how many of them are in scope."""
    rows = staged.rows.mutate(inside=in_scope(staged.rows, as_of, asked=asked))
    read: Counter[str] = Counter()
    inside: Counter[str] = Counter()
    for row in engine.rows(rows.group_by(["fate", "inside"]).agg(n=rows.count())):
        read[row["fate"]] += row["n"]
        inside[row["fate"]] += row["n"] if row["inside"] or row["fate"] == FILTERED else 0
    if staged.raw.filtered:
        read[FILTERED] += staged.raw.filtered
        inside[FILTERED] += staged.raw.filtered
    if staged.raw.malformed:
        read[MALFORMED] = inside[MALFORMED] = len(staged.raw.malformed)
    return {"read": read, "inside": inside}
