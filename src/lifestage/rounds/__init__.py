"""Many rounds of retraining in one report: what was promoted and why, where the data moved, what came true."""

from lifestage.rounds.page import rounds_page
from lifestage.rounds.told import Told, told

__all__ = ["Told", "rounds_page", "told"]
