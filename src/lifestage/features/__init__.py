"""Features: one family a file, each a pure function of a view before the cutoff."""

from lifestage.features.catalogue import CATALOGUE, Feature, compute, names

__all__ = ["CATALOGUE", "Feature", "compute", "names"]
