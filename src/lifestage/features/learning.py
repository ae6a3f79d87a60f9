"""Which features a shop gets: learnt once at training, from rows before the newest training cutoff only."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lifestage.errors import InputError
from lifestage.features import custom
from lifestage.features.catalogue import catalogue
from lifestage.features.spec import ARROW, CANONICAL_PROFILE, Attribute, AttributeType, FeatureSpec
from lifestage.gather import where_blocks_lie
from lifestage.history import Before, History
from lifestage.schemas import FEEDBACK_KINDS, PROFILE, SCORE
from lifestage.settings import Features

ORDER_COLUMNS = ("category", "channel", "discount")
RESERVED = (
    *SCORE.names,
    *PROFILE,
    "recency_percentile",
    "frequency_percentile",
    "monetary_percentile",
    "days_in_stage",
)
"""Names of published columns that are no features."""


def learn(
    blocks: Iterable[History], cutoff: int, rule: Features, progress: Callable[[int], None] | None = None
) -> FeatureSpec:
    """The families whose tables have rows before `cutoff`, their event types and category levels.

    Event types with at least `rule.min_event_type_share` of all events get columns of their own, the most
    frequent `rule.max_event_types` (ties in binary order). Text attributes keep the `rule.max_levels` most
    frequent levels that at least `rule.min_level_share` of the customers known by then have; an attribute
    without such a level (names, addresses) is left out. Raises InputError: a custom function at fault.
    """
    found = seen(blocks, cutoff, progress=progress)
    spec = FeatureSpec(
        order_columns=tuple(name for name in ORDER_COLUMNS if found.orders[name]),
        behaviour=bool(found.types),
        event_types=_frequent(
            found.types, found.types.total(), rule.min_event_type_share, rule.max_event_types
        ),
        funnel=_funnel(rule.funnel, found.types),
        feedback=tuple(kind for kind in FEEDBACK_KINDS if found.kinds[kind]),
        attributes=_attributes(found.kept, found.levels, found.customers, rule),
        tenure=found.tenure,
    )
    if rule.custom is None:
        return spec
    first = next((history for history in blocks if history.known(cutoff).any()), None) or next(
        iter(blocks), None
    )
    if first is None:
        return spec
    names = custom.learn(first, cutoff, rule.custom, (*catalogue(spec), *RESERVED))
    return replace(spec, custom=rule.custom, custom_names=names)


@dataclass(frozen=True)
class Seen:
    """What the blocks hold before the cutoff: filled order columns, event types, kinds of feedback, levels, types."""

    customers: int
    """Known by then."""
    orders: Counter[str]
    types: Counter[str]
    kinds: Counter[str]
    levels: dict[str, Counter[str]]
    kept: dict[str, AttributeType]
    tenure: bool


def _added(parts: Sequence[Seen]) -> Seen:
    def total(counts: Iterable[Mapping[str, int]]) -> Counter[str]:
        found: Counter[str] = Counter()
        for count in counts:
            found.update(count)
        return found

    columns = {name: None for part in parts for name in part.levels}
    return Seen(
        sum(part.customers for part in parts),
        total(part.orders for part in parts),
        total(part.types for part in parts),
        total(part.kinds for part in parts),
        {name: total(part.levels.get(name, {}) for part in parts) for name in columns},
        {name: kind for part in parts for name, kind in part.kept.items()},
        any(part.tenure for part in parts),
    )


@where_blocks_lie(_added)
def seen(blocks: Iterable[History], cutoff: int, progress: Callable[[int], None] | None = None) -> Seen:
    """Counted over all customers, in the order of the blocks."""
    orders: Counter[str] = Counter()
    types: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    levels: dict[str, Counter[str]] = {}
    kept: dict[str, AttributeType] = {}
    known_customers = 0
    tenure = False
    for history in blocks:
        view = history.before(cutoff)
        known = history.known(cutoff)
        known_customers += int(known.sum())
        _orders(view, orders)
        events = view.rows("events")
        if len(events.t):
            coded = events.codes("event_type")
            for code, count in enumerate(np.bincount(coded.codes[coded.codes >= 0]).tolist()):
                types[coded.levels[code]] += count
        answers = view.rows("feedback")
        if len(answers.t):
            coded = answers.codes("kind")
            for code in np.unique(coded.codes).tolist():
                kinds[coded.levels[code]] += 1
        tenure |= bool((~np.isnan(view.signed_up_at)).any())
        _profile(history, pa.array(known), levels, kept)
        if progress is not None:
            progress(len(history))
    return Seen(known_customers, orders, types, kinds, levels, kept, tenure)


def _orders(view: Before, orders: Counter[str]) -> None:
    bought = view.purchases
    for name in ("category", "channel"):
        orders[name] += int((bought.coded(name).codes >= 0).sum())
    orders["discount"] += int((~np.isnan(bought.discount)).sum())


def _profile(
    history: History, known: pa.Array, levels: dict[str, Counter[str]], kept: dict[str, AttributeType]
) -> None:
    names = {str(type_): name for name, type_ in ARROW.items()}
    for column, values in history.profile.items():
        kind = names.get(str(values.type))
        if kind is None:
            continue
        theirs = values.filter(known)
        if theirs.null_count < len(theirs):
            kept[column] = kind
        if kind == "text":
            counted = pc.value_counts(theirs.drop_null())
            found = levels.setdefault(column, Counter())
            for level, count in zip(
                counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True
            ):
                found[level] += count


def _frequent(counts: Counter[str], of: int, share: float, most: int) -> tuple[str, ...]:
    """The texts with enough share, the most frequent first, equal ones in binary order."""
    enough = [(-count, text.encode(), text) for text, count in counts.items() if count >= share * of]
    return tuple(text for _, _, text in sorted(enough)[:most])


def _funnel(steps: tuple[str, ...], types: Counter[str]) -> tuple[str, ...]:
    if not types:
        return ()
    for step in steps:
        if not types[step]:
            found = ", ".join(text for text, _ in types.most_common(12))
            raise InputError(
                f"features.funnel: no event is of type '{step}'; the types found are {found}; correct the step"
            )
    return steps


def _attributes(
    kept: dict[str, AttributeType], levels: dict[str, Counter[str]], customers: int, rule: Features
) -> tuple[Attribute, ...]:
    ordered = [name for name in CANONICAL_PROFILE if name in kept]
    ordered += [name for name in kept if name not in CANONICAL_PROFILE]
    found = []
    for name in ordered:
        kind = kept[name]
        known = (
            _frequent(levels[name], customers, rule.min_level_share, rule.max_levels)
            if kind == "text"
            else ()
        )
        if kind != "text" or known:
            found.append(Attribute(name, kind, known))
    return tuple(found)
