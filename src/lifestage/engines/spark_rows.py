"""A table's rows on Spark, read as ours in the partitions where they lie."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import pyarrow as pa

from lifestage.intake.checks import KEPT
from lifestage.intake.partitions import RowReader

RAW_ROW = "row"


@dataclass(frozen=True)
class Judged:
    """One table's rows as ours (`rows`, with their fate, kept on the workers' disks)."""

    name: str
    origin: str
    raw: Any
    raw_schema: pa.Schema
    reader: RowReader
    rows: Any
    extra: list[str]
    repeats: Any = None
    """Rows whose id occurs more than once, with `row` and `rank`; rank 1 stays."""
    repeats_reason: str = ""

    @property
    def kept(self) -> Any:
        return self.rows.filter(self.rows["fate"] == KEPT).drop("fate")

    def with_raw(self, take: Literal["rejected", "kept"]) -> Any:
        """Rows with the raw row as text, read again from the source."""
        reader = replace(self.reader, raw=self.raw_schema, take=take)
        return mapped(self.raw, reader, reader.schema())


def disk() -> Any:
    from pyspark import StorageLevel

    return StorageLevel.DISK_ONLY


def column(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def mapped(frame: Any, function: Any, schema: pa.Schema) -> Any:
    from pyspark.sql.pandas.types import from_arrow_schema

    return frame.mapInArrow(function, from_arrow_schema(schema))


def before(rows: Any, as_of: int | None, *, timeless: bool = False) -> Any:
    if as_of is None:
        return rows
    inside = rows["t"] < as_of
    return rows.filter(inside | rows["t"].isNull() if timeless else inside)
