"""The profile family: who a customer is, from the columns of the customers table.

A table of attributes has no history: a value is taken as it stands today, whatever it was at the cutoff, and
the catalogue marks such features. A text is one of the levels learnt at training; any other text, rare then or
not seen then, is the level "other"; an empty one is missing.
"""

import math
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lifestage.errors import InputError
from lifestage.features.feature import Feature
from lifestage.features.spec import ARROW, OTHER, Attribute, FeatureSpec, slugs
from lifestage.history import Before
from lifestage.localtime import DAY
from lifestage.ragged import FEW, Floats, missing

Columns = dict[str, Floats]
FAMILY = "profile"
TENURE = "profile_tenure_days"
KNOWN = {
    "acquisition_channel": ("channel that brought the customer", "获客渠道类别"),
    "acquisition_cost": ("cost of acquiring the customer", "获客成本"),
}


def describe(spec: FeatureSpec) -> list[Feature]:
    """The catalogue's entries, in the model's order; none without a profile."""
    found = []
    if spec.tenure:
        found.append(Feature(TENURE, FAMILY, "days", "time since sign-up", "注册至今天数"))
    for attribute, name in _named(spec):
        en, zh = KNOWN.get(
            attribute.name, (f"attribute '{attribute.name}' of the customer", f"客户属性“{attribute.name}”")
        )
        unit = {"text": "category", "bool": "flag", "number": "number"}[attribute.type]
        if attribute.name == "acquisition_cost":
            unit = "currency"
        levels = (*attribute.levels, OTHER) if attribute.type == "text" else None
        found.append(Feature(name, FAMILY, unit, en, zh, None, levels, as_given=True))
    return found


@lru_cache(maxsize=32)
def _named(spec: FeatureSpec) -> list[tuple[Attribute, str]]:
    names = slugs(a.name for a in spec.attributes)
    return [(a, f"profile_{names[a.name]}") for a in spec.attributes]


def compute(view: Before, spec: FeatureSpec) -> Columns:
    """One value per customer of every feature above: numbers, flags 0 / 1, places of levels; float64[n].

    A column that the block does not have is missing for everybody. Raises InputError for one of another type.
    """
    columns: Columns = {}
    if spec.tenure:
        columns[TENURE] = (view.cutoff - view.signed_up_at) / DAY
    for attribute, name in _named(spec):
        column = view.profile.get(attribute.name)
        columns[name] = missing(len(view)) if column is None else values(column, attribute)
    return columns


@lru_cache(maxsize=256)
def _numbered(levels: tuple[str, ...]) -> Mapping[str, float]:
    return {level: float(i) for i, level in enumerate(levels)}


def values(column: pa.Array, attribute: Attribute) -> Floats:
    """A profile column as a feature, float64[n], NaN = missing."""
    if pa.types.is_null(column.type):
        return missing(len(column))
    if column.type != ARROW[attribute.type]:
        raise InputError(
            f"customers: column '{attribute.name}' is of type {column.type}, but the model was trained on "
            f"{ARROW[attribute.type]}; map it as before, or train again"
        )
    if len(column) <= FEW and attribute.type != "text":
        plain = [math.nan if value is None else float(value) for value in column.to_pylist()]
        return np.array([math.nan if math.isinf(value) else value + 0.0 for value in plain], np.float64)
    if len(column) <= FEW:
        known = _numbered(attribute.levels)
        other = float(len(known))
        found = [math.nan if text is None else known.get(text, other) for text in column.to_pylist()]
        return np.array(found, np.float64)
    if attribute.type != "text":
        if attribute.type == "bool":
            column = column.cast(pa.float64())
        numbers = np.asarray(column.to_numpy(zero_copy_only=False), np.float64)
        return np.where(np.isinf(numbers), np.nan, numbers) + 0.0
    places = pc.index_in(column, value_set=pa.array(attribute.levels, pa.string())).cast(pa.float64())
    codes = np.asarray(places.to_numpy(zero_copy_only=False), np.float64)  # NaN: another text, or none
    given = column.is_valid().to_numpy(zero_copy_only=False)
    return np.where(np.isnan(codes) & given, float(len(attribute.levels)), codes)
