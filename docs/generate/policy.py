"""The policy language: keys, functions, columns and presets, from the models and the allow-list."""

from collections.abc import Iterator

from generate.models import doc, inner_models, keys
from generate.table import cell, code, table
from pydantic import BaseModel

from lifestage.expressions import FUNCTIONS, MAX_CHARACTERS, TYPES
from lifestage.lifecycle import policy as policies
from lifestage.lifecycle.columns import DERIVED, GIVEN


def parts(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """The models inside a policy, each once, in the order of the file."""
    seen: set[type[BaseModel]] = set()

    def walk(one: type[BaseModel]) -> Iterator[type[BaseModel]]:
        for field in one.model_fields.values():
            for inner in inner_models(field.annotation):
                if inner not in seen:
                    seen.add(inner)
                    yield inner
                    yield from walk(inner)

    yield from walk(model)


def presets() -> str:
    """One row a preset: its stages."""
    rows = []
    for name in policies.presets():
        policy = policies.load(name)
        stages = ", ".join(f"{stage.labels.en} {stage.labels.zh}" for stage in policy.stages)
        rows.append([code(name), stages, str(len(policy.signals))])
    return table(["preset", "stages", "signals"], rows)


def markdown() -> str:
    """Keys, then the language, then the columns."""
    out = ["## Keys of a policy\n", keys(policies.Policy), ""]
    for model in parts(policies.Policy):
        out += [f"### {model.__name__}\n", doc(model), "", keys(model), ""]
    out += [
        "## Expressions\n",
        f"A condition is one SQL expression in DuckDB's dialect, at most {MAX_CHARACTERS:,} characters. Operators: "
        "`+ - * / // %`, `||`, `= <> < <= > >=`, `IS NULL`, `IS DISTINCT FROM`, `AND OR NOT`, `BETWEEN`, `IN`, `LIKE`, "
        f"`ILIKE`, `CASE WHEN`, `CAST(x AS type)` with {TYPES}. Functions:\n",
        ", ".join(code(name) for name in FUNCTIONS) + ".\n",
        "The same functions may be used in `columns` and `where` of a shop's sources.\n",
        "## Columns that conditions may read\n",
        table(
            ["column", "unit", "meaning", "中文", "missing without"],
            [
                [code(name), c.unit, cell(c.en), cell(c.zh), c.table]
                for name, c in {**GIVEN, **DERIVED}.items()
            ],
        ),
        "\n## Presets\n",
        presets(),
        "",
    ]
    return "\n".join(out)
