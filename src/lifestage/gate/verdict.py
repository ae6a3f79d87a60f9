"""What the gate says of one challenger: whether it takes the champion's place, why, and by which figures."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from lifestage.churn.grade import GRADES

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
            "figures": plain(self.figures),
        }


def plain(value: Any) -> Any:
    """The same as JSON types; what is no finite number becomes None."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, str) or value is None or isinstance(value, bool):
        return value
    if isinstance(value, Sequence):
        return [plain(one) for one in value]
    number = value.item() if hasattr(value, "item") else value
    if isinstance(number, float) and not math.isfinite(number):
        return None
    return number


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
