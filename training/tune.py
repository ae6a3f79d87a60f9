"""Search for better LightGBM settings of the churn model with Optuna; --help tells how."""

import argparse
import time
from datetime import date
from typing import TYPE_CHECKING, Any

from training.command import accepting, bar, main, parser, say, shown, whole
from training.prepare import data_window, history
from training.ready import require_ready

if TYPE_CHECKING:
    import optuna

    from lifestage.settings import Shop
    from lifestage.tuning.gain import Gain
    from lifestage.tuning.material import Material

TRIALS = 40
DESCRIPTION = """Try LightGBM settings on the validation cutoff and, where the history allows, on earlier ones, never on
the test cutoff. The first trial are the settings that training chooses by itself. Trials are kept in tuning.db in the
shop's output folder: another run continues with further ones, other data begin anew. What is found is printed as a
section for the config, with an honest estimate of what it gains; nothing changes until you paste it."""


def tune(
    shop: "Shop", as_of: date | None, trials: int, minutes: float | None = None, accept_unready: bool = False
) -> "optuna.Study":
    """So many further trials, nested in one MLflow run; prints what to do. Returns the study."""
    from lifestage.churn.monotone import monotone_settings
    from lifestage.tracking import Tracker
    from lifestage.tuning.material import draw
    from lifestage.tuning.study import complete, evaluator, finished, open_study, search, study_name

    tracker = Tracker(shop.tracking_uri)  # refused now, not after the work
    file = history(shop, as_of)
    require_ready(shop, file, accept_unready)
    name = study_name(shop, file)
    study = open_study(shop.output / "tuning.db", name)
    before = len(finished(study))
    say(f"study {name}: {f'continues after {before} trials' if before else 'new'}")
    material = draw(shop, file, bar)
    say(f"validation cutoffs: {_cutoffs(material, file.zone)}; training rows: {material.rows:,}")
    end = None if minutes is None else time.monotonic() + 60 * minutes
    found = search(
        study,
        evaluator(shop, material),
        parts=len(material.parts),
        rows=material.rows,
        monotone=bool(monotone_settings(material.names)),
        seed=shop.churn.seed,
        trials=trials,
        go_on=lambda: end is None or time.monotonic() < end,
    )
    window = data_window(file)
    with tracker.run(shop.shop, "tune", {**window, "kind": "tune", "study": name}) as run:
        run.params({**shop.churn.model_dump(exclude_none=True), **window, "study": name})
        with bar("tuning", trials, unit=" trials") as step:
            for trial in found:
                best = {"validation_log_loss": trial.value} if trial.value is not None else {}
                run.child(f"trial {trial.number}", trial.params, best, {"state": trial.state.name.lower()})
                step(1)
        run.metrics({"trials": len(finished(study)), "best_validation_log_loss": study.best_value})
        if len(complete(study)) > 1:
            run.metrics(_figures(study))
        run.document(_section(study, material), "settings")
    _report(study, material, file.zone)
    return study


def _cutoffs(material: "Material", zone: str) -> str:
    days = ", ".join(shown(part.cutoff, zone) for part in material.parts)
    return days if material.out_of_time else f"{days}, customers split at random (NOT out of time)"


def _gains(study: "optuna.Study") -> "tuple[Gain, tuple[Gain, ...]]":
    from lifestage.tuning.gain import cross_fitted_gains
    from lifestage.tuning.study import complete, losses_of

    return cross_fitted_gains(losses_of(complete(study)))


def _figures(study: "optuna.Study") -> dict[str, float]:
    gain, _ = _gains(study)
    return {"gain": gain.mean, "gain_low": gain.low, "gain_high": gain.high}


def _section(study: "optuna.Study", material: "Material") -> dict[str, Any]:
    from lifestage.tuning.study import section_of

    return {"churn": section_of(study.best_trial, material.rows)}


def _report(study: "optuna.Study", material: "Material", zone: str) -> None:
    """Print the gain at each cutoff, the verdict and the section to paste."""
    import yaml

    from lifestage.tuning.study import complete, finished

    trials, ended = complete(study), len(finished(study))
    say(
        f"{ended} trials, {ended - len(trials)} of them pruned; validation log loss (after the level is set right):"
    )
    say(
        f"  the defaults {trials[0].value:.5f}, the best (trial {study.best_trial.number}) {study.best_value:.5f}"
    )
    if study.best_trial.number == trials[0].number:
        say("Nothing better than the defaults was found: keep them (no churn.settings in the config).")
        return
    gain, by_cutoff = _gains(study)
    say("Gain over the defaults in log loss, chosen on one half of the customers, measured on the other:")
    for part, one in zip(material.parts, by_cutoff, strict=True):
        say(f"  {shown(part.cutoff, zone)}  {_interval(one)}")
    say(f"  mean        {_interval(gain)}")
    if gain.significant:
        say(
            "Better than the defaults beyond chance, on these cutoffs. To train with it, put into the config:"
        )
    else:
        say(
            "No gain beyond chance: keep the defaults (leave churn.settings out of the config). The best, all the same:"
        )
    say()
    say(yaml.safe_dump(_section(study, material), sort_keys=False).rstrip())


def _interval(gain: "Gain") -> str:
    return f"{gain.mean:+.5f} (95 % interval {gain.low:+.5f} to {gain.high:+.5f})"


def _minutes(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"'{text}': give a number of minutes above 0")
    return value


def run(args: argparse.Namespace) -> None:
    from lifestage import settings

    tune(settings.load(args.config), args.as_of, args.trials, args.minutes, args.accept_unready)


if __name__ == "__main__":
    made = accepting(parser("tune", DESCRIPTION))
    made.add_argument(
        "--trials",
        type=whole("trials"),
        default=TRIALS,
        metavar="N",
        help=f"further trials in this run (default {TRIALS})",
    )
    made.add_argument(
        "--minutes",
        type=_minutes,
        metavar="M",
        help="begin no trial after so many minutes (default: no limit)",
    )
    main(made, run)
