"""What FastAPI cannot know: what the guard asks for and answers, and that errors are problem details."""

from typing import Any

from serving.scopes import NEEDED

SCHEMES = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, made by `python -m serving.keys`. Asked for as soon as there are keys, and "
        "wherever other machines can reach the service.",
    },
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same key."},
}
GUARDED = {
    "401": "No valid API key.",
    "403": "The key has not the scope, or the service has no keys and the caller is on another machine.",
    "429": "Too many requests; Retry-After says how many seconds to wait.",
}
OF_BODIES = {
    "408": "The body did not arrive in time.",
    "413": "The body is too large.",
    "415": "The body is no JSON by its content type.",
}
HEADERS = {
    "401": {"WWW-Authenticate": {"schema": {"type": "string"}, "description": "Bearer"}},
    "429": {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}},
}
PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


def guarded(schema: dict[str, Any]) -> dict[str, Any]:
    """The description, changed in place: the keys' schemes, each operation's scope, the statuses of `guard`."""
    schema.setdefault("components", {})["securitySchemes"] = SCHEMES
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            scope = NEEDED.get((method.upper(), path))
            if scope is None:
                continue
            operation["security"] = [{scheme: []} for scheme in SCHEMES]
            operation["description"] = (
                f"{operation.get('description', '')}\n\nNeeds the scope `{scope}`.".strip()
            )
            for status, text in (GUARDED | (OF_BODIES if method == "post" else {})).items():
                answer: dict[str, Any] = {"description": text, "content": PROBLEM}
                if status in HEADERS:
                    answer["headers"] = HEADERS[status]
                operation["responses"][status] = answer
            for status, answer in operation["responses"].items():
                if status != "200":
                    answer["content"] = PROBLEM
            operation["responses"].pop("422", None)  # FastAPI's own: such a request is answered 400 here
    return schema
