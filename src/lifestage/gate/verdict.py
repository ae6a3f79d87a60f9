"""What the gate says of one challenger: whether it takes the champion's place, why, and by which figures."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from lifestage.churn.grade import GRADES
from lifestage.json_values import json_values

Word = Literal["first", "better", "younger", "new", "same", "kept"]
"""first: there is no champion. better: surely. younger: surely not worse, and it has seen newer data. new: the
champion answers another question, or cannot be compared. same: it is the champion already. kept: it is not let in."""
PROMOTED: tuple[Word, ...] = ("first", "better", "younger", "new")


@dataclass(frozen=True)
class Verdict:
    """Of one challenger."""

    word: Word
    reasons: tuple[str, ...]
    figures: Mapping[str, Any] = field(default_factory=dict)
    """Plain JSON: no NaN, None where a figure is not defined."""

    @property
    def promote(self) -> bool:
        return self.word in PROMOTED

    def to_json(self, challenger: str, champion: str | None) -> dict[str, Any]:
        """With the registered versions that were compared."""
        return {
            "promote": self.promote,
            "verdict": self.word,
            "challenger": challenger,
            "champion": champion,
            "reasons": list(self.reasons),
            "figures": json_values(self.figures),
        }


def grade_holds_back(challenger: float | None, champion: float | None) -> bool:
    """Whether a churn challenger's grade alone keeps it out: grade C beside a champion of a better one.

    Metrics `grade` (place in GRADES), None where a version has none: it then counts as B. A shop that never had
    more than grade C is served all the same, by the best baseline.
    """
    unknown = float(GRADES.index("B"))
    own, other = (unknown if grade is None else grade for grade in (challenger, champion))
    return own <= 0 < other


def letter(grade: float | None) -> str:
    """A, B or C of the metric `grade`; ? where there is none."""
    return "?" if grade is None else GRADES[int(grade)]


def signed(share: float) -> str:
    """A relative difference in percent, e.g. +1.2 %."""
    return "?" if not math.isfinite(share) else f"{100 * share:+.1f} %"
