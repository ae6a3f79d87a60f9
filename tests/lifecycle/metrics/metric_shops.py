"""Random small shops as plain Python, with frames of stages: what the oracle reads and what the tables are made of."""

import random
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from lifestage.history import History
from lifestage.lifecycle.policy import Policy, parse
from lifestage.schemas import INSTANT
from tests.builders import DAY, make_history

MINIMUM = 2
CORE = "use"
NAMES = ["fresh", "grown", "old", "shaky", "away"]
POLICY_TEXT: dict[str, Any] = {
    "name": "small",
    "default": "fresh",
    "stages": [
        {
            "name": n,
            "labels": {"en": n, "zh": n},
            "enter": "order_count > 0",
            "role": role,
            "preempts": preempts,
        }
        for n, role, preempts in [
            ("fresh", "new", False),
            ("grown", "active", False),
            ("shaky", "at_risk", True),
            ("old", "active", False),
            ("away", "lost", True),
        ]
    ],
}


def small_policy(core_event: str | None = None) -> Policy:
    return parse(POLICY_TEXT if core_event is None else POLICY_TEXT | {"core_event": core_event}, "small")


@dataclass
class SmallShop:
    """Customers as dicts (see builders.make_table), frames as {instant: {customer: row}}."""

    zone: str
    customers: dict[str, dict[str, Any]]
    frames: dict[int, dict[str, dict[str, Any]]]

    def history(self) -> History:
        rows = [{"customer_id": c, **row} for c, row in sorted(self.customers.items())]
        return make_history(rows, self.zone)

    def tables(self) -> dict[int, pa.Table]:
        return {at: frame_table(rows) for at, rows in self.frames.items()}


def frame_table(rows: dict[str, dict[str, Any]]) -> pa.Table:
    def column(name: str, type_: pa.DataType) -> pa.Array:
        return pa.array([row.get(name) for row in rows.values()], type_)

    return pa.table(
        {
            "customer_id": pa.array(list(rows), pa.string()),
            "stage": column("stage", pa.string()),
            "stage_since": column("stage_since", pa.int64()).cast(INSTANT),
            "clv": column("clv", pa.float64()),
            "churn_probability": column("churn_probability", pa.float64()),
            "tier": column("tier", pa.string()),
        }
    )


def small_shop(seed: int) -> SmallShop:
    rng = random.Random(seed)
    zone = rng.choice(["UTC", "America/New_York", "Asia/Shanghai"])
    days = sorted(rng.sample(range(10, 200), rng.choice([1, 2, 3, 4])))
    months = rng.random() < 0.5
    first = datetime(2024, 1, 1, tzinfo=ZoneInfo(zone)).timestamp()
    starts = [datetime(2024, m, 1, tzinfo=ZoneInfo(zone)).timestamp() for m in range(3, 3 + len(days))]
    instants = (
        [int(s * 1_000_000) for s in starts] if months else [int(first * 1_000_000) + d * DAY for d in days]
    )

    def instant() -> int:
        if rng.random() < 0.15:  # at a frame or just before it
            return rng.choice(instants) - rng.choice([0, 1])
        return int(first * 1_000_000) + rng.randrange(-40 * DAY, 230 * DAY)

    customers = {}
    for number in range(rng.randrange(1, 12)):
        row: dict[str, Any] = {
            "purchases": [
                (instant(), rng.choice([0, 500, 1999, 10_000]) / 100, rng.choice([None, "a", "b", "c"]))
                for _ in range(rng.choice([0, 1, 1, 2, 5]))
            ],
            "events": [
                (instant(), rng.choice([CORE, "view", "pay"])) for _ in range(rng.choice([0, 0, 3, 6]))
            ],
            "feedback": [
                (instant(), rng.choice(["nps", "nps", "csat", "ticket", "complaint", "review"]), score)
                for score in [
                    rng.choice([None, 0.0, 3.0, 6.0, 7.0, 9.0, 10.0]) for _ in range(rng.choice([0, 0, 2, 4]))
                ]
            ],
            "acquisition_channel": rng.choice([None, "ads", "搜索"]),
            "acquisition_cost": rng.choice([None, 0.0, 12.5, 3.25]),
            "city": rng.choice([None, "Köln", "Rome"]),
        }
        if rng.random() < 0.3:
            row["signed_up_at"] = instant()
        terms = []
        for _ in range(rng.choice([0, 0, 1, 2])):
            begun = instant()
            end = rng.choice([None, begun + 30 * DAY, begun + 90 * DAY, instant()])
            terms.append(
                (begun, end if end is None or end > begun else None, "p", rng.choice([None, 5.0, 9.0]))
            )
        row["subscriptions"] = terms
        # rows of one instant keep their order
        for kind in ("purchases", "events", "feedback", "subscriptions"):
            row[kind].sort(key=lambda r: r[0])
        customers[f"c{number:02d}"] = row
    everybody = [*customers, *(["merged"] if rng.random() < 0.2 else [])]
    names = NAMES if rng.random() < 0.8 else [*NAMES, "of_an_old_policy"]
    frames: dict[int, dict[str, dict[str, Any]]] = {}
    held: dict[str, tuple[str, int | None]] = {}
    for k, at in enumerate(instants):
        frame = {}
        for customer in everybody:
            if rng.random() < 0.1 + (0.3 if k == 0 else 0):
                continue
            stage = rng.choice(names)
            if customer in held and (stage == held[customer][0] or rng.random() < 0.4):
                stage, since = held[customer]
            else:
                since = rng.choice([at, at, None, at - rng.randrange(1, 20) * DAY])
            held[customer] = (stage, since)
            frame[customer] = {
                "stage": None if rng.random() < 0.05 else stage,
                "stage_since": since,
                "clv": rng.choice([None, 10.0, 250.5]),
                "churn_probability": rng.choice([None, 0.25, 0.5]),
                "tier": rng.choice([None, "gold", "low"]),
            }
        frames[at] = frame
    return SmallShop(zone, customers, frames)
