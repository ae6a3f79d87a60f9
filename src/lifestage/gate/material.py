"""The customers on whom challenger and champion are compared, and what each of them reads, by its own spec."""

from dataclasses import dataclass

import numpy as np

from lifestage.churn.dataset import Sample
from lifestage.churn.model import ChurnModel
from lifestage.clv.summary import Summary
from lifestage.errors import InputError
from lifestage.features import FeatureSpec
from lifestage.fitting import Progress, Samples, definition_of, folds_of, parts_of, silent
from lifestage.folds import Folds
from lifestage.history_file import HistoryFile
from lifestage.order_columns import order_columns
from lifestage.ragged import Bools, Floats
from lifestage.samples import FURTHER, churn_samples
from lifestage.settings import Shop

Features = dict[str, Floats]


@dataclass(frozen=True)
class Tested:
    """One row per eligible customer of the newest complete cutoff."""

    cutoff: int
    """UTC microseconds."""
    churned: Bools
    challenger: Features
    """What the challenger reads, by its own spec, and beside it what its spec makes (for figures by segment)."""
    champion: Features | None
    """What the champion reads; None where the features it asks for cannot be made any more."""
    missing: tuple[str, ...] = ()
    """The champion's features that cannot be made."""


def share_of(shop: Shop, file: HistoryFile) -> float:
    """Share of the customers to draw: as many as a quarter of the rows of a fit, as training tests on."""
    return min(1.0, shop.churn.max_rows / 4 / max(file.customers, 1))


def tested(
    shop: Shop,
    file: HistoryFile,
    challenger: ChurnModel,
    champion: ChurnModel | None,
    progress: Progress = silent,
) -> Tested:
    """Features and outcome of the customers at the test cutoff of today's folds, drawn alike for both models.

    Order columns are those of each model's own order model, as it would have served. Raises InputError where the
    challenger's features cannot be made.
    """
    folds = folds_of(shop, file)
    sample, summary = _drawn(shop, file, folds, challenger.spec, progress)
    mine, missing = _read(challenger, sample, summary)
    if missing:
        raise InputError(
            f"the challenger reads the feature '{missing[0]}', which the configuration does not make; train again"
        )
    everything = {**sample.features, **mine}
    if champion is None:
        return Tested(folds.test, sample.churned, everything, None)
    theirs = sample
    if champion.spec != challenger.spec:
        try:
            theirs, summary = _drawn(shop, file, folds, champion.spec, progress)
        except InputError as error:
            return Tested(folds.test, sample.churned, everything, None, (str(error),))
    if not np.array_equal(theirs.churned, sample.churned):
        raise InputError(
            "the customers of both models differ at one cutoff; make the history anew and try again"
        )
    read, missing = _read(champion, theirs, summary)
    return Tested(folds.test, sample.churned, everything, None if missing else read, missing)


def _drawn(
    shop: Shop, file: HistoryFile, folds: Folds, spec: FeatureSpec, progress: Progress
) -> tuple[Sample, Summary]:
    families = tuple(FURTHER) if shop.sources.subscriptions else ()
    with progress("gate: features at the newest complete cutoff", file.customers) as step:
        drawn = churn_samples(
            file,
            [folds.test],
            definition=definition_of(shop),
            families=families,
            spec=spec,
            share={folds.test: share_of(shop, file)},
            progress=step,
        )[folds.test]
    if folds.out_of_time:
        return drawn.sample, drawn.summary
    one = Samples({folds.test: drawn.sample}, {folds.test: drawn.summary}, {})
    parts = parts_of(folds, one, shop.churn.seed)
    return parts.test, parts.tested


def _read(model: ChurnModel, sample: Sample, summary: Summary) -> tuple[Features, tuple[str, ...]]:
    """The columns of a model's list, and those of them that cannot be made."""
    columns = dict(sample.features)
    if model.orders is not None:
        columns |= order_columns(model.orders, summary, model.horizon_days)
    missing = tuple(name for name in model.features if name not in columns)
    return {name: columns[name] for name in model.features if name in columns}, missing


def reads(model: ChurnModel, features: Features) -> Features:
    """Of these columns those that the model asks for."""
    return {name: features[name] for name in model.features}
