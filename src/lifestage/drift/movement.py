"""How far each column has moved since training, beside how far it moved over the same distance in time before.

Tenure, order counts and lifetime spend grow in any shop, seasons come and go: such a column moves at every round and
means nothing. So each movement stands beside the shop's normal one: the largest between two past instants as far
apart as training and now are. Where the history does not reach so far back, the farthest pairs are extended with the
square of the distance, as the J-divergence of a location that moves at a steady pace grows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from lifestage.drift.bins import Bins
from lifestage.drift.population import Population
from lifestage.drift.profile import Counted, Profile, column_of
from lifestage.drift.stability import excess, highest_by_chance, stability_index
from lifestage.errors import InputError
from lifestage.localtime import DAY
from lifestage.ragged import Floats, Ints

FEW = 50
"""Fewer customers tell nothing of a distribution."""
NEAREST, FARTHEST = 0.67, 1.5
"""Pairs of instants from so many to so many times the distance are as far apart."""
FAR = 3.0
"""Pairs of past instants tell what is normal over at most so many times their distance."""
FALSE_ALARMS = 0.01
"""Chance that any column of a shop that does not change stands out by chance."""


@dataclass(frozen=True)
class Movement:
    """One column then and now."""

    kind: str
    name: str
    bins: Bins
    then: Ints
    """Customers in each bin at training; of several cutoffs their mean."""
    now: Ints
    index: float
    """PSI beyond what chance alone lets expect."""
    raw: float
    """PSI as it is."""
    chance: float
    """What chance alone reaches in one shop of a hundred, over all columns."""
    normal: float | None
    """The largest such index between two past instants as far apart; None where the past does not tell."""
    importance: float
    """Share of the churn model's importance; 0 for scores and stages."""

    @property
    def by_chance(self) -> bool:
        """Whether so few customers may differ so much by chance."""
        return self.raw <= self.chance


def pooled(column: Counted, profile: Profile) -> Ints:
    """Customers in each bin at the training cutoffs, their mean rounded: the same people come at each."""
    rows = [profile.instants.index(t) for t in profile.training]
    mean: Ints = np.rint(column.counts[rows].mean(axis=0)).astype(np.int64)
    return mean


def distance_days(profile: Profile, as_of: int) -> float:
    """Days from the middle of the training cutoffs to as_of."""
    return (as_of - float(np.mean(profile.training))) / DAY


def normal_movement(column: Counted, instants: Sequence[int], days: float) -> float | None:
    """The largest index between two of the instants that lie about so many days apart; None where unknown."""
    enough = [i for i in range(len(instants)) if column.counts[i].sum() >= FEW]
    pairs = [(i, j, (instants[j] - instants[i]) / DAY) for i, j in combinations(enough, 2)]
    alike = [pair for pair in pairs if NEAREST * days <= pair[2] <= FARTHEST * days]
    if not alike:
        farthest = max((d for _, _, d in pairs), default=0.0)
        if farthest * FAR < days or days <= 0:
            return None if days > 0 else 0.0
        alike = [pair for pair in pairs if NEAREST * farthest <= pair[2] < days]
    return max(
        (excess(column.counts[i], column.counts[j]) * max(1.0, days / d) ** 2 for i, j, d in alike),
        default=None,
    )


def movements(
    profile: Profile, now: Population, as_of: int, importance: Mapping[str, float]
) -> list[Movement]:
    """Every column with enough customers then and now, in the profile's order.

    Raises InputError where the profile tells of a column that the release does not compute.
    """
    days = distance_days(profile, as_of)
    alarm = FALSE_ALARMS / max(len(profile.columns), 1)
    found = []
    for column in profile.columns:
        try:
            values = column_of(now, column.kind, column.name)
        except KeyError:
            raise InputError(
                f"the release's reference tells of the {column.kind} '{column.name}', which its models do not read: "
                "it was made of another feature spec; promote again"
            ) from None
        then, counted = pooled(column, profile), column.bins.counts(values)
        if min(int(then.sum()), int(counted.sum())) < FEW:
            continue
        found.append(
            Movement(
                column.kind,
                column.name,
                column.bins,
                then,
                counted,
                index=excess(then, counted),
                raw=stability_index(then, counted),
                chance=highest_by_chance(then, counted, alarm),
                normal=normal_movement(column, profile.instants, days),
                importance=importance.get(column.name, 0.0) if column.kind == "feature" else 0.0,
            )
        )
    return found


def weighted_index(moved: Sequence[Movement]) -> float:
    """The mean index of the features, weighted by the churn model's importance."""
    features = [m for m in moved if m.kind == "feature"]
    weight = np.array([m.importance for m in features])
    index = np.array([m.index for m in features])
    return float((weight * index).sum() / weight.sum()) if weight.sum() > 0 else 0.0


def both_shares(movement: Movement) -> tuple[Floats, Floats]:
    """Each bin's share then and now, as counted."""
    return movement.then / movement.then.sum(), movement.now / movement.now.sum()
