"""Arrow columns as JSON values: the same text of an instant whichever way it is written."""

import random
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from lifestage.localtime import instant_text
from lifestage.schemas import INSTANT
from serving.rows import FEW, rows, to_json


@pytest.mark.parametrize("n", [1, FEW, FEW + 1, 500])
def test_instants_are_iso_text_in_utc(n: int) -> None:
    draw = random.Random(n)
    whole = [draw.randrange(-(10**15), 4 * 10**15) for _ in range(n)]
    instants = [t - t % draw.choice([1, 1_000, 1_000_000, 86_400_000_000]) for t in whole]
    found = rows(pa.table({"t": pa.array([*instants, None], pa.int64()).cast(INSTANT)}))
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    expected = [(epoch + timedelta(microseconds=t)).isoformat().replace("+00:00", "Z") for t in instants]
    assert [row["t"] for row in found] == [*expected, None]
    assert [instant_text(t) for t in instants] == expected


def test_what_is_not_finite_is_null() -> None:
    assert (
        to_json({"a": [1.5, float("nan"), float("inf")], "b": "书"})
        == '{"a":[1.5,null,null],"b":"书"}'.encode()
    )
