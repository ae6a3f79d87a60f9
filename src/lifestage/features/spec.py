"""Which features a model has: learnt at training, kept in the model's folder, the same in batch and service."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import pyarrow as pa

from lifestage.errors import InputError

OTHER = "other"
"""The last level of every category: levels that were too rare at training, or were not seen then."""

AttributeType = Literal["text", "number", "bool"]
ARROW: dict[AttributeType, pa.DataType] = {"text": pa.string(), "number": pa.float64(), "bool": pa.bool_()}


@dataclass(frozen=True, slots=True)
class Attribute:
    """A profile column that the model reads; `levels` of a text column, the most frequent first."""

    name: str
    type: AttributeType
    levels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """The features of a model. The default is that of a shop with bare transactions."""

    order_columns: tuple[str, ...] = ()
    """Which of category, channel and discount the orders carry."""
    behaviour: bool = False
    event_types: tuple[str, ...] = ()
    """Types with columns of their own; any other counts in totals only."""
    funnel: tuple[str, ...] = ()
    """Event types in the order of a customer's way to an order."""
    feedback: tuple[str, ...] = ()
    """Kinds of feedback that the shop has."""
    attributes: tuple[Attribute, ...] = ()
    tenure: bool = False
    custom: str | None = None
    """A user's own, "module:function"."""
    custom_names: tuple[str, ...] = ()

    def to_json(self) -> bytes:
        """Indented JSON, readable text as it is."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False).encode()

    @classmethod
    def from_json(cls, content: bytes | str, where: str) -> "FeatureSpec":
        """Inverse of `to_json`. Raises InputError."""
        try:
            document: dict[str, Any] = json.loads(content)
            attributes = tuple(
                Attribute(a["name"], a["type"], tuple(a["levels"])) for a in document.pop("attributes")
            )
            rest: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in document.items()}
            if any(a.type not in ARROW for a in attributes):
                raise ValueError("unknown type of an attribute")
            return cls(attributes=attributes, **rest)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise InputError(f"{where}: is no list of features ({error}); train again") from None

    @property
    def attribute_types(self) -> Mapping[str, pa.DataType]:
        """Arrow type of each attribute of the shop's own, by column name."""
        return {a.name: ARROW[a.type] for a in self.attributes if a.name not in CANONICAL_PROFILE}


CANONICAL_PROFILE = ("acquisition_channel", "acquisition_cost")
"""Attributes that every shop's profile has a column for."""


def slugs(texts: Iterable[str]) -> dict[str, str]:
    """A part of a column name for each text: lower-case ASCII letters, digits and underscores, all different.

    A text without any such character is called by its place, e.g. n3; what falls together gets its place too, and
    so does what would make the name of another feature: event_types_90d, event_view_change_30d.
    """
    found: dict[str, str] = {}
    taken: set[str] = set()
    for place, text in enumerate(texts, 1):
        slug = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:40].strip("_") or f"n{place}"
        while slug in taken or slug == "types" or slug.endswith("_change"):
            slug = f"{slug}_n{place}"
        taken.add(slug)
        found[text] = slug
    return found
