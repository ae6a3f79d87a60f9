"""Why the churn model says what it says of a customer: the strongest drivers, told in two languages.

LightGBM's own contributions (path-dependent TreeSHAP: Lundberg et al. 2020, Nature Machine Intelligence 2, 56-67)
and the terms of the linear part are summed by groups of features that tell the same fact. They are in log-odds: a
customer's contributions and the base value add up to the score, and a positive one raises the churn probability.
"""

import math
from collections.abc import Mapping

import lightgbm as lgb
import numpy as np
import pyarrow as pa

from lifestage.churn.model import ChurnModel
from lifestage.churn.reasons.merging import merge
from lifestage.churn.reasons.texts import speakers
from lifestage.features import PLAIN, FeatureSpec, catalogue
from lifestage.features.groups import groups_of
from lifestage.ragged import Bools, Floats, Ints
from lifestage.schemas import REASON

CHUNK = 10_000
"""Customers whose contributions are worked out at a time: as many numbers as customers x features are held."""


def contributions(booster: lgb.Booster, rows: Floats, *, num_threads: int = 1) -> Floats:
    """One row per customer, one column per feature, the last one the base value; float64[n, features + 1].

    Each row sums to the raw score, and has the same bits in any block and for any `num_threads` (0 = all cores).
    """
    width = booster.num_feature() + 1
    out = np.empty((len(rows), width), np.float64)
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        out[start : start + CHUNK] = booster.predict(part, pred_contrib=True, num_threads=num_threads)
    return out


def model_contributions(model: ChurnModel, rows: Floats, *, num_threads: int = 1) -> Floats:
    """As `contributions`, of the whole model: each row sums to its log-odds before calibration.

    A term of the linear part counts from its mean, which is the SHAP value of a linear model (Lundberg & Lee 2017,
    corollary 1); the map above it moves all log-odds alike, or stretches them, and changes no order.
    """
    out = np.zeros((len(rows), len(model.features) + 1))
    if model.booster is not None:
        out += contributions(model.booster, rows, num_threads=num_threads)
    out[:, -1] += model.base.intercept
    for term in model.base.terms:
        place = model.features.index(term.column)
        out[:, place] += term({term.column: rows[:, place]})
    return out


LEAST_SHARE = 0.05
"""Of a customer's contributions in all; what drives less is no reason."""


LEAST = 0.05
"""Log-odds below which a contribution is no reason: it moves a probability by 1.25 points at most."""


class Grouping:
    """Which of a model's features belong together, in the order of each group's first feature."""

    def __init__(self, names: tuple[str, ...], spec: FeatureSpec = PLAIN) -> None:
        of = groups_of(names, spec)
        self.names = names
        self.groups = tuple(dict.fromkeys(of.values()))
        place = {group: i for i, group in enumerate(self.groups)}
        self.group = np.array([place[of[name]] for name in names], np.int64)
        """The group of each feature, as a place in `groups`."""

    def sums(self, contributed: Floats) -> Floats:
        """The groups' contributions, float64[n, groups]; `contributed` is float64[n, features]."""
        out = np.zeros((len(self.groups), len(contributed)))
        for group, feature in zip(self.group.tolist(), contributed.T, strict=True):
            out[group] += feature  # one after the other: the order of the sum is fixed
        return out.T

    def strongest(self, contributed: Floats, group: int, signs: Floats) -> Ints:
        """The feature of `group` that adds most to each row's direction `signs`, as a place in `names`."""
        members = np.flatnonzero(self.group == group)
        best: Ints = members[np.argmax(contributed[:, members] * signs[:, None], axis=1)]
        return best


def reasons(
    model: ChurnModel,
    features: Mapping[str, np.ndarray],
    wanted: Bools,
    *,
    top: int,
    currency: str = "",
    num_threads: int = 1,
) -> pa.Array:
    """list<schemas.REASON>[n]: up to `top` groups of the largest absolute contribution, that first; null where not
    `wanted`.

    `features` holds one value per customer of the model's own, and of any further column that a sentence may
    mention. A group below LEAST or LEAST_SHARE is no reason, so a list may be shorter, or empty.
    """
    names, spec = model.features, model.spec
    n, which = len(wanted), np.flatnonzero(wanted)
    if not len(which):
        return pa.nulls(n, pa.list_(REASON))
    if top < 1:
        empty = pa.array([[]] * len(which), pa.list_(REASON))
        return _spread(empty.offsets, empty.values, wanted)
    columns = features if len(which) == n else {name: values[which] for name, values in features.items()}
    rows = np.column_stack([columns[name] for name in names])
    contributed = model_contributions(model, rows, num_threads=num_threads)[:, :-1]
    merge(contributed, columns, names, spec)
    grouping = Grouping(names, spec)
    sums = grouping.sums(contributed)
    size = np.abs(sums)
    order = np.argsort(-size, axis=1, kind="stable")[:, :top]
    ranked = np.take_along_axis(size, order, axis=1)
    total = np.zeros(len(rows))
    for part in size.T:
        total += part
    row, rank = np.nonzero((ranked >= LEAST) & (ranked >= LEAST_SHARE * total[:, None]))
    group = order[row, rank]
    value = sums[row, group]
    told = np.empty(len(row), np.int64)
    for one in np.unique(group).tolist():
        mine = np.flatnonzero(group == one)
        told[mine] = grouping.strongest(contributed[row[mine]], one, np.sign(value[mine]))
    entries = _entries(row, told, columns, names=names, spec=spec, currency=currency)
    entries |= {
        "group": pa.array(grouping.groups, pa.string()).take(pa.array(group)),
        "direction": pa.array(["lowers", "raises"], pa.string()).take(pa.array((value > 0).astype(np.int64))),
        "contribution": pa.array(value),
        "share": pa.array(size[row, group] / total[row]),
    }
    values = pa.StructArray.from_arrays([entries[field.name] for field in REASON], fields=list(REASON))
    offsets = np.searchsorted(row, np.arange(len(which) + 1))
    return _spread(pa.array(offsets, pa.int32()), values, wanted)


def _entries(
    row: Ints,
    told: Ints,
    columns: Mapping[str, np.ndarray],
    *,
    names: tuple[str, ...],
    spec: FeatureSpec,
    currency: str,
) -> dict[str, pa.Array]:
    """Feature, value, level and both sentences of each reason: of feature `told` of the customer `row`."""
    words, known = speakers(names, spec, currency), catalogue(spec)
    english, chinese = [""] * len(row), [""] * len(row)
    values = np.full(len(row), np.nan)
    levels: list[str | None] = [None] * len(row)
    for j in np.unique(told).tolist():
        name, mine = names[j], np.flatnonzero(told == j)
        en, zh = words[name].tell(columns, row[mine])
        theirs = columns[name][row[mine]]
        feature = known.get(name)
        of = feature.levels if feature is not None else None
        for place, text, text_zh, value in zip(mine.tolist(), en, zh, theirs.tolist(), strict=True):
            english[place], chinese[place] = text, text_zh
            if of is not None and not math.isnan(value):
                levels[place] = of[int(value)]
        if of is None:
            values[mine] = theirs
    return {
        "feature": pa.array(names, pa.string()).take(pa.array(told)),
        "value": pa.array(values, mask=np.isnan(values)),
        "level": pa.array(levels, pa.string()),
        "en": pa.array(english, pa.string()),
        "zh": pa.array(chinese, pa.string()),
    }


def _spread(offsets: pa.Array, values: pa.Array, wanted: Bools) -> pa.Array:
    """The lists of the wanted among nulls for the others."""
    lengths = np.zeros(len(wanted), np.int64)
    lengths[wanted] = np.diff(offsets.to_numpy())
    bounds = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
    return pa.ListArray.from_arrays(bounds, values, type=pa.list_(REASON), mask=pa.array(~wanted))
