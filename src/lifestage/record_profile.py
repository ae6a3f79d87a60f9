"""The profile of plain records: registration, acquisition and the attributes that a model reads."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from lifestage.record_lists import instants
from lifestage.record_values import Fault, RecordError, Records, read_instants, read_numbers, text


def profile_columns(records: Records, zone: str) -> dict[str, pa.Array]:
    """One column per name of schemas.PROFILE, null where a record does not give it. Raises RecordError."""

    def fault(field: str) -> Fault:
        return lambda i, what: RecordError(records[i].get("customer_id"), (i, field), what)

    signed_up, known = read_instants(
        [r.get("signed_up_at") for r in records], zone, fault("signed_up_at"), required=False
    )
    cost, costed = read_numbers(
        [r.get("acquisition_cost") for r in records], fault("acquisition_cost"), required=False
    )
    if len(negative := np.flatnonzero(cost < 0)):
        i = int(negative[0])
        raise fault("acquisition_cost")(i, f"is {cost[i]}; expected 0 or more")
    return {
        "signed_up_at": instants(signed_up, known),
        "acquisition_channel": pa.array([text(r.get("acquisition_channel")) for r in records], pa.string()),
        "acquisition_cost": pa.array(cost, mask=~costed),
    }


def attribute_columns(records: Records, types: Mapping[str, pa.DataType]) -> dict[str, pa.Array]:
    """One column per attribute of `types`, in its type, null where a record does not give it.

    Raises RecordError.
    """
    columns: dict[str, list[Any]] = {name: [None] * len(records) for name in types}

    def fault(i: int, name: str, what: str) -> RecordError:
        return RecordError(records[i].get("customer_id"), (i, "attributes", name), what)

    for i, record in enumerate(records):
        for name, value in (record.get("attributes") or {}).items():
            if name not in types:
                close = get_close_matches(name, types, n=1, cutoff=0.5)
                hint = f"known are: {', '.join(types)}" if types else "the model reads none"
                hint = f"did you mean '{close[0]}'?" if close else hint
                raise fault(i, name, f"is no attribute that the model reads; {hint}")
            if value is None:
                continue
            if pa.types.is_boolean(types[name]) and not isinstance(value, bool):
                raise fault(i, name, f"is {value!r}; expected true or false")
            if pa.types.is_string(types[name]) and not isinstance(value, str):
                raise fault(i, name, f"is {value!r}; expected a text")
            columns[name][i] = value
    made: dict[str, pa.Array] = {}
    for name, values in columns.items():
        if pa.types.is_string(types[name]):
            made[name] = pa.array([text(value) for value in values], pa.string())
        elif pa.types.is_boolean(types[name]):
            made[name] = pa.array(values, pa.bool_())
        else:
            numbers, given = read_numbers(values, partial(_at, fault, name), required=False)
            made[name] = pa.array(numbers, mask=~given)
    return made


def _at(fault: Callable[[int, str, str], RecordError], name: str, i: int, what: str) -> RecordError:
    return fault(i, name, what)
