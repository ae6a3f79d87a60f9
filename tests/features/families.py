"""A spec with every family on, for the tests."""

from lifestage.features import Attribute, FeatureSpec

TYPES = {"view": "view", "cart": "cart", "Add to list!": "add_to_list"}
FUNNEL = ["view", "cart", "pay"]
LEVELS = {"acquisition_channel": ("ads", "search"), "city": ("Rome", "Köln")}
SPEC = FeatureSpec(
    order_columns=("category", "channel", "discount"),
    behaviour=True,
    event_types=tuple(TYPES),
    funnel=tuple(FUNNEL),
    feedback=("nps", "csat", "complaint", "ticket", "review"),
    attributes=(
        Attribute("acquisition_channel", "text", LEVELS["acquisition_channel"]),
        Attribute("acquisition_cost", "number"),
        Attribute("city", "text", LEVELS["city"]),
        Attribute("age", "number"),
        Attribute("vip", "bool"),
    ),
    tenure=True,
)
