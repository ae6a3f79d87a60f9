"""Every preset is total and exclusive, as a second reading of it decides, whatever the figures.

Rows hold any mixture of missing, NaN, infinite, negative, huge and odd values, and of the policy's own thresholds,
just below, at and just above; previous stages may be unknown, and stages may have begun in the future.
"""

import math
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifestage.lifecycle.policy import Policy, load, presets
from lifestage.lifecycle.staging import assign, columns_read
from lifestage.schemas import PREVIOUS
from tests.policy_oracle import Oracle, numbers

AS_OF = datetime(2024, 5, 1, tzinfo=UTC)
T = (AS_OF - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
ODD = [None, None, None, math.nan, math.inf, -math.inf, -1.0, -0.0, 0.0, 5e-324, 1e300, -1e300]
TEXTS = [None, "", "%", "it's", "basic", "Trial month", "免费试用", "TRIAL", "null", "high", "growth"]
DAYS = [None, 0.0, 1.0, 10.0, 30.0, 90.0, 90.5, 400.0, -5.0]
RANKS = ("recency_percentile", "frequency_percentile", "monetary_percentile")

Row = dict[str, Any]


class Drawn:
    """A preset, its oracle, and the values that its columns may have."""

    def __init__(self, name: str) -> None:
        self.policy: Policy = load(name)
        self.oracle = Oracle(self.policy.source)
        self.columns = {name: self.policy.given[name].type for name in columns_read(self.policy)}
        thresholds = sorted(set(numbers(self.policy.source)))
        near = [v for t in thresholds for v in (math.nextafter(t, -math.inf), t, math.nextafter(t, math.inf))]
        self.floats = (ODD + near)[:250]
        self.ranks = [None, math.nan, *(i / 20 for i in range(-1, 22)), math.inf, -math.inf]
        self.stages = [None, "", "unheard_of", *(stage.name for stage in self.policy.stages)] * 2
        self.bytes = len(self.columns) + 2

    def row(self, code: bytes) -> Row:
        row: Row = {}
        for place, (name, type_) in zip(code, self.columns.items(), strict=False):
            if name in RANKS:
                pool: list[Any] = self.ranks
            elif pa.types.is_boolean(type_):
                pool = [None, True, False]
            else:
                pool = TEXTS if pa.types.is_string(type_) else self.floats
            row[name] = pool[place % len(pool)]
        row["was"] = self.stages[code[-2] % len(self.stages)]
        row["days"] = None if row["was"] is None else DAYS[code[-1] % len(DAYS)]
        return row

    def block(self, rows: list[Row]) -> tuple[pa.Table, pa.Table]:
        ids = [str(i) for i in range(len(rows))]
        table = {name: pa.array([row[name] for row in rows], type_) for name, type_ in self.columns.items()}
        since = [None if row["days"] is None else AS_OF - timedelta(days=row["days"]) for row in rows]
        previous = pa.table([ids, [row["was"] for row in rows], since], schema=PREVIOUS)
        return pa.table({"customer_id": ids, **table}), previous


drawn = lru_cache(maxsize=None)(Drawn)


@pytest.mark.parametrize("name", presets())
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_everybody_has_the_one_stage_of_the_oracle(name: str, data: st.DataObject) -> None:
    preset = drawn(name)
    codes = data.draw(
        st.lists(st.binary(min_size=preset.bytes, max_size=preset.bytes), min_size=1, max_size=12)
    )
    rows = [preset.row(code) for code in codes]
    block, previous = preset.block(rows)
    whole = assign(preset.policy, block, T, previous)
    assert whole.num_rows == len(rows)
    known = {stage.name for stage in preset.policy.stages}
    for row, got, since in zip(rows, whole.to_pylist(), previous["stage_since"].to_pylist(), strict=True):
        expected = preset.oracle.decide(row, row["was"], row["days"])
        health, points = expected.pop("health"), got["health"]
        assert {key: got[key] for key in expected} == expected
        assert points is None if health is None else math.isclose(points, health, rel_tol=1e-9, abs_tol=1e-9)
        assert got["stage"] in known
        stays = got["stage"] == row["was"] and since is not None
        assert got["stage_since"] == (since if stays else AS_OF)
    at = data.draw(st.integers(0, len(rows) - 1))
    assert assign(preset.policy, block.slice(at, 1), T, previous.slice(at, 1)).equals(whole.slice(at, 1))
