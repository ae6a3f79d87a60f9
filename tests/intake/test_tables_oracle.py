"""The whole intake against a slow plain-Python reading of DESIGN section 3, on small random shops."""

import random
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from lifestage.intake import open_tables

ZONE = ZoneInfo("America/New_York")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
KINDS = ("nps", "csat", "complaint", "ticket", "review")


def micros(text: str) -> int | None:
    """Instant of a naive local time; a repeated or skipped one is the later instant."""
    try:
        naive = datetime.fromisoformat(text)
    except ValueError:
        return None
    if naive.tzinfo is not None:
        return (naive - EPOCH) // timedelta(microseconds=1)
    both = [naive.replace(tzinfo=ZONE, fold=f) for f in (0, 1)]
    return max((b.astimezone(UTC) - EPOCH) // timedelta(microseconds=1) for b in both)


def day(t: int) -> Any:
    return (EPOCH + timedelta(microseconds=t)).astimezone(ZONE).date()


def midnight(d: Any) -> int:
    return micros(d.isoformat() + "T00:00:00") or 0


def when(r: random.Random) -> str:
    if r.random() < 0.04:
        return r.choice(["", "soon", "2021-13-01", "2050-01-01"])
    if r.random() < 0.1:
        return r.choice(
            ["2021-11-07 01:30:00", "2021-03-14 02:30:00", "2021-11-07 01:30:00-04:00", "2021-11-07"]
        )
    moment = datetime(2021, 11, 1) + timedelta(hours=r.randrange(24 * 12))
    return moment.isoformat(sep=" ")


def a_shop(seed: int) -> dict[str, list[dict[str, Any]]]:
    r = random.Random(seed)

    def person() -> str:
        return (
            r.choice(["", " ", "7", "8.0", "b", "B", "é", "客"]) if r.random() < 0.5 else f"c{r.randrange(6)}"
        )

    transactions = [
        {
            "cust": person(),
            "at": when(r),
            "amount": r.choice(["", "nan", "x", "-inf"])
            if r.random() < 0.05
            else f"{r.randrange(-400, 1200) / 100}",
            "oid": "" if r.random() < 0.2 else f"o{r.randrange(60)}",
            "cat": r.choice(["", "b", "a", "B", "书"]),
            "chan": r.choice(["", " web ", "app"]),
            "disc": r.choice(["many", "-2"]) if r.random() < 0.03 else r.choice(["", "0", "0.1", "0.2", "5"]),
        }
        for _ in range(120)
    ]
    events = [{"cust": person(), "at": when(r), "what": r.choice(["a", "b", ""]), "sess": r.choice(["", "s"])}
              for _ in range(60)]  # fmt: skip
    feedback = [
        {
            "cust": person(),
            "at": when(r),
            "kind": r.choice([*KINDS, "NPS", "letter"]),
            "score": r.choice(["", "3", "x"]),
            "done": r.choice(["", "2021-11-05", "2021-12-31", "never"]),
        }
        for _ in range(40)
    ]
    customers = [
        {
            "cust": person(),
            "at": "" if r.random() < 0.3 else when(r),
            "cost": r.choice(["", "1.5", "-1"]),
            "city": r.choice(["", "Rome"]),
        }
        for _ in range(14)
    ]
    return {"transactions": transactions, "events": events, "feedback": feedback, "customers": customers}


def an_id(text: str) -> str | None:
    text = text.strip()
    return (text.removesuffix(".0") if text.removesuffix(".0").isdigit() else text) or None


def number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def judge(row: dict[str, str], extracted: int, table: str, lines: bool) -> tuple[str | None, int | None]:
    """Reason of rejection (None = fine), instant."""
    t = micros(row["at"]) if row["at"] else None
    names = {"transactions": "ordered_at", "events": "occurred_at", "feedback": "submitted_at"}
    name = names.get(table, "signed_up_at")
    if an_id(row["cust"]) is None:
        return "missing customer_id", t
    if t is None and (row["at"] or table != "customers"):
        return f"{'unparseable' if row['at'] else 'missing'} {name}", t
    if t is not None and t > extracted:
        return "time after the extraction", t
    if table == "transactions":
        value = number(row["amount"])
        if value is None:
            return f"{'unparseable' if row['amount'] else 'missing'} amount", t
        if value - value != 0:
            return "amount not finite", t
        if row["disc"] == "many":
            return "unparseable discount", t
        if row["disc"] == "-2" and value >= 0:
            return "negative discount", t
        if lines and not row["oid"]:
            return "missing order_id", t
    if table == "events" and not row["what"]:
        return "missing event_type", t
    if table == "feedback":
        if row["kind"].lower() not in KINDS:
            return f"kind not one of {', '.join(KINDS)}", t
        if row["score"] == "x":
            return "unparseable score", t
        if row["done"] == "never":
            return "unparseable resolved_at", t
    if table == "customers" and row["cost"] == "-1":
        return "negative acquisition_cost", t
    return None, t


class Oracle:
    def __init__(
        self, shop: dict[str, list[dict[str, Any]]], extracted: int, as_of: int | None, lines: bool
    ) -> None:
        self.extracted, self.asked, self.lines = extracted, as_of is not None, lines
        self.rejected: dict[str, Counter[str]] = defaultdict(Counter)
        good = {name: self._good(name, rows, as_of) for name, rows in shop.items()}
        orders = self._lines(good["transactions"]) if lines else self._unique(good["transactions"])
        bought = [o for o in orders if o["amount"] >= 0]
        last = max(o["t"] for o in bought)
        self.as_of = as_of if as_of is not None else midnight(day(last) + timedelta(days=1))
        self.observed_until = midnight(day(last))
        for name, rows in shop.items():
            self._count(name, rows)
        for name, key in self.repeats:
            if key is None or key < self.as_of:
                self.rejected[name][
                    "repeated order_id" if name == "transactions" else "repeated customer_id"
                ] += 1
        self.rows = self._customers(good, [o for o in orders if o["t"] < self.as_of])

    def _good(self, name: str, rows: list[dict[str, str]], as_of: int | None) -> list[dict[str, Any]]:
        self.repeats: list[tuple[str, int | None]] = []
        found = []
        for row in rows:
            reason, t = judge(row, self.extracted, name, self.lines)
            if reason is None and (as_of is None or t is None or t < as_of):
                found.append({**row, "id": an_id(row["cust"]), "t": t})
        return found

    def _count(self, name: str, rows: list[dict[str, str]]) -> None:
        for row in rows:
            reason, t = judge(row, self.extracted, name, self.lines)
            future = reason == "time after the extraction" and not self.asked
            if reason and (t is None or t < self.as_of or future):
                self.rejected[name][reason] += 1

    def _lines(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        groups = defaultdict(list)
        for row in rows:
            groups[row["id"], row["oid"], day(row["t"])].append(row)
        orders = []
        for (i, o, _), g in groups.items():
            amounts = [Decimal(r["amount"]) for r in g]
            first, last = min(r["t"] for r in g), max(r["t"] for r in g)
            bought = float(sum(a for a in amounts if a > 0))
            given = [Decimal(r["disc"]) for r in g if r["disc"] and Decimal(r["amount"]) >= 0]
            order = {
                "id": i,
                "oid": o,
                "t": first,
                "amount": float(sum(amounts)) + 0.0,
                "category": self._largest(g, "cat"),
                "channel": self._largest(g, "chan"),
                "discount": float(sum(given)) if given else None,
            }
            if sum(amounts) == 0 and bought > 0:  # taken back in full on its own day
                orders += [{**order, "amount": bought}, {**order, "amount": -bought, "t": last}]
            else:
                orders.append(order)
        return orders

    @staticmethod
    def _largest(lines: list[dict[str, Any]], key: str) -> str | None:
        """The text whose lines have the largest sum, of equal ones the least."""
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for line in lines:
            if line[key].strip():
                sums[line[key].strip()] += Decimal(line["amount"])
        return min(sums, key=lambda text: (-sums[text], text.encode()), default=None)

    def _unique(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        rows = [
            {
                **r,
                "amount": float(r["amount"]) + 0.0,
                "oid": r["oid"] or None,
                "category": r["cat"] or None,
                "channel": r["chan"].strip() or None,
                "discount": number(r["disc"]),
            }
            for r in rows
        ]
        kept, seen = [], set()
        for row in sorted(rows, key=lambda r: (r["t"], r["amount"], r["id"].encode())):
            if row["amount"] >= 0 and row["oid"] is not None:
                if row["oid"] in seen:
                    self.repeats.append(("transactions", row["t"]))
                    continue
                seen.add(row["oid"])
            kept.append(row)
        return kept

    def _customers(self, good: dict[str, Any], orders: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = defaultdict(
            lambda: {"purchases": [], "refunds": [], "events": [], "feedback": [], "signed_up_at": None,
                     "acquisition_channel": None, "acquisition_cost": None, "city": None}
        )  # fmt: skip
        more = ("category", "channel", "discount")

        def place(o: dict[str, Any]) -> tuple[Any, ...]:
            texts = [(o[k] is None, (o[k] or "").encode()) for k in ("oid", "category", "channel")]
            return (o["t"], texts[0], abs(o["amount"]), *texts[1:], o["discount"] is None, o["discount"] or 0)

        for o in sorted(orders, key=place):
            if o["amount"] >= 0:
                bought = {"t": o["t"], "amount": o["amount"], **{k: o[k] for k in more}}
                found[o["id"]]["purchases"].append(bought)
                continue
            named = [
                p["t"]
                for p in orders
                if p["amount"] >= 0
                and p["id"] == o["id"]
                and p["oid"] == o["oid"] is not None
                and p["t"] <= o["t"]
            ]
            refund = {"t": o["t"], "amount": -o["amount"], "order_at": max(named, default=None)}
            found[o["id"]]["refunds"].append(refund)
        for e in sorted(good["events"], key=lambda e: (e["t"], e["what"], not e["sess"], e["sess"])):
            if e["t"] < self.as_of:
                event = {"t": e["t"], "event_type": e["what"], "session_id": e["sess"] or None}
                found[e["id"]]["events"].append(event)
        answers = []
        for f in good["feedback"]:
            done = micros(f["done"]) if f["done"] else None
            done = done if done is not None and done < self.as_of else None
            answers.append((f["t"], f["kind"].lower(), number(f["score"]), done, f["id"]))
        for t, kind, score, done, i in sorted(
            answers, key=lambda a: (a[0], a[1], a[2] is None, a[2] or 0, a[3] is None, a[3] or 0)
        ):
            if t < self.as_of:
                found[i]["feedback"].append({"t": t, "kind": kind, "score": score, "resolved_at": done})
        taken = set()
        for c in sorted(
            good["customers"],
            key=lambda c: (c["t"] is None, c["t"] or 0, not c["cost"], c["cost"], not c["city"], c["city"]),
        ):
            if c["t"] is not None and c["t"] >= self.as_of:
                continue
            if c["id"] in taken:
                self.rejected["customers"]["repeated customer_id"] += 1
                continue
            taken.add(c["id"])
            found[c["id"]] |= {
                "signed_up_at": c["t"],
                "acquisition_cost": number(c["cost"]),
                "city": c["city"] or None,
            }
        return dict(found)


CUT = midnight(datetime(2021, 11, 8).date())


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("lines", [False, True])
@pytest.mark.parametrize("as_of", [None, CUT])
def test_intake_is_what_a_slow_reading_gives(build, read, quarantined, seed, lines, as_of):
    tables = a_shop(seed)
    extracted = micros("2021-11-12 12:00") or 0
    shop = build.shop(tables)
    if lines:
        lined = shop.sources.transactions.model_copy(update={"grain": "line"})
        shop = shop.model_copy(update={"sources": shop.sources.model_copy(update={"transactions": lined})})
    intake = open_tables(shop, extracted, as_of)
    oracle = Oracle(tables, extracted, as_of, lines)

    assert intake.as_of == oracle.as_of
    assert intake.observed_until == oracle.observed_until
    got = read(intake, size=3)
    assert list(got) == sorted(oracle.rows, key=str.encode)
    for customer, row in oracle.rows.items():
        mine = got[customer]
        assert [p["t"] for p in mine["purchases"]] == [p["t"] for p in row["purchases"]], customer
        for column, value in row.items():
            assert mine[column] == (pytest.approx(value) if isinstance(value, float) else value), (
                customer,
                column,
            )
    report = intake.report["tables"]
    for name, rows in tables.items():
        assert report[name]["rejected"] == dict(oracle.rejected[name]), name
        assert report[name]["rows_read"] == len(rows)
        accounted = sum(report[name][k] for k in ("filtered", "rejected_rows", "out_of_scope", "kept"))
        assert accounted == len(rows)
    written = Counter((table, reason) for table, reason, _ in quarantined(intake))
    assert written == {(n, why): k for n, c in oracle.rejected.items() for why, k in c.items()}
