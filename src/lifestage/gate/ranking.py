"""Does a challenger forecast well enough for the champion's place: better, younger and not worse, or neither."""

from dataclasses import dataclass

from lifestage.gate.verdict import Word, signed
from lifestage.settings import Gate

Interval = tuple[float, float, float]
"""Relative gain, and its 95 % interval."""


@dataclass(frozen=True, slots=True)
class About:
    """What the registry knows of both models beside their files."""

    challenger_grade: float | None = None
    """Churn: place in churn.grade.GRADES; None = unknown."""
    champion_grade: float | None = None
    younger: bool = True
    """The challenger has seen newer data than the champion."""
    champion_saw: str = ""
    """A sentence where what the champion was fitted on may reach into the outcome of the test customers."""
    rolled_back: bool = False
    """The challenger was champion and was taken back."""


def rank(gain: Interval, about: About, limits: Gate, said: str) -> tuple[Word, str]:
    """`better`, `younger` or `kept`, and why in one sentence that ends in `said`, the figures in words.

    Being younger helps neither a challenger that was taken back nor one whose champion cannot be compared fairly:
    they must be better. An undefined gain is no gain.
    """
    value, low, high = gain
    figures = f"{said} ({signed(value)}, 95 % interval {signed(low)} to {signed(high)})."
    if low > limits.min_gain:
        return "better", f"Better: {figures}"
    by_age = about.younger and limits.max_loss > 0 and low > -limits.max_loss
    if by_age and not about.rolled_back and not about.champion_saw:
        within = f"surely not worse by more than {limits.max_loss:.1%}"
        return "younger", f"It has seen newer data and is {within}: {figures}"
    if about.rolled_back:
        why = "It was champion and was taken back, so it must be surely better, and is not"
    elif high < 0:
        why = "Worse"
    elif not about.younger:
        why = "It has seen no newer data than the champion and is not surely better"
    elif about.champion_saw or limits.max_loss == 0:
        why = "Not surely better"
    else:
        why = f"Not surely better, nor surely within {limits.max_loss:.1%} of the champion"
    return "kept", f"{why}: {figures}"
