"""The catalogue of features, with what each further table adds."""

from generate.table import cell, code, table

from lifestage.features import FeatureSpec, catalogue
from lifestage.features.spec import Attribute
from lifestage.schemas import FEEDBACK_KINDS

EVERYTHING = FeatureSpec(
    order_columns=("category", "channel", "discount"),
    behaviour=True,
    event_types=("login",),
    funnel=("view", "cart"),
    feedback=FEEDBACK_KINDS,
    tenure=True,
    attributes=(Attribute("region", "text", ("north", "other")), Attribute("age", "number")),
)
HEADS = ("name", "unit", "days looked back", "meaning", "中文")
TITLES = {
    "purchases": "From orders",
    "behaviour": "From events",
    "feedback": "From feedback",
    "profile": "From the customers table",
}


def markdown() -> str:
    """One table a family."""
    found = catalogue(EVERYTHING)
    parts = []
    for family in dict.fromkeys(feature.family for feature in found.values()):
        rows = [
            [
                code(f.name),
                f.unit,
                str(f.window_days or "all"),
                cell(f.meaning) + (" (as given today)" if f.as_given else ""),
                cell(f.meaning_zh),
            ]
            for f in found.values()
            if f.family == family
        ]
        parts += [f"## {TITLES.get(family, family)}\n", table(HEADS, rows), ""]
    return "\n".join(parts)
