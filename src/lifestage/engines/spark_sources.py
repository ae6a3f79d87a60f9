"""Where a raw table lies, opened as a Spark DataFrame: files that every worker sees, tables, packaged data sets."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lifestage.engines.spark_engine import column
from lifestage.errors import InputError
from lifestage.intake.partitions import MALFORMED_LINE
from lifestage.intake.sources import DATASETS, files_of, layouts
from lifestage.settings import Source


def open_frame(session: Any, name: str, source: Source) -> tuple[Any, str]:
    """The raw table of a canonical table `name`, and what to call it in errors. Raises InputError."""
    if source.dataset is not None:
        return session.createDataFrame(DATASETS[source.dataset]()), f"dataset {source.dataset}"
    if source.table is not None:
        return session.table(source.table), f"table {source.table}"
    path = str(source.path)
    if "://" in path and path.rstrip("/*").lower().endswith(".parquet"):  # Spark's own file systems
        return session.read.option("mergeSchema", "true").parquet(path), f"'{path}'"
    files, kind = files_of(name, path)
    return _parquet(session, files) if kind == "parquet" else _csv(session, files, source), f"'{path}'"


def _parquet(session: Any, files: list[Path]) -> Any:
    from pyspark.sql import functions as sql

    fields: dict[str, pa.DataType] = {}
    for file in files:
        try:
            fields |= {field.name: field.type for field in pq.read_schema(file)}
        except (OSError, pa.ArrowException) as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"'{file}' is not a readable Parquet file ({reason}); export it again") from None
    frame = session.read.option("mergeSchema", "true").parquet(*(str(file.resolve()) for file in files))
    for name, kind in fields.items():
        if pa.types.is_timestamp(kind) and kind.unit == "ns":  # Spark reads them as numbers
            micros = sql.timestamp_micros(sql.expr(f"{column(name)} div 1000"))
            frame = frame.withColumn(name, micros if kind.tz else micros.cast("timestamp_ntz"))
    return frame


def _csv(session: Any, files: list[Path], source: Source) -> Any:
    """All columns as text. Files of one glob may name their columns in different orders."""
    from pyspark.sql import functions as sql
    from pyspark.sql.types import StringType, StructField, StructType

    frames = []
    for names, group in layouts(files, source.delimiter).items():
        columns = [StructField(name, StringType()) for name in (*names, MALFORMED_LINE)]
        frame = session.read.csv(
            [str(file.resolve()) for file in group],
            schema=StructType(columns),
            sep=source.delimiter,
            quote='"',
            escape='"',
            header=True,
            multiLine=True,
            mode="PERMISSIVE",
            columnNameOfCorruptRecord=MALFORMED_LINE,
            enforceSchema=True,
            maxCharsPerColumn=-1,
        )
        filled = [sql.nullif(sql.col(column(name)), sql.lit("")).alias(name) for name in names]
        frames.append(frame.select(*filled, MALFORMED_LINE))
    frame = frames[0]
    for other in frames[1:]:
        frame = frame.unionByName(other, allowMissingColumns=True)
    return frame
