"""Raw tables of a shop's configuration -> canonical tables, numbered by customer, ready to stream as blocks."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from lifestage.intake import scope
from lifestage.intake.blocks import Numbered, stream_blocks
from lifestage.intake.checks import KEPT
from lifestage.intake.engine import Engine
from lifestage.intake.orders import purchases, refunds, sum_lines
from lifestage.intake.quarantine import account, check_share, write_quarantine
from lifestage.intake.scope import Scope
from lifestage.intake.staging import Staged, find_repeats, stage, without_repeats
from lifestage.localtime import moment
from lifestage.schemas import CANONICAL, PROFILE
from lifestage.settings import Shop


@dataclass(frozen=True)
class Intake:
    """A shop's usable rows before `as_of`, held by the embedded engine until `close`."""

    as_of: int
    observed_until: int
    """Labels are complete up to this instant, a local midnight; never later than as_of."""
    first_purchase: int
    timezone: str
    currency: str
    report: dict[str, Any]
    """JSON-able: where each table's rows went, customers, purchases, refunds, span."""
    attributes: dict[str, pa.DataType]
    """Further columns of the customers table: string, double or bool."""
    quarantine: Path
    customers: int
    engine: Engine
    numbered: Numbered

    def blocks(self, block_customers: int) -> Iterator[pa.RecordBatch]:
        """Blocks of whole customers in the order of customer_id; schema = HISTORY + attributes."""
        return stream_blocks(self.engine, self.numbered, self.attributes, self.customers, block_customers)

    def close(self) -> None:
        """Free the engine's memory and remove what it spilled to disk. Also done when the object goes."""
        self.engine.close()

    def __enter__(self) -> "Intake":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_tables(shop: Shop, extracted_at: int, as_of: int | None = None) -> Intake:
    """Read, check and link a shop's tables.

    `extracted_at` is the instant of the extraction: rows after it are rejected. `as_of` None = as configured.
    Writes `<output>/quarantine.parquet`. Raises InputError: a file, column or expression at fault, no usable
    purchase, too many rejected rows.
    """
    engine = Engine(shop.timezone, shop.output, warehouse=shop.engine if "://" in shop.engine else None)
    try:
        return _open(engine, shop, extracted_at, as_of)
    except BaseException:
        engine.close()
        raise


def _open(engine: Engine, shop: Shop, extracted_at: int, as_of: int | None) -> Intake:
    known_as_of = scope.asked_as_of(shop, extracted_at, as_of)
    asked = as_of is not None or shop.as_of not in ("data_end", "now")
    quarantine = shop.output / "quarantine.parquet"
    staged = {
        name: stage(engine, CANONICAL[name], source, extracted_at)
        for name, source in shop.sources.given.items()
    }
    staged["transactions"], orders = _orders(engine, shop, staged["transactions"], known_as_of)
    span = _span(engine, shop, orders, known_as_of, asked=asked)
    bound = span.as_of if span else known_as_of
    if "customers" in staged:
        staged["customers"] = _one_profile_each(engine, staged["customers"], bound)
    accounts = {name: account(engine, table, bound, asked=asked) for name, table in staged.items()}
    write_quarantine(engine, list(staged.values()), bound, asked=asked, path=quarantine)
    check_share(accounts, shop.intake.max_reject_share, quarantine)
    if span is None:
        raise scope.no_purchase(staged["transactions"].raw.origin, known_as_of, shop.timezone)
    rows = _usable(staged, orders, span.as_of)
    numbered = number(engine, rows, span.as_of)
    for name, table in staged.items():
        engine.drop(f"rows_{name}")
        if table.raw.stored:
            engine.drop(f"raw_{name}")
    figures = counted(engine, numbered)
    return Intake(
        as_of=span.as_of,
        observed_until=span.observed_until,
        first_purchase=span.first_purchase,
        timezone=shop.timezone,
        currency=shop.currency,
        report={
            "tables": accounts,
            **figures,
            **spelt(span, shop.timezone),
        },
        attributes=attributes_of(numbered),
        quarantine=quarantine,
        customers=figures["customers"],
        engine=engine,
        numbered=numbered,
    )


def spelt(span: Scope, zone: str) -> dict[str, str]:
    """The span's instants as local times, for the report."""
    names = ("first_purchase", "last_purchase", "as_of", "observed_until")
    return {name: moment(getattr(span, name), zone).isoformat() for name in names}


def _orders(engine: Engine, shop: Shop, staged: Staged, as_of: int | None) -> tuple[Staged, ir.Table]:
    """One row per order (customer_id, t, amount, order_id), refunds negative."""
    kept = staged.kept
    if shop.sources.transactions.grain == "line":
        lines = kept if as_of is None else kept.filter(kept["t"] < as_of)
        return staged, engine.keep("orders", sum_lines(lines))
    if "order_id" not in shop.sources.transactions.columns:
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


def _span(engine: Engine, shop: Shop, orders: ir.Table, as_of: int | None, *, asked: bool) -> Scope | None:
    """The instants that the purchases settle; None where there is no purchase before the as_of."""
    bought = purchases(orders)
    if as_of is not None:
        bought = bought.filter(bought["t"] < as_of)
    ends = engine.rows(bought.aggregate(first=bought["t"].min(), last=bought["t"].max()))[0]
    first, last = ends["first"], ends["last"]
    return scope.of_purchases(shop, first, last, as_of, asked=asked)


def _usable(staged: dict[str, Staged], orders: ir.Table, as_of: int) -> dict[str, ir.Table]:
    """Each table's rows that make the history."""
    rows: dict[str, ir.Table] = {"transactions": orders.filter(orders["t"] < as_of)}
    for name in ("events", "feedback"):
        if name in staged:
            kept = staged[name].kept
            rows[name] = kept.filter(kept["t"] < as_of)
    if "customers" in staged:
        kept = staged["customers"].kept
        kept = kept.filter(kept["t"].isnull() | (kept["t"] < as_of))
        rows["customers"] = without_repeats(staged["customers"], kept, "customer_id")
    return rows


def number(engine: Engine, rows: dict[str, ir.Table], as_of: int) -> Numbered:
    """Customers numbered in the order of their ids, and each table's rows by that number instead of the text."""
    ids = rows["transactions"].select("customer_id").distinct()
    if len(rows) > 1:
        ids = ibis.union(*(r.select("customer_id").distinct() for r in rows.values()), distinct=True)
    known = engine.keep("customers", ids.mutate(k=ibis.row_number().over(order_by=ids["customer_id"])))
    profile = known
    if "customers" in rows:
        described = rows["customers"].rename(signed_up_at="t")
        profile = engine.keep("profile", known.left_join(described, "customer_id").drop("customer_id_right"))
    of = {
        n: engine.keep(n, r.join(known, "customer_id").drop("customer_id"))
        for n, r in rows.items()
        if n != "customers"
    }
    kinds = {
        "purchases": purchases(of["transactions"]),
        "refunds": engine.keep("refunds", refunds(of["transactions"])),
    }
    if "events" in of:
        kinds["events"] = of["events"]
    if "feedback" in of:
        answers: Any = of["feedback"]
        resolved = ibis.ifelse(answers["resolved_at"] < as_of, answers["resolved_at"], ibis.null("int64"))
        kinds["feedback"] = answers.mutate(resolved_at=resolved)
    return Numbered(profile, kinds)


def counted(engine: Engine, numbered: Numbered) -> dict[str, int]:
    bought, back = numbered.kinds["purchases"], numbered.kinds["refunds"]
    return {
        **engine.rows(numbered.profile.aggregate(customers=numbered.profile.count()))[0],
        **engine.rows(bought.aggregate(buyers=bought["k"].nunique(), purchases=bought.count()))[0],
        **engine.rows(back.aggregate(refunds=back.count(), refunds_linked=back["order_at"].count()))[0],
    }


def attributes_of(numbered: Numbered) -> dict[str, pa.DataType]:
    schema = numbered.profile.schema().to_pyarrow()
    return {field.name: field.type for field in schema if field.name not in ("customer_id", "k", *PROFILE)}
