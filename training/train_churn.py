"""Fit the churn model on several cutoffs, grade it out of time, register it in MLflow as challenger."""

import argparse
import tempfile
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.command import accepting, bar, finite, main, parser, say, shown
from training.prepare import data_window, history, sources_of
from training.ready import require_ready

if TYPE_CHECKING:
    from lifestage.churn.reasons.plots import Drivers
    from lifestage.fitting import FittedChurn
    from lifestage.settings import Shop

DESCRIPTION = """Find the LightGBM churn model on several cutoffs, stop and calibrate it on a later one and refit it
through that; grade it on the newest complete one beside the plain rules, refit it through that one, and register it
as <shop>-churn@challenger. Where it is not proven better than the plain rule, the best baseline takes its place."""


def page(
    shop: "Shop", fitted: "FittedChurn", driven: "Drivers", window: dict[str, str], cutoffs: dict[str, Any]
) -> str:
    """The run's report as one HTML page."""
    from lifestage.churn.report.page import Report, drivers_of, report_page
    from lifestage.churn.report.words import fallbacks_of

    model = fitted.shipped.model
    return report_page(
        Report(
            shop=shop.shop,
            currency=shop.currency,
            definition=shop.churn.definition,
            horizon_days=shop.churn.horizon_days,
            active_within_days=shop.churn.active_within_days,
            window=window,
            cutoffs=cutoffs,
            evaluation=fitted.evaluation,
            champion=fitted.champion,
            drivers=drivers_of(driven.importance()),
            segments=fitted.segments,
            four_way=fitted.four_way,
            profit=fitted.profit,
            fallbacks=fallbacks_of(model, fitted.champion),
        )
    )


def train(shop: "Shop", as_of: date | None, accept_unready: bool = False) -> dict[str, Any]:
    """Evaluation fit (grade) and shipped fit (the one that scores) in one MLflow run. Returns version and figures."""
    from lifestage.churn import plots
    from lifestage.churn.profit.plots import profit_figure
    from lifestage.churn.reasons.plots import drivers, reason_plots
    from lifestage.fitting import fit_churn
    from lifestage.summary import METHODS, grade_text
    from lifestage.tracking import Tracker
    from lifestage.tracking.example import example
    from training.cards import churn_card, churn_tags

    tracker = Tracker(shop.tracking_uri)  # refused now, not after the work
    file = history(shop, as_of)
    require_ready(shop, file, accept_unready)
    fitted = fit_churn(shop, file, bar)
    model, result, folds = fitted.shipped.model, fitted.evaluation, fitted.folds
    window = data_window(file)
    cutoffs: dict[str, Any] = {
        "train": [shown(cutoff, file.zone) for cutoff in folds.train],
        "validation": shown(folds.validation, file.zone),
        "evaluation": [shown(cutoff, file.zone) for cutoff in folds.grade_train],
        "test": shown(folds.test, file.zone),
        "shipped": [shown(cutoff, file.zone) for cutoff in folds.ship_train],
        "out_of_time": folds.out_of_time,
    }
    report = shop.output / "churn_report.html"
    verdict = {"grade": result.grade, "ships": fitted.champion}
    with (
        bar("churn: recording in MLflow", None),
        tracker.run(shop.shop, "churn", {**window, **verdict, "kind": "churn"}) as run,
        tempfile.TemporaryDirectory() as scratch,
    ):
        run.dataset(f"{shop.shop}-history", sources_of(shop), window)
        run.params({**shop.churn.model_dump(exclude_none=True), **window})
        run.params({"trees": fitted.evaluated.trees})
        run.params({f"{part}_rows": rows for part, rows in fitted.rows.items()})
        run.document(cutoffs, "cutoffs")
        run.metrics(result.metrics())
        run.table(result.table().reset_index(), "evaluation")
        run.table(fitted.segments.table(), "segments")
        run.table(fitted.four_way.table(), "four_way")
        run.metrics(fitted.four_way.metrics() | {"failing_segments": len(fitted.segments.failing)})
        for name, figure in plots.all_plots(result, fitted.evaluated).items():
            run.figure(figure, name)
        driven = drivers(fitted.evaluated.model, fitted.test.features, seed=shop.churn.seed)
        run.table(driven.importance(), "drivers")
        for name, figure in reason_plots(driven).items():
            run.figure(figure, name)
        if fitted.profit is not None:
            run.metrics(fitted.profit.metrics())
            run.figure(profit_figure(fitted.profit, shop.currency), "profit")
        report.write_text(html := page(shop, fitted, driven, window, cutoffs), encoding="utf-8")
        run.text(html, "report.html")
        folder = Path(scratch) / "churn"
        meta = {
            **window,
            **verdict,
            "cutoffs": cutoffs,
            "out_of_time": folds.out_of_time,
            "metrics": result.metrics(),
        }
        model.save(folder, meta)
        version = run.model(
            folder,
            f"{shop.shop}-churn",
            model.features,
            ["churn_probability"],
            example=example({name: fitted.test.features[name] for name in model.features}),
            tags=churn_tags(shop, fitted, window),
            card=churn_card(shop, fitted, window, cutoffs),
        )
    say(grade_text(result.metrics()))
    if fitted.profit is not None:
        say(f"  {fitted.profit.sentence(shop.currency)}")
    if fitted.champion != "model":
        say(
            f"  What scores is therefore {METHODS[fitted.champion]}, calibrated: a rule of thumb. Profit and segments "
            "in the report are its own."
        )
    say(f"  {fitted.segments.sentence()[0]}")
    say(f"report: {report} (open it in a browser)")
    say(f"registered as {version.model} version {version.version} (challenger)")
    return {"version": version.version, **verdict, "metrics": finite(result.metrics())}


def run(args: argparse.Namespace) -> None:
    from lifestage import settings

    train(settings.load(args.config), args.as_of, args.accept_unready)


if __name__ == "__main__":
    main(accepting(parser("train_churn", DESCRIPTION)), run)
