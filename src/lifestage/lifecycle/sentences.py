"""Sentences of a policy with {column} places, filled for each customer: why someone is where they are."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from string import Formatter
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lifestage.errors import InputError
from lifestage.lifecycle.columns import Published

_FORMATS = {
    "days": ("%.0f", 1.0),
    "orders": ("%.0f", 1.0),
    "refunds": ("%.0f", 1.0),
    "currency": ("%.2f", 1.0),
    "probability": ("%.0f%%", 100.0),
    "percentile": ("%.0f%%", 100.0),
}
"""How a number of each unit reads in a sentence, and its factor; any other number has one decimal."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A text with a place (%) for each of `columns`, whose numbers are multiplied by `factors` first."""

    text: str
    columns: tuple[str, ...]
    factors: tuple[float, ...]


_ONE = re.compile(r"(?<![\d.,-])1 (day|order|refund|event|ticket)s\b")
"""English counts one thing in the singular."""


def sentence(template: str, columns: Mapping[str, Published], where: str) -> Sentence:
    """The sentence of a template whose {column} places stand for a customer's values.

    Raises InputError for anything but a published column between braces.
    """
    try:
        parts = list(Formatter().parse(template))
    except ValueError:
        raise InputError(f"{where}: '{template}' has a brace without its pair; write {{column}}") from None
    text = ""
    names: list[str] = []
    factors: list[float] = []
    for literal, name, spec, conversion in parts:
        text += literal.replace("%", "%%")
        if name is None:
            continue
        if name not in columns or spec or conversion:
            written = name + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
            close = get_close_matches(written, list(columns), n=1, cutoff=0.5)
            hint = f"did you mean '{{{close[0]}}}'?" if close else "name a published column"
            raise InputError(f"{where}: unknown place '{{{written}}}'; {hint}")
        number = pa.types.is_floating(columns[name].type)
        shape, factor = _FORMATS.get(columns[name].unit, ("%.1f", 1.0)) if number else ("%s", 1.0)
        text += shape
        names.append(name)
        factors.append(factor)
    return Sentence(text, tuple(names), tuple(factors))


Speakers: TypeAlias = Sequence[tuple[Sentence | None, npt.NDArray[np.bool_]]]
"""Sentences (None: nothing to say) and the customers whom each is for, bool[n]."""


def offsets(rows: npt.NDArray[np.int64], n: int) -> pa.Array:
    """int32[n + 1] offsets of n lists whose entries belong to `rows`, ascending row numbers."""
    return pa.array(np.searchsorted(rows, np.arange(n + 1)), pa.int32())


def reasons(speakers: Speakers, block: Mapping[str, pa.Array], n: int) -> pa.Array:
    """list<string>[n]: the sentences of the speakers, in their order, whose mask bool[n] is true for a customer.

    A sentence is left out for whom one of its values is NULL.
    """
    rows = [np.empty(0, np.int64)]
    texts: list[str] = []
    for sentence_, on in speakers:
        if sentence_ is None or not on.any():
            continue
        complete = on.copy()
        for name in sentence_.columns:
            complete &= block[name].is_valid().to_numpy(zero_copy_only=False)
        which = np.nonzero(complete)[0]
        rows.append(which)
        texts += _filled(sentence_, block, which)
    whole = np.concatenate(rows)
    order = np.argsort(whole, kind="stable")
    return pa.ListArray.from_arrays(
        offsets(whole[order], n), pa.array(texts, pa.string()).take(pa.array(order))
    )


def _filled(sentence_: Sentence, block: Mapping[str, pa.Array], which: npt.NDArray[np.int64]) -> list[str]:
    if not sentence_.columns:
        return [sentence_.text % ()] * len(which)
    values = []
    for name, factor in zip(sentence_.columns, sentence_.factors, strict=True):
        taken = block[name].take(pa.array(which)).to_pylist()
        values.append(taken if factor == 1 else [value * factor for value in taken])
    return [_ONE.sub(r"1 \1", sentence_.text % row) for row in zip(*values, strict=True)]
