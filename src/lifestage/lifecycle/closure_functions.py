"""DuckDB's functions and comparisons on single values that are not NULL, equal in every bit."""

import math
import re
from collections.abc import Callable

from lifestage.lifecycle.kinds import SAFE, UncertainError


def equal(a: float, b: float) -> bool:
    """Comparisons of numbers that may be NaN, which is above all others and equal to itself."""
    return a == b or (math.isnan(a) and math.isnan(b))


def unequal(a: float, b: float) -> bool:
    """See `equal`."""
    return not equal(a, b)


def greater(a: float, b: float) -> bool:
    """See `equal`."""
    return a > b or (math.isnan(a) and not math.isnan(b))


def less(a: float, b: float) -> bool:
    """See `equal`."""
    return greater(b, a)


def not_less(a: float, b: float) -> bool:
    """See `equal`."""
    return a >= b or math.isnan(a)


def not_greater(a: float, b: float) -> bool:
    """See `equal`."""
    return not_less(b, a)


def divided(a: float, b: float) -> float:
    """Infinite or NaN by zero."""
    if b:
        return a / b
    return math.nan if not a or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1.0, b)


def remainder(a: float, b: float) -> float:
    """With the sign of `a`; NaN by zero."""
    return math.nan if not b or math.isinf(a) else math.fmod(a, b)


def floor(a: float) -> float:
    """The whole number at or below; -0.0 stays."""
    return math.copysign(math.floor(a), a) if math.isfinite(a) else a


def ceil(a: float) -> float:
    """The whole number at or above; -0.0 where a negative number comes up to 0."""
    return math.copysign(math.ceil(a), a) if math.isfinite(a) else a


def rounded(a: float) -> float:
    """The nearest whole number; halves away from 0."""
    if not math.isfinite(a):
        return a
    whole = math.trunc(a)
    far = abs(a - whole) >= 0.5
    return math.copysign(abs(whole) + far, a)


def is_nan(a: float) -> bool:
    """Whether there is no number."""
    return math.isnan(a)


def is_finite(a: float) -> bool:
    """Whether it is a number, and neither infinity."""
    return math.isfinite(a)


def sign(a: float) -> int:
    """-1, 0 or 1; 0 for NaN."""
    return (a > 0) - (a < 0)


def _caseless(text: str) -> bool:
    """Whether beside ASCII there are only letters without upper and lower case: kana, Han characters, Hangul."""
    return all(c < "\x80" or "\u3000" <= c <= "\u9fff" or "\uac00" <= c <= "\ud7a3" for c in text)


def lower(text: str) -> str:
    """ASCII letters small. Raises UncertainError for a text with letters of other alphabets."""
    if not _caseless(text):
        raise UncertainError("letters beyond ASCII")
    return text.lower()


def upper(text: str) -> str:
    """ASCII letters capital. Raises UncertainError for a text with letters of other alphabets."""
    if not _caseless(text):
        raise UncertainError("letters beyond ASCII")
    return text.upper()


def replace(text: str, what: str, by: str) -> str:
    """Every `what` replaced; an empty one is nowhere."""
    return text.replace(what, by) if what else text


def like(pattern: str) -> Callable[[str], bool]:
    """Whether a text is as a LIKE pattern says: % stands for any text, _ for one character."""
    signs = {"%": ".*", "_": "."}
    match = re.compile("".join(signs.get(c) or re.escape(c) for c in pattern), re.DOTALL).fullmatch
    return lambda text: match(text) is not None


def printed(shape: str) -> Callable[[float], str]:
    """A number as printf writes it, exactly rounded; exact halves to the even neighbour.

    Raises UncertainError for numbers so great that DuckDB rounds them otherwise, and infinite ones.
    """

    def text(a: float) -> str:
        if not abs(a) <= SAFE:
            raise UncertainError("too great a number in a text")
        return shape % a

    return text
