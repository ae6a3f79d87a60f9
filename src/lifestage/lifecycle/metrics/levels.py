"""By what customers are grouped: a column of the frames, a column of the profile, or the month of the first order."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lifestage.errors import InputError
from lifestage.ragged import Ints

if TYPE_CHECKING:
    from lifestage.lifecycle.metrics.people import Block, Frame, People

COHORT = "cohort"
"""Group by the local month of the first order known at the newest frame."""
MISSING = "(missing)"
MOST_GROUPS = 120
MOST_CHANNELS = 1_000


Groups = Sequence[tuple[str | None, Sequence[int]]]
"""Each group's name and the codes that it holds; None: everybody."""


class Levels:
    """Texts as codes 0, 1, 2 ... in the order in which they are met."""

    def __init__(self, name: str, most: int) -> None:
        self.name = name
        self.most = most
        self.places: dict[str, int] = {}

    def codes(self, texts: pa.Array) -> Ints:
        """int64[len(texts)]. Raises InputError beyond `most` different texts."""
        found = texts.dictionary_encode()
        for text in found.dictionary.to_pylist():
            self.places.setdefault(text, len(self.places))
        if len(self.places) > self.most:
            raise InputError(
                f"metrics: '{self.name}' has more than {self.most} different values, too many to compare; group "
                "by a column of few values, e.g. tier or acquisition_channel, or put numbers into bands first"
            )
        table = np.array([self.places[text] for text in found.dictionary.to_pylist()], np.int64)
        indices = found.indices.to_numpy(zero_copy_only=False)
        return table[indices] if len(table) else np.zeros(0, np.int64)

    @property
    def names(self) -> list[str]:
        return list(self.places)


class Grouping:
    """The group of each customer of a block at each frame; without a column everybody is in group 0."""

    def __init__(self, column: str | None, everybody: "People") -> None:
        self.column = column
        self.levels = Levels(column or "", MOST_GROUPS)
        names = [set(frame.table.column_names) for frame in everybody.frames]
        self._in_frames = column is not None and bool(names) and all(column in n for n in names)

    def of(self, block: "Block", frames: tuple["Frame", ...]) -> list[Ints]:
        """One array a frame, int64[customers of the block].

        A frame's own column is as of that frame; who is not in it is in the group of the nearest later frame
        that holds them. Profile and cohort do not change. Raises InputError for an unknown column.
        """
        n = len(block.at)
        if self.column is None:
            return [np.zeros(n, np.int64)] * len(frames)
        if self._in_frames:
            return self._of_frames(block, frames)
        if self.column == COHORT:
            texts = _cohorts(block, frames[-1].as_of)
        elif self.column in block.history.profile:
            texts = pc.fill_null(block.history.profile[self.column].cast(pa.string()), MISSING)
        elif not block.known:
            texts = pa.array([MISSING] * n, pa.string())
        else:
            known = sorted({*frames[-1].table.column_names, *block.history.profile, COHORT} - {"customer_id"})
            raise InputError(
                f"metrics: no column '{self.column}' to group by; frames and profile have: {', '.join(known)}"
            )
        return [self.levels.codes(texts)] * len(frames)

    @property
    def groups(self) -> Groups:
        """Everybody first, then each group in the order of its name."""
        if self.column is None:
            return [(None, [0])]
        places = self.levels.places
        return [(None, sorted(places.values())), *((name, [places[name]]) for name in sorted(places))]

    def _of_frames(self, block: "Block", frames: tuple["Frame", ...]) -> list[Ints]:
        assert self.column is not None
        found: list[Ints] = []
        later: Ints | None = None
        for frame in reversed(frames):
            there = frame.stage[block.at] >= 0
            own = np.zeros(len(block.at), np.int64)
            if there.any():  # the texts of who is not there are nobody's
                own[there] = self.levels.codes(frame.texts(self.column, block.at[there]))
            own = own if later is None else np.where(there, own, later)
            found.append(own)
            later = own
        return found[::-1]


def _cohorts(block: "Block", instant: int) -> pa.Array:
    bought = block.history.before(instant).purchases
    months = first_months(bought.day, bought.starts, bought.present)
    texts = [MISSING if not has else str(m) for m, has in zip(months, bought.present, strict=True)]
    return pa.array(texts, pa.string())


def first_months(days: Ints, starts: Ints, present: np.ndarray) -> np.ndarray:
    """Month of the local day numbers at `starts`, datetime64[M][n]; NaT where there is no row."""
    months = np.full(len(starts), np.datetime64("NaT"), "datetime64[M]")
    months[present] = days[starts[present]].astype("datetime64[D]").astype("datetime64[M]")
    return months
