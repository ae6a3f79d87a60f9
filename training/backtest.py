"""What became of past forecasts; --help tells what it writes."""

import argparse
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.command import bar, main, parser, say, shown
from training.prepare import data_window, history

if TYPE_CHECKING:
    from lifestage.history_file import HistoryFile
    from lifestage.matured import Backtest
    from lifestage.settings import Shop

DESCRIPTION = """Take every scoring run kept so far whose horizon has passed, and compare what it foresaw with what
happened: churn, orders, spend, CLV, intervals, stages. A run whose release had seen its future (past months staged by
--flow-months, back-fills) is hindsight and left out. Writes backtest.html (one page, English and Chinese) and
backtest.csv (one row per run and measure) in the shop's output folder, and one MLflow run of kind backtest. With
--as-of only what happened before that day is known."""


def backtest(shop: "Shop", as_of: date | None) -> dict[str, Any]:
    """Judge the matured runs; JSON of the runs, those left out, and sentences. Prints and writes the same."""
    from lifestage.matured import backtest as judge
    from lifestage.matured import left_out_sentence, sentences

    file = history(shop, as_of)
    runs = shop.output / "runs"
    with bar("comparing past runs with what happened", None, ""):
        found = judge(shop.shop, file, runs, shop.releases)
    said = sentences(found)
    why = left_out_sentence(found)
    page = _write(shop, file, found)
    say(f"{shop.shop}: what happened is known up to {shown(found.observed_until, file.zone)}")
    for words in said:
        say(f"  {words.en}")
    if found.rounds:
        say()
        say(_table(found))
    if why is not None:
        say(why.en)
        for run in found.left_out:
            say(f"  {run.sentence}")
    say(f"page: {page} (open it in a browser); figures: {page.with_suffix('.csv')}")
    return {
        "runs": [
            {
                "run": one.name,
                "as_of": one.day,
                "release": one.terms.release,
                "complete": dict(one.complete),
                "figures": one.figures(),
                "notes": [note.en for note in one.notes],
            }
            for one in found.rounds
        ],
        "left_out": [
            {
                "run": run.name,
                "as_of": None if run.as_of is None else shown(run.as_of, file.zone)[:10],
                "why": run.kind,
                "sentence": run.sentence,
            }
            for run in found.left_out
        ],
        "sentences": [words.en for words in said],
    }


def _write(shop: "Shop", file: "HistoryFile", found: "Backtest") -> Path:
    """Page, table and MLflow run; returns the page."""
    import pyarrow.csv as pc

    from lifestage.matured import long_table
    from lifestage.matured.report import backtest_page, pictures
    from lifestage.tracking import Tracker
    from training.whole_file import write_file, write_text

    page = shop.output / "backtest.html"
    table, html = long_table(found), backtest_page(found)
    write_text(page, [html], option="output_dir")
    write_file(page.with_suffix(".csv"), lambda out: pc.write_csv(table, out), option="output_dir")
    tags = {**data_window(file), "kind": "backtest"}
    with (
        bar("backtest: recording in MLflow", None),
        Tracker(shop.tracking_uri).run(shop.shop, "backtest", tags) as run,
    ):
        run.metrics({"rounds": len(found.rounds), "left_out": len(found.left_out)})
        if found.rounds:  # of the newest, under the names that the table has
            for part in ("churn", "clv", "ahead"):
                newest = [one for one in found.rounds if getattr(one, part)][-1:]
                for one in newest:
                    run.params({f"{part}_round": one.day})
                    run.metrics({f"{part}_{name}": v for name, v in getattr(one, part).items()})
        run.table(table.to_pandas(), "backtest")
        for name, figure in pictures(found).items():
            run.figure(figure, name)
        run.text(html, "backtest.html")
    return page


def _table(found: "Backtest") -> str:
    """A line a round."""
    from lifestage.summary import text_table

    def text(figures: Any, name: str, form: str) -> str:
        return format(figures[name], form) if name in figures else "-"

    rows = [
        [
            one.day,
            text(one.churn, "eligible", ",.0f"),
            text(one.churn, "predicted_rate", ".1%"),
            text(one.churn, "observed_rate", ".1%"),
            text(one.churn, "calibration_error", ".3f"),
            text(one.churn, "calibration_error_if_perfect", ".3f"),
            text(one.churn, "roc_auc", ".3f"),
            text(one.churn, "lift", ".2f"),
            *(f"{text(one.clv, f'{name}_error_percent', '+.1f')}" for name in ("orders", "spend", "value")),
            text(one.clv, "spend_coverage", ".0%"),
        ]
        for one in found.rounds
    ]
    header = ["round", "eligible", "foreseen", "left", "calibr. error", "if perfect", "ROC-AUC", "lift"]
    return text_table([*header, "orders, %", "spend, %", "CLV, %", "in interval"], rows)


def run(args: argparse.Namespace) -> None:
    from lifestage import settings

    backtest(settings.load(args.config), args.as_of)


if __name__ == "__main__":
    main(parser("backtest", DESCRIPTION), run)
