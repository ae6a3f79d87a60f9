"""The JSON Schema of a policy file, for editors: what may be written, and what it means."""

from typing import Any

from lifestage.lifecycle.elements import ENTER
from lifestage.lifecycle.policy import Policy
from lifestage.lifecycle.segments import GROUPINGS

Schema = dict[str, Any]
CONDITION: Schema = {
    "type": "string",
    "minLength": 1,
    "description": "A SQL expression over published columns; missing values are not true. "
    "`python -m training.policy columns` prints what there is.",
    "examples": ["days_since_last_order > 90 AND tier = 'gold'"],
}


def policy_schema() -> Schema:
    """A JSON Schema (draft 2020-12) of policy files.

    It tells form; what only a look at the whole tells (names that stand twice, unknown columns) the check does.
    """
    schema: Schema = Policy.model_json_schema()
    parts: Schema = schema["$defs"]
    parts["Condition"] = CONDITION
    named: Schema = {"type": "string", "pattern": parts["Item"]["properties"]["name"]["pattern"]}
    for part in ("Item", "Action"):
        parts[f"{part}OrName"] = {
            "anyOf": [named, {"$ref": f"#/$defs/{part}"}],
            "description": "A plain name, or {name, en, zh}.",
        }
    stage: Schema = parts["Stage"]["properties"]
    stage["metrics"]["items"] = {"$ref": "#/$defs/ItemOrName"}
    stage["actions"]["items"] = {"$ref": "#/$defs/ActionOrName"}
    rules = {key: value for key, value in stage["enter"].items() if key not in ("title", "description")}
    stage["enter"] = {
        "anyOf": [{"$ref": "#/$defs/Condition"}, rules],
        "description": stage["enter"]["description"],
        "title": ENTER.title(),
    }
    segments: Schema = schema["properties"]["segments"]
    groups = {key: segments.pop(key) for key in ("items", "type") if key in segments}
    schema["properties"]["segments"] = {
        **segments,
        "default": "rfm_11",
        "anyOf": [{"enum": list(GROUPINGS)}, groups],
    }
    del schema["properties"]["grouping"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Lifestage policy"}
