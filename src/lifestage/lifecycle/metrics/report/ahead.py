"""Who is about to change stage if nothing happens: counts of foreseen moves."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lifestage.localtime import DAY
from lifestage.schemas import INSTANT

SOON_DAYS = 30


def about_to_move(scores: pa.Table, as_of: int, days: int = SOON_DAYS) -> list[dict[str, Any]]:
    """One row per stage and next stage foreseen within `days`: customers, clv (total, null if nobody has one).

    scores: schemas.SCORE; of a run made before next_stage was kept there are none. The most customers first.
    """
    if "next_stage_at" not in scores.column_names:
        return []
    end = pa.scalar(as_of + days * DAY, pa.int64()).cast(INSTANT)
    soon = scores.filter(pc.less_equal(scores["next_stage_at"].cast(INSTANT), end))
    grouped = soon.group_by(["stage", "next_stage"]).aggregate([("customer_id", "count"), ("clv", "sum")])
    rows = grouped.rename_columns(["stage", "next_stage", "customers", "clv"]).to_pylist()
    return sorted(rows, key=lambda row: (-row["customers"], row["stage"], row["next_stage"]))
