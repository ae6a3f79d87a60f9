"""Rejected rows on Spark: written by the workers, counted for the driver."""

from collections import Counter
from pathlib import Path
from typing import Any

from lifestage.engines.spark_rows import RAW_ROW, Judged, before
from lifestage.intake.checks import FILTERED, FUTURE, KEPT


def write_quarantine(
    tables: list[Judged], as_of: int | None, *, asked: bool, path: Path
) -> dict[str, dict[str, Any]]:
    """Every rejected row of every table to the folder `path`; where each table's rows went."""
    from pyspark.sql import functions as sql

    accounts = {}
    rejected = None
    for table in tables:
        accounts[table.name] = counted = _account(table, as_of, asked=asked)
        parts = []
        if any(reason != table.repeats_reason for reason in counted["rejected"]):
            bad = table.with_raw("rejected")
            parts.append(bad.filter(_inside(bad, as_of, asked=asked)).select("fate", RAW_ROW))
        if table.repeats_reason in counted["rejected"]:
            parts.append(_repeated(table, as_of).select(sql.lit(table.repeats_reason).alias("fate"), RAW_ROW))
        for part in parts:
            named = part.select(sql.lit(table.name).alias("table"), sql.col("fate").alias("reason"), RAW_ROW)
            rejected = named if rejected is None else rejected.unionByName(named)
    if path.is_file():
        path.unlink()
    if rejected is None:
        session = tables[0].rows.sparkSession
        rejected = session.createDataFrame([], "table string, reason string, row string")
    # One file, in order: sorting over several would read the source twice to find their bounds.
    ordered = rejected.repartition(1).sortWithinPartitions("table", "reason", RAW_ROW)
    ordered.write.mode("overwrite").parquet(str(path.resolve()))
    return accounts


def _inside(rows: Any, as_of: int | None, *, asked: bool) -> Any:
    """As `staging.in_scope`."""
    from pyspark.sql import functions as sql

    if as_of is None:
        return sql.lit(True)
    inside = rows["t"].isNull() | (rows["t"] < as_of)
    return inside if asked else inside | (rows["fate"] == FUTURE)


def _repeated(table: Judged, as_of: int | None) -> Any:
    return before(table.repeats.filter("rank > 1"), as_of, timeless=True)


def _account(table: Judged, as_of: int | None, *, asked: bool) -> dict[str, Any]:
    """As `quarantine.account`: rows_read = filtered + rejected_rows + out_of_scope + kept."""
    read: Counter[str] = Counter()
    inside: Counter[str] = Counter()
    flagged = table.rows.select("fate", _inside(table.rows, as_of, asked=asked).alias("inside"))
    for row in flagged.groupBy("fate", "inside").count().collect():
        read[row["fate"]] += row["count"]
        inside[row["fate"]] += row["count"] if row["inside"] or row["fate"] == FILTERED else 0
    rejected = {reason: n for reason, n in sorted(inside.items()) if reason not in (KEPT, FILTERED) and n}
    kept = inside[KEPT]
    if table.repeats is not None and (n := _repeated(table, as_of).count()):
        rejected[table.repeats_reason] = n
        kept -= n
    rows_read, filtered = sum(read.values()), read[FILTERED]
    total = sum(rejected.values())
    return {
        "source": table.origin.strip("'"),
        "rows_read": rows_read,
        "filtered": filtered,
        "rejected": rejected,
        "rejected_rows": total,
        "out_of_scope": rows_read - filtered - total - kept,
        "kept": kept,
    }
