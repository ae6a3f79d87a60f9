"""What customers bought: at an instant from rows before it, in a period from rows of [start, end)."""

from typing import NamedTuple

import numpy as np

from lifestage.block_rows import Purchases
from lifestage.history import Before, Window
from lifestage.lifecycle.metrics.sums import Part
from lifestage.localtime import DAY
from lifestage.ragged import Bools, Floats, at, segment_sum

YEAR_DAYS = 365
MONTH_DAYS = 30.0
PLAIN = "plain"
"""Net spend and buyers of the last YEAR_DAYS: what the plain formula of the CLV takes."""


class Bought(NamedTuple):
    """So far, one a customer; amounts net of the refunds known then."""

    orders: Floats
    spend: Floats
    first_value: Floats
    """0 without an order."""


def bought_so_far(bought: Purchases) -> Bought:
    """Orders, spend and the first order's value before the cutoff."""
    first = at(bought.amount, bought.starts, bought.present)
    orders = bought.counts.astype(np.float64)
    return Bought(orders, bought.segments.sum(bought.amount), np.nan_to_num(first))


def order_state(view: Before) -> dict[str, Part]:
    """repeat_buyer_share, first_order_value and PLAIN of every customer before the cutoff."""
    bought = view.purchases
    so_far = bought_so_far(bought)
    buyer = so_far.orders >= 1
    recent = bought.t >= view.cutoff - YEAR_DAYS * DAY
    spend = segment_sum(np.where(recent, bought.amount, 0.0), bought.starts, bought.ends)
    lately = np.bincount(bought.owner[recent], minlength=len(view)) > 0
    return {
        "repeat_buyer_share": Part(so_far.orders >= 2, buyer),
        "first_order_value": Part(so_far.first_value, buyer),
        PLAIN: Part(spend, lately),
    }


def order_flow(view: Before, window: Window) -> dict[str, Part]:
    """Rates of the orders in [window.cutoff, window.end), net of the refunds seen by its end.

    view: of the same customers before window.cutoff.
    """
    had = view.purchases.present
    after = window.purchases
    everybody = np.ones(len(view))
    scale = (window.end - window.cutoff) / DAY / MONTH_DAYS
    spend = after.segments.sum(after.amount)
    return {
        "repurchase_rate": Part(had & after.present, had),
        "first_order_conversion": Part(~had & after.present, ~had),
        "average_order_value": Part(spend, after.counts),
        "purchase_frequency": Part(after.counts, everybody * scale),
        "cross_sell_rate": Part(_new_category(view.purchases, after) & had, had),
    }


def _new_category(before: Purchases, after: Purchases) -> Bools:
    """Who ordered a category in the window that they had never ordered before it."""
    known, seen = before.coded("category"), after.coded("category")
    size = max(known.size, seen.size, 1)
    told = known.codes >= 0  # a missing one would be taken for the last category of the customer before
    keys = after.owner * size + seen.codes
    new = (seen.codes >= 0) & ~np.isin(keys, (before.owner * size + known.codes)[told])
    return np.bincount(after.owner[new], minlength=len(after.starts)) > 0
