"""Features of subscription terms as known at one cutoff: a term's later end is not known yet."""

import numpy as np
import pyarrow as pa

from lifestage.history import Before
from lifestage.localtime import DAY
from lifestage.ragged import Floats, at, segment_min


def compute(view: Before) -> dict[str, Floats]:
    """One value per customer: `days_subscribed` (since the first term began), `days_in_term` (since the latest
    one began), `term_count` (terms so far), `monthly_price` (of the latest term, currency),
    `days_since_last_end` (since the latest end before the cutoff). NaN where there is none; counts are 0.
    """
    terms = view.subscriptions
    filled = terms.counts > 0
    price = np.asarray(terms.columns["monthly_price"].to_numpy(zero_copy_only=False), np.float64)
    given = terms.columns["ended_at"].cast(pa.int64())
    ended = given.is_valid().to_numpy(zero_copy_only=False)
    end = np.asarray(given.fill_null(0).to_numpy(zero_copy_only=False), np.float64)
    age = np.where(ended, view.cutoff - end, np.inf)
    latest = segment_min(age, terms.starts, terms.ends)
    return {
        "days_subscribed": (view.cutoff - at(terms.t, terms.starts, filled)) / DAY,
        "days_in_term": (view.cutoff - at(terms.t, terms.ends - 1, filled)) / DAY,
        "term_count": terms.counts.astype(np.float64),
        "monthly_price": at(price, terms.ends - 1, filled),
        "days_since_last_end": np.where(np.isfinite(latest), latest, np.nan) / DAY,
    }
