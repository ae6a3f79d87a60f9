"""The Spark session of a shop, and work on items spread over its workers.

Workers need this library with its `train` extra, and see the same files as the driver (`output_dir` lies on a
shared folder). In local mode both are the case.
"""

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from lifestage.errors import InputError
from lifestage.settings import EngineOptions

SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.caseSensitive": "true",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.csv.parser.columnPruning.enabled": "false",  # else a short line reads as a whole one
    "spark.sql.legacy.parquet.nanosAsLong": "true",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "100000",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
}
LOCAL = {
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.sql.shuffle.partitions": "8",
}
RESULT = "item long, result binary"


@dataclass(frozen=True)
class Spark:
    """A cluster; the session is opened with the first work."""

    options: EngineOptions

    @cached_property
    def session(self) -> Any:
        """The process's Spark session. Raises InputError where pyspark or Java is missing."""
        try:
            from pyspark.sql import SparkSession
        except ImportError:
            raise InputError("engine pyspark: pyspark is not installed; install lifestage[spark]") from None
        local = self.options.master.startswith("local")
        java = Path(os.environ.get("JAVA_HOME", ""), "bin", "java")
        if not (os.environ.get("JAVA_HOME") and java.exists()) and shutil.which("java") is None:
            raise InputError("engine pyspark: no Java is found; install Java 17 or set JAVA_HOME")
        settings = {**SETTINGS, **(LOCAL if local else {}), **self.options.spark}
        if local:  # the workers are this Python with this library
            os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
            source = str(Path(__file__).parents[2])
            settings.setdefault("spark.executorEnv.PYTHONPATH", source)
        builder = SparkSession.builder.appName("lifestage").master(self.options.master)
        for name, value in settings.items():
            builder = builder.config(name, value)
        try:
            return builder.getOrCreate()
        except Exception as error:  # Py4J's and Spark's have no class in common
            said = re.search(r"(?:Exception|Error): (.+)", str(error))
            raise InputError(
                f"engine pyspark: no session at '{self.options.master}' ({said[1] if said else error}); check "
                "engine_options, and that the cluster can be reached from here"
            ) from error

    @cached_property
    def partitions(self) -> int:
        return self.options.partitions or 4 * int(self.session.sparkContext.defaultParallelism)

    def map(self, work: Callable[[Any], pa.Table], items: Sequence[Any]) -> Iterator[pa.Table]:
        """work(item) of every item on the workers; the results in the order of the items."""
        if not items:
            return
        slices = min(len(items), self.partitions)
        run = _Work(work, tuple(items))
        with spoken():
            found = self.session.range(0, len(items), 1, slices).mapInArrow(run, RESULT).toArrow()
        order = found.column("item").to_numpy().argsort(kind="stable")
        results = found.column("result")
        for i in order:
            yield pa.ipc.open_stream(results[int(i)].as_buffer()).read_all()


@dataclass(frozen=True)
class _Work:
    work: Callable[[Any], pa.Table]
    items: tuple[Any, ...]

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for item in batch.column(0).to_pylist():
                yield _row(item, self.work(self.items[item]))


def _row(item: int, result: pa.Table) -> pa.RecordBatch:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, result.schema) as writer:
        writer.write_table(result)
    content = pa.array([sink.getvalue().to_pybytes()], pa.binary())
    return pa.RecordBatch.from_arrays([pa.array([item], pa.int64()), content], ["item", "result"])


@contextmanager
def spoken() -> Iterator[None]:
    """What workers and Spark say of bad input, as InputError."""
    from pyspark.errors import AnalysisException, PythonException

    try:
        yield
    except PythonException as error:
        if said := re.findall(r"lifestage\.errors\.InputError: (.+)", str(error)):
            raise InputError(said[-1]) from None
        raise
    except AnalysisException as error:
        raise InputError(f"engine pyspark: {str(error).splitlines()[0]}") from None
