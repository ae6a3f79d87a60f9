"""Parquet parts of runs, as scoring writes them."""

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq

from lifestage.lifecycle.alerts import Alert
from lifestage.schemas import INSTANT, SCORE
from lifestage.store import Store

MONTHS = [int(datetime(2025, m, 1, tzinfo=UTC).timestamp()) * 1_000_000 for m in range(1, 7)]


def part(path: Path, as_of: int, stages: dict[str, str | None], **columns: object) -> Path:
    """Parquet file of one score row per customer; `columns` gives further columns, one value for all."""
    rows = len(stages)
    values: dict[str, pa.Array] = {f.name: pa.nulls(rows, f.type) for f in SCORE}
    values["customer_id"] = pa.array(stages, pa.string())
    values["as_of"] = values["stage_since"] = pa.array([as_of] * rows, INSTANT)
    values["eligible"] = pa.array([True] * rows)
    values["stage"] = pa.array(stages.values(), pa.string())
    values["release"] = pa.array(["r1"] * rows)
    for name, value in columns.items():
        values[name] = pa.array([value] * rows, SCORE.field(name).type)
    pq.write_table(pa.table(values, schema=SCORE), path)
    return path


def wide(path: Path, as_of: int, rows: int, value: float) -> Path:
    return part(path, as_of, {f"C{i:07d}": f"stage{i % 3}" for i in range(rows)}, clv=value)


def publish(
    store: Store,
    as_of: int,
    stages: dict[str, str | None],
    current: bool = True,
    alerts: tuple[Alert, ...] = (),
    **columns: object,
) -> None:
    with TemporaryDirectory() as folder:
        file = part(Path(folder) / "part.parquet", as_of, stages, **columns)
        store.publish(f"run-{as_of}", as_of, [file], current=current, alerts=alerts)
