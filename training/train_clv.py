"""Fit the CLV model (orders and spend), evaluate it on a holdout, register it in MLflow as challenger."""

import argparse
import tempfile
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from training.command import accepting, bar, main, parser, say, shown
from training.prepare import data_window, history
from training.ready import require_ready

if TYPE_CHECKING:
    from lifestage.settings import Shop

DESCRIPTION = """Fit an order model and Gamma-Gamma on every buyer's history, check them on the newest complete holdout,
and register the model as <shop>-clv@challenger. Both fits use rows before their cutoff only."""


def train(shop: "Shop", as_of: date | None, accept_unready: bool = False) -> None:
    """Evaluation fit at the test cutoff, shipped fit at as_of; both in one MLflow run."""
    from lifestage.clv import plots
    from lifestage.clv.model import ClvModel
    from lifestage.errors import InputError
    from lifestage.fitting import fit_clv
    from lifestage.tracking import Tracker

    if shop.sources.transactions is None:
        raise InputError(
            "sources.transactions: is missing, and without orders there is no CLV model to train"
        )
    file = history(shop, as_of)
    require_ready(shop, file, accept_unready)
    fitted = fit_clv(shop, file, bar)
    model, result = fitted.shipped, fitted.evaluation
    window = data_window(file)
    with (
        bar("CLV: recording in MLflow", None),
        Tracker(shop.tracking_uri).run(shop.shop, "clv", {**window, "kind": "clv"}) as run,
        tempfile.TemporaryDirectory() as scratch,
    ):
        run.params({**shop.clv.model_dump(), **window, "holdout_from": shown(fitted.holdout_from, file.zone)})
        run.metrics(result.metrics())
        run.document(model.parameters(), "parameters")
        run.document(dict(fitted.choice), "choice")
        run.table(result.by_frequency, "orders_by_frequency")
        run.table(result.deciles, "value_deciles")
        run.figure(plots.orders_by_frequency(result), "orders_by_frequency")
        run.figure(plots.deciles(result), "value_deciles")
        run.figure(plots.probability_alive_matrix(model), "probability_alive")
        run.figure(plots.expected_repeat_purchases(model), "expected_repeat_purchases")
        folder = Path(scratch) / "clv"
        model.save(folder, {**window, "metrics": result.metrics()})
        inputs = ["frequency", "recency", "T", "monetary_value"]
        version = run.model(folder, f"{shop.shop}-clv", inputs, ClvModel.OUTPUTS)
    for line in fitted.notes():
        say(f"CLV {line}")
    for line in model.notes():
        say(f"note: {line}")
    say(f"CLV {result.sentence()}")
    say(f"registered as {version.model} version {version.version} (challenger)")


def run(args: argparse.Namespace) -> None:
    from lifestage import settings

    train(settings.load(args.config), args.as_of, args.accept_unready)


if __name__ == "__main__":
    main(accepting(parser("train_clv", DESCRIPTION)), run)
