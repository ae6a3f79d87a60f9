"""Rounds of the past, one after another, as if each had been run on its day: what retraining would have brought."""

import argparse
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from training.command import accepting, bar, day, main, parser, say
from training.prepare import history
from training.round_state import note_failure

if TYPE_CHECKING:
    from lifestage.settings import Shop
    from training.round_state import Round

DESCRIPTION = """Run the round of training.retrain as of each past month's beginning (or week's) and as of the end of
the data, in order, each with the rows before its day only, and write one page: what was promoted and what was not and
why, where the data moved, and what became of each round's predictions. It has a folder and a tracking database of its
own (var/<shop>-rounds) and touches nothing that serves. A round that fails is told, and the next one goes on; started
again, finished rounds are kept."""


def starts(first: date, last: date, every: str) -> list[date]:
    """The beginnings of months, or the Mondays, in [first, last]."""
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return [d for d in days if (d.day == 1 if every == "month" else d.weekday() == 0)]


def feasible_from(shop: "Shop", first_row: int) -> date:
    """The earliest day on which the history was long enough to train on."""
    from lifestage.localtime import day_of

    rule = shop.churn
    grace = rule.grace_days if rule.definition == "subscription" else 0
    need = rule.min_history_days + 3 * (rule.horizon_days + grace)
    return day_of(first_row, shop.timezone) + timedelta(days=need)


def rehearsal(shop: "Shop", out: Path) -> "Shop":
    """The shop with a folder, store, releases and tracking of its own."""
    return shop.model_copy(
        update={
            "output_dir": str(out),
            "release_dir": "",
            "store": "",
            "tracking_uri": f"sqlite:///{(out / 'mlflow.db').as_posix()}",
        }
    )


@contextmanager
def _into(path: Path) -> Iterator[None]:
    """What is printed goes to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as log, redirect_stdout(log), redirect_stderr(log):
        yield


def rounds(
    shop: "Shop", first: date | None, last: date | None, every: str, *, accept: bool = False
) -> list["Round"]:
    """Run the rounds and write the page; returns them."""
    from lifestage.errors import InputError
    from lifestage.localtime import day_of
    from training.retrain import retrain

    file = history(shop, None)
    earliest = feasible_from(shop, file.facts["first_row"])
    newest = day_of(file.facts["as_of"], shop.timezone)
    wanted = starts(max(first or earliest, earliest), min(last or newest, newest), every)
    if last is None and wanted and wanted[-1] < newest:
        wanted.append(newest)
    if not wanted:
        raise InputError(
            f"no {every} begins between {first or earliest} and {last or newest}: the history allows rounds from "
            f"{earliest} to {newest}; shorten churn.horizon_days or churn.min_history_days, or give other days"
        )
    say(f"{len(wanted)} rounds from {wanted[0]} to {wanted[-1]}, in {shop.output}")
    done = []
    with bar("rounds", len(wanted), " rounds") as progress:
        for as_of in wanted:
            started = time.perf_counter()
            failed = None
            with _into(shop.output / "rounds" / f"{as_of}.log"):
                try:
                    done.append(retrain(shop, as_of, accept=accept))
                except (
                    Exception
                ) as error:  # a round that fails, whatever for, must not keep the next from running
                    failed = str(error) if isinstance(error, InputError) else repr(error)
                    traceback.print_exc()
                    note_failure(shop, str(as_of), failed)
            progress(1)
            seconds = time.perf_counter() - started
            say(f"  {as_of}  {failed_line(failed) if failed else line(done[-1])}  ({seconds:.0f} s)")
    with _into(shop.output / "rounds" / "outcomes.log"):
        outcomes(shop)
    return done


def failed_line(message: str) -> str:
    return f"FAILED: {message}"


def line(made: "Round") -> str:
    """A round in one line."""
    from training.retrain import refusal

    scored = made.result("score and stage")
    if reason := refusal(made):
        verdict = f"not trained: {reason}"
    else:
        verdicts = made.result("gate")
        verdict = ", ".join(
            f"{kind} {v['challenger']} {'promoted' if v['promote'] else 'kept back'} ({v['verdict']})"
            for kind, v in verdicts.items()
        )
    moved = made.result("watch the data").get("status", "nothing served yet")
    return f"{scored['customers']:>9,} customers; {verdict}; data: {moved}"


def outcomes(shop: "Shop") -> None:
    """What became of every round's predictions, as far as the data reach today, into the page."""
    from training.backtest import backtest
    from training.rounds_report import keep_outcomes, write_report

    history(shop, None)
    keep_outcomes(shop, backtest(shop, None))
    write_report(shop)


def run(args: argparse.Namespace) -> None:
    from lifestage import settings

    shop = settings.load(args.config)
    out = Path(args.out) if args.out else shop.output.with_name(f"{shop.output.name}-rounds")
    made = rehearsal(shop, out)
    rounds(made, args.since, args.until, args.every, accept=args.accept_unready)
    say(f"{out / 'rounds.html'}: open it in a browser")


def arguments() -> argparse.ArgumentParser:
    made = accepting(parser("rounds", DESCRIPTION, as_of=False))
    made.add_argument(
        "--since", type=day, metavar="YYYY-MM-DD", help="default: the earliest day with enough history"
    )
    made.add_argument("--until", type=day, metavar="YYYY-MM-DD", help="default: the end of the data")
    made.add_argument("--every", choices=("month", "week"), default="month", help="default: month")
    made.add_argument("--out", metavar="DIR", help="folder of its own (default: var/<shop>-rounds)")
    return made


if __name__ == "__main__":
    main(arguments(), run)
