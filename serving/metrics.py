"""Prometheus metrics beside BentoML's own, in its multi-process mode: `/metrics` adds up all workers.

Made at first use: prometheus_client must be imported after BentoML has said where its files lie. No label takes a
value that callers choose.
"""

import time
from bisect import bisect_left
from collections import Counter as Counted
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lifestage.features.spec import FeatureSpec
from lifestage.history import History
from serving.state import State

DURATIONS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 10.0)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_000)
TENTHS = tuple(i / 10 for i in range(1, 11))
STAGES = 100
"""Stage names with a count of their own; the policies of later releases bring others."""


@dataclass(frozen=True)
class Instruments:
    duration: Any
    in_flight: Any
    batch_customers: Any
    batch_requests: Any
    scored: Any
    churn: Any
    staged: Any
    unknown: Any
    reloads: Any
    stages: set[str] = field(default_factory=set)


@cache
def instruments() -> Instruments:
    """One set per process."""
    from prometheus_client import Counter, Gauge, Histogram

    def name(rest: str) -> str:
        return f"lifestage_{rest}"

    return Instruments(
        Histogram(name("request_duration_seconds"), "Of requests", ["endpoint", "status"], buckets=DURATIONS),
        Gauge(name("requests_in_flight"), "Requests being answered", multiprocess_mode="livesum"),
        Histogram(name("batch_customers"), "Customers scored together", buckets=SIZES),
        Histogram(name("batch_requests"), "Requests scored together", buckets=SIZES),
        Counter(name("customers_scored"), "Customers scored from their histories"),
        Histogram(name("churn_probability"), "Churn probabilities given", buckets=TENTHS),
        Counter(name("staged"), "Customers scored, by the stage they were given", ["stage"]),
        Counter(
            name("unknown_categories"),
            "Values of an attribute that the model has no level for",
            ["attribute"],
        ),
        Counter(name("reloads"), "Attempts to take up a release", ["outcome"]),
    )


@cache
def _duration(endpoint: str, status: int) -> Any:
    return instruments().duration.labels(endpoint, str(status))


def observe_request(endpoint: str, status: int, seconds: float) -> None:
    """One answered request; `endpoint` is a pattern of paths.py."""
    _duration(endpoint, status).observe(seconds)


def observe_batch(customers: int, requests: int) -> None:
    """One block that was computed: so many customers, of so many requests."""
    made = instruments()
    made.batch_customers.observe(customers)
    made.batch_requests.observe(requests)


def observe_scores(table: pa.Table) -> None:
    """The distribution of what a block of schemas.SCORE says; costs the same for one row and for many."""
    made = instruments()
    made.scored.inc(len(table))
    churn = [value for value in table.column("churn_probability").to_pylist() if value is not None]
    if churn:
        # The instrument takes one value at a time; its counters take them all.
        for place, count in Counted(bisect_left(TENTHS, value) for value in churn).items():
            made.churn._buckets[place].inc(count)
        made.churn._sum.inc(sum(churn))
    for stage, count in Counted(table.column("stage").to_pylist()).items():
        made.staged.labels(_known(stage, made.stages)).inc(count)


def _known(stage: str | None, stages: set[str]) -> str:
    if stage is None:
        return "none"
    if stage not in stages and len(stages) >= STAGES:
        return "other"
    stages.add(stage)
    return stage


def unknown_categories(history: History, spec: FeatureSpec) -> dict[str, int]:
    """Attribute -> how many customers have a text that is none of the model's levels: rare at training, or new."""
    found = {}
    for attribute in spec.attributes:
        column = history.profile.get(attribute.name)
        if attribute.type != "text" or column is None or column.null_count == len(column):
            continue
        if len(column) <= 64:
            levels = set(attribute.levels)
            count = sum(text is not None and text not in levels for text in column.to_pylist())
        else:
            known = pc.is_in(column, value_set=pa.array(attribute.levels, pa.string()))
            count = len(column) - column.null_count - (pc.sum(pc.and_(known, column.is_valid())).as_py() or 0)
        if count:
            found[attribute.name] = count
    return found


def observe_unknown(history: History, spec: FeatureSpec) -> None:
    """Count what `unknown_categories` finds in a block that is being scored."""
    for attribute, count in unknown_categories(history, spec).items():
        instruments().unknown.labels(attribute).inc(count)


def observe_reload(succeeded: bool) -> None:
    instruments().reloads.labels("success" if succeeded else "failure").inc()


def now_lines(state: State, loaded_at: int, checked_at: int, failing: bool, store: bool) -> str:
    """What holds for the answering worker at this moment, in Prometheus' text format: no series stays behind."""
    release = state.release
    about = f'release="{_quoted(release.name)}",policy="{_quoted(release.policy.label)}"'
    as_of = release.manifest.get("as_of")
    rows: list[tuple[str, str, float]] = [
        (f"release_info{{{about}}}", "The release that is served", 1),
        ("release_loaded_timestamp_seconds", "When it was loaded", loaded_at / 1e6),
        ("release_checked_timestamp_seconds", "When a newer one was last looked for", checked_at / 1e6),
        ("release_refused", "1 where the current pointer's release is refused", float(failing)),
        ("store_up", "1 where the score store answers", float(store)),
    ]
    if isinstance(as_of, int):
        age = time.time() - as_of / 1e6
        rows.append(("model_age_seconds", "Since the end of the data that the release was made of", age))
    if state.origin.published_at is not None:
        age = time.time() - state.origin.published_at / 1e6
        rows.append(("release_age_seconds", "Since the release was published", age))
    lines = []
    for name, text, value in rows:
        plain = name.partition("{")[0]
        lines += [
            f"# HELP lifestage_{plain} {text}",
            f"# TYPE lifestage_{plain} gauge",
            f"lifestage_{name} {value!r}",
        ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
