"""Identities: every alias becomes the one id of its customer, in every table.

alias -> customer_id is a directed graph; whoever hangs together is one customer. The customer's id is the one
at the end of the chain; where there are several ends, or the chain ends in a circle, the least of those ids in
binary order.
"""

from dataclasses import dataclass, replace
from typing import Any, cast

import ibis
import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lifestage.intake.engine import Engine
from lifestage.intake.staging import Staged
from lifestage.privacy import Hasher

EXAMPLES = 5
MERGED = "merged_ids"
WAS = "customer_id_was"
ALIAS_HASHED = "merged_hash"
HIDDEN = ("order_id", "session_id")
"""Texts that shops make of the customer's id and a number."""
HIDDEN_FROM = 4
"""Characters of an id from which on it is looked for within them: those of a shorter one stand there by chance."""


@dataclass(frozen=True)
class Identities:
    """What the aliases come to: `ids` -> `canonical`, only where they differ, and what there is to report."""

    ids: pa.Array
    canonical: pa.Array
    report: dict[str, Any]


def resolve(alias: pa.Array, customer_id: pa.Array) -> Identities:
    """One row per id that becomes another one. `alias[i]` is another id of `customer_id[i]`; repeats are harmless."""
    names = pc.unique(pa.concat_arrays([alias.cast(pa.string()), customer_id.cast(pa.string())]))
    names = names.take(pc.sort_indices(names))  # binary order: the least code is the least id
    a, b = (_codes(column, names) for column in (alias, customer_id))
    real = a != b
    edges = np.unique(np.stack([a[real], b[real]]), axis=1)
    a, b = edges[0], edges[1]
    n = len(names)
    graph = coo_array((np.ones(len(a), np.int8), (a, b)), shape=(n, n)).tocsr()
    _, person = connected_components(graph, directed=True, connection="weak")
    _, ring = connected_components(graph, directed=True, connection="strong")
    leaves = np.zeros(n, np.bool_)  # rings (an id alone is one) from which an alias leads on
    leaves[ring[a[ring[a] != ring[b]]]] = True
    ends = np.flatnonzero(~leaves[ring])
    chosen = np.full(n, n, np.int64)
    np.minimum.at(chosen, person[ends], ends)
    canonical = chosen[person]
    changed = np.flatnonzero(canonical != np.arange(n))
    ids = names.take(pa.array(changed))
    to = names.take(pa.array(canonical[changed]))
    return Identities(ids, to, _report(names, a=a, b=b, ring=ring, canonical=canonical, changed=changed))


def _codes(column: pa.Array, names: pa.Array) -> npt.NDArray[np.int64]:
    return np.asarray(pc.index_in(column.cast(pa.string()), value_set=names), np.int64)


def _report(
    names: pa.Array,
    *,
    a: npt.NDArray[np.int64],
    b: npt.NDArray[np.int64],
    ring: npt.NDArray[np.int32],
    canonical: npt.NDArray[np.int64],
    changed: npt.NDArray[np.int64],
) -> dict[str, Any]:
    def named(codes: npt.NDArray[np.int64]) -> list[str]:
        found: list[str] = names.take(pa.array(codes)).to_pylist()
        return found

    several = np.flatnonzero(np.bincount(a, minlength=len(names)) > 1)
    rings = np.flatnonzero(np.bincount(ring) > 1) if len(ring) else np.empty(0, np.int64)
    order = np.argsort(canonical[changed], kind="stable")
    people, first = np.unique(canonical[changed][order], return_index=True)
    ends = np.append(first, len(changed))[1:]
    groups = [changed[order][s:e] for s, e in zip(first[:EXAMPLES], ends[:EXAMPLES], strict=True)]
    return {
        "aliases": len(np.unique(a)),
        "ids_merged": len(changed),
        "customers_merged": len(people),
        "examples": [
            {"customer_id": who, "aliases": named(group)[:EXAMPLES]}
            for who, group in zip(named(people[:EXAMPLES]), groups, strict=True)
        ],
        "conflicts": len(several),
        "conflict_examples": [
            {"alias": name, "customer_ids": named(b[a == code])[:EXAMPLES]}
            for name, code in zip(named(several[:EXAMPLES]), several[:EXAMPLES], strict=True)
        ],
        "cycles": len(rings),
        "cycle_examples": [named(np.flatnonzero(ring == r))[:EXAMPLES] for r in rings[:EXAMPLES]],
    }


def merge_identities(
    engine: Engine, staged: dict[str, Staged], hashed: Hasher | None = None
) -> tuple[dict[str, Staged], dict[str, Any]]:
    """Every table but `customers` under canonical ids, and the report; `identities` itself is left as it is.

    With `hashed`, an alias within another text of its row (see HIDDEN) is replaced by its hash, which
    `numbering` does for the canonical ids.
    The table of the customers is merged later by `one_profile_each`, for it knows the ids as they were.
    """
    kept = staged["identities"].kept.select("alias", "customer_id").distinct()
    pairs = pa.Table.from_batches(list(engine.stream(kept)), schema=kept.schema().to_pyarrow())
    found = resolve(pairs["alias"].combine_chunks(), pairs["customer_id"].combine_chunks())
    columns = {"merged_from": found.ids, "merged_to": found.canonical}
    if hashed is not None:
        columns[ALIAS_HASHED] = pa.array(hashed(found.ids.to_pylist()), pa.string())
    engine.copy(MERGED, pa.table(columns))
    ids = engine.table(MERGED)
    merged, rows = dict(staged), {}
    for name, table in staged.items():
        if name == "identities":
            continue
        rows[name] = engine.count(table.rows.semi_join(ids, table.rows["customer_id"] == ids["merged_from"]))
        if name != "customers" and rows[name]:
            renamed = engine.keep(f"merged_{name}", under_one_id(engine, table.rows))
            merged[name] = replace(table, rows=renamed, read=under_one_id(engine, table.read))
    return merged, {**found.report, "rows": rows}


def under_one_id(engine: Engine, rows: ir.Table) -> ir.Table:
    """The rows with each alias replaced."""
    ids = engine.table(MERGED)
    joined = rows.left_join(ids, rows["customer_id"] == ids["merged_from"])
    if ALIAS_HASHED in ids.columns:
        joined = hide_ids(joined, "merged_from", ALIAS_HASHED)
    one = joined.mutate(customer_id=ibis.coalesce(joined["merged_to"], joined["customer_id"]))
    return one.select(*rows.columns)


def hide_ids(rows: ir.Table, name: str, hash_name: str) -> ir.Table:
    """The rows, the id in column `name` replaced by the hash in the texts of HIDDEN that hold it."""
    own: Any = rows[name]
    there = {
        column: ibis.ifelse(
            (own.length() >= HIDDEN_FROM) & text.contains(own), text.replace(own, rows[hash_name]), text
        )
        for column in HIDDEN
        if column in rows.columns
        for text in [cast("Any", rows[column])]
    }
    return rows.mutate(**there) if there else rows


def profiles_merged(engine: Engine, profiles: ir.Table) -> ir.Table:
    """Customers' rows under canonical ids; WAS is the id as it was."""
    return engine.keep(
        "profiles_merged", under_one_id(engine, profiles.mutate(**{WAS: profiles["customer_id"]}))
    )


def one_profile_each(engine: Engine, merged: ir.Table) -> tuple[ir.Table, int]:
    """Of several rows of one customer in `profiles_merged` one; with how many rows that saved.

    Each column takes the first value that is not empty, in the order of registration (`t`, empty last), then of
    the id as it was.
    """
    order = [merged["t"].asc(nulls_first=False), merged[WAS].asc()]
    names = [name for name in merged.columns if name not in ("customer_id", WAS)]
    grouped = merged.group_by("customer_id").agg(
        **{name: merged[name].first(order_by=order) for name in names}
    )
    table = engine.keep("profiles_one", grouped)
    return table, engine.count(merged) - engine.count(table)
