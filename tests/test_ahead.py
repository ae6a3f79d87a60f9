"""What becomes of customers if nothing happens, beside every day decided one after the other."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from lifestage.ahead import AHEAD, after, look_ahead
from lifestage.decision import decide_block
from lifestage.history import History
from lifestage.lifecycle.policy import Policy, parse_text
from lifestage.localtime import instant, midnight, moment
from lifestage.online import history_from_records
from lifestage.release import Release
from lifestage.schemas import PREVIOUS

ZONE = "Asia/Shanghai"
AGES = """
name: ages
default: young
stages:
  - {name: gone, labels: {en: g, zh: 走}, role: lost, preempts: true, enter: days_since_last_order > 100}
  - name: late
    labels: {en: l, zh: 晚}
    role: at_risk
    preempts: true
    enter: recency_over_mean_gap > 1.5 OR (NOT eligible AND days_in_stage > 20)
    exit: recency_over_mean_gap <= 1
  - {name: young, labels: {en: y, zh: 新}, role: new, enter: days_since_first_contact < 600}
  - {name: settled, labels: {en: s, zh: 稳}, enter: days_since_first_contact >= 600}
"""


def block(orders: pd.DataFrame, customers: int) -> History:
    chosen = sorted(orders["customer_id"].unique())[:customers]
    records = []
    for customer in chosen:
        rows = orders[orders["customer_id"] == customer]
        purchases = [
            {"ordered_at": str(r.ordered_at), "amount": r.amount, "order_id": r.order_id}
            for r in rows.itertuples()
        ]
        records.append({"customer_id": customer, "purchases": purchases})
    return history_from_records(records, ZONE)


def policy(text: str, release: Release) -> Release:
    made: Policy = parse_text(text, "p.yaml", release.churn.spec)
    return replace(release, policy=made)


def day_by_day(history: History, as_of: int, release: Release, days: int) -> list[dict[str, Any]]:
    """Decided anew every day, each with the stage of the day before."""
    roles = {stage.name: stage.role for stage in release.policy.stages}
    known = history.cut(as_of)
    now = decide_block(known, as_of, release).to_pylist()
    found = [dict.fromkeys(AHEAD.names) for _ in now]
    was = now
    for day in range(1, days + 1):
        at = midnight(moment(as_of, ZONE).date() + timedelta(days=day), ZONE)
        previous = pa.Table.from_pylist([{n: row[n] for n in PREVIOUS.names} for row in was], schema=PREVIOUS)
        then = decide_block(known, at, release, previous).to_pylist()
        for first, row, told in zip(now, then, found, strict=True):
            if roles[first["stage"]] == "lost":
                continue
            if told["next_stage"] is None and row["stage"] != first["stage"]:
                told["next_stage"], told["next_stage_at"] = row["stage"], row["as_of"]
            for role in ("at_risk", "lost"):
                if (
                    roles[row["stage"]] == role
                    and roles[first["stage"]] != role
                    and told[f"{role}_at"] is None
                ):
                    told[f"{role}_at"] = row["as_of"]
        was = then
    return found


@pytest.fixture(scope="module")
def aged(release: Release) -> Release:
    return policy(AGES, release)


AS_OF = instant(pd.Timestamp("2024-10-01").to_pydatetime(), ZONE)


def test_every_day_decided_one_after_the_other_gives_the_same(orders: pd.DataFrame, aged: Release) -> None:
    history = block(orders, 60)
    staged = decide_block(history, AS_OF, aged)
    got = look_ahead(history, AS_OF, aged, staged, (30, 60, 120)).to_pylist()
    expected = day_by_day(history, AS_OF, aged, 120)
    assert got == expected
    assert len({row["next_stage"] for row in got}) >= 4  # gone, late, settled, and nothing in sight
    assert sum(row["lost_at"] is not None for row in got) > 3


def test_rows_after_as_of_change_nothing(orders: pd.DataFrame, release: Release) -> None:
    whole = block(orders, 30)
    cut = whole.cut(AS_OF)
    staged = decide_block(whole, AS_OF, release)
    assert look_ahead(whole, AS_OF, release, staged, (30, 90)).equals(
        look_ahead(cut, AS_OF, release, staged, (30, 90))
    )


def test_alone_as_in_the_block(orders: pd.DataFrame, release: Release) -> None:
    history = block(orders, 25)
    staged = decide_block(history, AS_OF, release)
    together = look_ahead(history, AS_OF, release, staged, (30, 60, 90))
    alone = [
        look_ahead(history.one(i), AS_OF, release, staged.slice(i, 1), (30, 60, 90))
        for i in range(len(history))
    ]
    assert together.equals(pa.concat_tables(alone).combine_chunks())


def test_at_a_look_the_stage_is_the_one_decided_then(orders: pd.DataFrame, release: Release) -> None:
    """Also where a policy goes by scores: between the looks they are drawn as lines, at the looks they are true."""
    history = block(orders, 80)
    staged = decide_block(history, AS_OF, release)
    got = look_ahead(history, AS_OF, release, staged, (30,)).to_pylist()
    previous = staged.select(PREVIOUS.names)
    then = decide_block(history.cut(AS_OF), after(AS_OF, 30, ZONE), release, previous).to_pylist()
    lost = {stage.name for stage in release.policy.stages if stage.role == "lost"}
    for row, now, later in zip(got, staged.to_pylist(), then, strict=True):
        if now["stage"] not in lost:
            assert (row["next_stage"] is None) == (later["stage"] == now["stage"])
    assert any(row["next_stage"] for row in got)


def test_nothing_is_foreseen_without_looks(orders: pd.DataFrame, aged: Release) -> None:
    history = block(orders, 5)
    staged = decide_block(history, AS_OF, aged)
    got = look_ahead(history, AS_OF, aged, staged, ())
    assert got.schema == AHEAD
    assert all(column.null_count == 5 for column in got.columns)


@pytest.mark.parametrize(
    ("as_of", "zone", "days", "expected"),
    [
        ("2024-03-30", "Europe/Berlin", 2, "2024-04-01T00:00:00+02:00"),  # a local midnight stays one
        ("2024-03-30 12:30", "Europe/Berlin", 2, "2024-04-01T12:30:00+02:00"),
        ("2024-10-26", "Europe/Berlin", 1, "2024-10-27T00:00:00+02:00"),
    ],
)
def test_days_are_local_days(as_of: str, zone: str, days: int, expected: str) -> None:
    start = instant(pd.Timestamp(as_of).to_pydatetime(), zone)
    assert moment(after(start, days, zone), zone).isoformat() == expected


def test_the_first_day_ahead_is_a_date(orders: pd.DataFrame, aged: Release) -> None:
    history = block(orders, 60)
    staged = decide_block(history, AS_OF, aged)
    got = look_ahead(history, AS_OF, aged, staged, (30,))["next_stage_at"].drop_null().to_pylist()
    assert got
    assert all(at.astimezone(moment(0, ZONE).tzinfo).time().isoformat() == "00:00:00" for at in got)
    assert min(got).astimezone(moment(0, ZONE).tzinfo).date() > date(2024, 10, 1)
