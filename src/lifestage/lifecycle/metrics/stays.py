"""Time in stage: each customer's stays in a stage, completed or still running, as the frames show them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lifestage.lifecycle.metrics.durations import SEEN_FROM_START, Durations
from lifestage.lifecycle.metrics.kaplan_meier import quantile
from lifestage.lifecycle.metrics.levels import Groups
from lifestage.lifecycle.metrics.people import Frame
from lifestage.localtime import local_days
from lifestage.ragged import Bools, Floats, Ints


class Stays:
    """Counts of stays by group, stage, entry, exit and how they were left."""

    def __init__(self, stages: int) -> None:
        self.stages = stages
        self._known = Durations()
        self._unknown: dict[int, int] = {}

    def add(self, frames: Sequence[Frame], at: Ints, groups: Sequence[Ints], zone: str) -> None:
        """Add the stays of the customers at `at`; a stay belongs to the group of its last frame."""
        n = len(at)
        stage = np.full(n, -1, np.int64)
        group = np.zeros(n, np.int64)
        began, entry, last = (np.zeros(n, np.int64) for _ in range(3))
        certain = np.zeros(n, np.bool_)
        before = None
        for frame, own in zip(frames, groups, strict=True):
            now = frame.stage[at]
            since = frame.numbers("stage_since", at)
            there, changed = now >= 0, now != stage
            inside = ~np.isnan(since) & (since <= frame.as_of)
            if before is not None:
                inside &= (stage < 0) | (since > before)  # an older one is that of the stay before
            day = _days(np.where(inside, since, frame.as_of), zone)
            left = changed & (stage >= 0)
            exit_ = np.where(there, day, last)  # who is not there any more was last seen running
            self._keep(
                group, stage, entry=entry, exit_=exit_ - began, ended=there, certain=certain, which=left
            )
            new = changed & there
            began[new] = day[new]
            seen = (stage >= 0) | (day == frame.day)
            entry[new] = np.where(seen, SEEN_FROM_START, frame.day - day)[new]
            # At the very first frame a stay that begins there began who knows when.
            certain[new] = (before is not None) | (inside & (since < frame.as_of))[new]
            stage, group = now, np.where(there, own, group)
            last[there] = frame.day
            before = frame.as_of
        running = stage >= 0
        never = np.zeros(n, np.bool_)
        self._keep(group, stage, entry=entry, exit_=last - began, ended=never, certain=certain, which=running)

    def _keep(
        self,
        group: Ints,
        stage: Ints,
        *,
        entry: Ints,
        exit_: Ints,
        ended: Bools,
        certain: Bools,
        which: Bools,
    ) -> None:
        cell, known = group * self.stages + stage, which & certain
        self._known.add(cell[known], entry[known], exit_[known], ended[known])
        cells, counts = np.unique(cell[which & ~certain], return_counts=True)
        for place, count in zip(cells.tolist(), counts.tolist(), strict=True):
            self._unknown[place] = self._unknown.get(place, 0) + count

    def rows(self, groups: Groups, names: Sequence[str]) -> list[dict[str, Any]]:
        """One row per group and stage with a stay; a group is a name and the codes that it holds."""
        found = []
        for name, codes in groups:
            for place, stage in enumerate(names):
                cells = [code * self.stages + place for code in codes]
                unknown = sum(self._unknown.get(cell, 0) for cell in cells)
                stays, completed, curve = self._known.curve(cells)
                if stays or unknown:
                    found.append(
                        {
                            "group": name,
                            "stage": stage,
                            "stays": stays,
                            "completed": completed,
                            "running": stays - completed,
                            "unknown_start": unknown,
                            "quarter_days": quantile(curve, 0.25),
                            "median_days": quantile(curve, 0.5),
                            "three_quarter_days": quantile(curve, 0.75),
                        }
                    )
        return found


def _days(instants: Floats, zone: str) -> Ints:
    """Local day numbers; few different instants, so each is worked out once."""
    values, inverse = np.unique(instants, return_inverse=True)
    return local_days(values.astype(np.int64), zone)[inverse]
