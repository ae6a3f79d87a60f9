"""A policy: stages, tiers, segments, risk levels, signals and health, written in YAML by people; frozen and checked."""

import hashlib
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import pyarrow as pa
import yaml
from pydantic import Field, PrivateAttr, model_validator

from lifestage.documents import Model, nowhere, read_yaml, repeated, validate
from lifestage.errors import InputError
from lifestage.features import PLAIN, FeatureSpec
from lifestage.lifecycle import columns as published
from lifestage.lifecycle.alerts import STAGE, Alert
from lifestage.lifecycle.elements import Group, HealthPart, Name, Named, Signal, Stage, Tier
from lifestage.lifecycle.places import Places
from lifestage.lifecycle.segments import GROUPINGS
from lifestage.lifecycle.vetting import vet

NEW = "new"
"""Where a customer comes from who was not seen before; no stage may be called so."""


class Policy(Model):
    """Everything that turns features and scores into a stage, a tier, a segment, a risk level, signals and health."""

    name: Name
    version: Annotated[int, Field(ge=1)] = 1
    language: Literal["en", "zh"] = "en"
    """Of the sentences in the column `reasons`."""
    default: Name
    """Stage of whom no other takes."""
    core_event: Annotated[str, Field(min_length=1)] | None = None
    """Event type that is the core behaviour; left out, an order is."""
    columns: tuple[Named, ...] = ()
    """Names for expressions that are used more than once."""
    tiers: tuple[Tier, ...] = ()
    grouping: str = "rfm_11"
    """Which segments of RFM; written under `segments`."""
    segments: tuple[Group, ...] = ()
    """Those of RFM by the name of their grouping, rfm_11 or rfm_8; or segments of one's own, by condition: the first
    that is true."""
    signals: tuple[Signal, ...] = ()
    health: tuple[HealthPart, ...] = ()
    risk: tuple[Group, ...] = ()
    stages: Annotated[tuple[Stage, ...], Field(min_length=1)]
    alerts: tuple[Alert, ...] = ()
    """Who is told about once they enter a stage or a risk level."""
    _source: str = PrivateAttr(default="")
    _given: dict[str, published.Published] = PrivateAttr(default_factory=lambda: dict(published.GIVEN))
    _named_types: dict[str, pa.DataType] = PrivateAttr(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _grouping_by_name(cls, data: Any) -> Any:
        if isinstance(data, dict) and "grouping" in data:
            raise ValueError("unknown key 'grouping'; did you mean 'segments'?")
        if isinstance(data, dict) and isinstance(data.get("segments"), str):
            name = data["segments"]
            if name not in GROUPINGS:
                raise ValueError(
                    f"segments: '{name}' is no grouping; write one of {', '.join(GROUPINGS)}, or a list of segments"
                )
            return {**data, "segments": (), "grouping": name}
        return data

    @model_validator(mode="after")
    def _coherent(self) -> "Policy":
        for part in ("columns", "tiers", "segments", "signals", "health", "risk", "stages", "alerts"):
            repeated([item.name for item in getattr(self, part)], part, "name")
        known = [stage.name for stage in self.stages]
        if NEW in known:
            raise ValueError(f"stages: '{NEW}' means 'not seen before' in the flow; choose another name")
        if self.default not in known:
            raise ValueError(f"default: '{self.default}' is no stage; choose one of {', '.join(known)}")
        bounds = [tier.min_percentile for tier in self.tiers if tier.min_percentile is not None]
        if bounds and len(bounds) < len(self.tiers):
            raise ValueError("tiers: give min_percentile to all of them or `when` to all of them")
        if bounds and (bounds != sorted(set(bounds), reverse=True) or bounds[-1] != 0):
            raise ValueError(
                f"tiers: min_percentile reads {bounds}; order tiers from the highest down, the last one at 0"
            )
        return self

    @property
    def source(self) -> str:
        """The YAML text this policy was read from."""
        return self._source

    @property
    def label(self) -> str:
        """What a score says of the policy: name, version, and the first digits of the SHA-256 of its text."""
        return f"{self.name} v{self.version} {_digest(self._source)}"

    @property
    def given(self) -> dict[str, published.Published]:
        """The columns that the caller of staging hands over."""
        return self._given

    @property
    def base(self) -> dict[str, published.Published]:
        """What all conditions may read: given columns, those before, and the policy's own names."""
        return {
            **self._given,
            **published.BEFORE,
            **published.RFM_SCORES,
            **published.named(self.columns, self._named_types),
        }

    @property
    def open_to_signals(self) -> dict[str, published.Published]:
        """What conditions of signals may read."""
        return {**self.base, **published.GROUPED}

    @property
    def open_to_risk(self) -> dict[str, published.Published]:
        """What conditions of risk levels may read; parts of the health score all but `health`."""
        on = published.signals(tuple(signal.name for signal in self.signals))
        return {**self.open_to_signals, **on, **({"health": published.HEALTH} if self.health else {})}

    @property
    def open_to_stages(self) -> dict[str, published.Published]:
        """What conditions and sentences of stages and actions may read."""
        return {**self.open_to_risk, "risk": published.RISK}

    @property
    def open_to_alerts(self) -> dict[str, published.Published]:
        """What conditions of alerts may read."""
        return {**self.open_to_stages, "stage": STAGE}

    def __hash__(self) -> int:
        return hash((self.name, self.version, self.default, self._source))

    def stage(self, name: str) -> Stage:
        """The stage of that name. Raises KeyError."""
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise KeyError(name)


@lru_cache(maxsize=64)  # every block and request asks for it
def _digest(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()[:8]


def parse(document: Any, where: str, source: str | None = None, spec: FeatureSpec = PLAIN) -> Policy:
    """A checked policy; `where` names it in errors, `spec` says which features its conditions may read.

    Raises InputError with one line per mistake of form, else one per expression that is wrong, each with its line and
    column in `source` where there is one.
    """
    at = Places(source).at if source else nowhere
    policy = validate(Policy, document, where, _place, at)
    policy._source = source or yaml.safe_dump(document, allow_unicode=True, sort_keys=False)
    policy._given = published.given(spec)
    policy._named_types = vet(policy, document, where, at)
    return policy


def _place(document: Any, loc: tuple[int | str, ...]) -> str:
    """Where in the file: items of a list by their name if they have one."""
    parts: list[str] = []
    for step in loc:
        try:
            document = document[step]
        except (KeyError, IndexError, TypeError):
            document = None
        named = isinstance(step, int) and isinstance(document, dict) and isinstance(document.get("name"), str)
        parts.append(
            document["name"]
            if named and document
            else f"number {step + 1}"
            if isinstance(step, int)
            else step
        )
    return ".".join(parts)


def parse_text(text: bytes | str, where: str, spec: FeatureSpec = PLAIN) -> Policy:
    """A checked policy from YAML text. Raises InputError."""
    document = read_yaml(text, where)
    return parse(document, where, text if isinstance(text, str) else text.decode("utf-8"), spec)


def presets() -> list[str]:
    """Names of the policies that come with the package."""
    folder = files("lifestage.lifecycle").joinpath("presets")
    return sorted(
        entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml")
    )


def load(name_or_path: str | Path, spec: FeatureSpec = PLAIN) -> Policy:
    """A preset by its name, or the policy in a YAML file, for a model with the features of `spec`.

    Raises InputError.
    """
    return parse_text(*read(name_or_path), spec)


def read(name_or_path: str | Path) -> tuple[bytes, str]:
    """The YAML text of a policy, and its name in errors. Raises InputError where there is none."""
    text = str(name_or_path)
    if text in presets():
        preset = files("lifestage.lifecycle").joinpath("presets", f"{text}.yaml")
        return preset.read_bytes(), f"preset {text}"
    try:
        return Path(text).read_bytes(), text
    except OSError as error:
        known = ", ".join(presets())
        raise InputError(
            f"policy '{text}': cannot be read ({error.strerror}); "
            f"give the path of a policy file (.yaml) or one of the presets: {known}"
        ) from None
