"""Flat values of records in their total order, and laid out as list columns of a history block."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from lifestage.ragged import Bools, Floats, Ints
from lifestage.schemas import INSTANT


def ranks(texts: Sequence[str | None]) -> Ints:
    """Ranks of texts by their UTF-8 bytes, absent ones last."""
    place = {name: i for i, name in enumerate(sorted({name for name in texts if name is not None}))}
    return np.array([len(place) if name is None else place[name] for name in texts], np.int64)


def total_order(owner: Ints, t: Ints, *ties: Sequence[str | None] | Floats | Ints) -> Ints:
    """Flat rows by owner (they come so), then time, then the tie-breaking keys from the first to the last."""
    if np.all((owner[1:] > owner[:-1]) | (t[1:] > t[:-1])):
        return np.arange(len(t))
    order = np.lexsort((t, owner))
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


def instants(t: Ints, known: Bools | None = None) -> pa.Array:
    return pa.array(t, pa.int64(), mask=None if known is None else ~known).cast(INSTANT)


def list_column(n: int, owner: Ints, struct: pa.StructType, **children: pa.Array) -> pa.Array:
    """A list<struct> column of n customers from flat children ordered by owner."""
    offsets = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=n))]).astype(np.int32)
    fields = [struct.field(i) for i in range(struct.num_fields)]
    values = pa.StructArray.from_arrays([children[f.name] for f in fields], fields=fields)
    return pa.ListArray.from_arrays(pa.array(offsets), values)
