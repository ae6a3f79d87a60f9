"""Every lifecycle metric once more, customer by customer in plain Python; shares no code with the product."""

import math
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.lifecycle.metrics.metric_shops import CORE, NAMES, POLICY_TEXT, SmallShop

DAY = 86_400_000_000
ROLE = {s["name"]: s["role"] for s in POLICY_TEXT["stages"]}
PATH = ["fresh", "grown", "old"]
MISSING = "(missing)"
assert set(PATH) < set(NAMES)
Sum = tuple[float, float, int]


class Oracle:
    """Slow figures of a small shop."""

    def __init__(self, shop: SmallShop, group: str | None, core: str | None) -> None:
        self.shop, self.group, self.core = shop, group, core
        self.instants = sorted(shop.frames)
        self.newest = self.instants[-1]
        self.customers = sorted({c for frame in shop.frames.values() for c in frame})

    # --- one customer -------------------------------------------------------------------------------------
    def rows(self, customer: str, kind: str, start: float, end: float) -> list[Any]:
        found = self.shop.customers.get(customer, {}).get(kind, [])
        return [row for row in found if start <= row[0] < end]

    def stage(self, at: int, customer: str) -> str | None:
        return self.shop.frames[at].get(customer, {}).get("stage")

    def local(self, t: int) -> datetime:
        return datetime.fromtimestamp(t // 1_000_000, ZoneInfo(self.shop.zone))

    def month(self, t: int) -> int:
        return self.local(t).year * 12 + self.local(t).month - 1

    def groups(self, at: int, customer: str) -> list[str | None]:
        return [None] if self.group is None else [None, self.group_of(at, customer)]

    def group_of(self, at: int, customer: str) -> str:
        if self.group == "tier":
            later = [i for i in self.instants if i >= at and self.stage(i, customer) is not None]
            return self.shop.frames[later[0]][customer]["tier"] or MISSING
        if self.group == "cohort":
            bought = self.rows(customer, "purchases", -math.inf, self.newest)
            if not bought:
                return MISSING
            return self.local(bought[0][0]).strftime("%Y-%m")
        return self.shop.customers.get(customer, {}).get(self.group or "") or MISSING

    def contact(self, customer: str, at: int) -> int | None:
        found = [r[0] for kind in ("purchases", "events") for r in self.rows(customer, kind, -math.inf, at)]
        signed = self.shop.customers.get(customer, {}).get("signed_up_at")
        if signed is not None and signed < at:
            found.append(signed)
        return min(found) if found else None

    def core_times(self, customer: str, at: int) -> list[int]:
        if self.core is None:
            return [r[0] for r in self.rows(customer, "purchases", -math.inf, at)]
        return [r[0] for r in self.rows(customer, "events", -math.inf, at) if r[1] == self.core]

    # --- figures ------------------------------------------------------------------------------------------
    def has(self) -> dict[str, bool]:
        def some(kind: str) -> bool:
            return any(self.rows(c, kind, -math.inf, self.newest) for c in self.customers)

        return {
            "orders": some("purchases"),
            "events": some("events"),
            "feedback": some("feedback"),
            "terms": some("subscriptions"),
            "categories": any(
                r[2] is not None
                for c in self.customers
                for r in self.rows(c, "purchases", -math.inf, self.newest)
            ),
            "core": any(self.core_times(c, self.newest) for c in self.customers),
        }

    def figures(self) -> dict[tuple[Any, ...], Sum]:
        """(start, end, group, stage, metric) -> numerator, denominator, customers behind it."""
        sums: dict[tuple[Any, ...], list[float]] = defaultdict(lambda: [0.0, 0.0, 0])
        has = self.has()

        def add(key: tuple[Any, ...], numerator: float, denominator: float, count: int | None = None) -> None:
            held = sums[key]
            held[0] += numerator
            held[1] += denominator
            held[2] += int(denominator != 0) if count is None else count

        for at in self.instants:
            for c in self.customers:
                stage = self.stage(at, c)
                if stage is None:
                    continue
                for g in self.groups(at, c):
                    for s in (None, stage):
                        for metric, (num, den) in self.state(c, at, has).items():
                            add((None, at, g, s, metric), num, den)
        for start, end in zip(self.instants, self.instants[1:], strict=False):
            for c in self.customers:
                stage = self.stage(start, c)
                if stage is not None:
                    for g in self.groups(start, c):
                        for s in (None, stage):
                            for metric, (num, den) in self.period(c, start, end, has).items():
                                if s is not None or metric != "conversion_to_next_stage":
                                    add((start, end, g, s, metric), num, den)
                if self.stage(end, c) is not None and has["core"]:
                    contact = self.contact(c, end)
                    if contact is not None and start <= contact + 7 * DAY < end:
                        core = self.core_times(c, end)
                        done = bool(core) and core[0] - contact < 7 * DAY
                        for g in self.groups(end, c):
                            add((start, end, g, None, "activation_completion"), done, 1)
        return {key: (n, d, k) for key, (n, d, k) in sums.items() if k or key[-1] == "survey_count"}

    def state(self, c: str, at: int, has: dict[str, bool]) -> dict[str, tuple[float, float]]:
        row = self.shop.frames[at][c]
        bought = self.rows(c, "purchases", -math.inf, at)
        found: dict[str, tuple[float, float]] = {"customers": (1, 1)}
        clv = row["clv"]
        for name in ("lifetime_value", "lifetime_value_total"):
            found[name] = (clv or 0.0, clv is not None)
        if has["orders"]:
            found["repeat_buyer_share"] = (len(bought) >= 2, len(bought) >= 1)
            found["first_order_value"] = (bought[0][1] if bought else 0.0, len(bought) >= 1)
        if has["feedback"]:
            for kind in ("nps", "csat"):
                answers = [
                    r for r in self.rows(c, "feedback", -math.inf, at) if r[1] == kind and r[2] is not None
                ]
                score = answers[-1][2] if answers else 0.0
                if kind == "nps":
                    score = (score >= 9) - (score <= 6) if answers else 0
                found[kind] = (score, bool(answers))
        return found

    def period(self, c: str, start: int, end: int, has: dict[str, bool]) -> dict[str, tuple[float, float]]:
        before, after = self.stage(start, c), self.stage(end, c)
        was_lost = ROLE.get(before or "", "active") == "lost"
        is_lost = after is not None and ROLE.get(after, "active") == "lost"
        months = (end - start) / DAY / 30
        found: dict[str, tuple[float, float]] = {
            "churn_rate": (not was_lost and is_lost, not was_lost),
            "retention_rate": (not was_lost and after is not None and not is_lost, not was_lost),
            "win_back_rate": (was_lost and after is not None and not is_lost, was_lost),
        }
        if before in PATH[:-1]:
            place = PATH.index(before)
            found["conversion_to_next_stage"] = (after in PATH[place + 1 :], 1)
        past = self.rows(c, "purchases", -math.inf, start)
        new = self.rows(c, "purchases", start, end)
        if has["orders"]:
            found["repurchase_rate"] = (bool(past and new), bool(past))
            found["first_order_conversion"] = (bool(new and not past), not past)
            found["average_order_value"] = (sum(r[1] for r in new), len(new))
            found["purchase_frequency"] = (len(new), months)
        if has["categories"]:
            fresh = {r[2] for r in new} - {r[2] for r in past} - {None}
            found["cross_sell_rate"] = (bool(past and fresh), bool(past))
        if has["core"]:
            found["core_feature_use"] = (any(t >= start for t in self.core_times(c, end)), 1)
        if has["events"]:
            events = self.rows(c, "events", start, end)
            found["active_rate"] = (bool(events), 1)
            found["use_frequency"] = (len({self.local(r[0]).date() for r in events}), months)
            found["breadth_of_use"] = (len({r[1] for r in events}), bool(events))
        if has["feedback"]:
            said = self.rows(c, "feedback", start, end)
            found["survey_count"] = (sum(r[1] in ("nps", "csat") and r[2] is not None for r in said), 1)
            found["complaint_rate"] = (sum(r[1] in ("complaint", "ticket") for r in said), months)
        if has["terms"]:

            def is_open(term: Any, at: int) -> bool:
                return term[0] < at and (term[1] is None or term[1] >= at)

            terms = self.rows(c, "subscriptions", -math.inf, end)
            was = [term for term in terms if is_open(term, start)]
            is_ = [term for term in terms if is_open(term, end)]
            due = any(term[1] is not None and term[1] < end for term in was)
            found["renewal_rate"] = (due and bool(is_), due)
            old, now = (held[-1][3] if held else None for held in (was, is_))
            priced = old is not None and now is not None
            found["upgrade_rate"] = (priced and now > old, priced)
        return found

    def lifetimes(self) -> dict[tuple[Any, ...], float]:
        """(end, group) -> lifetime in years; plain value under (end, group, "plain")."""
        found: dict[tuple[Any, ...], float] = {}
        rates = self.figures()
        names = {key[2] for key in rates}
        for g in names:
            years = lost = 0.0
            for start, end in zip(self.instants, self.instants[1:], strict=False):
                num, den, _ = rates.get((start, end, g, None, "churn_rate"), (0.0, 0.0, 0))
                years += den * (end - start) / DAY / 365.25
                lost += num
                if lost:
                    found[end, g] = years / lost
                    spend, buyers = 0.0, 0
                    for c in self.customers:
                        if self.stage(end, c) is not None and g in self.groups(end, c):
                            lately = self.rows(c, "purchases", end - 365 * DAY, end)
                            spend += sum(r[1] for r in lately)
                            buyers += bool(lately)
                    if buyers:
                        found[end, g, "plain"] = spend / buyers * years / lost
        return found

    # --- moves, stays, cohorts ----------------------------------------------------------------------------
    def moves(self) -> dict[tuple[Any, ...], int]:
        found: dict[tuple[Any, ...], int] = defaultdict(int)
        for start, end in zip(self.instants, self.instants[1:], strict=False):
            for c in self.customers:
                before, after = self.stage(start, c), self.stage(end, c)
                if before is not None or after is not None:
                    for g in self.groups(start if before is not None else end, c):
                        found[start, end, g, before or "new", after or "gone"] += 1
        return dict(found)

    def stays(self) -> list[tuple[str | None, str, int | None, int, int, bool]]:
        """group, stage, age at first sight (None: beginning unknown), age at the end, -, ended."""
        found: list[Any] = []

        def day(t: int) -> int:
            return self.local(t).date().toordinal()

        for c in self.customers:
            run: dict[str, Any] | None = None
            previous = None
            for at in self.instants:
                stage = self.stage(at, c)
                since = self.shop.frames[at].get(c, {}).get("stage_since")
                if run is not None and stage != run["stage"]:
                    if stage is None:
                        found.append((run, run["seen"], False))
                    else:
                        began = since if since is not None and previous < since <= at else at
                        found.append((run, day(began), True))
                if stage is not None and (run is None or stage != run["stage"]):
                    known = previous is not None or (since is not None and since < at)
                    if run is None:
                        began = since if since is not None and since <= at else at
                        entry = -1 if day(began) == day(at) else day(at) - day(began)
                    else:
                        entry = -1
                    run = {"stage": stage, "began": day(began), "entry": entry, "known": known}
                if stage is None:
                    run = None
                elif run is not None:
                    run |= {"seen": day(at), "groups": self.groups(at, c)}
                previous = at
            if run is not None:
                found.append((run, run["seen"], False))
        return [
            (g, run["stage"], run["entry"] if run["known"] else None, exit_ - run["began"], 0, ended)
            for run, exit_, ended in found
            for g in run["groups"]
        ]

    def cohorts(self) -> dict[tuple[Any, ...], tuple[int, int | None]]:
        """(group, cohort, month since) -> customers, active (None: not over)."""
        active: dict[tuple[Any, ...], set[str]] = defaultdict(set)
        for c in self.customers:
            bought = self.rows(c, "purchases", -math.inf, self.newest)
            if self.stage(self.newest, c) is not None and bought:
                first = self.month(bought[0][0])
                for g in self.groups(self.newest, c):
                    for row in bought:
                        active[g, first, self.month(row[0]) - first].add(c)
        last = self.month(self.newest - 1)
        found = {}
        for g, first in {key[:2] for key in active}:
            size = len(active[g, first, 0])
            for k in range(last - first + 1):
                year, month = divmod(first + k + 1, 12)
                over = (
                    datetime(year, month + 1, 1, tzinfo=ZoneInfo(self.shop.zone)).timestamp() * 1e6
                    <= self.newest
                )
                seen = k == 0 or over
                found[g, f"{first // 12}-{first % 12 + 1:02d}", k] = (
                    size,
                    len(active.get((g, first, k), ())) if seen else None,
                )
        return found

    def channels(self) -> dict[tuple[Any, ...], Sum]:
        sums: dict[tuple[Any, ...], list[float]] = defaultdict(lambda: [0.0, 0.0, 0])
        for c in self.customers:
            if self.stage(self.newest, c) is None:
                continue
            profile = self.shop.customers.get(c, {})
            bought = self.rows(c, "purchases", -math.inf, self.newest)
            spent, buyer = sum(r[1] for r in bought), bool(bought)
            worth = spent + (self.shop.frames[self.newest][c]["clv"] or 0.0)
            cost = profile.get("acquisition_cost")
            parts = {
                "channel_conversion": (buyer, 1, 1),
                "first_order_value_by_channel": (bought[0][1] if buyer else 0.0, buyer, buyer),
                "repurchase_potential_by_channel": (len(bought) >= 2, buyer, buyer),
                "lifetime_value_by_channel": (worth if buyer else 0.0, buyer, buyer),
                "lead_quality": (worth, 1, 1),
                "acquisition_cost": (cost or 0.0, buyer and cost is not None, cost is not None),
                "ltv_cac": (worth if cost is not None else 0.0, cost or 0.0, cost is not None),
            }
            for g in self.groups(self.newest, c):
                for channel in (None, profile.get("acquisition_channel") or MISSING):
                    for metric, values in parts.items():
                        held = sums[g, channel, metric]
                        for i, value in enumerate(values):
                            held[i] += value
        return {key: (n, d, int(k)) for key, (n, d, k) in sums.items()}


def km_quantile(stays: list[tuple[int, int, bool]], share: float) -> float | None:
    """First day by which `share` have ended; (entry age or -1, exit age, ended)."""
    left = 1.0
    for day in range(max((exit_ for _, exit_, _ in stays), default=0) + 1):
        at_risk = sum(entry < day <= exit_ for entry, exit_, _ in stays)
        ended = sum(exit_ == day and over and entry < day for entry, exit_, over in stays)
        if ended:
            left *= 1 - ended / at_risk
            if left <= 1 - share + 1e-9:
                return day
    return None


__all__ = ["CORE", "Oracle", "km_quantile", "timedelta"]
