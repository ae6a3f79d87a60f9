"""Reference distributions of a release: they turn a value into a percentile, one customer online like a batch."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lifestage.ragged import Floats

MAX_POINTS = 100_000
"""A larger distribution is kept as so many evenly spaced order statistics."""

ELIGIBLE = ("churn_probability",)
BUYERS = ("clv", "days_since_last_order", "order_count", "spend_total")


@dataclass(frozen=True)
class References:
    """Sorted finite values of each column at the release's training date."""

    values: Mapping[str, Floats]

    def percentile(self, name: str, x: Floats) -> Floats:
        """Mid-rank of each x in the reference, in [0, 1], float64[n]; NaN for NaN or an empty reference."""
        reference = self.values[name]
        if len(reference) == 0:
            return np.full(len(x), np.nan)
        low = np.searchsorted(reference, x, side="left")
        high = np.searchsorted(reference, x, side="right")
        return np.where(np.isnan(x), np.nan, (low + high) / (2 * len(reference)))

    def to_bytes(self) -> bytes:
        """Parquet, one row per reference column."""
        table = pa.table(
            {"name": list(self.values), "values": [self.values[name] for name in self.values]},
            schema=pa.schema([("name", pa.string()), ("values", pa.list_(pa.float64()))]),
        )
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        return bytes(sink.getvalue())


def collect(columns: Mapping[str, Floats]) -> References:
    """References of raw columns: NaN dropped, sorted, thinned to MAX_POINTS order statistics."""
    values = {}
    for name, column in columns.items():
        kept = np.sort(column[np.isfinite(column)])
        if len(kept) > MAX_POINTS:
            kept = kept[np.linspace(0, len(kept) - 1, MAX_POINTS).round().astype(np.int64)]
        values[name] = kept
    return References(values)


def from_bytes(content: bytes) -> References:
    """Inverse of `to_bytes`."""
    rows = pq.read_table(pa.BufferReader(content)).to_pydict()
    return References({n: np.array(v, np.float64) for n, v in zip(rows["name"], rows["values"], strict=True)})
