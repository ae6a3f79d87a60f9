"""Which rows of a block a checked condition holds for."""

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lifestage.errors import InputError
from lifestage.lifecycle import engine
from lifestage.lifecycle.conditions import first_line


def holds(sql: str, block: pa.Table, where: str) -> npt.NDArray[np.bool_]:
    """bool[n]: whether the canonical `sql` of a condition is true; missing is not true.

    Raises InputError where it fails on a value, e.g. in a cast.
    """
    try:
        answer = engine.query(f'SELECT (({sql}) IS TRUE) AS "hit" FROM {engine.BLOCK}', block)
    except duckdb.Error as error:
        raise InputError(
            f"{where}: fails for these customers: {first_line(error)}; guard it, e.g. with CASE, NULLIF or TRY_CAST"
        ) from None
    hit: npt.NDArray[np.bool_] = np.asarray(answer["hit"], bool)
    return hit
