"""What trials are made of: training and validation rows, out of time each, none of them of the test cutoff."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import log_expit

from lifestage.churn import training
from lifestage.churn.calibration import shift
from lifestage.churn.dataset import Sample, concatenate
from lifestage.churn.leaks import refuse_leaks
from lifestage.errors import InputError
from lifestage.features import FeatureSpec
from lifestage.fitting import (
    Progress,
    draw_samples,
    folds_of,
    learn_features,
    parts_of,
    shares_of,
    silent,
)
from lifestage.folds import Folds
from lifestage.history_file import HistoryFile
from lifestage.ragged import Floats
from lifestage.settings import Shop

VALIDATIONS = 3
"""Validation cutoffs at most, one label window apart: the newest is training's own."""
GROUPS = 20
"""Groups of customers, by their key: a customer is in one group at every cutoff."""


@dataclass(frozen=True)
class Part:
    """The rows of one validation cutoff and those that are trained on for it."""

    cutoff: int
    train: Sample
    validation: Sample
    group: npt.NDArray[np.int64]
    """Of each validation row, 0 to GROUPS - 1."""


@dataclass(frozen=True)
class Material:
    parts: tuple[Part, ...]
    """The newest first."""
    spec: FeatureSpec
    out_of_time: bool

    @property
    def rows(self) -> int:
        """Of the fit that training makes: what its default settings go by."""
        return len(self.parts[0].train)

    @property
    def names(self) -> tuple[str, ...]:
        return self.parts[0].train.names


def tuning_folds(shop: Shop, file: HistoryFile) -> tuple[Folds, ...]:
    """Training's own folds, and as many earlier ones as the history allows, each tested where the next validates;
    of each the training and validation cutoffs are used. Raises InputError where the history is too short."""
    found = [folds_of(shop, file)]
    while found[-1].out_of_time and len(found) < VALIDATIONS:
        try:
            earlier = folds_of(shop, file, found[-1])
        except InputError:
            break
        if not earlier.out_of_time:
            break
        found.append(earlier)
    return tuple(found)


def draw(shop: Shop, file: HistoryFile, progress: Progress = silent) -> Material:
    """Rows at the training and validation cutoffs; no label window of theirs reaches beyond the test cutoff.

    Features are those of training, learnt without labels. Where customers are split at random, training's own
    split: its test customers are left out. Earlier cutoffs with too few customers to fit are passed over.
    Raises InputError as training does.
    """
    folds = tuning_folds(shop, file)
    newest = folds[0]
    spec = learn_features(shop, file, progress)
    if newest.out_of_time:
        held = [one.validation for one in folds]
        cutoffs = sorted({*held, *(cutoff for one in folds for cutoff in one.train)})
        at = draw_samples(shop, file, spec, shares_of(shop, file.customers, cutoffs, held), progress).at
        drawn = [
            (one.validation, concatenate([at[c] for c in one.train]), at[one.validation]) for one in folds
        ]
    else:
        share = shares_of(shop, file.customers, [newest.test], (newest.test,))
        parts = parts_of(newest, draw_samples(shop, file, spec, share, progress), shop.churn.seed)
        drawn = [(newest.test, parts.search, parts.validation)]
    kept = drawn[:1] + [one for one in drawn[1:] if _enough(one[1]) and _enough(one[2])]
    refuse_leaks(drawn[0][1], shop.features.max_single_auc)
    return Material(
        tuple(Part(cutoff, train, held_out, _groups(held_out)) for cutoff, train, held_out in kept),
        spec,
        newest.out_of_time,
    )


def _enough(sample: Sample) -> bool:
    churned = int(np.count_nonzero(sample.churned))
    rarer = min(churned, len(sample) - churned)
    return len(sample) >= training.MIN_ROWS and rarer >= training.MIN_PER_CLASS


def _groups(sample: Sample) -> npt.NDArray[np.int64]:
    if sample.customer is None:  # one cutoff each, no two rows of a customer
        return np.arange(len(sample)) % GROUPS
    return (sample.customer % np.uint64(GROUPS)).astype(np.int64)


def fitted_losses(
    shop: Shop, spec: FeatureSpec, part: Part, settings: dict[str, Any], watch: training.Watch | None = None
) -> tuple[Floats, int]:
    """Validation log loss of one fit as GROUPS addends, and its trees: group sums / customers, so the sum of them is
    the mean over customers.

    Taken after the level alone is set right: calibration will do so, and a shift of the level between the cutoffs
    would else reward settings that happen to err towards it. One parameter is too few to flatter anybody.
    """
    rule = shop.churn
    found = training.fit(
        part.train,
        part.validation,
        seed=rule.seed,
        horizon_days=rule.horizon_days,
        active_within_days=rule.active_within_days,
        spec=spec,
        definition=rule.definition,
        grace_days=rule.grace_days,
        settings=settings,
        watch=watch,
    )
    churned = part.validation.churned
    score = found.model.score(part.validation.features)
    score = score + shift(score, churned).c
    loss = -log_expit(np.where(churned, score, -score))
    return np.bincount(part.group, loss, GROUPS) / len(loss), found.trees
