"""Who a customer is, for figures by segment: value tier, tenure, acquisition channel and what the shop names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from lifestage.documents import known
from lifestage.errors import InputError
from lifestage.features import FeatureSpec
from lifestage.features.spec import OTHER, slugs
from lifestage.ragged import Floats, Ints

MIN_CUSTOMERS = 100
"""Fewer do not make a level of their own: the 95 % interval of their churn rate would be up to 20 points wide."""
BANDS = 5
OTHERS, UNKNOWN = "others", "unknown"
TENURE_DAYS = (90.0, 180.0, 365.0, 730.0)
SPEND = "spend_total"
TENURES = ("days_since_first_order", "days_since_first_contact", "profile_tenure_days", "days_subscribed")
"""The first of them that tells customers apart is the tenure."""
CHANNEL = "acquisition_channel"


@dataclass(frozen=True, slots=True)
class Dimension:
    """One way to part the customers: each has one level."""

    name: str
    title: str
    title_zh: str
    codes: Ints
    """Place in `levels`, shape (n,); -1 = too few others like them to be shown."""
    levels: tuple[str, ...]


def check_names(named: Sequence[str], spec: FeatureSpec) -> None:
    """Raises InputError where the shop's profile has no attribute of a name, with the nearest that it has."""
    has = [attribute.name for attribute in spec.attributes]
    for name in named:
        if name not in has:
            advice = known(has, name) if has else "; this shop has none: map columns under sources.customers"
            raise InputError(f"churn.segments: '{name}' is no attribute of the customers{advice}")


def dimensions(
    features: Mapping[str, Floats],
    spec: FeatureSpec,
    named: Sequence[str] = (),
    min_customers: int = MIN_CUSTOMERS,
) -> list[Dimension]:
    """The dimensions in which these customers differ, from their features, float64[n] each.

    value: net spend before the cutoff in fifths of this sample. tenure: days since the first order (or contact) in
    fixed bands, in fifths where one band holds all. acquisition_channel and each attribute in `named`: a text's or
    flag's levels, a number's fifths, or its
    values where they are few. Levels with fewer than `min_customers` are pooled as OTHERS, and left out where
    that is too few as well; so is a dimension with one level. Raises InputError for an unknown name.
    """
    check_names(named, spec)
    found = []
    if SPEND in features:
        found.append(
            _fifths("value", "value tier (net spend so far)", "价值层级（累计净消费额）", features[SPEND])
        )
    tenure = next((name for name in TENURES if name in features and _differ(features[name])), None)
    if tenure is not None:
        found.append(_tenure(features[tenure], tenure, min_customers))
    wanted = [CHANNEL] if any(a.name == CHANNEL for a in spec.attributes) else []
    attributes = {attribute.name: attribute for attribute in spec.attributes}
    columns = slugs(attributes)
    for name in dict.fromkeys((*wanted, *named)):
        attribute, values = attributes[name], features[f"profile_{columns[name]}"]
        title, title_zh = (
            (name, f"客户属性“{name}”") if name != CHANNEL else ("acquisition channel", "获客渠道")
        )
        if attribute.type == "number":
            found.append(_fifths(name, title, title_zh, values))
            continue
        levels = (*attribute.levels, OTHER) if attribute.type == "text" else ("no", "yes")
        codes = np.where(np.isnan(values), len(levels), values).astype(np.int64)
        found.append(Dimension(name, title, title_zh, codes, (*levels, UNKNOWN)))
    pooled = [_pooled(dimension, min_customers) for dimension in found]
    return [dimension for dimension in pooled if len(dimension.levels) > 1]


def _differ(values: Floats) -> bool:
    seen = values[~np.isnan(values)]
    return len(seen) > 0 and float(np.ptp(seen)) > 0


def _tenure(values: Floats, name: str, min_customers: int) -> Dimension:
    since = {"days_since_first_order": ("first order", "首单"), "days_subscribed": ("first term", "首次订阅")}
    en, zh = since.get(name, ("first contact", "首次接触"))
    title, title_zh = f"tenure (days since {en})", f"客龄（距{zh}天数）"
    fixed = _banded("tenure", title, title_zh, values, np.array(TENURE_DAYS))
    if len(_pooled(fixed, min_customers).levels) > 1:
        return fixed
    return _fifths("tenure", title, title_zh, values)


def _fifths(name: str, title: str, title_zh: str, values: Floats) -> Dimension:
    """Bands of equal mass, as far as ties allow; of BANDS values or fewer the values themselves."""
    seen = values[~np.isnan(values)]
    distinct = np.unique(seen)
    if len(distinct) <= BANDS:
        codes = np.where(np.isnan(values), len(distinct), np.searchsorted(distinct, values)).astype(np.int64)
        return Dimension(name, title, title_zh, codes, (*(f"{value:g}" for value in distinct), UNKNOWN))
    edges = np.unique(np.quantile(seen, np.arange(1, BANDS) / BANDS))
    return _banded(name, title, title_zh, values, edges)


def _banded(name: str, title: str, title_zh: str, values: Floats, edges: Floats) -> Dimension:
    """A value at an edge belongs to the band below it."""
    shown = [f"{edge:,.0f}" if abs(edge) >= 100 else f"{edge:.4g}" for edge in edges]
    ranges = [f"{low} – {high}" for low, high in pairwise(shown)]
    ranges = [f"≤ {shown[0]}", *ranges, f"> {shown[-1]}"]
    missing = np.isnan(values)
    codes = np.where(missing, len(ranges), np.searchsorted(edges, values, side="left")).astype(np.int64)
    levels = tuple(f"{place}: {text}" for place, text in enumerate(ranges, 1))
    return Dimension(name, title, title_zh, codes, (*levels, UNKNOWN))


def _pooled(dimension: Dimension, min_customers: int) -> Dimension:
    """Small levels and the rare ones of training as OTHERS, at the end."""
    count = np.bincount(dimension.codes, minlength=len(dimension.levels))
    kept = [
        place
        for place, level in enumerate(dimension.levels)
        if count[place] >= min_customers and level not in (OTHER, OTHERS)
    ]
    left = int(count.sum() - count[kept].sum())
    place = np.full(len(dimension.levels), len(kept) if left >= min_customers else -1, np.int64)
    place[kept] = np.arange(len(kept))
    levels = [dimension.levels[old] for old in kept] + [OTHERS] * (left >= min_customers)
    return Dimension(
        dimension.name, dimension.title, dimension.title_zh, place[dimension.codes], tuple(levels)
    )
