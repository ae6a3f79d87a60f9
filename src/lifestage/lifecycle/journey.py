"""What only policies read of a history: the core behaviour, and subscriptions as they stand at the cutoff."""

import numpy as np
import pyarrow as pa

from lifestage.history import Before
from lifestage.lifecycle.columns import JOURNEY
from lifestage.localtime import DAY
from lifestage.ragged import Floats, at, missing, places, segment_max

CORE = ("core_event_count", "days_since_core_event", "days_to_core_event")


def compute(view: Before, core_event: str | None, first_contact_days: Floats) -> dict[str, pa.Array]:
    """One value per customer of every column of columns.JOURNEY, NULL where undefined; counts are 0 without a row.

    `core_event` is an event type, None for orders (fully refunded ones left out). `first_contact_days`, float64[n],
    is the time since the first contact: the core behaviour is reached so many days after it.
    """
    values = _core(view, core_event, first_contact_days) | _terms(view)
    columns = {name: pa.array(column, mask=np.isnan(column)) for name, column in values.items()}
    columns |= {"subscribed": pa.array(values["subscribed"] > 0), "plan": _plan(view)}
    return {name: columns[name] for name in JOURNEY}


def _core(view: Before, core_event: str | None, first_contact_days: Floats) -> dict[str, Floats]:
    if core_event is None:
        orders = view.purchases
        count = orders.counts.astype(np.float64)
        first, last = (
            at(orders.t, orders.starts, orders.present),
            at(orders.t, orders.ends - 1, orders.present),
        )
    else:
        events, n = view.rows("events"), len(view)
        mine = places(events.codes("event_type"), (core_event,), -1) == 0
        owner, t = events.owner[mine], events.t[mine]
        count = np.bincount(owner, minlength=n).astype(np.float64)
        first, last = missing(n), missing(n)
        last[owner] = t  # rows are in order of time: of several the last one stays
        first[owner[::-1]] = t[::-1]
    reached = np.maximum(first_contact_days - (view.cutoff - first) / DAY, 0.0)
    return dict(zip(CORE, (count, (view.cutoff - last) / DAY, reached), strict=True))


def _terms(view: Before) -> dict[str, Floats]:
    terms = view.subscriptions
    ended = terms.columns["ended_at"].cast(pa.int64())
    runs = ended.is_null().to_numpy(zero_copy_only=False)
    end = ended.fill_null(0).to_numpy(zero_copy_only=False)
    price = np.asarray(terms.columns["monthly_price"].to_numpy(zero_copy_only=False), np.float64)
    some, many, newest = terms.counts > 0, terms.counts > 1, terms.ends - 1
    row = np.arange(len(terms.t))
    running = segment_max(np.where(runs, row, -1), terms.starts, terms.ends)  # NaN without a term
    open_ = running >= 0
    latest_end = segment_max(np.where(runs, 0, end), terms.starts, terms.ends)
    latest = at(price, newest, some)
    return {
        "subscribed": open_.astype(np.float64),
        "term_count": terms.counts.astype(np.float64),
        "days_in_term": (view.cutoff - at(terms.t, np.where(open_, running, 0).astype(np.int64), open_))
        / DAY,
        "days_since_term_end": np.where(some & ~open_, view.cutoff - latest_end, np.nan) / DAY,
        "monthly_price": latest,
        "price_change": np.where(open_, latest - at(price, newest - 1, many), np.nan),
    }


def _plan(view: Before) -> pa.Array:
    terms = view.subscriptions
    return terms.columns["plan"].take(pa.array(terms.ends - 1, mask=terms.counts == 0))
