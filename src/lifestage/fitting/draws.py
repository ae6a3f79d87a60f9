"""The rows of each use: drawn by customer, with the order model's columns, and parted by time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lifestage.churn.dataset import Sample, concatenate
from lifestage.clv.summary import Summary
from lifestage.features import FeatureSpec
from lifestage.fitting.plan import Progress, definition_of, families_of, silent
from lifestage.folds import Folds
from lifestage.history_file import HistoryFile
from lifestage.order_columns import OrderParams, fit_orders, order_columns
from lifestage.samples import churn_samples
from lifestage.settings import Shop


def shares_of(shop: Shop, customers: int, cutoffs: Sequence[int], held: Sequence[int]) -> dict[int, float]:
    """Cutoff -> share of the customers to draw, so that no fit has more than churn.max_rows rows; of the `held`
    cutoffs, which stop, calibrate and grade, a quarter of that each."""
    most = shop.churn.max_rows
    training_share = most / max(customers * min(shop.churn.train_cutoffs, len(cutoffs)), 1)
    share = dict.fromkeys(cutoffs, min(1.0, training_share))
    return share | dict.fromkeys(held, min(1.0, max(training_share, most / 4 / max(customers, 1))))


@dataclass(frozen=True)
class Samples:
    """The rows of every cutoff with their order columns, and the order model of each cutoff."""

    at: dict[int, Sample]
    summary: dict[int, Summary]
    orders: dict[int, OrderParams]
    """Empty where the shop has no order model at one of the cutoffs."""


def draw_samples(
    shop: Shop,
    file: HistoryFile,
    spec: FeatureSpec,
    cutoffs: Mapping[int, float],
    progress: Progress = silent,
) -> Samples:
    """Features, labels and order columns at each cutoff, of a share of the customers; the order model of a cutoff
    sees the rows before it."""
    definition = definition_of(shop)
    with progress(f"churn: features at {len(cutoffs)} cutoffs", file.customers) as step:
        drawn = churn_samples(
            file,
            list(cutoffs),
            definition=definition,
            families=families_of(shop),
            spec=spec,
            share=cutoffs,
            progress=step,
        )
    fitted: dict[int, OrderParams | None] = {}
    if shop.churn.definition == "purchase":
        fitted = {c: None if d.buyers is None else fit_orders(d.buyers) for c, d in drawn.items()}
    orders = {cutoff: params for cutoff, params in fitted.items() if params is not None}
    if len(orders) < len(cutoffs):
        orders = {}
    at = {}
    for cutoff in cutoffs:
        one = drawn[cutoff]
        at[cutoff] = one.sample
        if orders:
            columns = order_columns(orders[cutoff], one.summary, definition.horizon_days)
            at[cutoff] = one.sample.having(columns)
    return Samples(at, {cutoff: one.summary for cutoff, one in drawn.items()}, orders)


@dataclass(frozen=True)
class Parts:
    """The rows of each use."""

    search: Sample
    """Finds the trees."""
    validation: Sample
    """Stops them and calibrates."""
    graded: Sample
    """The evaluation fit's."""
    test: Sample
    ship: Sample
    tested: Summary
    """Of the customers of `test`."""


def parts_of(folds: Folds, samples: Samples, seed: int) -> Parts:
    """By time; of folds that are not out of time by a stratified draw: 60 % search, 20 % each validation and test,
    the evaluation fit has the first two, and the whole ships."""
    at, summary = samples.at, samples.summary[folds.test]
    if folds.out_of_time:
        search, graded, ship = (
            concatenate([at[cutoff] for cutoff in cutoffs])
            for cutoffs in (folds.train, folds.grade_train, folds.ship_train)
        )
        return Parts(search, at[folds.validation], graded, at[folds.test], ship, summary)
    sample = at[folds.test]
    part = np.zeros(len(sample), np.int64)
    rng = np.random.default_rng(seed)
    for outcome in (False, True):
        rows = rng.permutation(np.flatnonzero(sample.churned == outcome))
        part[rows[: len(rows) // 5]] = 2
        part[rows[len(rows) // 5 : 2 * len(rows) // 5]] = 1
    search, validation, test = (sample.take(part == place) for place in range(3))
    return Parts(search, validation, sample.take(part < 2), test, sample, summary.take(part == 2))
