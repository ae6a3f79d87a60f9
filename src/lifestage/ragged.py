"""List columns as flat arrays, and reductions of each customer's segment by itself.

A segment is always reduced alone (`ufunc.reduceat` over start/end pairs, never a prefix sum of floats across
customers): a customer's figure then has the same bits in a block of one and in a block of a million.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Ragged:
    """The rows of n customers, each customer's in order of time.

    Customer i owns rows [starts[i], ends[i]) of `t` (instants) and of every child in `columns`.
    """

    starts: Ints
    ends: Ints
    t: Ints
    columns: Mapping[str, pa.Array] = field(default_factory=dict)

    @property
    def counts(self) -> Ints:
        """Rows of each customer, int64[n]."""
        return self.ends - self.starts

    def rows_before(self, instant: int) -> Ints:
        """Rows with t < instant of each customer, int64[n]."""
        seen = np.concatenate([[0], np.cumsum(self.t < instant)])
        rows: Ints = seen[self.ends] - seen[self.starts]
        return rows

    def owned(self) -> Bools:
        """Which flat rows belong to a customer: a view or a slice keeps the others in the arrays."""
        filled = self.ends > self.starts
        edges = np.zeros(len(self.t) + 1, np.int8)
        edges[self.starts[filled]] += 1
        edges[self.ends[filled]] -= 1
        return np.cumsum(edges[:-1], dtype=np.int8).astype(np.bool_)

    def before(self, cutoff: int) -> "Ragged":
        """Only the rows with t < cutoff; nothing is copied."""
        return Ragged(self.starts, self.starts + self.rows_before(cutoff), self.t, self.columns)

    def between(self, start: int, end: int) -> "Ragged":
        """Only the rows with start <= t < end; nothing is copied."""
        first = self.starts + self.rows_before(start)
        return Ragged(first, self.starts + self.rows_before(end), self.t, self.columns)


@dataclass(frozen=True)
class Coded:
    """A text column as numbers: codes[i] is the place of row i's text in `levels`, -1 where it is null."""

    codes: Ints
    dictionary: pa.Array | tuple[str, ...]

    @property
    def size(self) -> int:
        """How many texts there are."""
        return len(self.dictionary)

    @property
    def levels(self) -> tuple[str, ...]:
        """The texts. Not for a column of ids, of which there may be millions."""
        return self.dictionary if isinstance(self.dictionary, tuple) else tuple(self.dictionary.to_pylist())


FEW = 256
"""Up to so many rows a plain loop is faster than Arrow's kernels; the result is the same."""


def encode(column: pa.Array) -> Coded:
    """A text column as codes; the levels stand in the order in which they are first met."""
    if len(column) <= FEW:
        places: dict[str, int] = {}
        codes = [-1 if text is None else places.setdefault(text, len(places)) for text in column.to_pylist()]
        return Coded(np.array(codes, np.int64), tuple(places))
    found = column.dictionary_encode()
    indices = found.indices if found.indices.null_count == 0 else found.indices.fill_null(-1)
    return Coded(np.asarray(indices.to_numpy(zero_copy_only=False), np.int64), found.dictionary)


def places(coded: Coded, wanted: tuple[str, ...], other: int) -> Ints:
    """Place of each row's text in `wanted`, `other` for any other text, -1 where it is null, int64[rows]."""
    known = {text: i for i, text in enumerate(wanted)}
    table = np.array([*(known.get(level, other) for level in coded.levels), -1], np.int64)
    return table[coded.codes]  # -1 takes the last entry


def owners(rows: Ragged) -> Ints:
    """The customer that each flat row belongs to, -1 for a row of nobody, int64[rows]."""
    if len(rows.starts) == 1:
        owner = np.full(len(rows.t), -1, np.int64)
        owner[rows.starts[0] : rows.ends[0]] = 0
        return owner
    owner = np.full(len(rows.t), -1, np.int64)
    owner[rows.owned()] = np.repeat(np.arange(len(rows.starts)), rows.counts)
    return owner


def next_same(owner: Ints, codes: Ints) -> Ints:
    """Flat row of the same customer's next row with the same code; the number of rows where there is none."""
    following = np.full(len(owner), len(owner), np.int64)
    if not len(owner):
        return following
    key = (owner + 1) * (int(codes.max()) + 2) + codes + 1
    order = np.argsort(key, kind="stable")
    same = key[order[1:]] == key[order[:-1]]
    following[order[:-1][same]] = order[1:][same]
    return following


def from_list_array(column: pa.Array | pa.ChunkedArray) -> Ragged:
    """A `list<struct<t, ...>>` column as flat arrays, without copying the instants."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
        if isinstance(column, pa.ChunkedArray):  # no chunk or several: pyarrow kept the wrapper
            column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    offsets = column.offsets.to_numpy().astype(np.int64)
    starts, ends = offsets[:-1], offsets[1:]
    if column.null_count:  # a null list is an empty one, whatever stands behind it
        ends = np.where(column.is_valid().to_numpy(zero_copy_only=False), ends, starts)
    values = column.values
    children = {values.type.field(i).name: values.field(i) for i in range(values.type.num_fields)}
    t = children.pop("t").view(pa.int64()).to_numpy(zero_copy_only=False)
    return Ragged(starts, ends, t, children)


def reduce_segments(ufunc: np.ufunc, values: Floats | Ints, starts: Ints, ends: Ints, empty: float) -> Floats:
    """`ufunc` over values[starts[i]:ends[i]] of each segment, float64[n]; `empty` where it has no row.

    Segments must not overlap and must be in order.
    """
    out = np.full(len(starts), empty, np.float64)
    filled = ends > starts
    if not filled.any():
        return out
    pairs = np.empty(2 * int(filled.sum()), np.int64)
    pairs[0::2], pairs[1::2] = starts[filled], ends[filled]
    if pairs[-1] == len(values):  # the last segment then runs to the end of the array by itself
        pairs = pairs[:-1]
    out[filled] = ufunc.reduceat(values, pairs)[0::2]
    return out


def segment_sum(values: Floats | Ints, starts: Ints, ends: Ints) -> Floats:
    """Sum of each segment, 0 where it is empty, float64[n]."""
    return reduce_segments(np.add, values, starts, ends, 0.0)


def segment_min(values: Floats | Ints, starts: Ints, ends: Ints) -> Floats:
    """Least value of each segment, NaN where it is empty, float64[n]."""
    return reduce_segments(np.minimum, values, starts, ends, np.nan)


def segment_max(values: Floats | Ints, starts: Ints, ends: Ints) -> Floats:
    """Greatest value of each segment, NaN where it is empty, float64[n]."""
    return reduce_segments(np.maximum, values, starts, ends, np.nan)


def at(values: Floats | Ints, rows: Ints, present: Bools) -> Floats:
    """values[rows[i]] where present[i], else NaN, float64[n]."""
    out = np.full(len(rows), np.nan, np.float64)
    out[present] = values[rows[present]]
    return out


def keep_rows(keep: Bools, starts: Ints, ends: Ints) -> tuple[Ints, Ints]:
    """Segment bounds after the rows with keep=False were dropped from the flat arrays."""
    kept = np.concatenate([[0], np.cumsum(keep)])
    return kept[starts], kept[ends]
