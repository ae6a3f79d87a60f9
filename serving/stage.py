"""Given features and scores -> stages under the release's policy."""

import math
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import numpy as np
import pyarrow as pa

from lifestage.decision import RFM, align, staged_by
from lifestage.errors import InputError
from lifestage.lifecycle.columns import DERIVED, Published
from lifestage.lifecycle.policy import Policy
from lifestage.lifecycle.staging import columns_read
from lifestage.localtime import instant_text
from lifestage.record_values import RecordError, identifier
from serving.limits import check_count
from serving.models import StageRequest
from serving.problems import bad
from serving.rows import rows
from serving.score import instant_of, previous_stages
from serving.state import State

PERCENTILES = {"churn_percentile": "churn_probability", "clv_percentile": "clv", **RFM}
"""Percentile -> the column whose rank it is."""

SHARES = frozenset({"churn_probability", "p_alive", "p_order", *PERCENTILES})
AMOUNTS = frozenset({"clv", "expected_orders", "expected_order_value", "spend_low", "spend_high"})

Columns = dict[str, list[Any]]


def stage(state: State, request: StageRequest, now: int) -> dict[str, Any]:
    """One staged row per customer, in the request's order."""
    check_count(len(request.customers), state.shop.serving)
    zone, policy = state.release.timezone, state.release.policy
    as_of = instant_of(request.as_of, now, zone)
    block = _block(state, request)
    try:
        previous = align(previous_stages(request.customers, zone, as_of), block["customer_id"])
    except RecordError as error:
        raise bad(str(error), ("customers", *error.path)) from None
    try:
        staged = staged_by(state.release, pa.table(block), as_of, previous)
    except InputError as error:
        raise bad(str(error)) from None
    staged = staged.add_column(0, "customer_id", block["customer_id"])
    return {
        "as_of": instant_text(as_of),
        **state.facts,
        "policy": policy.name,
        "missing": _missing(policy, block),
        "stages": rows(staged),
    }


def _block(state: State, request: StageRequest) -> dict[str, pa.Array]:
    """Every column that a policy may read: null where a customer does not give it."""
    ids = [identifier(customer["customer_id"]) or "" for customer in request.customers]
    seen: set[str] = set()
    for i, name in enumerate(ids):
        if name in seen:
            raise bad(f"customer '{name}': stands twice in one request", ("customers", i, "customer_id"))
        seen.add(name)
    given = state.release.policy.given
    values: Columns = {name: [None] * len(ids) for name in given}
    for i, customer in enumerate(request.customers):
        for name, value in customer["columns"].items():
            if value is not None:
                _check(i, ids[i], name, value, given)
                values[name][i] = value
    columns = {name: pa.array(column, given[name].type) for name, column in values.items()}
    never = pa.compute.equal(columns["order_count"], 0).fill_null(False)

    def ranked(percentile: str, of: str) -> pa.Array:
        """What the rank is of: only buyers have one by recency, frequency and spend."""
        return pa.compute.if_else(never, None, columns[of]) if percentile in RFM else columns[of]

    for percentile, of in PERCENTILES.items():
        columns[percentile] = _filled(state, columns[percentile], of, ranked(percentile, of))
    return {"customer_id": pa.array(ids, pa.string()), **columns}


def _missing(policy: Policy, block: dict[str, pa.Array]) -> list[str]:
    """What the policy reads and nobody gave: without it a stage may be only the default."""
    return [name for name in columns_read(policy) if block[name].null_count == len(block[name])]


def _check(i: int, customer: str, name: str, value: object, given: Mapping[str, Published]) -> None:
    """A published column, with a value of its type. Raises ProblemError."""
    path = ("customers", i, "columns", name[:64])
    if name not in given:
        if name in DERIVED:
            raise bad(f"customer '{customer}': column '{name}' is what staging works out; leave it out", path)
        close = get_close_matches(name[:64], given, n=1, cutoff=0.5)
        hint = f"did you mean '{close[0]}'?" if close else "see the published columns of policies"
        raise bad(f"customer '{customer}': there is no column '{name[:64]}'; {hint}", path)
    type_ = given[name].type
    if pa.types.is_boolean(type_):
        fits, expected = isinstance(value, bool), "true or false"
    elif pa.types.is_string(type_):
        fits, expected = isinstance(value, str), "a text"
    else:
        fits, expected = isinstance(value, float | int) and not isinstance(value, bool), "a number"
    if not fits:
        raise bad(f"customer '{customer}': column '{name}' is {str(value)[:64]!r}; expected {expected}", path)
    low, high = (
        (0.0, 1.0) if name in SHARES else (0.0, math.inf) if name in AMOUNTS else (-math.inf, math.inf)
    )
    if isinstance(value, float | int) and not low <= value <= high:
        wanted = "0 to 1" if name in SHARES else "0 or more"
        raise bad(f"customer '{customer}': column '{name}' is {value}; expected {wanted}", path)


def _filled(state: State, percentile: pa.Array, of: str, values: pa.Array) -> pa.Array:
    """The percentile as given, else the value's mid-rank in the release's reference."""
    if values.null_count == len(values):
        return percentile
    ranks = state.release.references.percentile(
        of, np.asarray(values.to_numpy(zero_copy_only=False), np.float64)
    )
    return pa.compute.coalesce(percentile, pa.array(ranks, pa.float64(), mask=np.isnan(ranks)))
