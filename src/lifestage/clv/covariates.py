"""Static covariates of the order model: what is known of a customer from their first order on.

A text (channel, region) has the levels that enough customers share, a number (value of the first order) those of its
fifths; everything else is "other", nothing known "missing". Each level moves the order rate and the chance to leave
by a factor: alpha / exp(rate), a x exp(leaving), Fader & Hardie (2007), "Incorporating Time-Invariant Covariates into
the Pareto/NBD and BG/NBD Models"; for a Pareto/NBD alpha / exp(rate), beta / exp(leaving).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lifestage.clv.summary import Trait
from lifestage.errors import InputError
from lifestage.ragged import Floats, Ints

FIFTHS = 5
MIN_CUSTOMERS, MIN_SHARE = 50, 0.01
"""Customers that a level of its own must have, at the least and as a share."""
MISSING, OTHER = "missing", "other"


@dataclass(frozen=True, slots=True)
class Covariate:
    """A covariate's levels; level 0 is the one with most customers, by which the others are measured.

    edges: of a number, upper bounds of its levels but the last; () for a text. order: place of each cell (a fifth; a
    text's own level, then "other"; then "missing") among the levels. rate, leaving: logarithms of the factors.
    """

    name: str
    edges: tuple[float, ...]
    texts: tuple[str, ...]
    levels: tuple[str, ...]
    order: tuple[int, ...]
    rate: tuple[float, ...] = ()
    leaving: tuple[float, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Covariate":
        """The inverse of `to_json`."""
        rest: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in document.items()}
        return cls(**rest)

    def codes(self, trait: Trait) -> Ints:
        """Place of each customer's level, int64[n]. Raises InputError for a trait of another type than learnt."""
        if (trait.dtype == np.float64) != bool(self.edges):
            kind = "numbers" if self.edges else "texts"
            raise InputError(
                f"covariate '{self.name}' was learnt from {kind}; map it as before, or train again"
            )
        return np.array(self.order, np.int64)[_cells(trait, self.edges, self.texts)]


def _cells(trait: Trait, edges: Sequence[float], texts: Sequence[str]) -> Ints:
    if trait.dtype == np.float64:
        cells = np.searchsorted(np.array(edges), trait).astype(np.int64)
        return np.where(np.isnan(trait), len(edges) + 1, cells)
    known = {text: i for i, text in enumerate(texts)}
    other, missing = len(texts), len(texts) + 1
    return np.array(
        [missing if text is None else known.get(text, other) for text in trait.tolist()], np.int64
    )


def learn(name: str, trait: Trait) -> Covariate | None:
    """The levels of a trait of the customers who are learnt from; None where all are of one level."""
    least = max(MIN_CUSTOMERS, MIN_SHARE * len(trait))
    edges: tuple[float, ...] = ()
    texts: tuple[str, ...] = ()
    if trait.dtype == np.float64:
        known = trait[~np.isnan(trait)]
        if len(known):
            edges = tuple(np.unique(np.quantile(known, np.arange(1, FIFTHS) / FIFTHS)).tolist())
        cell_names = [f"up to {edge:g}" for edge in edges] + [
            f"above {edges[-1]:g}" if edges else "any",
            MISSING,
        ]
    else:
        found, counts = np.unique([text for text in trait.tolist() if text is not None], return_counts=True)
        texts = tuple(str(text) for text, count in zip(found, counts, strict=True) if count >= least)
        cell_names = [*texts, OTHER, MISSING]
    cells = np.bincount(_cells(trait, edges, texts), minlength=len(cell_names))
    largest = int(cells.argmax())
    own = [largest, *(i for i, count in enumerate(cells) if count >= least and i != largest)]
    if len(own) == 1 or (trait.dtype == np.float64 and not edges):
        return None
    order = tuple(
        own.index(i) if i in own else 0 for i in range(len(cell_names))
    )  # the few count as the most
    return Covariate(name, edges, texts, tuple(cell_names[i] for i in own), order)


def learn_all(traits: Mapping[str, Trait]) -> list[Covariate]:
    """Those of the traits that tell customers apart."""
    return [one for name, trait in traits.items() if (one := learn(name, trait)) is not None]


def groups(covariates: Sequence[Covariate], traits: Mapping[str, Trait], n: int) -> tuple[Ints, Ints]:
    """Distinct combinations of levels [g, covariates], and the number of each customer's own, int64[n].

    Raises InputError where a trait is not given.
    """
    for covariate in covariates:
        if covariate.name not in traits:
            raise InputError(
                f"the CLV model reads '{covariate.name}' of each customer; give it in the summary's traits"
            )
    codes = np.zeros((n, len(covariates)), np.int64)
    for k, covariate in enumerate(covariates):
        codes[:, k] = covariate.codes(traits[covariate.name])
    found, number = np.unique(codes, axis=0, return_inverse=True)
    return found, number.reshape(-1)


def shifts(covariates: Sequence[Covariate], combination: Ints) -> tuple[float, float]:
    """Logarithms of the factors of order rate and leaving of one combination of levels."""
    pairs = list(zip(covariates, combination.tolist(), strict=True))
    return sum(c.rate[level] for c, level in pairs), sum(c.leaving[level] for c, level in pairs)


def moved(params: Any, how: tuple[tuple[int, int], tuple[int, int]], rate: float, leaving: float) -> Any:
    """`params` of a group; how: (place of the parameter, sign) that the rate and leaving move (Family.MOVED)."""
    values = list(params)
    for (place, sign), shift in zip(how, (rate, leaving), strict=True):
        values[place] *= float(np.exp(sign * shift))
    return type(params)(*values)


def design(covariates: Sequence[Covariate], combinations: Ints) -> Floats:
    """Which levels but the first each combination has, float64[g, levels]."""
    columns = [
        combinations[:, k] == level
        for k, covariate in enumerate(covariates)
        for level in range(1, len(covariate.levels))
    ]
    return np.array(columns, np.float64).T.reshape(len(combinations), len(columns))
