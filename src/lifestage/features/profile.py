"""Features of who a customer is: the shop's own attributes that are numbers or true/false.

Taken as given: a table of customers has no history of them.
"""

import numpy as np
import pyarrow as pa

from lifestage.history import Before
from lifestage.ragged import Floats
from lifestage.schemas import PROFILE

PREFIX = "attribute_"


def compute(view: Before) -> dict[str, Floats]:
    """One value per customer and attribute: `attribute_<column>`, true = 1, NaN where missing."""
    found = {}
    for name, column in view.profile.items():
        if name in PROFILE or not (pa.types.is_floating(column.type) or pa.types.is_boolean(column.type)):
            continue
        number = column.cast(pa.float64()) if pa.types.is_floating(column.type) else column.cast(pa.int8())
        found[PREFIX + name] = np.asarray(
            number.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64
        )
    return found
