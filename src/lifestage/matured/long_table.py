"""One row per run and measure."""

from datetime import date
from typing import Any

import pyarrow as pa

from lifestage.matured.rounds import Backtest

LONG = pa.schema(
    [
        pa.field("run", pa.string(), nullable=False),
        pa.field("as_of", pa.date32(), nullable=False),  # local day of the run
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
        about = {"run": one.name, "as_of": date.fromisoformat(one.day), "release": one.terms.release}
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
    return pa.Table.from_pylist(rows, schema=LONG)
