"""Purchases and refunds out of transaction rows."""

from typing import Any

import ibis
import ibis.expr.types as ir

SUM_DIGITS = 8
"""Lines are summed as decimals of so many digits: exact, hence the same in whatever order they come."""


def exact(amount: Any) -> Any:
    """An amount as a decimal."""
    return amount.cast(f"decimal(38, {SUM_DIGITS})")


def sum_lines(lines: ir.Table) -> ir.Table:
    """One row per customer, order_id and local day: the instant of its first line, the sum of its amounts.

    Split by local day because a cutoff is a local midnight: what is bought or returned under the same order_id
    on a later day must not change the order as it was known before.
    """
    total = exact(lines["amount"]).sum().cast("float64")
    one = lines.count() == 1
    return lines.group_by(["customer_id", "order_id", "local_day"]).agg(
        t=lines["t"].min(), amount=ibis.ifelse(one, lines["amount"].min(), total)
    )["customer_id", "t", "amount", "order_id"]


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
