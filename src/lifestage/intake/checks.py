"""What becomes of each raw row: kept, filtered out, or rejected with a reason. One row's fate hangs on that
row alone (repeated ids are for `orders` and `tables`, which see several)."""

from datetime import date

import ibis
import ibis.expr.types as ir

from lifestage.localtime import midnight
from lifestage.schemas import FEEDBACK_KINDS, FIRST_YEAR, LARGEST_AMOUNT, Table

KEPT = "kept"
FILTERED = "filtered"
FUTURE = "time after the extraction"
MALFORMED = "line that is no CSV row"

Case = tuple[ir.BooleanValue, str]


def with_fate(read: ir.Table, table: Table, *, extracted_at: int, lines: bool) -> ir.Table:  # noqa: PLR0912
    """The rows as read, with their `fate`: "kept", "filtered" or the first reason that speaks against them."""
    cases: list[Case] = [(~read["passes"], FILTERED)]
    cases.append((read["customer_id"].isnull(), "missing customer_id"))
    if time := instant_column(table, read):
        # A term may be agreed before it starts: it is later than the as_of, not wrong.
        last = None if table.name == "subscriptions" else extracted_at
        cases += _time(read, time, last, required=table.name != "customers")
    if table.name == "transactions":
        cases += _number(read, "amount", required=True)
        cases.append((read["amount"].abs() > LARGEST_AMOUNT, f"amount beyond {LARGEST_AMOUNT:.0e}"))
        if "discount" in read.columns:
            cases += _number(read, "discount", required=False)
            cases.append(((read["amount"] >= 0) & (read["discount"] < 0), "negative discount"))
        if lines:
            cases.append((read["order_id"].isnull(), "missing order_id"))
    if table.name == "events":
        cases.append((read["event_type"].isnull(), "missing event_type"))
    if table.name == "feedback":
        kind = read["kind"]
        cases.append((kind.isnull(), "missing kind"))
        cases.append((~kind.lower().isin(FEEDBACK_KINDS), f"kind not one of {', '.join(FEEDBACK_KINDS)}"))
        if "score" in read.columns:
            cases += _number(read, "score", required=False)
        if "resolved_at" in read.columns:
            cases.append((_bad(read, "resolved_at"), "unparseable resolved_at"))
    if table.name == "customers" and "acquisition_cost" in read.columns:
        cases += _number(read, "acquisition_cost", required=False)
        cases.append((read["acquisition_cost"] < 0, "negative acquisition_cost"))
    if table.name == "identities":
        cases.append((read["alias"].isnull(), "missing alias"))
    if table.name == "labels":
        cases.append((read["churned"].isnull() & ~read["churned_given"], "missing churned"))
        cases.append((_bad(read, "churned"), "churned is neither true nor false"))
    if table.name == "subscriptions":
        if "ended_at" in read.columns:
            cases.append((_bad(read, "ended_at"), "unparseable ended_at"))
            cases.append((read["ended_at"] < read["started_at"], "ended_at before started_at"))
        if "monthly_price" in read.columns:
            cases += _number(read, "monthly_price", required=False)
    return read.mutate(fate=ibis.cases(*cases, else_=KEPT))


def instant_column(table: Table, read: ir.Table) -> str | None:
    """The column that places a row of this table in time, if it has one."""
    if table.instant is not None:
        return table.instant
    optional = {"customers": "signed_up_at", "labels": "as_of"}.get(table.name)
    return optional if optional in read.columns else None


def _bad(read: ir.Table, column: str) -> ir.BooleanValue:
    return read[column].isnull() & read[f"{column}_given"]


def _time(read: ir.Table, column: str, extracted_at: int | None, *, required: bool) -> list[Case]:
    cases: list[Case] = (
        [(read[column].isnull() & ~read[f"{column}_given"], f"missing {column}")] if required else []
    )
    cases.append((_bad(read, column), f"unparseable {column}"))
    earliest = midnight(date(FIRST_YEAR, 1, 1), "UTC")
    cases.append((read[column] < earliest, f"{column} before {FIRST_YEAR}"))
    if extracted_at is not None:
        cases.append((read[column] > extracted_at, FUTURE))
    return cases


def _number(read: ir.Table, column: str, *, required: bool) -> list[Case]:
    value = read[column]
    cases: list[Case] = [(value.isnull() & ~read[f"{column}_given"], f"missing {column}")] if required else []
    cases.append((_bad(read, column), f"unparseable {column}"))
    cases.append((value.isnan() | value.isinf(), f"{column} not finite"))
    return cases
