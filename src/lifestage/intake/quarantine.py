"""Rejected rows: written with their reason, counted, and too many of them stop the run."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq

from lifestage.errors import InputError
from lifestage.intake.checks import FILTERED, KEPT, MALFORMED
from lifestage.intake.engine import Engine
from lifestage.intake.staging import Staged, fates, in_scope

QUARANTINE = pa.schema([("table", pa.string()), ("reason", pa.string()), ("row", pa.string())])
"""One row per rejected row; `row` = the raw row as a JSON object of texts."""
Screen = Callable[[str, list[str]], list[str | None]]
"""A table's name and its rejected rows -> the rows as they may be kept, None for those that may not."""


def account(engine: Engine, staged: Staged, as_of: int | None, *, asked: bool) -> dict[str, Any]:
    """Where one table's rows went: rows_read = filtered + rejected_rows + out_of_scope + kept."""
    counts = fates(engine, staged, as_of, asked=asked)
    inside = counts["inside"]
    rejected = {reason: n for reason, n in sorted(inside.items()) if reason not in (KEPT, FILTERED) and n}
    kept = inside[KEPT]
    if staged.repeats is not None:
        again = _repeated(staged, as_of)
        if n := engine.count(again):
            rejected[staged.repeats_reason] = n
            kept -= n
    rows_read, filtered = sum(counts["read"].values()), counts["read"][FILTERED]
    total = sum(rejected.values())
    return {
        "source": staged.raw.origin.strip("'"),
        "rows_read": rows_read,
        "filtered": filtered,
        "rejected": rejected,
        "rejected_rows": total,
        "out_of_scope": rows_read - filtered - total - kept,
        "kept": kept,
    }


def write_quarantine(
    engine: Engine,
    tables: Mapping[str, Staged],
    accounts: Mapping[str, dict[str, Any]],
    as_of: int | None,
    *,
    asked: bool,
    path: Path,
    screen: Screen | None = None,
) -> None:
    """Every rejected row of every table that `screen` lets pass, to one Parquet file; whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with pq.ParquetWriter(part, QUARANTINE, compression="zstd") as writer:
            for name, staged in tables.items():
                for batch in _rejects(engine, staged, accounts[name]["rejected"], as_of, asked=asked):
                    writer.write_batch(batch if screen is None else _screened(batch, name, screen))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _screened(batch: pa.RecordBatch, name: str, screen: Screen) -> pa.RecordBatch:
    row = pa.array(screen(name, batch["row"].to_pylist()), pa.string())
    kept = pa.RecordBatch.from_arrays([batch["table"], batch["reason"], row], schema=QUARANTINE)
    return kept.filter(row.is_valid())


def check_share(accounts: dict[str, dict[str, Any]], limit: float, path: Path) -> None:
    """Raises InputError where the share of rejects among the rows in scope of one table is above the limit."""
    problems = []
    for name, counts in accounts.items():
        rejected, judged = counts["rejected_rows"], counts["rejected_rows"] + counts["kept"]
        if judged and rejected / judged > limit:
            reasons = ", ".join(f"{n:,} {reason}" for reason, n in counts["rejected"].items())
            most = max(counts["rejected"], key=lambda reason: counts["rejected"][reason])
            problems.append(
                f"{name}: {rejected:,} of {judged:,} rows ({rejected / judged:.1%}) cannot be used, more than "
                f"intake.max_reject_share = {limit:.1%}: {reasons} (e.g. "
                f"{_example(path, name, most)}{_advice(most)})"
            )
    if problems:
        raise InputError(
            f"{'; '.join(problems)}. See the rows in {path.as_posix()}; correct the data, the column mapping or the "
            "filter 'where', or raise intake.max_reject_share"
        )


def _example(path: Path, table: str, reason: str, width: int = 200) -> str:
    """The first quarantined row of a reason, as far as it fits into a sentence."""
    for batch in pq.ParquetFile(path).iter_batches():
        for row in batch.to_pylist():
            if (row["table"], row["reason"]) == (table, reason):
                text = str(row["row"])
                return text if len(text) <= width else f"{text[:width]}…"
    return "none kept"


def _advice(reason: str) -> str:
    """What most often lies behind a reason, where something does."""
    if reason == MALFORMED:
        return "; is the file UTF-8, and is the source's 'delimiter' right?"
    if reason == "unparseable amount":
        return """; a decimal comma reads as replace("price", ',', '.')"""
    if reason.startswith("unparseable") and reason.endswith("_at"):
        return """; another date format reads as strptime("order date", '%d.%m.%Y %H:%M')"""
    if reason == "repeated order_id":
        return "; are the rows lines of orders? then 'grain: line' sums them"
    return ""


def _repeated(staged: Staged, as_of: int | None) -> ir.Table:
    """The rows that repeat an id and go, in scope."""
    ranked: Any = staged.repeats
    again = ranked.filter(ranked["rank"] > 0)
    return again if as_of is None else again.filter(again["t"].isnull() | (again["t"] < as_of))


def _rejects(
    engine: Engine, staged: Staged, counted: Mapping[str, int], as_of: int | None, *, asked: bool
) -> Iterator[pa.RecordBatch]:
    name = staged.table.name
    rows = staged.read
    apart = {staged.repeats_reason, *([MALFORMED] if staged.raw.malformed else [])}
    if counted.keys() - apart:
        bad = rows.filter(~rows["fate"].isin([KEPT, FILTERED]), in_scope(rows, as_of, asked=asked))
        kept = engine.keep(f"rejects_{name}", bad.select(reason=bad["fate"], row=bad["row"]))
        for batch in engine.stream(kept.order_by(["reason", "row"])):
            yield _batch(name, batch["reason"], batch["row"])
    if staged.repeats_reason in counted:
        again = _repeated(staged, as_of)
        for batch in engine.stream(again.select("row").order_by("row")):
            reasons = pa.repeat(staged.repeats_reason, batch.num_rows)
            yield _batch(name, reasons, batch["row"])
    if lines := staged.raw.malformed:
        found = [
            json.dumps({"line": line, "problem": kind}, ensure_ascii=False) for kind, line in sorted(lines)
        ]
        yield _batch(name, pa.repeat(MALFORMED, len(found)), pa.array(found))


def _batch(name: str, reason: pa.Array, row: pa.Array) -> pa.RecordBatch:
    columns = [pa.repeat(name, len(row)), reason.cast(pa.string()), row.cast(pa.string())]
    return pa.RecordBatch.from_arrays(columns, schema=QUARANTINE)
