"""Two churn models on the same customers: their evaluation fits, neither of which saw an outcome of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lifestage.churn.evaluation import figures_of
from lifestage.churn.grade import COLUMN, Measure
from lifestage.churn.intervals import REPETITIONS
from lifestage.churn.model import ChurnModel
from lifestage.churn.served.dimensions import dimensions
from lifestage.errors import InputError
from lifestage.fitting import Progress, silent
from lifestage.gate.material import Tested, reads, tested
from lifestage.gate.segments import SegmentLoss, brier_gain, compare_segments, relative_gain
from lifestage.gate.speed import CUSTOMERS, Speed, alternate, scored
from lifestage.history_file import HistoryFile
from lifestage.ragged import Floats
from lifestage.settings import Shop


@dataclass(frozen=True)
class ChurnComparison:
    """Challenger and champion on the customers of one cutoff."""

    cutoff: int
    customers: int
    measure: Measure
    challenger: Mapping[str, float]
    """Figures of the challenger (see churn.evaluation.figures_of)."""
    champion: Mapping[str, float] | None
    """None where there is no champion to compare with, or it cannot score these customers."""
    gain: tuple[float, float, float] | None
    """Relative gain in the measure, and its 95 % interval."""
    truth: tuple[float, float, float] | None = None
    """The same in the Brier score: how much truer the probabilities are."""
    segments: tuple[SegmentLoss, ...] = ()
    speed: Speed | None = None
    missing: tuple[str, ...] = ()
    """Why the champion cannot score these customers: the features that cannot be made any more."""

    def to_json(self) -> dict[str, Any]:
        """Flat figures by name, segments apart."""
        kept = (COLUMN[self.measure], "roc_auc", "pr_auc_rarer", "log_loss", "brier", "ece")
        flat: dict[str, Any] = {"customers": self.customers, "measure": self.measure}
        for who, figures in (("challenger", self.challenger), ("champion", self.champion or {})):
            flat |= {f"{who}_{name}": figures[name] for name in dict.fromkeys(kept) if name in figures}
        flat["ece_if_perfect_high"] = self.challenger["ece_if_perfect_high"]
        if self.gain is not None:
            flat |= dict(zip(("gain", "gain_low", "gain_high"), self.gain, strict=True))
        if self.truth is not None:
            flat |= dict(zip(("brier_gain", "brier_gain_low", "brier_gain_high"), self.truth, strict=True))
        if self.speed is not None:
            flat |= {
                "challenger_ms_per_1000": self.speed.challenger,
                "champion_ms_per_1000": self.speed.champion,
                "times_as_long": self.speed.ratio,
            }
        return {**flat, "segments": [row.to_json() for row in self.segments]}


def compare_churn(
    shop: Shop,
    file: HistoryFile,
    challenger: ChurnModel,
    champion: ChurnModel | None,
    *,
    clock: Callable[[], float],
    progress: Progress = silent,
) -> ChurnComparison:
    """The evaluation fits of both on the newest complete cutoff. `clock`: seconds, for the time they take."""
    material = tested(shop, file, challenger, champion, progress)
    mine = challenger.predict(reads(challenger, material.challenger), num_threads=0)
    if champion is None or material.champion is None:
        return compared(shop, challenger, material, mine, None)
    block = file.block(0)
    view = block.take(np.arange(min(len(block), CUSTOMERS))).before(material.cutoff)
    try:
        scored(view, champion)
    except InputError as error:  # it could not serve either
        return compared(shop, challenger, replace(material, missing=(str(error),)), mine, None)
    theirs = champion.predict(material.champion, num_threads=0)
    with progress("gate: challenger and champion in turn", None):
        speed = alternate(lambda: scored(view, challenger), lambda: scored(view, champion), len(view), clock)
    return compared(shop, challenger, material, mine, theirs, speed=speed)


def compared(
    shop: Shop,
    challenger: ChurnModel,
    material: Tested,
    mine: Floats,
    theirs: Floats | None,
    *,
    speed: Speed | None = None,
    repetitions: int = REPETITIONS,
) -> ChurnComparison:
    """Figures of the probabilities of both models, shape (n,) each."""
    churned, measure, seed = material.churned, shop.churn.grade_measure, shop.churn.seed
    rarer_is_churned = bool(churned.mean() < 0.5)
    own = figures_of(mine, mine, churned, rarer_is_churned, seed=seed)
    if theirs is None:
        return ChurnComparison(
            material.cutoff, len(churned), measure, own, None, None, missing=material.missing
        )
    _, gain = relative_gain(
        mine,
        theirs,
        churned,
        measure,
        rarer_is_churned=rarer_is_churned,
        seed=seed,
        repetitions=repetitions,
    )
    segments = compare_segments(
        mine,
        theirs,
        churned,
        dimensions(material.challenger, challenger.spec, shop.churn.segments),
        measure=measure,
        rarer_is_churned=rarer_is_churned,
        seed=seed,
        repetitions=repetitions,
    )
    other = figures_of(theirs, theirs, churned, rarer_is_churned, seed=seed)
    return ChurnComparison(
        material.cutoff,
        len(churned),
        measure,
        own,
        other,
        gain,
        brier_gain(mine, theirs, churned.astype(np.float64)),
        tuple(segments),
        speed,
    )
