"""Texts as codes: a few by a loop, many by Arrow, none at all; always the same as one by one."""

import random

import numpy as np
import pyarrow as pa
import pytest

from lifestage import decision
from lifestage.ragged import FEW_TEXTS, encode


@pytest.mark.parametrize("rows", [0, 1, FEW_TEXTS - 1, FEW_TEXTS, FEW_TEXTS + 1, 4 * FEW_TEXTS])
@pytest.mark.parametrize("texts", [1, 5, 1_000])
@pytest.mark.parametrize("absent", [0.0, 0.3, 1.0])
def test_codes_stand_in_the_order_of_first_sight(rows: int, texts: int, absent: float) -> None:
    draw = random.Random(rows + texts)
    values = [None if draw.random() < absent else f"t{draw.randrange(texts)}" for _ in range(rows)]
    coded = encode(pa.array(values, pa.string()))
    seen: list[str] = []
    for value in values:
        if value is not None and value not in seen:
            seen.append(value)
    assert list(coded.levels) == seen
    assert coded.codes.tolist() == [-1 if value is None else seen.index(value) for value in values]
    assert str(coded.codes.dtype) == "int64"


@pytest.mark.parametrize("rows", [0, 1, decision.FEW_TEXTS, decision.FEW_TEXTS + 1])
def test_categories_of_few_and_of_many_are_their_levels(rows: int) -> None:
    levels = ("ads", "shop", "渠道")
    draw = random.Random(rows)
    wanted = [draw.choice([*levels, None]) for _ in range(rows)]
    codes = [float("nan") if text is None else float(levels.index(text)) for text in wanted]
    found = decision._texts(np.array(codes, np.float64), levels)
    assert found.equals(pa.array(wanted, pa.string()))
