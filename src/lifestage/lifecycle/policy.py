"""A policy: stages, tiers, risk levels and signals, written in YAML by people; frozen and checked."""

from collections.abc import Iterable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, PrivateAttr, model_validator

from lifestage.documents import Model, read_yaml, validate
from lifestage.errors import InputError
from lifestage.features import PLAIN, FeatureSpec
from lifestage.lifecycle import columns
from lifestage.lifecycle.conditions import condition
from lifestage.lifecycle.segments import SEGMENTS
from lifestage.lifecycle.sentences import sentence

Level = Literal["high", "medium", "low"]
LEVELS: tuple[Level, ...] = ("high", "medium", "low")
Role = Literal["prospect", "new", "active", "at_risk", "lost"]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
NEW = "new"
"""Where a customer comes from who was not seen before; no stage may be called so."""


Condition = Annotated[str, Field(min_length=1)]


class Texts(Model):
    """The same words in English and Chinese."""

    en: Annotated[str, Field(min_length=1)]
    zh: Annotated[str, Field(min_length=1)]


class Item(Model):
    """A metric to watch or an action to take; a plain name stands for itself in both languages."""

    name: Name
    en: Annotated[str, Field(min_length=1)]
    zh: Annotated[str, Field(min_length=1)]

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, data: Any) -> Any:
        return {"name": data, "en": data, "zh": data} if isinstance(data, str) else data


class Stage(Model):
    name: Name
    labels: Texts
    role: Role = "active"
    """What the stage means, whatever it is called: metrics go by it."""
    enter: Condition
    exit: Condition | None = None
    """Omitted: leaves as soon as `enter` is not true."""
    preempts: bool = False
    """Looked at before the customer's own stage gets to keep them."""
    because: Texts | None = None
    """Sentence for the reasons, with {column} places."""
    metrics: tuple[Item, ...] = ()
    actions: tuple[Item, ...] = ()


class Tier(Model):
    name: Name
    labels: Texts
    min_percentile: Annotated[float, Field(ge=0, le=1)]
    """Of the CLV among all buyers; a tier reaches up to the one above."""


class Risk(Model):
    name: Name
    labels: Texts
    when: Condition


class Signal(Model):
    """On at the first level, from high to low, whose condition is true."""

    name: Name
    labels: Texts
    high: Condition | None = None
    medium: Condition | None = None
    low: Condition | None = None
    because: Texts | None = None

    @model_validator(mode="after")
    def _some_level(self) -> "Signal":
        if not any(True for _ in self.conditions()):
            raise ValueError("has no condition; give one for at least one of the levels high, medium, low")
        return self

    def conditions(self) -> Iterator[tuple[Level, str]]:
        """(level, condition) from high to low."""
        for level in LEVELS:
            if (text := getattr(self, level)) is not None:
                yield level, text


class Policy(Model):
    """Everything that turns features and scores into a stage, a tier, a risk level and signals."""

    name: Name
    version: Annotated[int, Field(ge=1)] = 1
    language: Literal["en", "zh"] = "en"
    """Of the sentences in the column `reasons`."""
    default: Name
    """Stage of whom no other takes."""
    stages: Annotated[tuple[Stage, ...], Field(min_length=1)]
    tiers: tuple[Tier, ...] = ()
    risk: tuple[Risk, ...] = ()
    signals: tuple[Signal, ...] = ()
    _source: str = PrivateAttr(default="")
    _given: dict[str, columns.Published] = PrivateAttr(default_factory=lambda: dict(columns.GIVEN))

    @model_validator(mode="after")
    def _coherent(self) -> "Policy":
        for part in ("stages", "tiers", "risk", "signals"):
            if twice := _repeated(item.name for item in getattr(self, part)):
                raise ValueError(f"{part}: the name '{twice}' stands twice; names must differ")
        known = [stage.name for stage in self.stages]
        if NEW in known:
            raise ValueError(f"stages: '{NEW}' means 'not seen before' in the flow; choose another name")
        if self.default not in known:
            raise ValueError(f"default: '{self.default}' is no stage; choose one of {', '.join(known)}")
        bounds = [tier.min_percentile for tier in self.tiers]
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
    def given(self) -> dict[str, columns.Published]:
        """The columns that the caller of staging hands over."""
        return self._given

    @property
    def published(self) -> dict[str, columns.Published]:
        """What every condition of this policy may read."""
        return {**self._given, **columns.DERIVED}

    def __hash__(self) -> int:
        return hash((self.name, self.version, self.default, self._source))

    def stage(self, name: str) -> Stage:
        """The stage of that name. Raises KeyError."""
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise KeyError(name)


def _repeated(names: Iterable[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def parse(document: Any, where: str, source: str | None = None, spec: FeatureSpec = PLAIN) -> Policy:
    """A checked policy; `where` names it in errors, `spec` says which features its conditions may read.

    Raises InputError with one line per mistake of form, else for the first condition that is wrong.
    """
    policy = validate(Policy, document, where, _place)
    policy._source = source or yaml.safe_dump(document, allow_unicode=True, sort_keys=False)
    policy._given = columns.given(spec)
    _check_conditions(policy, where)
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


def _check_conditions(policy: Policy, where: str) -> None:
    names = tuple(signal.name for signal in policy.signals)
    fixed = {
        "tier": tuple(tier.name for tier in policy.tiers),
        "segment": tuple(SEGMENTS),
        "risk": tuple(risk.name for risk in policy.risk),
    }
    published = policy.published
    for_risk, for_stages = columns.for_risk(names, published), columns.for_stages(names, published)
    for signal in policy.signals:
        for level, text in signal.conditions():
            condition(text, published, f"{where}: signals.{signal.name}.{level}", fixed)
    for risk in policy.risk:
        condition(risk.when, for_risk, f"{where}: risk.{risk.name}.when", fixed)
    for stage in policy.stages:
        condition(stage.enter, for_stages, f"{where}: stages.{stage.name}.enter", fixed)
        if stage.exit is not None:
            condition(stage.exit, for_stages, f"{where}: stages.{stage.name}.exit", fixed)
    speakers: tuple[tuple[str, Sequence[Signal | Stage]], ...]
    speakers = (("signals", policy.signals), ("stages", policy.stages))
    for part, items in speakers:
        for item in items:
            if item.because is not None:
                for language in ("en", "zh"):
                    template = getattr(item.because, language)
                    sentence(template, published, f"{where}: {part}.{item.name}.because.{language}")


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
