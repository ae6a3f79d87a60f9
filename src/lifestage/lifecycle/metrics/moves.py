"""Who moved between two frames: the transition matrix, and the flow new, kept, returned, lost."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lifestage.lifecycle.metrics.levels import MOST_GROUPS, Groups
from lifestage.lifecycle.metrics.sums import Part
from lifestage.lifecycle.policy import NEW, Policy
from lifestage.ragged import Bools, Ints

GONE = "gone"
"""To where a customer went whom the later frame does not hold (merged with another, say)."""


class Roles:
    """What the stages mean, by their place; a stage that the policy does not know is active."""

    def __init__(self, policy: Policy, stages: Sequence[str]) -> None:
        known = {stage.name: stage for stage in policy.stages}
        role = [known[name].role if name in known else "active" for name in stages]
        self.lost: Bools = np.array([r == "lost" for r in role] + [False])  # -1, not there, takes the last
        self.any_lost = bool(self.lost.any())
        path = [name for name in stages if name in known and not known[name].preempts]
        self.rank: Ints = np.array([path.index(n) if n in path else -1 for n in stages] + [-1], np.int64)
        self.last = len(path) - 1


def move_parts(roles: Roles, before: Ints, after: Ints) -> dict[str, Part]:
    """churn_rate, retention_rate, win_back_rate, conversion_to_next_stage of customers with before >= 0."""
    here, there = ~roles.lost[before], after >= 0
    lost = roles.lost[after]
    rank = roles.rank[before]
    ahead = (rank >= 0) & (rank < roles.last)
    parts = {"conversion_to_next_stage": Part(ahead & (roles.rank[after] > rank), ahead)}
    if roles.any_lost:
        parts["churn_rate"] = Part(here & lost, here)
        parts["retention_rate"] = Part(here & there & ~lost, here)
        parts["win_back_rate"] = Part(~here & there & ~lost, ~here)
    return parts


class Moves:
    """Counts of a period by group, stage at its start and stage at its end."""

    def __init__(self, stages: int) -> None:
        self.stages = stages
        self.counts = np.zeros((MOST_GROUPS, stages + 1, stages + 1), np.int64)
        """The last place stands for new (from) and gone (to)."""

    def add(self, before: Ints, after: Ints, group: Ints) -> None:
        """Add customers; -1: not there."""
        seen = (before >= 0) | (after >= 0)
        width = self.stages + 1
        cell = (group * width + before % width) * width + after % width
        counted = np.bincount(cell[seen], minlength=self.counts.size)
        self.counts += counted.reshape(self.counts.shape)

    def transitions(self, groups: Groups, names: Sequence[str], minimum: int) -> list[dict[str, Any]]:
        """One row per group and pair of stages that occurs; `share` of those who started where it starts."""
        found = []
        for group, codes in groups:
            counts = self.counts[list(codes)].sum(axis=0)
            for i, from_stage in enumerate([*names, NEW]):
                whole = int(counts[i].sum())
                for j, to_stage in enumerate([*names, GONE]):
                    if counts[i, j]:
                        found.append(
                            {
                                "group": group,
                                "from_stage": from_stage,
                                "to_stage": to_stage,
                                "customers": int(counts[i, j]),
                                "from_customers": whole,
                                "share": int(counts[i, j]) / whole if whole >= minimum else None,
                            }
                        )
        return found

    def flow(self, groups: Groups, roles: Roles) -> list[dict[str, Any]]:
        """One row per group with a customer.

        start = kept + lost + returned + still_lost + gone; end = new + kept + lost + returned + still_lost.
        """
        lost = roles.lost[:-1]
        found = []
        for group, codes in groups:
            counts = self.counts[list(codes)].sum(axis=0)
            inner = counts[:-1, :-1]
            if not counts.any():
                continue
            found.append(
                {
                    "group": group,
                    "start_customers": int(counts[:-1].sum()),
                    "new": int(counts[-1].sum()),
                    "kept": int(inner[~lost][:, ~lost].sum()),
                    "returned": int(inner[lost][:, ~lost].sum()),
                    "lost": int(inner[~lost][:, lost].sum()),
                    "still_lost": int(inner[lost][:, lost].sum()),
                    "gone": int(counts[:-1, -1].sum()),
                    "new_lost": int(counts[-1, :-1][lost].sum()),
                    "end_customers": int(counts[:, :-1].sum()),
                }
            )
        return found
