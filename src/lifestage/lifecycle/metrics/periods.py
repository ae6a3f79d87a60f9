"""Which scoring runs make periods that can be compared."""

from collections.abc import Iterable
from itertools import pairwise
from statistics import median

SHORT = 0.5
"""Of the usual time between two runs: what lies nearer to the newest run than that is left out."""


def evenly(instants: Iterable[int]) -> list[int]:
    """The instants, ascending, without those that would make the newest period a stub.

    Month beginnings and a newest run two days after the last of them: rates of two days tell nothing beside rates of
    months, so the newest period then begins a month earlier. The newest instant always stays.
    """
    found = sorted(set(instants))
    if len(found) < 3:
        return found
    usual = median(b - a for a, b in pairwise(found))
    newest = found[-1]
    return [*(t for t in found[:-1] if newest - t >= SHORT * usual), newest]
