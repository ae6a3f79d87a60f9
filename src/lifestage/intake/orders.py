"""Purchases and refunds out of transaction rows."""

from collections.abc import Collection
from typing import Any

import ibis
import ibis.expr.types as ir

SUM_DIGITS = 8
"""Lines are summed as decimals of so many digits: exact, hence the same in whatever order they come."""


KEY = ["customer_id", "order_id", "local_day"]

ORDER = ["customer_id", "t", "amount", "order_id", "category", "channel", "discount"]


def sum_lines(lines: ir.Table, mapped: Collection[str]) -> ir.Table:
    """One row per customer, order_id and local day: the instant of its first line, the sum of its amounts.

    Split by local day because a cutoff is a local midnight: what is bought or returned under the same order_id
    on a later day must not change the order as it was known before. An order whose lines cancel out gives two
    rows, what was bought and what was taken back at its last line: it is a refunded order, not a free one. Of
    several categories (channels) the order gets the one whose lines sum to the largest amount, of equal ones the
    least in binary order; lines without one do not count. The discount is that of the lines bought. `mapped`
    names the columns that the shop has.
    """
    one = lines.count() == 1
    paid = lines["amount"].cast(f"decimal(38, {SUM_DIGITS})").sum(where=lines["amount"] > 0)
    summed: Any = lines.group_by(KEY).agg(
        t=lines["t"].min(),
        last=lines["t"].max(),
        amount=ibis.ifelse(one, lines["amount"].min(), _exact(lines["amount"])),
        paid=paid.cast("float64").fill_null(0.0),
    )
    for name in ("category", "channel"):
        if name in mapped:
            summed = summed.left_join(_largest(lines, name), KEY).drop([f"{key}_right" for key in KEY])
        else:
            summed = summed.mutate(**{name: ibis.null("string")})
    if "discount" in mapped:
        bought = lines.filter(lines["amount"] >= 0, lines["discount"].notnull())
        granted = bought.group_by(KEY).agg(discount=_exact(bought["discount"]))
        summed = summed.left_join(granted, KEY).drop([f"{key}_right" for key in KEY])
    else:
        summed = summed.mutate(discount=ibis.null("float64"))
    cancelled = (summed["amount"] == 0) & (summed["paid"] > 0)
    undone = summed.filter(cancelled)
    return ibis.union(
        summed.filter(~cancelled).select(ORDER),
        undone.mutate(amount=undone["paid"]).select(ORDER),
        undone.mutate(amount=-undone["paid"], t=undone["last"]).select(ORDER),
    )


def _exact(column: Any) -> Any:
    return column.cast(f"decimal(38, {SUM_DIGITS})").sum().cast("float64")


def _largest(lines: ir.Table, name: str) -> ir.Table:
    """The order's text in column `name` whose lines have the largest sum."""
    named = lines.filter(lines[name].notnull())
    sums = named.group_by([*KEY, name]).agg(of=named["amount"].cast(f"decimal(38, {SUM_DIGITS})").sum())
    order = [sums["of"].desc(), sums[name].asc()]
    ranked = sums.mutate(place=ibis.row_number().over(group_by=KEY, order_by=order))
    return ranked.filter(ranked["place"] == 0).select(*KEY, name)


def purchases(orders: ir.Table) -> ir.Table:
    """One row per order of an amount >= 0."""
    return orders.filter(orders["amount"] >= 0)


def refunds(orders: ir.Table) -> ir.Table:
    """One row per order of an amount < 0: its size, and `order_at`, the instant of the order that it names.

    The order must be the same customer's and not later than the refund; of several days of one order_id the
    latest such counts. Null where there is none.
    """
    bought: Any = purchases(orders)
    back = orders.filter(orders["amount"] < 0).mutate(amount=-orders["amount"])
    keys = back.select("k", "order_id", "t").distinct()
    earlier = bought.select("k", "order_id", bought_at=bought["t"])
    named = keys.join(earlier, ["k", "order_id", keys["t"] >= earlier["bought_at"]])
    latest = named.group_by(["k", "order_id", "t"]).agg(order_at=named["bought_at"].max())
    linked = back.left_join(latest, ["k", "order_id", "t"])
    return linked.select("k", "t", "amount", "order_at", "order_id")
