"""Features: one family a file, each a pure function of a view before the cutoff."""

from lifestage.features.catalogue import CATALOGUE, PLAIN, catalogue, categorical, compute, names
from lifestage.features.feature import Feature
from lifestage.features.learning import learn
from lifestage.features.spec import Attribute, FeatureSpec

__all__ = [
    "CATALOGUE",
    "PLAIN",
    "Attribute",
    "Feature",
    "FeatureSpec",
    "catalogue",
    "categorical",
    "compute",
    "learn",
    "names",
]
