"""Fit the CLV model (orders and spend), evaluate it on a holdout, register it in MLflow as challenger."""

import argparse
import tempfile
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.command import accepting, bar, finite, main, parser, say, shown
from training.prepare import data_window, history, sources_of
from training.ready import require_ready

if TYPE_CHECKING:
    from pandas import DataFrame

    from lifestage.fitting.clv import FittedClv
    from lifestage.settings import Shop

DESCRIPTION = """Fit an order model and Gamma-Gamma on every buyer's history, check them on the newest complete holdout,
and register the model as <shop>-clv@challenger. Both fits use rows before their cutoff only."""


def tables_of(fitted: "FittedClv") -> "dict[str, DataFrame]":
    """By name, the tables of a run: the holdout's, and how often customers of the shipped fit ordered."""
    from lifestage.clv.frequencies import repeat_order_counts

    result = fitted.evaluation
    tables = {
        "forecasts": result.comparison(),
        "orders_by_frequency": result.by_frequency,
        "orders_by_silence": result.by_silence,
        "value_deciles": result.deciles,
        "cohorts": result.cohorts,
        "repeat_orders": repeat_order_counts(fitted.shipped, fitted.summary),
    }
    return tables if result.weekly is None else {**tables, "weekly_orders": result.weekly}


def train(shop: "Shop", as_of: date | None, accept_unready: bool = False) -> dict[str, Any]:
    """Evaluation fit at the test cutoff, shipped fit at as_of; both in one MLflow run. Returns version and figures."""
    from lifestage.clv import plots
    from lifestage.clv.model import ClvModel
    from lifestage.errors import InputError
    from lifestage.fitting import fit_clv
    from lifestage.tracking import Tracker
    from lifestage.tracking.example import example
    from training.cards import clv_card, clv_tags

    if shop.sources.transactions is None:
        raise InputError(
            "sources.transactions: is missing, and without orders there is no CLV model to train"
        )
    tracker = Tracker(shop.tracking_uri)  # refused now, not after the work
    file = history(shop, as_of)
    require_ready(shop, file, accept_unready)
    fitted = fit_clv(shop, file, bar)
    model, result = fitted.shipped, fitted.evaluation
    window = data_window(file)
    with (
        bar("CLV: recording in MLflow", None),
        tracker.run(shop.shop, "clv", {**window, "kind": "clv"}) as run,
        tempfile.TemporaryDirectory() as scratch,
    ):
        run.dataset(f"{shop.shop}-history", sources_of(shop), window)
        run.params({**shop.clv.model_dump(), **window, "holdout_from": shown(fitted.holdout_from, file.zone)})
        run.metrics(result.metrics())
        run.document(model.parameters(), "parameters")
        run.document(dict(fitted.choice), "choice")
        for name, table in tables_of(fitted).items():
            run.table(table, name)
        for name, figure in plots.pictures(result, model, fitted.summary).items():
            run.figure(figure, name)
        folder = Path(scratch) / "clv"
        holdout_from = shown(fitted.holdout_from, file.zone)
        meta = {**window, "holdout_from": holdout_from, "metrics": result.metrics()}
        model.save(folder, meta, evaluated=fitted.evaluated)
        inputs = ["frequency", "recency", "T", "monetary_value", *model.covariate_names]
        inputs += ["cutoff_day"] if model.clock.season else []
        texts = [covariate.name for covariate in model.covariates if not covariate.edges]
        known = fitted.summary
        columns = {
            "frequency": known.frequency,
            "recency": known.recency,
            "T": known.T,
            "monetary_value": known.monetary_value,
            **{name: known.traits[name] for name in model.covariate_names if name not in texts},
            **({"cutoff_day": [known.cutoff_day]} if model.clock.season else {}),
        }
        levels = {one.name: one.texts for one in model.covariates if not one.edges}
        version = run.model(
            folder,
            f"{shop.shop}-clv",
            inputs,
            ClvModel.OUTPUTS,
            texts,
            example=example(columns, levels)[inputs],
            tags=clv_tags(shop, fitted, window),
            card=clv_card(shop, fitted, window, holdout_from),
        )
    for line in fitted.notes():
        say(f"CLV {line}")
    left_out = [note for name, note in result.notes.items() if f"{name}_orders" not in result.errors]
    for line in (*model.notes(), *left_out):
        say(f"note: {line}")
    say(f"CLV {result.sentence()}")
    say(f"registered as {version.model} version {version.version} (challenger)")
    return {"version": version.version, "metrics": finite(result.metrics())}


def run(args: argparse.Namespace) -> None:
    from lifestage import settings

    train(settings.load(args.config), args.as_of, args.accept_unready)


if __name__ == "__main__":
    main(accepting(parser("train_clv", DESCRIPTION)), run)
