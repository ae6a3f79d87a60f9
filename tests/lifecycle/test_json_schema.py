"""The JSON Schema of policies: right files pass it, and what it refuses the check refuses, too."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from lifestage.errors import InputError
from lifestage.lifecycle.json_schema import policy_schema
from lifestage.lifecycle.policy import parse, presets, read

VALIDATOR = jsonschema.Draft202012Validator(policy_schema())
FOLDER = Path(__file__).parents[2] / "configs" / "policies"
FILES = [*presets(), *map(str, sorted(FOLDER.glob("*.yaml")))]


def test_it_is_a_json_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(policy_schema())


@pytest.mark.parametrize("name", FILES)
def test_every_policy_here_passes(name: str) -> None:
    assert list(VALIDATOR.iter_errors(yaml.safe_load(read(name)[0]))) == []


def minimal(**changes: Any) -> dict[str, Any]:
    stage = {"name": "a", "labels": {"en": "A", "zh": "甲"}, "enter": "order_count > 0"}
    return {"name": "mine", "default": "a", "stages": [{**stage, **changes.pop("stage", {})}], **changes}


RULES = [{"rule": "some", "when": "order_count > 0", "because": {"en": "x", "zh": "x"}}]
LABELS = {"en": "x", "zh": "x"}
RIGHT = [
    minimal(),
    minimal(stage={"enter": RULES, "exit": "clv < 1", "role": "lost", "preempts": True}),
    minimal(
        stage={"actions": ["call", {"name": "x", "en": "x", "zh": "x", "when": "clv > 1"}], "metrics": ["m"]}
    ),
    minimal(segments="rfm_8"),
    minimal(segments=[{"name": "s", "labels": LABELS, "when": "clv > 1"}]),
    minimal(health=[{"name": "h", "labels": LABELS, "weight": 2, "points": "100 * p_alive"}]),
    minimal(
        tiers=[{"name": "t", "labels": LABELS, "when": "clv > 1"}],
        core_event="login",
        language="zh",
        version=3,
    ),
    minimal(columns=[{"name": "c", "labels": LABELS, "unit": "days", "value": "days_since_last_order / 2"}]),
]
WRONG = [
    [],
    minimal(name="Mine"),
    minimal(colour="red"),
    minimal(version=0),
    minimal(language="de"),
    minimal(segments="rfm_9"),
    minimal(grouping="rfm_8"),
    minimal(stages=[]),
    minimal(stage={"enter": []}),
    minimal(stage={"enter": ""}),
    minimal(stage={"enter": 3}),
    minimal(stage={"enter": [{"rule": "some"}]}),
    minimal(stage={"labels": {"en": "A"}}),
    minimal(stage={"role": "dead"}),
    minimal(stage={"actions": ["Call them"]}),
    minimal(stage={"actions": [{"name": "call"}]}),
    minimal(health=[{"name": "h", "labels": LABELS, "weight": 0, "points": "1"}]),
    minimal(signals=[{"name": "s", "labels": LABELS, "highest": "clv > 1"}]),
]


@pytest.mark.parametrize("document", RIGHT, ids=str)
def test_right_forms_pass_both(document: dict[str, Any]) -> None:
    assert list(VALIDATOR.iter_errors(document)) == []
    parse(document, "p.yaml")


@pytest.mark.parametrize("document", WRONG, ids=str)
def test_wrong_forms_pass_neither(document: Any) -> None:
    assert list(VALIDATOR.iter_errors(document))
    with pytest.raises(InputError):
        parse(document, "p.yaml")


def test_every_part_says_what_it_is() -> None:
    schema = policy_schema()
    said = {name for name, part in schema["$defs"].items() if part.get("description")}
    assert said == schema["$defs"].keys()
