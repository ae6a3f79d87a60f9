"""Every key of a shop's YAML file, from its models."""

from collections.abc import Iterator

from generate.models import doc, inner_models, keys
from pydantic import BaseModel

from lifestage.settings import Shop


def sections(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Dotted name and model of each section, in the order of the file."""
    for name, field in model.model_fields.items():
        for inner in inner_models(field.annotation):
            path = f"{prefix}{name}"
            yield path, inner
            yield from sections(inner, f"{path}.")


def markdown() -> str:
    """A table of the top, then one a section; the sections of one table each are told once."""
    parts = ["## Top of the file\n", keys(Shop)]
    seen: set[type[BaseModel]] = set()
    for path, model in sections(Shop):
        if model in seen:
            continue
        seen.add(model)
        title = "sources.&lt;table&gt;" if path.startswith("sources.") else path
        parts += [f"\n## {title}\n", doc(model), "", keys(model)]
    return "\n".join(parts)
