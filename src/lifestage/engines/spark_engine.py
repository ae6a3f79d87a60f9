"""The steps of the intake on Spark: the same Ibis expressions as on one machine, as Spark SQL.

What is kept lies on the workers' disks; what the driver reads row by row it reads from a folder that Spark wrote,
a part at a time.
"""

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq

from lifestage.intake.engine import BATCH_ROWS, Engine

Work = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]


def column(name: str) -> str:
    """A column in Spark's SQL."""
    return "`" + name.replace("`", "``") + "`"


def mapped(frame: Any, work: Work, schema: pa.Schema) -> Any:
    """`work` on each partition's batches; `schema` is that of what it gives."""
    from pyspark.sql.pandas.types import from_arrow_schema

    return frame.mapInArrow(work, from_arrow_schema(schema))


class SparkEngine(Engine):
    """A Spark session's tables of one intake, under names of its own, until `close`."""

    def __init__(self, session: Any, spill_parent: Path) -> None:
        """`spill_parent`: a folder that all workers see."""
        self.session = session
        self._folder = spill_parent.resolve() / f".spill-{uuid.uuid4().hex}"
        self._ibis: Any = ibis.pyspark.connect(session)
        self._frames: dict[str, Any] = {}

    def __enter__(self) -> "SparkEngine":
        return self

    def __exit__(self, *_: object) -> None:
        for name, frame in self._frames.items():
            frame.unpersist()
            self.session.catalog.dropTempView(name)
        shutil.rmtree(self._folder, ignore_errors=True)

    def frame(self, table: ir.Table) -> Any:
        """A table as Spark has it."""
        return self.session.sql(self._ibis.compile(table))

    def name(self, name: str, frame: Any) -> ir.Table:
        """A frame as a table; not computed before it is read, and anew for each reader."""
        view = self._view(name)
        frame.createOrReplaceTempView(view)
        self._frames[view] = frame
        return self._ibis.table(view)

    def _view(self, name: str) -> str:
        return f"{self._folder.name[1:].replace('-', '_')}_{name}"

    def table(self, name: str) -> ir.Table:
        return self._ibis.table(self._view(name))

    def keep(self, name: str, table: ir.Table) -> ir.Table:
        from pyspark import StorageLevel

        return self.name(name, self.frame(table).persist(StorageLevel.DISK_ONLY))

    def copy(self, name: str, table: pa.Table) -> None:
        self._folder.mkdir(exist_ok=True)
        path = self._folder / f"{name}.parquet"
        pq.write_table(table, path)
        self.name(name, self.session.read.parquet(str(path)))

    def rows(self, table: ir.Table) -> list[dict[str, Any]]:
        return [row.asDict() for row in self.frame(table).collect()]

    def stream(self, table: ir.Table) -> pa.RecordBatchReader:
        folder = self._folder / uuid.uuid4().hex
        self.frame(table).write.parquet(str(folder))
        parts = sorted(folder.glob("part-*.parquet"))  # numbered in the order of the rows

        def batches() -> Iterator[pa.RecordBatch]:
            for part in parts:
                yield from pq.ParquetFile(part).iter_batches(BATCH_ROWS)

        return pa.RecordBatchReader.from_batches(table.schema().to_pyarrow(), batches())
