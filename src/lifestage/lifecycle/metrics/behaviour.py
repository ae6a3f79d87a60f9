"""What customers did and said: events, answers, tickets, terms; at an instant and in a period."""

import numpy as np
import pyarrow as pa

from lifestage.block_rows import BlockRows
from lifestage.history import Before, History
from lifestage.lifecycle.metrics.orders import MONTH_DAYS
from lifestage.lifecycle.metrics.sums import Part
from lifestage.localtime import DAY
from lifestage.ragged import Bools, Floats, Ints, at, missing

ACTIVATION_DAYS = 7
PROMOTER, DETRACTOR = 9, 6
EVENT_METRICS = ("active_rate", "use_frequency", "breadth_of_use")
ANSWER_METRICS = ("nps", "csat", "survey_count", "complaint_rate")
TERM_METRICS = ("renewal_rate", "upgrade_rate")


def _within(block: BlockRows, start: int, end: int) -> Ints:
    """Places of the block's rows with start <= t < end."""
    t = block.rows.t
    return np.flatnonzero((t >= start) & (t < end) & (block.owner >= 0))


def event_flow(history: History, start: int, end: int) -> dict[str, Part]:
    """EVENT_METRICS of every customer in [start, end)."""
    n = len(history)
    block = history.block_rows("events")
    rows = _within(block, start, end)
    owner, day = block.owner[rows], block.day[rows]
    first = np.ones(len(rows), np.bool_)  # of the customer's rows of that day: they lie in order of time
    first[1:] = (owner[1:] != owner[:-1]) | (day[1:] != day[:-1])
    codes = block.coded("event_type")
    kinds = np.unique(owner * (codes.size + 1) + codes.codes[rows] + 1) // (codes.size + 1)
    active = np.bincount(owner, minlength=n) > 0
    everybody = np.ones(n)
    scale = (end - start) / DAY / MONTH_DAYS
    return {
        "active_rate": Part(active, everybody),
        "use_frequency": Part(np.bincount(owner[first], minlength=n), everybody * scale),
        "breadth_of_use": Part(np.bincount(kinds, minlength=n), active),
    }


def answer_state(view: Before) -> dict[str, Part]:
    """nps and csat of every customer: their last answer with a score before the cutoff."""
    known = view.rows("feedback")
    kinds, score = known.codes("kind"), known.numbers("score")

    def last(kind: str) -> Floats:
        found = missing(len(view))
        if kind in kinds.levels:
            rows = (kinds.codes == kinds.levels.index(kind)) & ~np.isnan(score)
            found[known.owner[rows]] = score[rows]  # in order of time: the last one stays
        return found

    nps, csat = last("nps"), last("csat")
    balance = (nps >= PROMOTER).astype(np.float64) - (nps <= DETRACTOR)
    return {
        "nps": Part(balance, ~np.isnan(nps)),
        "csat": Part(np.nan_to_num(csat), ~np.isnan(csat)),
    }


def answer_flow(history: History, start: int, end: int) -> dict[str, Part]:
    """survey_count and complaint_rate of every customer in [start, end)."""
    n = len(history)
    block = history.block_rows("feedback")
    rows = _within(block, start, end)
    kinds = block.coded("kind")
    owner, codes = block.owner[rows], kinds.codes[rows]
    scored = ~np.isnan(block.numbers("score")[rows])

    def of(names: tuple[str, ...]) -> Bools:
        wanted = [i for i, level in enumerate(kinds.levels) if level in names]
        return np.isin(codes, wanted)

    surveys = np.bincount(owner[of(("nps", "csat")) & scored], minlength=n)
    tickets = np.bincount(owner[of(("complaint", "ticket"))], minlength=n)
    scale = (end - start) / DAY / MONTH_DAYS
    return {
        "survey_count": Part(surveys, np.ones(n)),
        "complaint_rate": Part(tickets, np.full(n, scale)),
    }


def term_flow(history: History, start: int, end: int) -> dict[str, Part]:
    """TERM_METRICS of every customer in [start, end). A term is open at t where started < t <= ended, or no end."""
    n = len(history)
    block = history.block_rows("subscriptions")
    ended = np.nan_to_num(block.numbers("ended_at"), nan=np.inf)
    price = block.numbers("monthly_price")
    own = block.owner >= 0

    def open_at(instant: int) -> tuple[Bools, Floats]:
        """Who has an open term, and the price of the one that started last (NaN: not known)."""
        rows = np.flatnonzero(own & (block.rows.t < instant) & (ended >= instant))
        latest = missing(n)
        latest[block.owner[rows]] = price[rows]
        return np.bincount(block.owner[rows], minlength=n) > 0, latest

    (was, before), (is_, after) = open_at(start), open_at(end)
    due = own & (block.rows.t < start) & (ended >= start) & (ended < end)
    came_due = np.bincount(block.owner[due], minlength=n) > 0
    priced = was & is_ & ~np.isnan(before) & ~np.isnan(after)
    return {
        "renewal_rate": Part(came_due & is_, came_due),
        "upgrade_rate": Part(priced & (after > before), priced),
    }


def first_contact(view: Before) -> Floats:
    """Instant of the first order placed, event or registration before the cutoff, NaN without one, float64[n]."""
    placed, events = view.placed, view.events
    first_order = at(placed.t, placed.starts, placed.counts > 0)
    first_event = at(events.t, events.starts, events.counts > 0)
    return np.fmin(np.fmin(first_order, first_event), view.signed_up_at)


def core_rows(view: Before, core_event: str | None) -> tuple[Ints, Ints]:
    """(customer, instant) of each core event before the cutoff, in order; without a core event, of each order."""
    if core_event is None:
        bought = view.purchases
        return bought.owner, bought.t
    known = view.rows("events")
    codes = known.codes("event_type")
    rows = codes.codes == (codes.levels.index(core_event) if core_event in codes.levels else -2)
    return known.owner[rows], known.t[rows]


def core_flow(view: Before, start: int, core_event: str | None) -> dict[str, Part]:
    """core_feature_use of [start, view.cutoff) of every customer."""
    owner, t = core_rows(view, core_event)
    used = np.bincount(owner[t >= start], minlength=len(view)) > 0
    return {"core_feature_use": Part(used, np.ones(len(view)))}


class Activation:
    """How soon after the first contact the core behaviour came, as known at one instant."""

    def __init__(self, view: Before, core_event: str | None) -> None:
        self.contact = first_contact(view)
        owner, t = core_rows(view, core_event)
        core = missing(len(view))
        core[owner[::-1]] = t[::-1]  # in order of time: the first one stays
        self.seen = ~np.isnan(self.contact)
        self.came = ~np.isnan(core)
        until = np.where(self.came, core, float(view.cutoff)) - self.contact
        self.days = np.nan_to_num(np.maximum(until, 0.0) / DAY)
        """To the core behaviour, or to the cutoff where it has not come."""

    def completed(self, start: int, end: int) -> dict[str, Part]:
        """activation_completion of those whose first ACTIVATION_DAYS ended in [start, end)."""
        due = self.contact + ACTIVATION_DAYS * DAY
        inside = self.seen & (due >= start) & (due < end)
        done = inside & self.came & (self.days < ACTIVATION_DAYS)
        return {"activation_completion": Part(done, inside)}


def present(history: History, instant: int) -> dict[str, bool]:
    """Which kinds of rows the block has before an instant: events, feedback, subscriptions, categories."""
    bought = history.purchases
    category = bought.columns["category"] if len(bought.t) else pa.nulls(0)
    with_category = category.is_valid().to_numpy(zero_copy_only=False) & (bought.t < instant)
    return {
        "orders": bool((bought.t < instant).any()),
        "events": bool((history.events.t < instant).any()),
        "feedback": bool((history.feedback.t < instant).any()),
        "subscriptions": bool((history.subscriptions.t < instant).any()),
        "categories": bool(with_category.any()),
    }
