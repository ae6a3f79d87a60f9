"""Rows of whole customers, numbered by customer: ready to stream as blocks."""

from collections.abc import Mapping
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from lifestage.intake.blocks import Numbered
from lifestage.intake.engine import Engine
from lifestage.intake.identities import HIDDEN, WAS, hide_ids, one_profile_each
from lifestage.intake.orders import purchases, refunds
from lifestage.privacy import Hasher
from lifestage.schemas import PROFILE

COMBINED = "profiles_combined"
"""Figure of the rows of customers that were combined with another of the same customer."""
HASHED = "_hashed_id"
"""Column of the ids' hashes, beside the ids."""


def number(
    engine: Engine, rows: Mapping[str, ir.Table], as_of: int, hashed: Hasher | None = None
) -> tuple[Numbered, dict[str, int]]:
    """Customers numbered in the order of their ids, and each table's rows by that number instead of the text.

    `rows` are those of `Cleaned`, or a part of them with whole customers. With `hashed`, a customer's id becomes its
    hash, and the order is that of the hashes. With how many customers, purchases ... there are.
    """
    rows, combined = dict(rows), 0
    if "customers" in rows and WAS in rows["customers"].columns:
        rows["customers"], combined = one_profile_each(engine, rows["customers"])
    each = [table.select("customer_id").distinct() for table in rows.values()]
    ids = each[0] if len(each) == 1 else ibis.union(*each, distinct=True)
    profile = known = _numbered(engine, ids, hashed)
    if "customers" in rows:
        described = rows["customers"].rename(signed_up_at="t")
        profile = engine.keep("profile", known.left_join(described, "customer_id").drop("customer_id_right"))
    if hashed is not None:
        profile = profile.drop("customer_id").rename(customer_id=HASHED)
    of = {n: engine.keep(n, _by_number(engine, r, known)) for n, r in rows.items() if n != "customers"}
    kinds: dict[str, ir.Table] = {
        name: of[name] for name in ("events", "feedback", "subscriptions", "labels") if name in of
    }
    if "transactions" in of:
        kinds["purchases"] = purchases(of["transactions"])
        kinds["refunds"] = engine.keep("refunds", refunds(of["transactions"]))
    for name, column in (("feedback", "resolved_at"), ("subscriptions", "ended_at")):
        if name in kinds:
            later: Any = kinds[name]
            known_by = ibis.ifelse(later[column] < as_of, later[column], ibis.null("int64"))
            kinds[name] = later.mutate(**{column: known_by})
    numbered = Numbered(profile, kinds)
    return numbered, {**_figures(engine, numbered), COMBINED: combined}


def _by_number(engine: Engine, rows: ir.Table, known: ir.Table) -> ir.Table:
    """The rows under their customer's number."""
    if HASHED in known.columns:
        texts = {name: rows[name].count() for name in HIDDEN if name in rows.columns}
        if texts and any(engine.rows(rows.aggregate(**texts))[0].values()):
            hidden = hide_ids(rows.join(known, "customer_id"), "customer_id", HASHED)
            return hidden.drop("customer_id", HASHED)
        known = known.drop(HASHED)  # hashes for every row would cost more than the hashing
    return rows.join(known, "customer_id").drop("customer_id")


def _numbered(engine: Engine, ids: ir.Table, hashed: Hasher | None) -> ir.Table:
    """customer_id, k = 0, 1, ... in the order of the ids; of the hashes, which stand in HASHED, where there are."""
    order = "customer_id"
    if hashed is not None:
        engine.copy("ids_hashed", _with_hashes(engine.stream(engine.keep("ids", ids)), hashed))
        ids, order = engine.table("ids_hashed"), HASHED
    return engine.keep("customers", ids.mutate(k=ibis.row_number().over(order_by=ids[order])))


def _with_hashes(reader: pa.RecordBatchReader, hashed: Hasher) -> pa.Table:
    schema = pa.schema([("customer_id", pa.string()), (HASHED, pa.string())])
    batches = []
    for batch in reader:
        ids = batch.column("customer_id").cast(pa.string())
        batches.append(
            pa.RecordBatch.from_arrays([ids, pa.array(hashed(ids.to_pylist()), pa.string())], schema=schema)
        )
    return pa.Table.from_batches(batches, schema)


def _figures(engine: Engine, numbered: Numbered) -> dict[str, int]:
    figures = engine.rows(numbered.profile.aggregate(customers=numbered.profile.count()))[0]
    kinds = numbered.kinds
    if "purchases" not in kinds:
        return {**figures, "buyers": 0, "purchases": 0, "refunds": 0, "refunds_linked": 0}
    bought, back = kinds["purchases"], kinds["refunds"]
    return {
        **figures,
        **engine.rows(bought.aggregate(buyers=bought["k"].nunique(), purchases=bought.count()))[0],
        **engine.rows(back.aggregate(refunds=back.count(), refunds_linked=back["order_at"].count()))[0],
    }


def attributes_of(profile: ir.Table) -> dict[str, pa.DataType]:
    """The shop's own columns of the customers."""
    schema = profile.schema().to_pyarrow()
    return {field.name: field.type for field in schema if field.name not in ("customer_id", "k", *PROFILE)}
