"""What the benchmarks of features share: a stop-watch, a process of one's own, the purchase windows in SQL."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lifestage.localtime import DAY

WINDOWS = (7, 14, 30, 60, 90, 180, 365)
LATE = 4_000_000_000_000_000
"""An instant of extraction after every row."""


@dataclass(frozen=True)
class Figure:
    """One line of the table; `goal` is the least ratio of the peer's figure to ours."""

    what: str
    ours: float
    peer: str = ""
    theirs: float | None = None
    goal: float | None = None

    def __str__(self) -> str:
        line = f"{self.what:<66}{self.ours:>10,.2f}"
        if self.theirs is None:
            return line
        ratio = self.theirs / self.ours
        met = (
            "" if self.goal is None else f"  goal {self.goal:g}: {'met' if ratio >= self.goal else 'NOT met'}"
        )
        return f"{line}  {self.peer:<26}{self.theirs:>10,.2f}{ratio:>8.1f}{met}"


def timed(work: Callable[[], Any], repeats: int = 1) -> tuple[float, Any]:
    """Least wall time, and the last result."""
    best, result = float("inf"), None
    for _ in range(repeats):
        started = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - started)
    return best, result


def peak_megabytes() -> float:
    """Peak memory of this process. (getrusage would give that of the process that started it, were it larger.)"""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def alone(module: str, *arguments: str) -> dict[str, float]:
    """What a module prints as JSON, run in a process whose peak memory is its own."""
    command = [sys.executable, "-m", f"tests.benchmarks.{module}", *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def purchases_sql(cutoff: int) -> str:
    """The purchase features at one cutoff as an analyst who knows DuckDB writes them: two aggregations, one join."""

    def since(days: int) -> str:
        return f"t >= {cutoff - days * DAY}"

    windows = [
        f"count(*) FILTER ({since(w)}) AS orders_{w}d, coalesce(sum(net) FILTER ({since(w)}), 0) AS spend_{w}d"
        for w in WINDOWS
    ]
    changes = [
        f"2 * count(*) FILTER ({since(w)}) - count(*) FILTER ({since(2 * w)}) AS orders_change_{w}d, "
        f"coalesce(sum(net) FILTER ({since(w)}), 0) - coalesce(sum(net) FILTER ({since(2 * w)} AND NOT {since(w)}), 0)"
        f" AS spend_change_{w}d"
        for w in (30, 90)
    ]
    year = cutoff - 365 * DAY
    return f"""
WITH seen AS (SELECT customer, t, net, t // {DAY} AS day FROM purchases WHERE t < {cutoff}),
sums AS (
    SELECT customer, {", ".join([*windows, *changes])},
        count(*) FILTER (t >= {year} AND t < {year + 90 * DAY}) AS orders_same_season,
        count(*) AS order_count, sum(net) AS spend_total, avg(net) AS mean_order_value,
        max(net) AS max_order_value, arg_max(net, t) AS last_order_value, arg_min(net, t) AS first_order_value,
        ({cutoff} - max(t)) / {DAY} AS days_since_last_order, ({cutoff} - min(t)) / {DAY} AS days_since_first_order,
        avg(CASE WHEN (day + 3) % 7 >= 5 THEN 1 ELSE 0 END) AS weekend_share,
        avg((t % {DAY}) / 3600000000) AS mean_order_hour
    FROM seen GROUP BY customer
),
days AS (SELECT DISTINCT customer, day FROM seen),
gaps AS (
    SELECT customer, day, day - lag(day) OVER (PARTITION BY customer ORDER BY day) AS gap FROM days
),
rhythm AS (
    SELECT customer, count(*) AS purchase_days, avg(gap) AS mean_gap_days, stddev_samp(gap) AS std_gap_days,
        min(gap) AS min_gap_days, max(gap) AS max_gap_days, arg_max(gap, day) FILTER (gap IS NOT NULL) AS last_gap_days
    FROM gaps GROUP BY customer
)
SELECT sums.*, rhythm.* EXCLUDE customer, days_since_last_order / mean_gap_days AS recency_over_mean_gap,
    days_since_last_order / max_gap_days AS recency_over_max_gap
FROM sums JOIN rhythm USING (customer)"""
