"""What looks at rows of several customers: aliases, orders, repeated ids, span, quarantine. Any engine does it."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis.expr.types as ir

from lifestage.intake import scope
from lifestage.intake.checks import KEPT
from lifestage.intake.engine import Engine
from lifestage.intake.forgetting import leave_out
from lifestage.intake.identities import merge_identities, profiles_merged
from lifestage.intake.numbering import COMBINED
from lifestage.intake.orders import purchases
from lifestage.intake.quarantine import account, check_share, write_quarantine
from lifestage.intake.scope import Scope
from lifestage.intake.screening import screen_of, with_hashed_ids
from lifestage.intake.span import find_span, usable_labels
from lifestage.intake.staging import Staged, find_repeats, without_repeats
from lifestage.localtime import moment
from lifestage.privacy import Privacy, open_privacy
from lifestage.privacy.folder import keep_fingerprint
from lifestage.schemas import CANONICAL, Table
from lifestage.settings import DEFINED_BY, Shop, Source


@dataclass(frozen=True)
class Cleaned:
    """A shop's usable rows of each table before the as_of, under one id a customer; orders as `transactions`."""

    span: Scope
    rows: dict[str, ir.Table]
    staged: dict[str, Staged]
    accounts: dict[str, dict[str, Any]]
    merged: dict[str, Any]
    """What the aliases came to; empty without any."""
    quarantine: Path
    privacy: Privacy
    """How the ids of `rows`, which are the shop's own, are to be treated."""
    left_out: dict[str, int]
    """Rows and customers that were forgotten; empty for nobody."""

    def facts(self, shop: Shop, figures: Mapping[str, int]) -> dict[str, Any]:
        """What there is to know of a history made of them; `figures` are those of `number`."""
        span = self.span
        report = {
            "tables": self.accounts,
            **({"identities": {**self.merged, COMBINED: figures[COMBINED]}} if self.merged else {}),
            **({"forgotten": self.left_out} if self.left_out else {}),
            **{name: n for name, n in figures.items() if name != COMBINED},
            **{
                name: None if t is None else moment(t, shop.timezone).isoformat()
                for name in ("first_purchase", "last_purchase", "as_of", "observed_until")
                for t in [getattr(span, name)]
            },
        }
        return {
            "as_of": span.as_of,
            "observed_until": span.observed_until,
            "first_purchase": span.first_purchase,
            "first_row": span.first_row,
            "timezone": shop.timezone,
            "currency": shop.currency,
            "customers": figures["customers"],
            "report": report,
        }


def clean(
    engine: Engine,
    shop: Shop,
    extracted_at: int,
    as_of: int | None,
    *,
    stage: Callable[[Table, Source], Staged],
    sum_lines: Callable[[ir.Table, Collection[str]], ir.Table],
) -> Cleaned:
    """Everything that looks at rows of several customers; with any engine. Raises InputError."""
    privacy = open_privacy(shop.output, shop.privacy.hash_ids)
    keep_fingerprint(shop.output, privacy)
    known_as_of = scope.asked_as_of(shop, extracted_at, as_of)
    asked = as_of is not None or shop.as_of not in ("data_end", "now")
    quarantine = shop.output / "quarantine.parquet"
    staged = {name: stage(CANONICAL[name], source) for name, source in shop.sources.given.items()}
    screen = screen_of(shop, {name: table.raw for name, table in staged.items()}, privacy)
    staged, left_out = leave_out(engine, staged, privacy)
    merged: dict[str, Any] = {}
    if "identities" in staged:
        staged, merged = merge_identities(engine, staged, privacy.hashed)
        merged = merged if privacy.hashed is None else with_hashed_ids(merged, privacy.hashed)
    orders = None
    if "transactions" in staged:
        staged["transactions"], orders = _orders(engine, shop, staged["transactions"], known_as_of, sum_lines)
    span = find_span(engine, shop, staged, orders, as_of=known_as_of, extracted_at=extracted_at, asked=asked)
    bound = span.as_of if span else known_as_of
    if "customers" in staged:
        staged["customers"] = _one_profile_each(engine, staged["customers"], bound)
    accounts = {name: account(engine, table, bound, asked=asked) for name, table in staged.items()}
    write_quarantine(engine, staged, accounts, bound, asked=asked, path=quarantine, screen=screen)
    own = DEFINED_BY[shop.churn.definition]
    if span is not None or not accounts[own]["out_of_scope"]:
        check_share(accounts, shop.intake.max_reject_share, quarantine)
    if span is None:
        raise scope.no_row(own, staged[own].raw.origin, known_as_of, shop.timezone)
    rows = _usable(engine, shop, staged, orders, span)
    return Cleaned(span, rows, staged, accounts, merged, quarantine, privacy, left_out)


def _orders(
    engine: Engine,
    shop: Shop,
    staged: Staged,
    as_of: int | None,
    sum_lines: Callable[[ir.Table, Collection[str]], ir.Table],
) -> tuple[Staged, ir.Table]:
    """One row per order (customer_id, t, amount, order_id, category, channel, discount), refunds negative."""
    kept = staged.kept
    source = shop.sources.given["transactions"]
    if source.grain == "line":
        lines = kept if as_of is None else kept.filter(kept["t"] < as_of)
        return staged, engine.keep("orders", sum_lines(lines, source.columns))
    if "order_id" not in source.columns:
        return staged, kept

    def named(rows: ir.Table) -> ir.Table:
        """A refund may carry the order_id of its purchase: only purchases must have one of their own."""
        return rows.filter(rows["fate"] == KEPT, rows["amount"] >= 0, rows["order_id"].notnull())

    order = ["t", "amount", "customer_id"]
    staged = find_repeats(engine, staged, named, "order_id", order)
    if staged.repeats is None:
        return staged, kept
    bought, others = purchases(kept), kept.filter(kept["amount"] < 0)
    return staged, without_repeats(staged, bought, "order_id").union(others)


def _one_profile_each(engine: Engine, staged: Staged, as_of: int | None) -> Staged:
    def known(rows: ir.Table) -> ir.Table:
        rows = rows.filter(rows["fate"] == KEPT)
        return rows if as_of is None else rows.filter(rows["t"].isnull() | (rows["t"] < as_of))

    order = ["t", "acquisition_channel", "acquisition_cost", *staged.extra]
    return find_repeats(engine, staged, known, "customer_id", order)


def _usable(
    engine: Engine, shop: Shop, staged: dict[str, Staged], orders: ir.Table | None, span: Scope
) -> dict[str, ir.Table]:
    as_of = span.as_of
    rows: dict[str, ir.Table] = {}
    if orders is not None:
        rows["transactions"] = orders.filter(orders["t"] < as_of)
    for name in ("events", "feedback", "subscriptions"):
        if name in staged:
            kept = staged[name].kept
            rows[name] = kept.filter(kept["t"] < as_of)
    if "labels" in staged:
        rows["labels"] = usable_labels(engine, shop, staged["labels"].kept, as_of)
    if "customers" in staged:
        kept = staged["customers"].kept
        kept = kept.filter(kept["t"].isnull() | (kept["t"] < as_of))
        rows["customers"] = without_repeats(staged["customers"], kept, "customer_id")
        if "identities" in staged:
            rows["customers"] = profiles_merged(engine, rows["customers"])
    return rows
