"""Fit the CLV model (BG/NBD + Gamma-Gamma), evaluate it on a holdout, register it in MLflow as challenger."""

import argparse
import tempfile
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from training.command import bar, main, parser, say, shown
from training.prepare import data_window, history

if TYPE_CHECKING:
    from lifestage.settings import Shop

DESCRIPTION = """Fit BG/NBD and Gamma-Gamma on every buyer's history, check them on the newest complete holdout,
and register the model as <shop>-clv@challenger. Both fits use rows before their cutoff only."""


def train(shop: "Shop", as_of: date | None) -> None:
    """Evaluation fit at the test cutoff, shipped fit at as_of; both in one MLflow run."""
    from lifestage.clv import plots
    from lifestage.clv.model import COLUMNS
    from lifestage.fitting import fit_clv
    from lifestage.tracking import Tracker

    file = history(shop, as_of)
    fitted = fit_clv(shop, file, bar)
    model, result = fitted.shipped, fitted.evaluation
    window = data_window(file)
    with (
        bar("CLV: recording in MLflow", None),
        Tracker(shop.tracking_uri).run(shop.shop, "clv", {**window, "kind": "clv"}) as run,
        tempfile.TemporaryDirectory() as scratch,
    ):
        run.params({**shop.clv.model_dump(), **window, "holdout_from": shown(fitted.holdout_from, file.zone)})
        run.metrics(result.metrics)
        run.document(
            {
                "bg_nbd": model.bg_nbd._asdict(),
                "gamma_gamma": model.gamma_gamma._asdict(),
                "standard_errors": model.standard_errors,
                "diagnostics": model.diagnostics,
            },
            "parameters",
        )
        run.table(result.by_frequency.to_pandas(), "orders_by_frequency")
        run.table(result.by_decile.to_pandas(), "value_deciles")
        figures = {
            "orders_by_frequency": plots.conditional_expectation(
                result.by_frequency, shop.churn.horizon_days
            ),
            "value_deciles": plots.deciles(result.by_decile, shop.currency),
            "probability_alive": plots.alive_matrix(model.bg_nbd, max_frequency=30, T=shop.clv.horizon_days),
            "expected_repeat_purchases": plots.expected_repeat_purchases(model.bg_nbd, shop.clv.horizon_days),
        }
        for name, figure in figures.items():
            run.figure(figure, name)
        folder = Path(scratch) / "clv"
        model.save(folder, {**window, "metrics": result.metrics})
        inputs = ["frequency", "recency", "T", "monetary_value"]
        version = run.model(folder, f"{shop.shop}-clv", inputs, COLUMNS)
    for line in model.fallbacks:
        say(f"note: {line}")
    found = result.metrics
    say(
        f"orders foreseen for {shop.churn.horizon_days} days from {shown(fitted.holdout_from, file.zone)}: "
        f"{found['model_orders_total_error_percent']:+.1f} % of what came "
        f"(customers' own past rate: {found['naive_orders_total_error_percent']:+.1f} %); error per customer "
        f"{found['model_orders_mae']:.3f} (past rate: {found['naive_orders_mae']:.3f}) orders"
    )
    say(f"registered as {version.model} version {version.version} (challenger)")


def run(args: argparse.Namespace) -> None:
    from lifestage import settings

    train(settings.load(args.config), args.as_of)


if __name__ == "__main__":
    main(parser("train_clv", DESCRIPTION), run)
