"""Compare the challengers with the champions on customers whose outcome neither has seen: who shall serve?"""

import argparse
import tempfile
import time
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.command import bar, main, parser, say
from training.prepare import history
from training.promote import taken_back
from training.switch import settle

if TYPE_CHECKING:
    from lifestage.gate import About, Verdict
    from lifestage.history_file import HistoryFile
    from lifestage.settings import Shop
    from lifestage.tracking import Tracker, Version

DESCRIPTION = """Score challenger and champion, each by the fit that was graded, on the newest day whose outcome is
complete, and say whether the challenger takes the champion's place: better by the margin of 'gate' in the config,
calibrated, graded A or B, no slower than twice, no segment much worse. Changes nothing but tags; training.promote
promotes, training.retrain does both."""
KINDS = ("churn", "clv")
WORDS = {
    "first": "promote: the first model",
    "better": "promote: better",
    "younger": "promote: as good, and newer",
    "new": "promote: cannot be compared",
    "same": "keep: nothing newer was trained",
    "kept": "keep",
}


def gate(shop: "Shop", as_of: date | None) -> dict[str, Any]:
    """Kind -> promote, verdict, challenger, champion (versions), reasons, figures; plain JSON.

    Raises InputError where nothing was trained yet.
    """
    from lifestage.tracking import CHALLENGER, CHAMPION, Tracker

    tracker = Tracker(shop.tracking_uri)
    file = history(shop, as_of)
    if shop.releases.is_dir():
        settle(shop.releases, tracker)
    result: dict[str, Any] = {}
    for kind in KINDS if shop.sources.transactions is not None else KINDS[:1]:
        name = f"{shop.shop}-{kind}"
        challenger = tracker.version(name, CHALLENGER)
        number = tracker.aliased(name, CHAMPION)
        champion = None if number is None else tracker.version(name, number)
        verdict = _verdict(shop, file, tracker, challenger=challenger, champion=champion)
        result[kind] = verdict.to_json(challenger.version, number)
        _record(tracker, challenger, result[kind], file)
        _show(name, result[kind])
    return result


def _verdict(
    shop: "Shop",
    file: "HistoryFile",
    tracker: "Tracker",
    *,
    challenger: "Version",
    champion: "Version | None",
) -> "Verdict":
    from lifestage.gate import Verdict

    if champion is None:
        return Verdict("first", ("There is no champion yet: the challenger is the first to serve.",))
    if champion.version == challenger.version:
        return Verdict(
            "same", (f"Version {champion.version} serves already, and nothing newer was trained.",)
        )
    with tempfile.TemporaryDirectory() as scratch:
        own = tracker.download(challenger, Path(scratch) / "challenger")
        other = tracker.download(champion, Path(scratch) / "champion")
        back = taken_back(tracker, challenger, champion)
        if challenger.model == f"{shop.shop}-churn":
            grades = tuple(version.metrics.get("grade") for version in (challenger, champion))
            return _churn(shop, file, own, other, grades=grades, back=back)
        return _clv(shop, file, own, other, back=back)


def _about(own: Mapping[str, Any], other: Mapping[str, Any], **more: Any) -> "About":
    """With who is younger: by the day that each was trained as of."""
    from lifestage.gate import About

    younger = str(own.get("as_of", "")) > str(other.get("as_of", ""))
    return About(younger=younger, **more)


def _churn(
    shop: "Shop", file: "HistoryFile", own: Path, other: Path, *, grades: tuple[Any, ...], back: bool
) -> "Verdict":
    from lifestage import bundle
    from lifestage.churn.model import KIND, ChurnModel
    from lifestage.fitting import folds_of
    from lifestage.gate import Verdict, churn_verdict, compare_churn
    from lifestage.gate.seen import churn_saw
    from lifestage.localtime import day_of
    from lifestage.scoring import definition_of

    challenger, champion = (ChurnModel.load(folder, fit="evaluation") for folder in (own, other))
    asked, answered = definition_of(challenger), definition_of(champion)
    if asked != answered:
        return Verdict(
            "new",
            (
                f"The champion answers another question ({answered.sentence()}) than the challenger "
                f"({asked.sentence()}): they cannot be compared, and the configuration asks the challenger's.",
            ),
        )
    told, theirs = bundle.read(own, KIND), bundle.read(other, KIND)
    test = day_of(folds_of(shop, file).test, file.zone)
    about = _about(
        told,
        theirs,
        challenger_grade=grades[0],
        champion_grade=grades[1],
        champion_saw=churn_saw(theirs, asked.label_days, test),
        rolled_back=back,
    )
    found = compare_churn(shop, file, challenger, champion, clock=time.perf_counter, progress=bar)
    return churn_verdict(found, about, shop.gate)


def _clv(shop: "Shop", file: "HistoryFile", own: Path, other: Path, *, back: bool) -> "Verdict":
    from lifestage import bundle
    from lifestage.clv.model import EVALUATION, KIND, ClvModel
    from lifestage.fitting import holdout_cutoff
    from lifestage.gate import clv_verdict, compare_clv
    from lifestage.gate.seen import day_told
    from lifestage.localtime import day_of

    told, theirs = bundle.read(own, KIND), bundle.read(other, KIND)
    test = day_of(holdout_cutoff(shop, file), file.zone)
    challenger, champion, missing, saw = ClvModel.load(own, fit="evaluation"), None, "", ""
    if EVALUATION in theirs["files"]:
        champion, fitted = ClvModel.load(other, fit="evaluation"), day_told(theirs, "holdout_from")
    else:  # a model of an earlier version: what ships was fitted on everything before its as_of
        champion, fitted = ClvModel.load(other), day_told(theirs, "as_of")
        if fitted is None or fitted > test:
            champion, missing = (
                None,
                "it keeps no fit that had not seen what came (trained by an earlier version)",
            )
    if champion is not None and (fitted is None or fitted > test):
        saw = (
            f"The champion's graded fit saw rows up to {fitted}, after the test cutoff {test}: it is so young that it "
            "has seen some of what came, and the comparison flatters it."
        )
    found = compare_clv(shop, file, challenger, champion, missing=missing, progress=bar)
    return clv_verdict(found, _about(told, theirs, champion_saw=saw, rolled_back=back), shop.gate)


def _record(tracker: "Tracker", challenger: "Version", said: Mapping[str, Any], file: "HistoryFile") -> None:
    """The verdict as tags of the challenger's version, its figures as metrics of the run that made it."""
    from training.prepare import data_window

    tracker.tag(
        challenger.model,
        challenger.version,
        {
            "gate": said["verdict"],
            "gate_promote": str(said["promote"]).lower(),
            "gate_champion": said["champion"] or "none",
            "gate_as_of": data_window(file)["as_of"],
            "gate_reasons": " ".join(said["reasons"]),
        },
    )
    numbers = {
        f"gate/{name}": float(value)
        for name, value in said["figures"].items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    tracker.log_metrics(challenger, numbers)


def _show(name: str, said: Mapping[str, Any]) -> None:
    """The verdict, a table of the figures of both, and the reasons."""
    from lifestage.summary import text_table

    champion = f"champion version {said['champion']}" if said["champion"] else "no champion"
    say(f"\n{name} version {said['challenger']} against {champion}: {WORDS[said['verdict']]}")
    figures = said["figures"]
    rows = [
        [key.removeprefix("challenger_").replace("_", " "), _told(value), _told(figures.get(_other(key)))]
        for key, value in figures.items()
        if key.startswith("challenger_") and key in _SHOWN
    ]
    if rows:
        say(text_table(["", "challenger", "champion"], rows))
    for reason in said["reasons"]:
        say(f"  - {reason}")


_SHOWN = {
    f"challenger_{name}"
    for name in (
        "pr_auc_rarer",
        "roc_auc",
        "log_loss",
        "brier",
        "ece",
        "ms_per_1000",
        "orders_deviance",
        "orders_mae",
        "orders_total_error_percent",
        "spend_mae",
        "spend_total_error_percent",
    )
}


def _other(key: str) -> str:
    return key.replace("challenger_", "champion_", 1)


def _told(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}" if abs(value) < 100 else f"{value:,.0f}"


def run(args: argparse.Namespace) -> None:
    from lifestage import settings

    gate(settings.load(args.config), args.as_of)


if __name__ == "__main__":
    main(parser("gate", DESCRIPTION), run)
