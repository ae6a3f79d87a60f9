"""The judgement: one line per question, pass / warn / refuse with the figure and its limit."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from lifestage.errors import InputError
from lifestage.fitting import definition_of, folds_of
from lifestage.folds import Folds
from lifestage.history_file import HistoryFile
from lifestage.localtime import day_of
from lifestage.readiness.gaps import suggest
from lifestage.readiness.scan import Scan, scan
from lifestage.schemas import PROFILE
from lifestage.settings import Readiness, Shop

Level = Literal["pass", "warn", "refuse"]
LEVELS: tuple[Level, ...] = ("pass", "warn", "refuse")
FEW_TRAIN_CUTOFFS = 2
ACTIVE_SHARE = 0.7
"""A shop with rows on such a share of its days is active: a week without any is odd."""
MIN_HOURS = 500
QUIET_HOURS, QUIET_SHARE = 6, 0.05
MIXED = 0.98
"""Share of rows at midnight from which on they are dates without a time."""


@dataclass(frozen=True, slots=True)
class Line:
    """One question about the data."""

    name: str
    level: Level
    figure: float | None
    limit: float | None
    said: str


@dataclass(frozen=True, slots=True)
class Report:
    """All lines, the outcomes at each cutoff, and what horizon the data suggest."""

    lines: Sequence[Line]
    cutoffs: Sequence[Mapping[str, Any]]
    suggestion: Mapping[str, Any] | None

    @property
    def level(self) -> Level:
        return max((line.level for line in self.lines), key=LEVELS.index)

    @property
    def refused(self) -> list[Line]:
        return [line for line in self.lines if line.level == "refuse"]

    def to_json(self) -> dict[str, Any]:
        return {
            "level": self.level,
            "lines": [asdict(line) for line in self.lines],
            "cutoffs": list(self.cutoffs),
            "suggestion": self.suggestion,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Report":
        return cls([Line(**line) for line in document["lines"]], document["cutoffs"], document["suggestion"])


def assess(shop: Shop, file: HistoryFile, progress: Callable[[int], object] | None = None) -> Report:
    """Measure and judge a shop's history under its `readiness` figures."""
    try:
        folds, fault = folds_of(shop, file), ""
    except InputError as error:
        folds, fault = None, str(error)
    parts = _parts(folds) if folds else []
    found = scan(file, sorted({cutoff for _, cutoff in parts}), definition_of(shop), progress)
    outcomes = [
        {
            "part": part,
            "cutoff": day_of(cutoff, file.zone).isoformat(),
            "eligible": found.eligible[cutoff],
            "churned": found.churned[cutoff],
        }
        for part, cutoff in parts
    ]
    kind = "events" if shop.churn.definition == "activity" or not found.rows["purchases"] else "purchases"
    suggestion = suggest(found.gaps[kind], _longest_horizon(shop, file))
    rule = shop.readiness
    lines = [
        _history(shop, folds, fault),
        *(_outcomes(rule, outcomes, folds) if folds else []),
        *_missing(rule, found),
        _ids(found),
        _time_gaps(rule, found, shop.churn.horizon_days),
        _repeats(rule, found),
        _burst(rule, found),
        _midnight(rule, found),
        _hours(found, shop.timezone),
        _horizon(shop, suggestion, kind),
    ]
    return Report(lines, outcomes, suggestion)


def _longest_horizon(shop: Shop, file: HistoryFile) -> int:
    """Days that fit three times into the history after its first `min_history_days`."""
    first, until = (day_of(file.facts[name], file.zone) for name in ("first_row", "observed_until"))
    return ((until - first).days - shop.churn.min_history_days) // 3


def _parts(folds: Folds) -> list[tuple[str, int]]:
    if not folds.out_of_time:
        return [("at random", folds.test)]
    return [*(("train", c) for c in folds.train), ("validation", folds.validation), ("test", folds.test)]


def _below(figure: float, minimum: float, refuse: float) -> Level:
    return "refuse" if figure < refuse else "warn" if figure < minimum else "pass"


def _above(figure: float, maximum: float, refuse: float = np.inf) -> Level:
    return "refuse" if figure > refuse else "warn" if figure > maximum else "pass"


def _history(shop: Shop, folds: Folds | None, fault: str) -> Line:
    if folds is None:
        return Line("history", "refuse", None, None, fault)
    if not folds.out_of_time:
        said = "the labels carry no dates: customers are split at random, the grade is not out of time"
        return Line("history", "warn", 1, None, said)
    n, asked = len(folds.train), min(FEW_TRAIN_CUTOFFS, shop.churn.train_cutoffs)
    said = f"{n} training cutoffs of {shop.churn.train_cutoffs} asked for fit before validation and test"
    return Line("history", "warn" if n < asked else "pass", n, asked, said)


def _outcomes(rule: Readiness, outcomes: Sequence[Mapping[str, Any]], folds: Folds | None) -> list[Line]:
    share = 1.0 if folds and folds.out_of_time else 0.2  # the smallest part of a split at random
    least = min(outcomes, key=lambda o: int(o["eligible"]))
    rarest = min(outcomes, key=lambda o: min(o["churned"], o["eligible"] - o["churned"]))
    customers = int(least["eligible"] * share)
    rare = min(rarest["churned"], rarest["eligible"] - rarest["churned"])
    kind = "churned" if rare == rarest["churned"] else "stayed"
    rare = int(rare * share)
    return [
        Line(
            "customers",
            _below(customers, rule.min_customers, rule.refuse_customers),
            customers,
            rule.min_customers,
            f"{customers:,} eligible customers at the smallest cutoff ({least['part']} {least['cutoff']}); "
            f"at least {rule.min_customers:,} wanted, {rule.refuse_customers:,} needed",
        ),
        Line(
            "outcomes",
            _below(rare, rule.min_per_class, rule.refuse_per_class),
            rare,
            rule.min_per_class,
            f"{rare:,} who {kind} at the scarcest cutoff ({rarest['part']} {rarest['cutoff']}); "
            f"at least {rule.min_per_class:,} wanted, {rule.refuse_per_class:,} needed",
        ),
    ]


def _missing(rule: Readiness, found: Scan) -> list[Line]:
    # A canonical column that nobody fills is one that the shop does not have.
    counts = {name: n for name, n in found.missing.items() if name not in PROFILE or n < found.customers}
    if not counts or not found.customers:
        return []
    shares = {name: n / found.customers for name, n in counts.items()}
    worst = max(shares, key=lambda name: shares[name])
    bad = [f"{name} {share:.0%}" for name, share in shares.items() if share > rule.max_missing_share]
    said = f"customers: {worst} is missing for {shares[worst]:.1%}, the most of {len(shares)} columns"
    if bad:
        said = f"customers: missing values in {', '.join(bad)}"
    level = _above(shares[worst], rule.max_missing_share)
    limit = rule.max_missing_share
    return [Line("missing values", level, shares[worst], limit, f"{said} (limit {limit:.0%})")]


def _time_gaps(rule: Readiness, found: Scan, horizon_days: int) -> Line:
    days = np.array(sorted(found.days), np.int64)
    if len(days) < 2:
        return Line("time gaps", "pass", None, rule.max_gap_days, "no rows in time to judge")
    empty = np.diff(days) - 1
    longest = int(empty.max())
    active = len(days) / (int(days[-1] - days[0]) + 1)
    if active < ACTIVE_SHARE and longest < horizon_days:
        said = f"rows on only {active:.0%} of days, too few to tell a gap; the longest is {longest} days"
        return Line("time gaps", "pass", longest, rule.max_gap_days, said)
    begin = np.datetime64(int(days[int(empty.argmax())] + 1), "D")
    said = f"the longest time without any row is {longest} days" + (f", from {begin}" if longest else "")
    level = _above(longest, rule.max_gap_days, max(horizon_days - 1, rule.max_gap_days))
    return Line("time gaps", level, longest, rule.max_gap_days, f"{said} (limit {rule.max_gap_days})")


def _ids(found: Scan) -> Line:
    n = found.respelt
    if not n:
        return Line("ids", "pass", 0, 0, "none differ from one another in case or outer blanks alone")
    said = (
        f"{n:,} differ from another in case or outer blanks alone; if they are one customer, map customer_id: "
        "upper(trim(<your column>))"
    )
    return Line("ids", "warn", n, 0, said)


def _repeats(rule: Readiness, found: Scan) -> Line:
    shares = {kind: found.repeats[kind] / n for kind, n in found.rows.items() if n}
    if not shares:
        return Line("duplicates", "pass", None, rule.max_duplicate_share, "no rows in time to judge")
    kind = max(shares, key=lambda k: shares[k])
    share, limit = shares[kind], rule.max_duplicate_share
    said = f"{share:.2%} of {kind} repeat another row of the customer exactly (limit {limit:.0%})"
    return Line("duplicates", _above(share, limit, rule.refuse_duplicate_share), share, limit, said)


def _burst(rule: Readiness, found: Scan) -> Line:
    n = found.burst
    said = f"at most {n:,} rows carry the same second (limit {rule.max_burst:,})"
    return Line("bursts", _above(n, rule.max_burst), n, rule.max_burst, said)


def _midnight(rule: Readiness, found: Scan) -> Line:
    shares = {kind: found.midnight[kind] / n for kind, n in found.rows.items() if n}
    limit = rule.max_midnight_share
    mixed = {kind: share for kind, share in shares.items() if share < MIXED}
    if not mixed:
        said = "all rows are dates without a time" if shares else "no rows in time to judge"
        return Line("midnight", "pass", max(shares.values(), default=None), limit, said)
    kind = max(mixed, key=lambda k: mixed[k])
    share = mixed[kind]
    said = f"{share:.1%} of {kind} lie at exactly midnight (limit {limit:.0%})"
    if share > limit:
        said += ": dates and times are mixed, or a time was lost"
    return Line("midnight", _above(share, limit), share, limit, said)


def _hours(found: Scan, zone: str) -> Line:
    total = int(found.hours.sum())
    if total < MIN_HOURS:
        return Line("hours", "pass", None, None, "too few rows with a time to judge the timezone")
    around = np.concatenate([found.hours, found.hours])
    sums = np.array([around[h : h + QUIET_HOURS].sum() for h in range(24)])
    start = int(sums.argmin())
    middle = (start + QUIET_HOURS / 2) % 24
    said = f"the quietest six hours begin at {start}:00 {zone} ({sums[start] / total:.1%} of rows)"
    if sums[start] / total <= QUIET_SHARE and 9 <= middle < 21:
        said += ": people sleep by day; correct 'timezone', or the times are of another zone"
        return Line("hours", "warn", start, None, said)
    return Line("hours", "pass", start, None, said)


def _horizon(shop: Shop, suggestion: Mapping[str, Any] | None, kind: str) -> Line:
    own, factor = shop.churn.horizon_days, shop.readiness.horizon_factor
    if suggestion is None:
        return Line("horizon", "pass", own, None, f"too few gaps between {kind} to suggest a horizon")
    better, p = suggestion["horizon_days"], suggestion["gap_days"]
    said = (
        f"churn.horizon_days is {own}; the customers' own gaps between days with {kind} (half are at most {p['p50']} "
        f"days, 80 % {p['p80']}, 90 % {p['p90']}) suggest {better}, "
        f"and windows of {', '.join(map(str, suggestion['windows_days']))} days"
    )
    far = own > better * factor or own * factor < better
    if far and shop.churn.definition in ("purchase", "activity"):
        return Line("horizon", "warn", own, better, f"{said}: far from it")
    return Line("horizon", "pass", own, better, said)
