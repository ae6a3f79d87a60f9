"""Labels: what happened from the cutoff on, and what of it counts as leaving."""

from lifestage.labels.definitions import Definition, Labelled, eligible, labelled
from lifestage.labels.outcomes import Outcome, bought_within, outcome

__all__ = ["Definition", "Labelled", "Outcome", "bought_within", "eligible", "labelled", "outcome"]
