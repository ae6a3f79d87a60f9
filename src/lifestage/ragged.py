"""List columns as flat arrays, and reductions of each customer's segment by itself.

A segment is always reduced alone (`ufunc.reduceat` over start/end pairs, never a prefix sum of floats across
customers): a customer's figure then has the same bits in a block of one and in a block of a million.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

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
        seen = running_count(self.t < instant)
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


class Children(Mapping[str, pa.Array]):
    """The columns of the rows but `t`, each unwrapped when it is asked for."""

    def __init__(self, rows: pa.StructArray) -> None:
        self._rows = rows

    def __getitem__(self, name: str) -> pa.Array:
        return self._rows.field(name)

    def __iter__(self) -> Iterator[str]:
        return (field.name for field in self._rows.type if field.name != "t")

    def __len__(self) -> int:
        return int(self._rows.type.num_fields) - 1


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


FEW_TEXTS = 80
"""The same for texts, which Arrow tells apart sooner."""


def encode(column: pa.Array) -> Coded:
    """A text column as codes; the levels stand in the order in which they are first met."""
    if column.null_count == len(column):  # a field that nobody gives
        return Coded(np.full(len(column), -1), ())
    if len(column) <= FEW_TEXTS:
        places: dict[str, int] = {}
        codes = [-1 if text is None else places.setdefault(text, len(places)) for text in column.to_pylist()]
        return Coded(np.array(codes, np.int64), tuple(places))
    found = column.dictionary_encode()
    indices = found.indices if found.indices.null_count == 0 else found.indices.fill_null(-1)
    return Coded(np.asarray(indices.to_numpy(zero_copy_only=False), np.int64), found.dictionary)


TOGETHER = 16_384
"""Rows whose texts fit into the processor's cache while they are told apart."""


def own_codes(column: pa.Array, starts: Ints) -> Ints:
    """A text column of ids as numbers, -1 where it is null: the same for a customer's rows with the same text.

    Only within a customer: the texts of a few customers at a time are told apart, which is several times faster
    than those of a whole block. `starts` are the customers' first rows.
    """
    if len(column) <= TOGETHER:
        return encode(column).codes
    edges = np.searchsorted(starts, np.arange(TOGETHER, len(column), TOGETHER))
    bounds = [0, *np.unique(starts[edges[edges < len(starts)]]).tolist(), len(column)]
    parts, used = [], 0
    for low, high in pairwise(bounds):
        coded = encode(column.slice(low, high - low))
        parts.append(np.where(coded.codes < 0, -1, coded.codes + used))
        used += coded.size
    return np.concatenate(parts)


def places(coded: Coded, wanted: tuple[str, ...], other: int) -> Ints:
    """Place of each row's text in `wanted`, `other` for any other text, -1 where it is null, int64[rows]."""
    known = {text: i for i, text in enumerate(wanted)}
    table = np.array([*(known.get(level, other) for level in coded.levels), -1], np.int64)
    return table[coded.codes]  # -1 takes the last entry


def running_count(marked: Bools) -> Ints:
    """Marked rows before each row, and in the end all of them, int64[rows + 1]."""
    count = np.zeros(len(marked) + 1, np.int64)
    marked.cumsum(out=count[1:])
    return count


def owners(rows: Ragged) -> Ints:
    """The customer that each flat row belongs to, -1 for a row of nobody, int64[rows]."""
    of = np.arange(len(rows.starts)).repeat(rows.counts)
    if len(of) == len(rows.t):
        return of
    owner = np.full(len(rows.t), -1, np.int64)
    owner[rows.owned()] = of
    return owner


def next_same(owner: Ints, codes: Ints) -> Ints:
    """Flat row of the same customer's next row with the same code; the number of rows where there is none."""
    if len(owner) <= FEW:
        return _next_same_of_few(owner.tolist(), codes.tolist())
    following = np.empty(len(owner), np.int64)
    key = (owner + 1) * (int(codes.max()) + 2) + codes + 1
    turns = (key[1:] != key[:-1]).nonzero()[0] + 1
    following[:-1] = np.arange(1, len(key))
    # Within a run of one key that is it. The runs, of which there are far fewer, are sorted to find the others.
    first, last = np.concatenate([[0], turns]), np.concatenate([turns - 1, [len(key) - 1]])
    order = np.argsort(key[first], kind="stable")
    same = key[first[order[1:]]] == key[first[order[:-1]]]
    following[last] = len(key)
    following[last[order[:-1][same]]] = first[order[1:][same]]
    return following


def _next_same_of_few(owner: list[int], codes: list[int]) -> Ints:
    rows, seen = len(owner), dict[tuple[int, int], int]()
    following = [rows] * rows
    for row, cell in enumerate(zip(owner, codes, strict=True)):
        if cell in seen:
            following[seen[cell]] = row
        seen[cell] = row
    return np.array(following, np.int64)


def from_list_array(column: pa.Array | pa.ChunkedArray) -> Ragged:
    """A `list<struct<t, ...>>` column as flat arrays, without copying the instants."""
    if isinstance(column, pa.ChunkedArray):
        if column.num_chunks == 1:
            column = column.chunk(0)
        else:
            column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    values = column.values
    offsets = column.offsets.to_numpy().astype(np.int64)
    low, high = int(offsets[0]), int(offsets[-1])
    if high - low < len(values):  # a slice of a longer column: its cost must be its own
        values = values.slice(low, high - low)
        offsets -= low
    starts, ends = offsets[:-1], offsets[1:]
    if column.null_count:  # a null list is an empty one, whatever stands behind it
        ends = np.where(column.is_valid().to_numpy(zero_copy_only=False), ends, starts)
    t = values.field("t").view(pa.int64()).to_numpy(zero_copy_only=False)
    return Ragged(starts, ends, t, Children(values))


class Segments:
    """Segments [starts[i], ends[i]) of a flat array, in order; they may overlap if none but the last ends with it.

    What several reductions need of the bounds is worked out once.
    """

    def __init__(self, starts: Ints, ends: Ints) -> None:
        self._n = len(starts)
        self._filled = (ends > starts).nonzero()[0]
        self._all = len(self._filled) == self._n
        self._bounds = np.empty(2 * len(self._filled), np.int64)
        self._bounds[0::2] = starts if self._all else starts[self._filled]
        self._bounds[1::2] = ends if self._all else ends[self._filled]

    def sum(self, values: Floats | Ints) -> Floats:
        """Sum of each segment, 0 where it is empty, float64[..., n]."""
        return self._reduce(np.add, values, 0.0)

    def min(self, values: Floats | Ints) -> Floats:
        """Least value of each segment, NaN where it is empty, float64[..., n]."""
        return self._reduce(np.minimum, values, np.nan)

    def max(self, values: Floats | Ints) -> Floats:
        """Greatest value of each segment, NaN where it is empty, float64[..., n]."""
        return self._reduce(np.maximum, values, np.nan)

    def _reduce(self, ufunc: np.ufunc, values: Floats | Ints, empty: float) -> Floats:
        """`ufunc` over values[..., starts[i]:ends[i]]: leading axes hold several columns."""
        bounds = self._bounds
        if len(bounds) and bounds[-1] == values.shape[-1]:  # the last segment then runs to the end by itself
            bounds = bounds[:-1]
        if self._all and self._n:
            return np.asarray(ufunc.reduceat(values, bounds, axis=-1)[..., 0::2], np.float64, order="C")
        out = np.empty((*values.shape[:-1], self._n))
        out.fill(empty)
        if len(bounds):
            out[..., self._filled] = ufunc.reduceat(values, bounds, axis=-1)[..., 0::2]
        return out


def segment_sum(values: Floats | Ints, starts: Ints, ends: Ints) -> Floats:
    """Sum of each segment, 0 where it is empty, float64[n]."""
    return Segments(starts, ends).sum(values)


def segment_min(values: Floats | Ints, starts: Ints, ends: Ints) -> Floats:
    """Least value of each segment, NaN where it is empty, float64[n]."""
    return Segments(starts, ends).min(values)


def segment_max(values: Floats | Ints, starts: Ints, ends: Ints) -> Floats:
    """Greatest value of each segment, NaN where it is empty, float64[n]."""
    return Segments(starts, ends).max(values)


def window_sums(values: Floats, starts: Ints, ends: Ints) -> Floats:
    """Sums over several segments of each customer, which may overlap, float64[n, windows]; starts, ends alike.

    Each is a sum of its own rows from first to last, so that no window's figure hangs on another window.
    """
    # A further row lets a segment that is not the last one end with the array.
    longer = np.concatenate([values, _NOTHING])
    return segment_sum(longer, starts.reshape(-1), ends.reshape(-1)).reshape(starts.shape)


_NOTHING = np.zeros(1)


def missing(shape: int | tuple[int, ...]) -> Floats:
    """NaN everywhere, float64[shape]. (np.full takes longer than all that is done with the few of one customer.)"""
    out = np.empty(shape)
    out.fill(np.nan)
    return out


def at(values: Floats | Ints, rows: Ints, present: Bools) -> Floats:
    """values[rows[i]] where present[i], else NaN, float64[n]."""
    out = missing(len(rows))
    out[present] = values[rows[present]]
    return out


def keep_rows(keep: Bools, starts: Ints, ends: Ints) -> tuple[Ints, Ints]:
    """Segment bounds after the rows with keep=False were dropped from the flat arrays."""
    kept = running_count(keep)
    return kept[starts], kept[ends]


def ratio(above: Floats | Ints, below: Floats | Ints, defined: Bools) -> Floats:
    """above / below where `defined`, else NaN, float64[..., n]; leading axes of `above` hold several columns."""
    return np.divide(above, below, out=missing(above.shape), where=defined)
