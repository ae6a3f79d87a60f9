"""Flat values of records in their total order, and laid out as list columns of a history block."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from lifestage.ragged import FEW, Bools, Floats, Ints
from lifestage.schemas import INSTANT


def ranks(texts: Sequence[str | None]) -> Ints:
    """Ranks of texts by their UTF-8 bytes, absent ones last."""
    place = {name: i for i, name in enumerate(sorted({name for name in texts if name is not None}))}
    return np.array([len(place) if name is None else place[name] for name in texts], np.int64)


def total_order(owner: Ints, t: Ints, *ties: Sequence[str | None] | Floats | Ints) -> Ints:
    """Flat rows by owner (they come so), then time, then the tie-breaking keys from the first to the last."""
    if np.all((owner[1:] > owner[:-1]) | (t[1:] > t[:-1])):
        return np.arange(len(t))
    order = _by_time(owner, t)
    same = (t[order][1:] == t[order][:-1]) & (owner[order][1:] == owner[order][:-1])
    tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
    if len(tied):  # ties are rare: only they are ordered by text
        rows = order[tied]
        keys = [
            key[rows] if isinstance(key, np.ndarray) else ranks([key[i] for i in rows.tolist()])
            for key in ties
        ]
        order[tied] = rows[np.lexsort((*reversed(keys), t[rows], owner[rows]))]
    return order


def _by_time(owner: Ints, t: Ints) -> Ints:
    """The stable order by owner, then time. One sort instead of two where both fit into one number."""
    since = t - t.min()
    span = int(since.max()) + 1
    if (int(owner[-1]) + 1) * span < 2**63:
        return np.argsort(owner * span + since, kind="stable")
    return np.lexsort((t, owner))


def instants(t: Ints, known: Bools | None = None) -> pa.Array:
    return pa.array(t, pa.int64(), mask=None if known is None else ~known).view(INSTANT)


def ordered_texts(texts: Sequence[str | None], order: Ints) -> pa.Array:
    if not any(texts):  # a field that nobody gives
        return pa.nulls(len(order), pa.string())
    if len(texts) == len(order) > FEW and (order[1:] > order[:-1]).all():  # in order already, as a rule
        return pa.array(texts, pa.string())
    return pa.array([texts[i] for i in order.tolist()], pa.string())


def list_column(n: int, owner: Ints, struct: pa.StructType, **children: pa.Array) -> pa.Array:
    """A list<struct> column of n customers from flat children ordered by owner."""
    fields = list(struct)
    values = pa.StructArray.from_arrays([children[f.name] for f in fields], fields=fields)
    offsets = np.zeros(n + 1, np.int32)
    np.bincount(owner, minlength=n).cumsum(out=offsets[1:])
    return pa.ListArray.from_arrays(offsets, values)


def empty_lists(n: int, struct: pa.StructType) -> pa.Array:
    """A list<struct> column of n customers without a row."""
    return pa.ListArray.from_arrays(np.zeros(n + 1, np.int32), pa.array([], struct))
