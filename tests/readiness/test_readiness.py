"""Readiness on hand-made histories: each line passes on good data and speaks on bad ones."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lifestage.history_file import KEY, HistoryFile
from lifestage.readiness import Report, assess
from lifestage.readiness.gaps import quantile, rounded, suggest
from lifestage.settings import parse
from tests.builders import DAY, HOUR, make_table, us

FIRST = us("2021-01-01")
DAYS = 500
HORIZON = 30


def orders(rng: np.random.Generator, hour: tuple[int, int] = (9, 22), skip: range = range(0)) -> list[Any]:
    """About an order every ten days, for some only in the first part of the span, by day."""
    last = DAYS if rng.random() < 0.6 else int(rng.integers(30, DAYS))
    days = [d for d in np.flatnonzero(rng.random(last) < 0.1).tolist() if d not in skip]
    return [
        (FIRST + d * DAY + int(rng.integers(*hour)) * HOUR + int(rng.integers(1, HOUR)), 10.0 + d)
        for d in days
    ]


def judged(
    folder: Path, rows: list[dict[str, Any]], attributes: dict[str, Any] | None = None, **options: Any
) -> tuple[Report, dict[str, Any]]:
    table = make_table(rows)
    for name, values in (attributes or {}).items():
        table = table.append_column(name, pa.array(values, pa.float64()))
    facts = {"first_row": FIRST, "first_purchase": FIRST, "observed_until": FIRST + DAYS * DAY,
             "as_of": FIRST + (DAYS + 1) * DAY, "timezone": "UTC"}  # fmt: skip
    path = folder / "history.parquet"
    pq.write_table(table.replace_schema_metadata({KEY: json.dumps(facts)}), path, row_group_size=97)
    columns = {"customer_id": "c", "ordered_at": "t", "amount": "a"}
    shop = parse(
        {
            "shop": "s", "timezone": "UTC", "currency": "EUR",
            "sources": {"transactions": {"path": "t.csv", "columns": columns}},
            "churn": {"horizon_days": HORIZON, "active_within_days": 365},
            **options,
        },
        "options",
    )  # fmt: skip
    report = assess(shop, HistoryFile(path))
    return report, {line.name: line for line in report.lines}


def shop_of(n: int, **kind: Any) -> list[dict[str, Any]]:
    rng = np.random.default_rng(5)
    return [{"purchases": orders(rng, **kind)} for _ in range(n)]


def test_good_data_pass_every_line(tmp_path: Path) -> None:
    report, lines = judged(tmp_path, shop_of(800), {"age": [30.0] * 800})
    assert {name: line.level for name, line in lines.items()} == dict.fromkeys(lines, "pass")
    assert report.level == "pass"
    assert report.cutoffs[-1]["part"] == "test"
    assert Report.from_json(json.loads(json.dumps(report.to_json()))).to_json() == report.to_json()


def test_counts_at_cutoffs_are_those_of_plain_python(tmp_path: Path) -> None:
    rows = shop_of(300)
    report, _ = judged(tmp_path, rows)
    for at in report.cutoffs:
        cutoff = us(at["cutoff"])
        times = [[t for t, _ in row["purchases"]] for row in rows]
        eligible = [ts for ts in times if any(cutoff - 365 * DAY <= t < cutoff for t in ts)]
        churned = [ts for ts in eligible if not any(cutoff <= t < cutoff + HORIZON * DAY for t in ts)]
        assert (at["eligible"], at["churned"]) == (len(eligible), len(churned))


def test_too_few_customers_and_outcomes(tmp_path: Path) -> None:
    _, lines = judged(tmp_path, shop_of(60))
    assert lines["customers"].level == "refuse"
    assert "at least 500 wanted, 100 needed" in lines["customers"].said
    _, lines = judged(tmp_path, shop_of(60), readiness={"min_customers": 30, "refuse_customers": 10})
    assert lines["customers"].level == "pass"
    loyal = [{"purchases": [(FIRST + d * DAY + 1, 1.0) for d in range(0, DAYS, 5)]} for _ in range(600)]
    _, lines = judged(tmp_path, loyal)
    assert (lines["outcomes"].level, lines["outcomes"].figure) == ("refuse", 0)
    assert "0 who churned" in lines["outcomes"].said


def test_a_history_shorter_than_the_folds_need(tmp_path: Path) -> None:
    report, lines = judged(tmp_path, shop_of(300), churn={"horizon_days": 200})
    assert lines["history"].level == "refuse"
    assert "churn.horizon_days 200 needs" in lines["history"].said
    assert [line.name for line in report.refused] == ["history"]
    assert report.cutoffs == []


def test_missing_values_of_an_attribute(tmp_path: Path) -> None:
    values = [None] * 180 + [1.0] * 120
    _, lines = judged(tmp_path, shop_of(300), {"age": values, "size": [1.0] * 300})
    assert lines["missing values"].level == "warn"
    assert lines["missing values"].figure == 0.6
    assert "age 60%" in lines["missing values"].said
    assert "size" not in lines["missing values"].said


@pytest.mark.parametrize(("length", "level"), [(5, "pass"), (12, "warn"), (HORIZON, "refuse")])
def test_days_without_a_row_in_an_active_shop(tmp_path: Path, length: int, level: str) -> None:
    _, lines = judged(tmp_path, shop_of(400, skip=range(200, 200 + length)))
    assert (lines["time gaps"].level, lines["time gaps"].figure) == (level, length)
    assert "from 2021-07-20" in lines["time gaps"].said


@pytest.mark.parametrize(("share", "level"), [(0.01, "pass"), (0.1, "warn"), (0.5, "refuse")])
def test_rows_given_twice(tmp_path: Path, share: float, level: str) -> None:
    rows = shop_of(400)
    rng = np.random.default_rng(1)
    n, more = sum(len(row["purchases"]) for row in rows), 0
    for row in rows:
        again = [p for p in row["purchases"] if rng.random() < share / (1 - share)]
        row["purchases"] = sorted([*row["purchases"], *again])
        more += len(again)
    _, lines = judged(tmp_path, rows)
    assert lines["duplicates"].figure == pytest.approx(more / (n + more))
    assert lines["duplicates"].level == level


def test_ids_that_differ_in_case_or_blanks_alone(tmp_path: Path) -> None:
    rows = shop_of(400)
    for i, row in enumerate(rows):
        row["customer_id"] = f"c{i:04}"
    rows[7]["customer_id"], rows[300]["customer_id"] = "C0006", " c0299 "
    _, lines = judged(tmp_path, rows)
    assert (lines["ids"].level, lines["ids"].figure) == ("warn", 2)
    assert "2 differ from another in case or outer blanks alone" in lines["ids"].said


def test_many_rows_in_one_second(tmp_path: Path) -> None:
    rows = shop_of(400)
    for i, row in enumerate(rows[:150]):
        row["purchases"] = sorted([*row["purchases"], (FIRST + 9 * DAY + 13 * HOUR + i, 3.0)])
    _, lines = judged(tmp_path, rows)
    assert (lines["bursts"].level, lines["bursts"].figure) == ("warn", 150)


def test_dates_mixed_with_times(tmp_path: Path) -> None:
    rows = shop_of(400)
    for row in rows[:200]:
        row["purchases"] = [(t - t % DAY, a) for t, a in row["purchases"]]
    _, lines = judged(tmp_path, rows)
    assert lines["midnight"].level == "warn"
    assert "dates and times are mixed" in lines["midnight"].said
    for row in rows:
        row["purchases"] = [(t - t % DAY, a) for t, a in row["purchases"]]
    _, lines = judged(tmp_path, rows)
    assert lines["midnight"].level == "pass"
    assert lines["midnight"].said == "all rows are dates without a time"


def test_a_shop_that_sells_by_night_has_the_wrong_timezone(tmp_path: Path) -> None:
    rows = shop_of(400)
    for row in rows:  # open 9 to 22, shown 12 hours off
        row["purchases"] = [(t + 12 * HOUR, a) for t, a in row["purchases"]]
    _, lines = judged(tmp_path, rows)
    assert lines["hours"].level == "warn"
    assert "correct 'timezone'" in lines["hours"].said


def test_a_horizon_far_from_the_customers_own_gaps(tmp_path: Path) -> None:
    weekly = [
        {
            "purchases": [
                (FIRST + d * DAY + 12 * HOUR + 1 + i, 1.0) for d in range(i % 7, DAYS - 9 * (i % 20), 7)
            ]
        }
        for i in range(400)
    ]
    report, lines = judged(tmp_path, weekly)
    assert report.suggestion is not None
    assert report.suggestion["gap_days"] == {"p50": 7, "p80": 7, "p90": 7}
    assert (report.suggestion["horizon_days"], report.suggestion["windows_days"]) == (7, [7])
    assert (lines["horizon"].level, lines["horizon"].figure, lines["horizon"].limit) == ("warn", 30, 7)
    assert "churn.horizon_days is 30" in lines["horizon"].said
    assert "far from it" in lines["horizon"].said


def test_quantiles_and_sizes_of_gaps() -> None:
    rng = np.random.default_rng(2)
    gaps = rng.geometric(0.02, 999)
    counts = np.bincount(gaps, minlength=4_000)
    for share in (0.5, 0.8, 0.9):
        ordered = sorted(gaps.tolist())
        expected = next(g for g in ordered if sum(x <= g for x in ordered) >= share * len(ordered))
        assert quantile(counts, share) == expected
    assert [rounded(d) for d in (0, 5, 10, 20, 45, 73, 74, 200, 3_000)] == [
        7,
        7,
        14,
        14,
        60,
        60,
        90,
        180,
        365,
    ]
    assert suggest(np.bincount([3] * 99, minlength=9)) is None
    held = suggest(counts, longest=40)
    assert held is not None
    assert held["horizon_days"] == 30
