"""CDNOW: every purchase of the 23,570 people who first bought at an online music shop in the first quarter of
1997, up to the end of June 1998 (Fader & Hardie 2001, "Forecasting repeat sales at CDNOW", Interfaces 31).

The files lie inside the `lifetimes` package. They are read as files: importing its data-set module needs
`pkg_resources`, which newer installations lack.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.csv as pc

from lifestage.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("customer_id", "date", "number_of_cds", "dollar_value")


def _file(name: str) -> Path:
    spec = find_spec("lifetimes")
    if spec is None or spec.origin is None:
        raise InputError(
            "dataset 'cdnow' lies inside the package 'lifetimes', which is not installed; "
            "install it with: pip install 'lifestage[train]'"
        )
    path = Path(spec.origin).parent / "datasets" / name
    if not path.is_file():
        raise InputError(f"dataset 'cdnow': {path} is missing; reinstall the package 'lifetimes' (>= 0.11.3)")
    return path


def load() -> pa.Table:
    """One row per purchase, as text: customer_id, date (yyyymmdd), number_of_cds, dollar_value (US dollars)."""
    lines = _file("CDNOW_master.txt").read_text(encoding="ascii").splitlines()[1:]
    rows = [line.split() for line in lines if line.strip()]
    columns = zip(*rows, strict=True)
    return pa.table(
        {name: pa.array(column, pa.string()) for name, column in zip(COLUMNS, columns, strict=True)}
    )


def orders() -> "pd.DataFrame":
    """One row per purchase, as `lifestage.fit` takes it: customer_id (text), ordered_at (day), amount (US dollars)."""
    import pandas as pd

    raw = load()
    return pd.DataFrame(
        {
            "customer_id": raw["customer_id"].to_pylist(),
            "ordered_at": pd.to_datetime(raw["date"].to_pylist(), format="%Y%m%d"),
            "amount": [float(value) for value in raw["dollar_value"].to_pylist()],
        }
    )


def sample_summary() -> pa.Table:
    """One row per customer of the 1/10 sample: ID, frequency (x), recency (t_x) and T, in weeks up to week 39.

    The reference sample of the BG/NBD paper (Fader, Hardie & Lee 2005, Marketing Science 24).
    """
    return pc.read_csv(_file("cdnow_customers_summary.csv"))
