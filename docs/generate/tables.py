"""Canonical tables and the columns of a score, from lifestage.schemas and the API's descriptions."""

from generate.table import cell, code, table

from lifestage.lifecycle.columns import PUBLISHED
from lifestage.schemas import CANONICAL, SCORE


def kind(type_: object) -> str:
    """An Arrow type in words."""
    words = {
        "string": "text",
        "double": "number",
        "bool": "true or false",
        "timestamp[us, tz=UTC]": "instant",
    }
    return words.get(str(type_), str(type_))


def markdown() -> str:
    """One section a canonical table, then the score."""
    parts = ["## What a shop may bring\n"]
    for one in CANONICAL.values():
        rows = [
            [code(c.name), kind(c.type), "required" if c.required else "", cell(c.meaning)]
            for c in one.columns
        ]
        grain = f"{one.grain[0].upper()}{one.grain[1:]}.\n"
        parts += [f"### {one.name}\n", grain, table(["column", "kind", "", "meaning"], rows), ""]
    parts += ["## The score\n", "One row a customer and `as_of`.\n", score()]
    return "\n".join(parts)


def score() -> str:
    """One row a column of a score."""
    from serving.app import app

    told = app.openapi()["components"]["schemas"]
    described = {**told["Staged"]["properties"], **told["Score"]["properties"]}
    rows = []
    for field in SCORE:
        known = PUBLISHED.get(field.name)
        meaning = known.en if known else described.get(field.name, {}).get("description", "")
        filled = "" if field.nullable else "never empty"
        rows.append([code(field.name), kind(field.type), filled, cell(meaning), known.zh if known else ""])
    return table(["column", "kind", "", "meaning", "中文"], rows)
