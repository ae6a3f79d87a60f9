"""Made-up customers put right: events, core behaviour, subscriptions, answers and tickets of one kind fit together."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Genes = dict[str, Floats]


class Rows(NamedTuple):
    """The columns that tell of rows of one kind."""

    counts: tuple[str, ...]
    """0 without a row, 1 or more with one."""
    stem: str
    """Of counts over windows, <stem>_30d: at least 1 where the last row is so young, else 0."""
    age: str
    """Time since the last row."""
    known: tuple[str, ...]
    """Missing without a row, and never with one."""


KINDS: tuple[Rows, ...] = (
    Rows(("event_count", "active_days", "session_count"), "events", "days_since_last_event", ()),
    Rows((), "active_days", "days_since_last_event", ()),
    Rows((), "sessions", "days_since_last_event", ()),
    Rows(("core_event_count",), "", "days_since_core_event", ("days_to_core_event",)),
    Rows(("nps_count",), "", "", ("nps_last", "nps_mean", "nps_detractor")),
    Rows(("csat_count",), "", "", ("csat_last", "csat_mean")),
    Rows(("review_count",), "", "", ("review_last", "review_mean")),
    Rows((), "tickets", "days_since_last_ticket", ()),
    Rows((), "complaints", "days_since_last_complaint", ()),
    Rows(("feedback_count",), "", "days_since_last_feedback", ()),
)
WINDOWS = (7, 30, 90, 365)


def settle_rows(genes: Genes) -> None:
    """Change what contradicts another column of the same rows, in place."""
    for kind in KINDS:
        _settle(genes, kind)
    _same(genes, "nps_last", "nps_detractor")
    _terms(genes)
    core, contact = genes.get("days_to_core_event"), genes.get("days_since_first_contact")
    if core is not None and contact is not None:
        genes["days_to_core_event"] = np.where(np.isnan(core), np.nan, np.fmin(core, contact))


def _settle(genes: Genes, kind: Rows) -> None:
    windows = [(days, f"{kind.stem}_{days}d") for days in WINDOWS if f"{kind.stem}_{days}d" in genes]
    counts = [name for name in kind.counts if name in genes]
    known = [name for name in (kind.age, *kind.known) if name in genes]
    some = _some(genes, [*known, *counts, *(name for _, name in windows[::-1])])
    if some is None:
        return
    has, unknown = some
    for name in counts:
        genes[name] = np.where(has, np.fmax(genes[name], 1), 0.0)
        genes[name][unknown] = np.nan
    for name in known:
        genes[name] = np.where(has, np.nan_to_num(genes[name], nan=5.0), np.nan)
    below = np.zeros(len(has))
    for days, name in windows:
        recent = has & (genes[kind.age] <= days) if kind.age in genes else genes[name] >= 1
        below = np.where(recent, np.fmax(np.fmax(genes[name], 1), below), 0.0)
        genes[name] = np.where(unknown, np.nan, below)
        change = f"{kind.stem}_change_{days}d"
        if change in genes:
            genes[change] = np.where(unknown, np.nan, np.fmin(np.nan_to_num(genes[change]), genes[name]))


def _some(genes: Genes, names: Sequence[str]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]] | None:
    """Who has rows, by the first column there is; and for whom it is not known, as the shop has no such table."""
    if not names:
        return None
    first = genes[names[0]]
    counted = names[0].endswith(("_count", "d")) or names[0] == "active_days"
    has = first >= 1 if counted else ~np.isnan(first)
    # Half of those without a value stand for a shop that lacks the table.
    unknown = np.isnan(first) if counted else ~has & (np.arange(len(first)) % 2 == 0)
    return has, unknown


def _same(genes: Genes, score: str, flag: str) -> None:
    if score in genes and flag in genes:
        genes[flag] = np.where(np.isnan(genes[score]), np.nan, (genes[score] <= 6).astype(np.float64))


def _terms(genes: Genes) -> None:
    open_ = _open(genes)
    if open_ is None:
        return
    count = genes.get("term_count")
    had = np.fmax(np.nan_to_num(count), open_) >= 1 if count is not None else _had(genes, open_)
    several = count >= 2 if count is not None else had
    if "subscribed" in genes:
        genes["subscribed"] = open_.astype(np.float64)
    if "term_count" in genes:
        genes["term_count"] = np.where(had, np.fmax(np.nan_to_num(genes["term_count"]), 1), 0.0)
    wanted = {
        "days_in_term": (open_, 30.0),
        "days_since_term_end": (had & ~open_, 30.0),
        "plan": (had, np.nan),
        "monthly_price": (had, 10.0),
        "price_change": (open_ & several, 0.0),
    }
    for name, (there, spare) in wanted.items():
        if name in genes:
            filled = np.where(np.isnan(genes[name]), spare, genes[name])
            genes[name] = np.where(there, filled, np.nan)


def _open(genes: Genes) -> npt.NDArray[np.bool_] | None:
    """Who has an open term, by the first column that tells; None where none does."""
    if "subscribed" in genes:
        return genes["subscribed"] == 1
    if "days_in_term" in genes:
        return ~np.isnan(genes["days_in_term"])
    if "days_since_term_end" in genes:
        return np.isnan(genes["days_since_term_end"]) & (
            np.arange(len(genes["days_since_term_end"])) % 2 == 0
        )
    for name in ("price_change", "term_count", "monthly_price", "plan"):
        if name in genes:
            return genes[name] > 0 if name == "term_count" else ~np.isnan(genes[name])
    return None


def _had(genes: Genes, open_: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Who ever had a term, where their number is not read."""
    had = open_.copy()
    for name in ("days_since_term_end", "monthly_price", "plan"):
        if name in genes:
            had |= ~np.isnan(genes[name])
    return had
