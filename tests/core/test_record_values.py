"""Many values are read as each is alone."""

import random

import numpy as np
import pytest

from lifestage import record_values
from lifestage.errors import InputError
from lifestage.record_values import identifier, parse_instant, read_instants, text, texts

ODD = ["2025-03-31T10Z", "2025-03-31 14:05+02", "2025-03-31T10:00:00-0530", "2025-03-31T10:00:00.5+00:00"]
NAIVE = ["2025-03-31", "2025-03-30T02:30", "2025-10-26 02:30:00.25", "2025-03-31T10"]
SLOW = ["20250331T100000Z", "2025-03-31T10:00:00.1234567Z", "2025-03-31T10:00:00,5Z", "2025-W14-1T10:00Z"]


def fault(row: int, what: str) -> InputError:
    return InputError(f"{row}: {what}")


@pytest.mark.parametrize(
    "pool", [ODD, NAIVE, [*ODD, *NAIVE], [*ODD, *SLOW]], ids=["zoned", "naive", "mixed", "odd"]
)
def test_many_instants_equal_each_alone(pool: list[str]) -> None:
    draw = random.Random(1)
    values = [draw.choice([*pool, None]) for _ in range(2 * record_values.FEW)]
    found, given = read_instants(values, "Europe/Rome", fault, required=False)
    assert given.tolist() == [value is not None for value in values]
    alone = [0 if value is None else parse_instant(value, "Europe/Rome") for value in values]
    assert found.tolist() == alone


def test_a_year_that_only_the_fast_parser_knows_is_no_time() -> None:
    values = ["2025-03-31T10Z"] * 300 + ["0000-01-01T00:00Z"]
    with pytest.raises(InputError, match="300: is '0000-01-01T00:00Z', no time"):
        read_instants(values, "UTC", fault, required=True)
    with pytest.raises(InputError, match="299: is '1900-01-01T00:00Z'; expected a time from 1950"):
        read_instants(["2025-03-31T10Z"] * 299 + ["1900-01-01T00:00Z"], "UTC", fault, required=True)


@pytest.mark.parametrize(
    "values",
    [
        ["a", "b", None, "a"],
        ["a ", "b"],
        ["", "a"],
        ["17.0", "17", "a\u3000"],
        ["New York", "b"],
        ["a\nb", "c"],
        ["a", "\n"],
        ["17.05", "17.0"],
        [1, True, 1.0, "1"],
        [None],
        [],
    ],
)
@pytest.mark.parametrize("read", [text, identifier])
def test_many_texts_equal_each_alone(values: list[object], read: object) -> None:
    assert callable(read)
    assert texts(values, read) == [read(value) for value in values]


def test_numbers_of_one_type_are_checked_too() -> None:
    with pytest.raises(InputError, match="1: is inf; expected a finite number"):
        record_values.read_numbers([1.0, np.inf], fault, required=True)
