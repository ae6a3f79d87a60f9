"""The leak detector: a feature that alone tells leavers from stayers knows the answer."""

import numpy as np
from scipy.stats import rankdata

from lifestage.churn.dataset import Sample
from lifestage.errors import InputError
from lifestage.ragged import Bools, Floats

MIN_PER_CLASS = 50
"""Among fewer of one class a feature may separate by chance."""


def single_auc(values: Floats, churned: Bools) -> float:
    """ROC-AUC of one feature alone, 0.5 to 1 in whichever direction, missing values below or above all others."""
    missing = np.isnan(values)
    best = 0.5
    for place in (-np.inf, np.inf) if missing.any() else (0.0,):
        auc = _auc(np.where(missing, place, values), churned)
        best = max(best, auc, 1 - auc)
    return best


def category_auc(codes: Floats, churned: Bools) -> float:
    """The same of a category, its levels put in the order of their shares of churn."""
    _, which = np.unique(codes, return_inverse=True)
    share = np.bincount(which, churned) / np.bincount(which)
    return single_auc(share[which], churned)


def _auc(score: Floats, churned: Bools) -> float:
    """Mann-Whitney: P(score of a leaver > that of a stayer), ties half."""
    ranks = rankdata(score)
    n, leavers = len(score), int(churned.sum())
    return float((ranks[churned].sum() - leavers * (leavers + 1) / 2) / (leavers * (n - leavers)))


def leaking(sample: Sample, limit: float) -> list[tuple[str, float]]:
    """(feature, its AUC) of those above `limit`, the highest first; none where a class is too small to tell."""
    leavers = int(sample.churned.sum())
    if min(leavers, len(sample) - leavers) < MIN_PER_CLASS:
        return []
    found = []
    for name, values in sample.features.items():
        of = category_auc if name in sample.categorical else single_auc
        if (auc := of(values, sample.churned)) > limit:
            found.append((name, auc))
    return sorted(found, key=lambda pair: -pair[1])


def refuse_leaks(sample: Sample, limit: float) -> None:
    """Raises InputError that names the features which alone have an AUC above `limit`; 1 = never."""
    if limit < 1 and (found := leaking(sample, limit)):
        listed = ", ".join(f"'{name}' (AUC {auc:.3f})" for name, auc in found[:5])
        raise InputError(
            f"churn: {listed} alone tells leavers from stayers better than features.max_single_auc {limit:g}: it "
            "most likely knows what happened after the cutoff; leave that column out of sources, or raise "
            "features.max_single_auc (1 = no check) if it is known before the cutoff"
        )
