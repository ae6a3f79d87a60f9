"""One row per run and measure."""

from typing import Any

import pyarrow as pa

from lifestage.matured.rounds import Backtest
from lifestage.schemas import INSTANT

LONG = pa.schema(
    [
        pa.field("run", pa.string(), nullable=False),
        pa.field("as_of", INSTANT, nullable=False),
        pa.field("release", pa.string(), nullable=False),
        pa.field("part", pa.string(), nullable=False),  # customers, churn, clv, stages, ahead
        ("stage", pa.string()),  # of part stages
        pa.field("measure", pa.string(), nullable=False),
        ("value", pa.float64()),
    ]
)


def long_table(found: Backtest) -> pa.Table:
    """Every figure of every judged run; a measure that is undefined or not over yet has no row."""
    rows: list[dict[str, Any]] = []
    for one in found.rounds:
        about = {"run": one.name, "as_of": one.as_of, "release": one.terms.release}
        plain = {"customers": one.customers, "churn": one.churn, "clv": one.clv, "ahead": one.ahead}
        for part, figures in plain.items():
            rows += [
                {**about, "part": part, "stage": None, "measure": m, "value": v} for m, v in figures.items()
            ]
        for row in one.stages:
            rows += [
                {**about, "part": "stages", "stage": row["stage"], "measure": measure, "value": value}
                for measure, value in row.items()
                if measure not in ("stage", "role") and value is not None
            ]
    columns = [pa.array([row[f.name] for row in rows], _plain(f.type)).cast(f.type) for f in LONG]
    return pa.table(columns, schema=LONG)


def _plain(type_: pa.DataType) -> pa.DataType:
    return pa.int64() if type_ == INSTANT else type_
