"""How long each of two models takes to score the same customers, features included."""

from collections.abc import Callable
from dataclasses import dataclass

from lifestage import features as feature_families
from lifestage.churn.model import ChurnModel
from lifestage.history import Before
from lifestage.scoring import model_columns

CUSTOMERS = 1_000
"""Of a block that are scored."""
REPEATS = 5


@dataclass(frozen=True, slots=True)
class Speed:
    """Milliseconds for 1,000 customers, the least of several repeats: what else the machine did only adds."""

    challenger: float
    champion: float

    @property
    def ratio(self) -> float:
        return self.challenger / self.champion if self.champion > 0 else float("inf")

    def too_slow(self, max_slowdown: float, fast_enough_ms: float) -> bool:
        """Whether the challenger takes more than so many times as long, and longer than anybody would notice."""
        return self.challenger > fast_enough_ms and self.ratio > max_slowdown


def scored(view: Before, model: ChurnModel) -> object:
    """What scoring does for churn: features, then probabilities."""
    return model_columns(view, feature_families.compute(view, model.spec), model, None, threads=1)


def alternate(
    challenger: Callable[[], object],
    champion: Callable[[], object],
    customers: int,
    clock: Callable[[], float],
    repeats: int = REPEATS,
) -> Speed:
    """Both in turn, once beforehand unmeasured. `clock` gives seconds: the caller supplies it."""
    least = [float("inf"), float("inf")]
    for repeat in range(repeats + 1):
        for place, work in enumerate((challenger, champion)):
            begun = clock()
            work()
            if repeat:
                least[place] = min(least[place], clock() - begun)
    each = 1e6 / max(customers, 1)
    return Speed(least[0] * each, least[1] * each)
