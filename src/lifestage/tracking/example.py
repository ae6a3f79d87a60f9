"""Rows that show what a model reads: quartiles of each column, so that no row is a customer."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from lifestage.ragged import Floats

SHARES = (0.25, 0.5, 0.75)


def example(columns: Mapping[str, Floats], levels: Mapping[str, Sequence[str]] | None = None) -> pd.DataFrame:
    """Three rows: the lower, middle and upper quartile of each column; NaN where a column has no value.

    A quartile is a value that occurs (the lower of two), so that codes of categories stay codes. `levels`: text
    columns, of which the first level stands in every row.
    """
    frame = {name: _quartiles(np.asarray(values, np.float64)) for name, values in columns.items()}
    texts = {name: [known[0] if known else None] * len(SHARES) for name, known in (levels or {}).items()}
    return pd.DataFrame({**frame, **texts})


def _quartiles(values: Floats) -> Floats:
    seen = values[np.isfinite(values)]
    if not len(seen):
        return np.full(len(SHARES), np.nan)
    found: Floats = np.quantile(seen, SHARES, method="lower")
    return found
