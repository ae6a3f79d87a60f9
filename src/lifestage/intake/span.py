"""From when to when a shop's data reach, as the table that defines churn has it."""

from datetime import timedelta
from typing import Any

import ibis
import ibis.expr.types as ir

from lifestage.intake import scope
from lifestage.intake.engine import Engine
from lifestage.intake.orders import purchases
from lifestage.intake.scope import Scope
from lifestage.intake.staging import Staged
from lifestage.localtime import day_of, midnight
from lifestage.settings import Shop

Ends = tuple[int | None, int | None]


def find_span(
    engine: Engine,
    shop: Shop,
    staged: dict[str, Staged],
    orders: ir.Table | None,
    *,
    as_of: int | None,
    extracted_at: int,
    asked: bool,
) -> Scope | None:
    """The instants that the defining table settles; None where it has no row before the as_of.

    purchase: first and last order; activity: event; subscription: start or end of a term; given: the end of the
    newest labelled window and any other row. A given shop without one date is as of the extraction's midnight.
    """
    bought: Ends = (None, None)
    if orders is not None:
        bought = _ends(engine, purchases(orders), "t", as_of)
    name = shop.churn.definition
    if name == "purchase":
        first, last = bought
    elif name == "activity":
        first, last = _ends(engine, staged["events"].kept, "t", as_of)
    elif name == "subscription":
        first, last = _terms(engine, staged["subscriptions"].kept, as_of, extracted_at)
    else:
        first, last = _given(engine, shop, staged, bought, as_of)
        if last is None and engine.count(staged["labels"].kept):
            today = midnight(day_of(extracted_at, shop.timezone), shop.timezone) if as_of is None else as_of
            return Scope(today, today, today, today, None, None, asked)
    if first is None or last is None:
        return None
    if as_of is None:
        as_of = scope.data_end(last, shop.timezone)
    return Scope(as_of, scope.observed_until(shop, last, as_of), first, last, *bought, asked)


def _ends(engine: Engine, rows: ir.Table, column: str, before: int | None) -> Ends:
    if before is not None:
        rows = rows.filter(rows[column] < before)
    found = engine.rows(rows.aggregate(first=rows[column].min(), last=rows[column].max()))[0]
    return found["first"], found["last"]


def _terms(engine: Engine, rows: ir.Table, as_of: int | None, extracted_at: int) -> Ends:
    """First start; last start or end that has come to pass."""
    limit = extracted_at + 1 if as_of is None else as_of
    first, started = _ends(engine, rows, "t", limit)
    _, ended = _ends(engine, rows, "ended_at", limit)
    return first, max((t for t in (started, ended) if t is not None), default=None)


def _given(engine: Engine, shop: Shop, staged: dict[str, Staged], bought: Ends, as_of: int | None) -> Ends:
    found: list[Ends] = [bought]
    for name in ("events", "feedback", "customers"):
        if name in staged:
            found.append(_ends(engine, staged[name].kept, "t", as_of))
    if "subscriptions" in staged:
        found.append(_terms(engine, staged["subscriptions"].kept, as_of, as_of or 2**62))
    labels = staged["labels"].kept
    first, last = _ends(engine, labels, "t", as_of)
    if last is not None:
        end = _label_end(shop, last) - 1
        found.append((first, end if as_of is None else min(end, as_of - 1)))
    firsts = [first for first, _ in found if first is not None]
    lasts = [last for _, last in found if last is not None]
    return min(firsts, default=None), max(lasts, default=None)


def _label_end(shop: Shop, t: int) -> int:
    """The local midnight at which a label's window is complete."""
    return midnight(day_of(t, shop.timezone) + timedelta(days=shop.churn.horizon_days), shop.timezone)


def usable_labels(engine: Engine, shop: Shop, kept: ir.Table, as_of: int) -> ir.Table:
    """Labels known at the as_of: those whose window ends by then; one without a date is of the as_of itself."""
    dated = kept.filter(kept["t"].notnull())
    days: Any = dated.select("t").distinct()
    if not engine.count(days):
        return kept.mutate(t=ibis.literal(as_of, "int64"))
    # The last label with a complete window, found on whole days: later ones are not known yet.
    latest = midnight(
        day_of(as_of, shop.timezone) - timedelta(days=shop.churn.horizon_days - 1), shop.timezone
    )
    return dated.filter(dated["t"] < latest)
