"""Sentences about one customer in English and Chinese, filled with the customer's own numbers.

A feature has several cases; a customer gets the first whose conditions hold and whose places are all known, so
that nobody reads "nan" or "0 days". A place is {column:kind}; the kinds are below.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from string import Formatter

import numpy as np

from lifestage.features.spec import OTHER
from lifestage.ragged import Bools, Floats, Ints

Columns = Mapping[str, Floats]
Words = Callable[[float], str]
Levels = tuple[str, ...]

COMPARE: Mapping[str, Callable[[Floats, float], Bools]] = {
    ">": np.greater,
    ">=": np.greater_equal,
    "<": np.less,
    "<=": np.less_equal,
    "==": np.equal,
}
USUAL = "usual_"
"""usual_orders_90d: the customer's own orders in as many days, on average over the time since the first one."""
TOTALS = {
    "orders": ("order_count", "days_since_first_order"),
    "spend": ("spend_total", "days_since_first_order"),
    "events": ("event_count", "days_since_first_event"),
    "active_days": ("active_days", "days_since_first_event"),
    "sessions": ("session_count", "days_since_first_event"),
}
HABIT_WINDOWS = 2
"""An average is a habit only for who has been there for so many windows."""


@dataclass(frozen=True, slots=True)
class Case:
    """One sentence, for whom all of `when` (column, comparison, number) hold; a missing value fulfils none."""

    en: str
    zh: str
    when: tuple[tuple[str, str, float], ...] = ()


def case(en: str, zh: str, *when: str) -> Case:
    """A case with conditions written like "order_count == 1"."""
    parts = [condition.split() for condition in when]
    return Case(en, zh, tuple((name, sign, float(number)) for name, sign, number in parts))


def literal(text: str) -> str:
    """A text of the shop's own inside a template."""
    return text.replace("{", "{{").replace("}", "}}")


@dataclass(frozen=True, slots=True)
class Filled:
    """A template made ready: text with a %s for each column, and what turns its value into words."""

    text: str
    columns: tuple[str, ...]
    words: tuple[Words, ...]


@dataclass(frozen=True, slots=True)
class Speaker:
    """The cases of one feature in both languages."""

    cases: tuple[tuple[Case, Filled, Filled], ...]

    def tell(self, columns: Columns, rows: Ints) -> tuple[list[str], list[str]]:
        """English and Chinese sentence of each of the customers `rows` of `columns`."""
        english, chinese = [""] * len(rows), [""] * len(rows)
        left = np.ones(len(rows), np.bool_)
        for case_, en, zh in self.cases:
            fits = left.copy()
            for name, sign, number in case_.when:
                fits &= COMPARE[sign](column(columns, name, rows), number)
            for name in {*en.columns, *zh.columns}:
                fits &= ~np.isnan(column(columns, name, rows))
            places = np.flatnonzero(fits)
            if len(places):
                for filled, out in ((en, english), (zh, chinese)):
                    _fill(filled, columns, rows[places], places, out)
                left &= ~fits
            if not left.any():
                break
        return english, chinese


def speaker(cases: Sequence[Case], currency: str, levels: Levels = ()) -> Speaker:
    """`levels` are the texts that the values of {:level} places stand for."""
    return Speaker(
        tuple(
            (
                one,
                _filled(one.en, partial(_english, currency=currency, levels=levels)),
                _filled(one.zh, partial(_chinese, currency=currency, levels=levels)),
            )
            for one in cases
        )
    )


def column(columns: Columns, name: str, rows: Ints) -> Floats:
    """The values of a column, of a habit where its name begins with USUAL; all NaN where there is none."""
    if name in columns:
        return columns[name][rows]
    if name.startswith(USUAL):
        what, _, window = name.removeprefix(USUAL).rpartition("_")
        total, age = (column(columns, of, rows) for of in TOTALS[what])
        days = float(window.removesuffix("d"))
        habit = np.full(len(rows), np.nan)
        np.divide(total * days, age, out=habit, where=age >= HABIT_WINDOWS * days)
        return habit
    return np.full(len(rows), np.nan)


def _fill(filled: Filled, columns: Columns, rows: Ints, places: Ints, out: list[str]) -> None:
    worded = [
        [words(value) for value in column(columns, name, rows).tolist()]
        for name, words in zip(filled.columns, filled.words, strict=True)
    ]
    if not worded:
        for place in places.tolist():
            out[place] = filled.text
        return
    for place, values in zip(places.tolist(), zip(*worded, strict=True), strict=True):
        out[place] = filled.text % values


def _filled(template: str, words: Callable[[str], Words]) -> Filled:
    text, names, kinds = "", [], []
    for literal, name, kind, _ in Formatter().parse(template):
        text += literal if name is None else f"{literal}\0"
        if name is not None:
            names.append(name)
            kinds.append(words(kind or ""))
    if names:  # a text without places is taken as it stands, its % included
        text = text.replace("%", "%%").replace("\0", "%s")
    return Filled(text, tuple(names), tuple(kinds))


# --- numbers as people write them ---------------------------------------------------------------------------


def number(value: float) -> str:
    """At most one decimal below ten, none above, thousands grouped."""
    shown = round(value, 1)
    if abs(shown) < 10 and shown != int(shown):
        return f"{shown:.1f}"
    return f"{shown + 0.0:,.0f}"  # no negative zero


CURRENCIES_ZH = {"CNY": "元", "USD": "美元", "EUR": "欧元", "GBP": "英镑", "JPY": "日元", "HKD": "港元"}


def money(value: float, currency: str, language: str) -> str:
    """Cents below a hundred only."""
    size = f"{value:,.2f}".removesuffix(".00") if abs(value) < 100 else f"{value:,.0f}"
    named = CURRENCIES_ZH.get(currency) if language == "zh" else None
    return f"{size}{named}" if named else f"{currency} {size}".lstrip()


def count(value: float, noun: str) -> str:
    """no orders, 1 order, 2 orders."""
    shown = number(value)
    plural = f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2] not in "aeiou" else f"{noun}s"
    return f"{'no' if shown == '0' else shown} {noun if shown == '1' else plural}"


def percent(value: float) -> str:
    if 0 < value < 0.01:
        return "under 1%"
    return "over 99%" if 0.995 <= value < 1 else f"{value:.0%}"


def percent_zh(value: float) -> str:
    return percent(value).replace("under ", "不到").replace("over ", "超过")


def days(value: float) -> str:
    return "less than a day" if value < 0.5 else f"{_whole(value)} day{'' if round(value) == 1 else 's'}"


def span(value: float) -> str:
    """A long time: days, months from three on, years from two on."""
    if value < 90:
        return days(value)
    return f"{round(value / 30.44)} months" if value < 730 else f"{number(value / 365.25)} years"


def every(value: float) -> str:
    shown = _rhythm(value)
    return "every day" if shown == "1" else f"every {shown} days"


def times(value: float) -> str:
    shown = number(value)
    return "once" if shown == "1" else f"{shown} times"


def _whole(value: float) -> str:
    return f"{max(round(value), 1):,}"


def _rhythm(value: float) -> str:
    return number(value) if value < 3 else _whole(value)


def _days_zh(value: float) -> str:
    return "不到1天" if value < 0.5 else f"{_whole(value)}天"


def _span_zh(value: float) -> str:
    if value < 90:
        return _days_zh(value)
    return f"{round(value / 30.44)}个月" if value < 730 else f"{number(value / 365.25)}年"


def _hour(value: float) -> str:
    return f"{round(value) % 24:02d}:00"


def _level(value: float, levels: Levels) -> str:
    place = int(value)
    return levels[place] if 0 <= place < len(levels) else OTHER


def _english(kind: str, currency: str, levels: Levels) -> Words:
    """The words of a place's kind; any kind that is not listed is a noun to be counted."""
    if kind.startswith("abs "):
        inner = _english(kind.removeprefix("abs "), currency, levels)
        return lambda value: inner(abs(value))
    fixed: dict[str, Words] = {
        "n": number,
        "days": days,
        "span": span,
        "every": every,
        "times": times,
        "share": percent,
        "hour": _hour,
        "money": partial(money, currency=currency, language="en"),
        "level": partial(_level, levels=levels),
    }
    return fixed.get(kind) or partial(count, noun=kind)


def _chinese(kind: str, currency: str, levels: Levels) -> Words:
    if kind.startswith("abs "):
        inner = _chinese(kind.removeprefix("abs "), currency, levels)
        return lambda value: inner(abs(value))
    fixed: dict[str, Words] = {
        "days": _days_zh,
        "span": _span_zh,
        "every": lambda value: "每天" if _rhythm(value) == "1" else f"每{_rhythm(value)}天",
        "times": lambda value: f"{number(value)}次",
        "share": percent_zh,
        "hour": _hour,
        "money": partial(money, currency=currency, language="zh"),
        "level": lambda value: {OTHER: "其他"}.get(text := _level(value, levels), text),
    }
    return fixed.get(kind, number)
