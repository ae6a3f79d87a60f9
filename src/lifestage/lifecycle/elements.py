"""What a policy is made of: texts in two languages, stages with their rules, tiers, segments, risk levels, signals.

Frozen models of what people write in YAML; `lifestage.lifecycle.policy` puts them together and checks them.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from lifestage.documents import NAME, Model, repeated

Level = Literal["high", "medium", "low"]
LEVELS: tuple[Level, ...] = ("high", "medium", "low")
Name = Annotated[str, Field(pattern=NAME)]
Role = Literal["prospect", "new", "active", "at_risk", "lost"]
Unit = Literal[
    "days", "orders", "events", "cases", "currency", "probability", "percentile", "ratio", "text", "flag"
]
ENTER, STAYS, DEFAULT = "enter", "stays", "default"
"""Names of rules that stand for themselves: the one condition of a stage, its `exit` not being true, and nothing."""

Condition = Annotated[str, Field(min_length=1)]
"""A SQL expression over published columns."""


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


class Action(Item):
    """An action of a stage; the next action of a customer is the first whose `when` is true."""

    when: Condition | None = None
    """For whom; left out: for everybody in the stage."""


class Rule(Model):
    """One of several ways into a stage, by a name of its own."""

    rule: Name
    when: Condition
    because: Texts | None = None
    """What is said of whom this rule brings in; left out: the stage's own sentence."""


class Stage(Model):
    """A stage of the lifecycle."""

    name: Name
    labels: Texts
    enter: Annotated[tuple[Rule, ...], Field(min_length=1)]
    """A condition; or a list of rules {rule, when, because}, of which any brings in, the first true one being told."""
    exit: Condition | None = None
    """Omitted: leaves as soon as `enter` is not true."""
    preempts: bool = False
    """Looked at before the customer's own stage gets to keep them."""
    role: Role = "active"
    """What metrics take the stage for, whatever it is called: churn is entering a stage of role lost."""
    because: Texts | None = None
    """Sentence for the reasons, with {column} places."""
    metrics: tuple[Item, ...] = ()
    actions: tuple[Action, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _one_rule(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("enter"), str):
            return {**data, "enter": ({"rule": ENTER, "when": data["enter"]},)}
        return data

    @model_validator(mode="after")
    def _rules_differ(self) -> "Stage":
        names = [rule.rule for rule in self.enter]
        repeated(names, "enter", "rule")
        for name in names:
            if name in (STAYS, DEFAULT):
                raise ValueError(f"enter: no rule may be called '{name}', which says how a stage came about")
        return self


class Named(Model):
    """A name for an expression that the policy uses more than once."""

    name: Name
    value: Condition
    """A SQL expression over given columns and those named before."""
    labels: Texts
    unit: Unit = "ratio"


class Tier(Model):
    """A value tier: by the rank of the CLV among all buyers, or by a condition."""

    name: Name
    labels: Texts
    min_percentile: Annotated[float, Field(ge=0, le=1)] | None = None
    """Of the CLV among all buyers; a tier reaches up to the one above."""
    when: Condition | None = None
    """Instead of a percentile; the first tier whose condition is true."""

    @model_validator(mode="after")
    def _one_of_both(self) -> "Tier":
        if (self.min_percentile is None) == (self.when is None):
            raise ValueError("give either min_percentile or when")
        return self


class Group(Model):
    """A segment of the policy's own, or a risk level: the first whose condition is true."""

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


class HealthPart(Model):
    """A part of the health score."""

    name: Name
    labels: Texts
    weight: Annotated[float, Field(gt=0, le=1_000, allow_inf_nan=False)]
    """Beside the other parts' weights; of a customer whose part is missing the others' weights count alone."""
    points: Condition
    """A SQL expression that gives 0 (worst) to 100; what lies outside is brought to these ends."""
