"""The weekly round: check, watch, train, gate, promote, score, report; goes on where it was stopped."""

import argparse
import time
from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING

from training.command import accepting, main, parser, say, shown
from training.prepare import history
from training.round_state import Json, Round, open_round

if TYPE_CHECKING:
    from lifestage.history_file import HistoryFile
    from lifestage.settings import Shop

DESCRIPTION = """One round: check the data, watch what serves (has the data moved, did earlier predictions come true),
train CLV and churn, compare them with what serves on customers whose outcome neither has seen, promote what is better,
score and stage everybody, and write the reports. Every step's result is kept in rounds/<as-of>/round.json in the shop's
output folder: started again after a crash, the round goes on with the step it was at; a finished round of the same data
and settings is not done again. With --when-needed nothing is trained while what serves still fits."""
TRAINED = ("train the CLV model", "train the churn model", "gate", "promote")
SERVED = ("score and stage", "report")
REFUSED, SKIPPED = "refused", "skipped"
"""Keys of a step's result: it could not be done and why, or there was no need and why."""


def retrain(
    shop: "Shop",
    as_of: date | None,
    *,
    accept: bool = False,
    replace_newer: bool = False,
    when_needed: bool = False,
    again: bool = False,
) -> Round:
    """Run or go on with the round; returns it, finished. Where training is refused, what serves scores all the same.

    Raises InputError where the data cannot be read, or where there is nothing yet that could score.
    """
    from lifestage.errors import InputError
    from training.promote import refuse_older

    file = history(shop, as_of)
    made = open_round(shop, file, again=again)
    serving = _serving(shop)
    if made.finished:
        released = made.result("promote").get("release")
        if refusal(made) or (made.result("train?").get(SKIPPED) and not when_needed):
            say(f"the round as of {made.as_of} is done but for the training, which is tried again")
            made.undo("train?", *TRAINED, *SERVED)
        elif serving is not None and released not in (None, serving["name"]):
            name = serving["name"]
            say(
                f"the round as of {made.as_of} is done; release {name} serves since: everybody is scored by it"
            )
            made.undo(*SERVED)
        else:
            say(f"the round as of {made.as_of} is done; nothing has changed since (--again: do it anew)")
            return made
    if not replace_newer and not made.result("promote"):  # before an hour of training
        refuse_older(shop, file.facts["as_of"])
    steps = _steps(
        shop,
        as_of,
        file,
        made,
        serving=serving,
        accept=accept,
        replace_newer=replace_newer,
        when_needed=when_needed,
    )
    for number, (name, step) in enumerate(steps.items(), 1):
        if name in made.steps:
            say(f"[{number}/{len(steps)}] {name}: done before")
            continue
        say(f"\n[{number}/{len(steps)}] {name}")
        started = time.perf_counter()
        try:
            result = step()
        except InputError as error:
            made.fail(f"{name}: {error}")
            raise
        made.done(name, time.perf_counter() - started, result)
    made.finish()
    _report(shop)
    return made


def _steps(
    shop: "Shop",
    as_of: date | None,
    file: "HistoryFile",
    made: Round,
    *,
    serving: Json | None,
    accept: bool,
    replace_newer: bool,
    when_needed: bool,
) -> dict[str, Callable[[], Json]]:
    """Name -> what does it, in order. Later steps read the results of earlier ones from the round."""
    from training.backtest import backtest
    from training.check import check
    from training.drift import drift
    from training.gate import gate
    from training.train_churn import train as train_churn
    from training.train_clv import train as train_clv

    def training(step: Callable[[], Json]) -> Callable[[], Json]:
        """The step, unless there is no need or an earlier one was refused; its own refusal stops only the training."""

        def unless() -> Json:
            from lifestage.errors import InputError

            for name in ("train?", *TRAINED):
                before = made.result(name)
                if reason := before.get(SKIPPED) or before.get(REFUSED):
                    say(f"left out: {reason}")
                    return {SKIPPED: reason}
            try:
                return step()
            except InputError as error:
                if serving is None:
                    raise
                say(f"refused: {error}")
                return {REFUSED: str(error)}

        return unless

    steps: dict[str, Callable[[], Json]] = {
        "check the data": lambda: _checked(check, shop, as_of, file, stop=serving is None and not accept),
        "watch the data": lambda: _watched(drift, shop, as_of, serving),
        "what came true": lambda: _watched(backtest, shop, as_of, serving),
        "train?": lambda: _needed(shop, file, made, serving, when_needed=when_needed),
    }
    if shop.sources.transactions is not None:  # else nothing to learn an order's value from
        steps[TRAINED[0]] = training(lambda: train_clv(shop, as_of, accept))
    steps[TRAINED[1]] = training(lambda: train_churn(shop, as_of, accept))
    steps[TRAINED[2]] = training(lambda: gate(shop, as_of))
    steps[TRAINED[3]] = training(lambda: _promoted(shop, as_of, made, replace_newer=replace_newer))
    steps[SERVED[0]] = lambda: _scored(shop, as_of)
    steps[SERVED[1]] = lambda: _reported(shop)
    return steps


def _serving(shop: "Shop") -> Json | None:
    """The manifest of the release that serves; None where there is none. Raises InputError for a damaged one."""
    from lifestage import bundle, release
    from lifestage.errors import InputError

    try:
        if release.pointer(shop.releases) is None:
            return None
        return dict(bundle.read(release.current(shop.releases), "release"))
    except InputError as error:
        raise InputError(
            f"what serves is damaged: {error}. 'python -m training.promote' publishes the registered models anew, "
            "'python -m training.promote --rollback' goes back to those before"
        ) from None


def _checked(
    check: Callable[..., None], shop: "Shop", as_of: date | None, file: "HistoryFile", *, stop: bool
) -> Json:
    from training.ready import readiness

    check(shop, as_of, stop=stop)
    report = readiness(shop, file)
    tables = file.facts["report"]["tables"]
    return {
        "customers": file.customers,
        "readiness": report.level,
        "refused": None,
        "warnings": [f"{line.name}: {line.said}" for line in report.lines if line.level != "pass"],
        "rows": {name: counts["kept"] for name, counts in tables.items()},
        "rejected": {name: sum(counts["rejected"].values()) for name, counts in tables.items()},
    }


def _watched(step: Callable[..., Json], shop: "Shop", as_of: date | None, serving: Json | None) -> Json:
    """What a watching step says; that it cannot say anything stops no round."""
    from lifestage.errors import InputError

    if serving is None:
        say("nothing serves yet")
        return {}
    try:
        return step(shop, as_of)
    except InputError as error:
        say(f"could not be told: {error}")
        return {"untold": str(error)}


def _needed(
    shop: "Shop", file: "HistoryFile", made: Round, serving: Json | None, *, when_needed: bool
) -> Json:
    """Why to train, or why not."""
    from lifestage.localtime import DAY

    if serving is None:
        reason = "nothing serves yet"
    elif not when_needed:
        reason = "every round trains"
    elif made.result("watch the data").get("status") == "retrain":
        reason = "the data have moved"
    elif off := _off(made.result("what came true").get("runs", [])):
        reason = f"what was foreseen has not come: {off}"
    else:
        trained = int(serving["as_of"])
        age = (file.facts["as_of"] - trained) // DAY
        if age < shop.monitoring.retrain_after_days:
            since = shown(trained, shop.timezone)
            reason = (
                f"what serves was trained as of {since}, {age} days ago, and the data have not moved so far that it "
                f"must be trained anew before {shop.monitoring.retrain_after_days} days"
            )
            say(f"no: {reason}")
            return {SKIPPED: reason}
        reason = f"what serves is {age} days old (monitoring.retrain_after_days: {shop.monitoring.retrain_after_days})"
    say(f"yes: {reason}")
    return {"reason": reason}


def _off(runs: list[Json]) -> str | None:
    """How far the newest forecast whose outcome is known was off; None where no more than it may be."""
    from lifestage.matured.sentences import NEAR

    known = [
        run
        for run in runs
        if run["complete"]["churn"] and run["figures"]["churn"].get("rate_error") is not None
    ]
    if not known:
        return None
    newest = known[-1]
    churn = newest["figures"]["churn"]
    if abs(churn["rate_error"]) <= max(NEAR, churn["rate_chance"] or 0.0):
        return None
    return f"as of {newest['as_of']} {churn['predicted_rate']:.0%} were to leave, and {churn['observed_rate']:.0%} left"


def _promoted(shop: "Shop", as_of: date | None, made: Round, *, replace_newer: bool) -> Json:
    """The release that serves now, a new one where the gate lets a model through."""
    from training.promote import promote

    serving = _serving(shop)
    folder = promote(shop, as_of, replace_newer=replace_newer, verdict=made.result("gate"))
    return {"release": folder.name, "changed": serving is None or serving["name"] != folder.name}


def _scored(shop: "Shop", as_of: date | None) -> Json:
    """Everybody scored; past months are staged too where nothing is known of any, once."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from lifestage import release
    from lifestage.store import open_store
    from training.score import score

    first = open_store(shop.store_url).current() is None
    done = score(shop, as_of, shop.scoring.flow_months if first else 0)
    scores = pa.Table.from_batches(done.batches(("stage", "churn_probability", "clv", "eligible")))
    counts = scores["stage"].value_counts().to_pylist()
    risk, value = pc.mean(scores["churn_probability"]).as_py(), pc.sum(scores["clv"]).as_py()
    return {
        "run": done.name,
        "release": release.current(shop.releases).name,
        "customers": done.customers,
        "eligible": pc.sum(scores["eligible"]).as_py() or 0,
        "stages": {entry["values"]: entry["counts"] for entry in counts},
        "mean_churn_probability": risk,
        "clv": value,
    }


def _reported(shop: "Shop") -> Json:
    from training.lifecycle import MONTH_DAYS, lifecycle
    from training.report import report

    report(shop)
    page = lifecycle(shop, None, MONTH_DAYS, None)
    return {"page": page.name}


def _report(shop: "Shop") -> None:
    """The page of all rounds so far."""
    from training.rounds_report import write_report

    say(f"rounds so far: {write_report(shop)} (open it in a browser)")


def refusal(made: Round) -> str | None:
    """Why nothing was trained although it should have been; None where that is not so."""
    return next((reason for name in TRAINED if (reason := made.result(name).get(REFUSED))), None)


def run(args: argparse.Namespace) -> None:
    from lifestage import settings
    from lifestage.errors import InputError

    made = retrain(
        settings.load(args.config),
        args.as_of,
        accept=args.accept_unready,
        replace_newer=args.replace_newer,
        when_needed=args.when_needed,
        again=args.again,
    )
    if reason := refusal(made):
        raise InputError(f"everybody was scored by what served before, but nothing was trained: {reason}")


def arguments() -> argparse.ArgumentParser:
    made = accepting(parser("retrain", DESCRIPTION))
    made.add_argument(
        "--when-needed",
        action="store_true",
        help="train only where the watch asks for it, or what serves is old",
    )
    made.add_argument("--again", action="store_true", help="do a finished round anew")
    made.add_argument(
        "--replace-newer", action="store_true", help="promote even if the current release is newer"
    )
    return made


if __name__ == "__main__":
    main(arguments(), run)
