"""A small shop with kept scoring runs, made of plain dicts, and its files as the scripts write them."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lifestage import bundle
from lifestage.features import PLAIN
from lifestage.history_file import KEY, HistoryFile
from lifestage.schemas import INSTANT, SCORE
from tests.builders import make_table

ZONE = "Europe/Berlin"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_US = 86_400_000_000
CHURN_DAYS, CLV_DAYS, ACTIVE_DAYS = 30, 60, 180
RATE, MARGIN = 0.12, 0.4
AS_OF = date(2022, 3, 10)  # the clock changes within the horizon
UNTIL = date(2022, 6, 1)
STAGES = ("fresh", "steady", "at_risk", "gone")
POLICY = """
name: small
version: 1
language: en
default: fresh
stages:
  - {name: fresh, labels: {en: Fresh, zh: 新客}, role: new, enter: order_count = 1}
  - {name: steady, labels: {en: Steady, zh: 活跃}, enter: order_count > 1}
  - {name: at_risk, labels: {en: At risk, zh: 预警}, role: at_risk, enter: days_since_last_order > 60}
  - {name: gone, labels: {en: Gone, zh: 流失}, role: lost, enter: days_since_last_order > 120}
"""


def midnight_us(day: date, zone: str = ZONE) -> int:
    """Instant of the local midnight that begins a day."""
    local = datetime.combine(day, time(), ZoneInfo(zone))
    return (local.astimezone(UTC) - EPOCH) // timedelta(microseconds=1)


def local_day(t: int, zone: str = ZONE) -> date:
    return (EPOCH + timedelta(microseconds=t)).astimezone(ZoneInfo(zone)).date()


def customers(n: int, seed: int) -> list[dict[str, Any]]:
    """Customers with orders and refunds that name their order, over a year and a half."""
    rng = np.random.default_rng(seed)
    start, end = midnight_us(date(2021, 1, 1)), midnight_us(date(2022, 7, 15))
    rows = []
    for i in range(n):
        orders = sorted({int(t) for t in rng.integers(start, end, rng.integers(1, 22))})
        amounts = [round(float(a), 2) for a in rng.gamma(2.0, 20.0, len(orders))]
        refunds = []
        for t, amount in zip(orders, amounts, strict=True):
            if rng.random() < 0.15:
                share = 1.0 if rng.random() < 0.5 else 0.25
                refunds.append((t + int(rng.integers(1, 80)) * DAY_US // 2, round(amount * share, 2), t))
        rows.append(
            {
                "customer_id": f"c{i:05d}",
                "purchases": list(zip(orders, amounts, strict=True)),
                "refunds": refunds,
            }
        )
    return rows


def write_history(
    path: Path, rows: Sequence[Mapping[str, Any]], until: date = UNTIL, zone: str = ZONE
) -> HistoryFile:
    """The history file of dicts, as of the day after `until`, in blocks of 64 customers."""
    facts = {
        "as_of": midnight_us(until + timedelta(days=1), zone), "observed_until": midnight_us(until, zone),
        "timezone": zone, "first_row": 0,
    }  # fmt: skip
    table = make_table(rows).replace_schema_metadata({KEY: json.dumps(facts).encode()})
    pq.write_table(table, path, row_group_size=64)
    return HistoryFile(path)


def write_release(releases: Path, name: str, as_of: date, **changed: Any) -> Path:
    """A release as far as its terms are read."""
    churn = {
        "horizon_days": CHURN_DAYS, "active_within_days": ACTIVE_DAYS, "definition": "purchase", "grace_days": 0,
        **changed.get("churn", {}),
    }  # fmt: skip
    clv = {"horizon_days": float(CLV_DAYS), "yearly_discount_rate": RATE, "margin": MARGIN}
    model = {"as_of": changed["trained"]} if "trained" in changed else {}
    files: dict[str, Any] = {
        "churn/model.json": json.dumps(churn).encode(),
        "churn/features.json": PLAIN.to_json(),
        "churn/manifest.json": json.dumps(model).encode(),
        "policy.yaml": changed.get("policy", POLICY).encode(),
    }
    if changed.get("clv", True):
        files["clv/clv.json"] = json.dumps(clv).encode()
    meta = {
        "name": name, "timezone": changed.get("zone", ZONE), "currency": "EUR",
        "as_of": midnight_us(as_of, changed.get("zone", ZONE)),
    }  # fmt: skip
    return bundle.write(releases / name, "release", files, meta)


def scores(rows: Sequence[Mapping[str, Any]], as_of: int, release: str, seed: int) -> list[dict[str, Any]]:
    """Made-up forecasts of everybody with a row before as_of; a tenth of the buyers have no CLV."""
    rng = np.random.default_rng(seed)
    found = []
    for row in rows:
        before = [t for t, _ in row["purchases"] if t < as_of]
        if not before:
            continue
        net = [t for t, a in row["purchases"] if t < as_of and a > sum(
            r for at, r, of in row["refunds"] if of == t and at < as_of) + 1e-6]  # fmt: skip
        eligible = bool(net) and max(net) >= as_of - ACTIVE_DAYS * DAY_US
        bought = bool(net)
        p_order = float(rng.random())
        low = 0.0 if p_order < 0.9 else 5.0
        days = rng.integers(1, 30), rng.integers(30, 60)
        found.append({
            "customer_id": row["customer_id"], "as_of": as_of, "release": release, "eligible": eligible,
            "churn_probability": round(float(rng.random()), 3) if eligible else None,
            "expected_orders": float(rng.gamma(1.0)) if bought else None,
            "expected_order_value": float(rng.gamma(2.0, 20.0)) if bought else None,
            "clv": round(float(rng.gamma(1.0, 30.0)), 1) if bought else None,
            "spend_low": low if bought else None,
            "spend_high": low + float(rng.gamma(2.0, 60.0)) if bought else None,
            "p_order": p_order if bought else None,
            "next_order_low": as_of + int(days[0]) * DAY_US // 4 if bought else None,
            "next_order_high": as_of + int(days[1]) * DAY_US if bought else None,
            "stage": STAGES[int(rng.integers(0, 4))], "next_stage": STAGES[int(rng.integers(0, 4))],
            "next_stage_at": as_of + int(rng.integers(1, 60)) * DAY_US,
        })  # fmt: skip
    return found


def write_run(runs: Path, name: str, as_of: int, release: str, rows: Sequence[Mapping[str, Any]]) -> Path:
    """A run of scores in parts of 90 customers."""
    folder = runs / name
    folder.mkdir(parents=True)
    plain = pa.schema([pa.field(f.name, pa.int64() if f.type == INSTANT else f.type) for f in SCORE])
    table = pa.Table.from_pylist([{n: row.get(n) for n in SCORE.names} for row in rows], schema=plain)
    columns = [column.cast(f.type) for column, f in zip(table.columns, SCORE, strict=True)]
    table = pa.table(columns, schema=SCORE)
    for number, low in enumerate(range(0, len(table), 90)):
        pq.write_table(table.slice(low, 90), folder / f"part-{number:06d}.parquet")
    facts = {"run": name, "as_of": as_of, "customers": len(table), "release": release}
    (folder / "run.json").write_text(json.dumps(facts), encoding="utf-8")
    return folder


class Shop:
    """Folders of a shop with one release and one run at AS_OF."""

    def __init__(self, folder: Path, n: int = 400) -> None:
        self.runs, self.releases = folder / "runs", folder / "releases"
        self.path = folder / "history.parquet"
        self.rows = customers(n, seed=5)
        self.as_of = midnight_us(AS_OF)
        self.history = write_history(self.path, self.rows)
        write_release(self.releases, "r1", AS_OF)
        self.scored = scores(self.rows, self.as_of, "r1", seed=11)
        self.run = write_run(self.runs, "as-of-2022-03-10", self.as_of, "r1", self.scored)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)
