"""The HTTP API, from the OpenAPI description that the service itself gives."""

from typing import Any

from generate.table import cell, code, table

LIMITS = (("at least", "minimum"), ("at most", "maximum"))


def kind(schema: dict[str, Any]) -> str:
    """A JSON schema in words."""
    limits = [f"{word} {schema[key]:,}" for word, key in LIMITS if key in schema]
    words = " ".join([str(schema.get("type", "anything")), *limits])
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        words = f"[{name}](#{name.lower()})"
    elif "anyOf" in schema:
        words = " or ".join(dict.fromkeys(kind(one) for one in schema["anyOf"]))
    elif "enum" in schema:
        words = ", ".join(code(value) for value in schema["enum"])
    elif "const" in schema:
        words = code(schema["const"])
    elif schema.get("type") == "array":
        words = f"list of {kind(schema.get('items', {}))}"
    elif isinstance(schema.get("additionalProperties"), dict):
        words = f"mapping to {kind(schema['additionalProperties'])}"
    return words


def fields(schema: dict[str, Any]) -> str:
    """One row a field."""
    required = schema.get("required", ())
    rows = [
        [code(name), kind(one), "required" if name in required else "", cell(one.get("description", ""))]
        for name, one in schema.get("properties", {}).items()
    ]
    return table(["field", "kind", "", "meaning"], rows)


def markdown() -> str:
    """One section an operation, then one a schema."""
    from serving.app import app

    document = app.openapi()
    out = ["## Operations\n"]
    for path, operations in document["paths"].items():
        for method, told in operations.items():
            body = (
                told.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            )
            answer = told["responses"]["200"]["content"]["application/json"]["schema"]
            out += [f"### {method.upper()} {path}\n", f"{told['summary']}. {told.get('description', '')}\n"]
            if body:
                out.append(f"Request: {kind(body)}.")
            out += [f"Answer: {kind(answer)}. Statuses: {', '.join(sorted(told['responses']))}.\n"]
    out.append("## Schemas\n")
    for name, schema in document["components"]["schemas"].items():
        if name in ("HTTPValidationError", "ValidationError"):
            continue
        out += [f"### {name}\n", schema.get("description", ""), "", fields(schema), ""]
    return "\n".join(out)
