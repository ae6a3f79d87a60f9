"""Cutoffs for training, validation and test: out of time, with no label window reaching into the next part.

first purchase   min history   train ... train | horizon | validation | horizon | test | horizon | observed
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from lifestage.errors import InputError
from lifestage.localtime import day_of, midnight


@dataclass(frozen=True, slots=True)
class Folds:
    """Cutoff instants (UTC microseconds), every one a local midnight; tuples ascend."""

    train: tuple[int, ...]
    """Cutoffs of the evaluation fit; each label window ends no later than `validation`."""
    validation: int
    """Stops the boosting and calibrates; its label window ends at `test`."""
    test: int
    """Grades the evaluation fit; its label window ends where the observation ends."""
    newest_complete: int
    """The last cutoff whose label window is wholly observed, which is the test cutoff."""
    ship_train: tuple[int, ...]
    """Cutoffs of the shipped fit; the newest is `newest_complete`."""
    out_of_time: bool = True
    """False: all cutoffs are one, and its customers are split at random."""


def _backwards(newest: date, earliest: date, count: int, step_days: int) -> list[date]:
    """Up to `count` days, `step_days` apart, ascending to `newest`, none before `earliest`."""
    days = (newest - timedelta(days=step_days * i) for i in range(count))
    return sorted(day for day in days if day >= earliest)


def make_folds(
    first_purchase: int,
    observed_until: int,
    *,
    zone: str,
    horizon_days: int,
    train_cutoffs: int,
    step_days: int,
    min_history_days: int,
    grace_days: int = 0,
) -> Folds:
    """One set of cutoffs per shop, counted back in local days from the end of observation.

    `first_purchase` and `observed_until` are instants (UTC microseconds); labels are known for
    t < `observed_until`, which is moved back to its local midnight. The test cutoff is `horizon_days` local
    days before it, validation one horizon before the test, the newest training cutoff one horizon before
    validation, up to `train_cutoffs` of them `step_days` apart, none within `min_history_days` of the day of
    the first purchase. Counted in dates, so a clock change neither moves a cutoff off midnight nor lets two
    windows overlap by an hour (label windows must therefore end at local midnights too).

    The shipped fit takes the same pattern moved two horizons on, to end at the newest complete cutoff. It
    may have more cutoffs than `train` (up to `train_cutoffs`), because the history before it is longer:
    a young shop's shipped model should not be thinned by what only the grading needed.

    A label is complete `horizon_days + grace_days` after its cutoff; that is the distance kept everywhere.
    `first_purchase` is the first row of whatever defines churn.

    Raises InputError where no training cutoff fits, with the horizon that would.
    """
    for name, value in (
        ("horizon_days", horizon_days),
        ("train_cutoffs", train_cutoffs),
        ("step_days", step_days),
    ):
        if value < 1:
            raise InputError(f"churn.{name} is {value}; give at least 1")
    if min_history_days < 0:
        raise InputError(f"churn.min_history_days is {min_history_days}; give 0 or more")

    first, end = day_of(first_purchase, zone), day_of(observed_until, zone)
    horizon = timedelta(days=horizon_days + grace_days)
    earliest = first + timedelta(days=min_history_days)
    test = end - horizon
    validation = test - horizon
    train = _backwards(validation - horizon, earliest, train_cutoffs, step_days)
    if not train:
        raise InputError(_too_short(first, end, horizon_days, min_history_days, grace_days))
    ship = _backwards(test, earliest, train_cutoffs, step_days)
    return Folds(
        train=tuple(midnight(day, zone) for day in train),
        validation=midnight(validation, zone),
        test=midnight(test, zone),
        newest_complete=midnight(test, zone),
        ship_train=tuple(midnight(day, zone) for day in ship),
    )


def folds_of_labels(days: Sequence[date], *, zone: str, horizon_days: int, train_cutoffs: int) -> Folds:
    """The cutoffs of a shop's own labels, whose days are given: the newest tests, and each earlier part lies at
    least one horizon before the next. One day alone is split at random among its customers.

    Raises InputError where several days lie too close together to be split by time.
    """
    days = sorted(set(days))
    if not days:
        raise InputError("labels: no label is complete yet; give labels whose horizon ends by the as_of")
    test = days[-1]
    if len(days) == 1:
        t = midnight(test, zone)
        return Folds((t,), t, t, t, (t,), out_of_time=False)
    horizon = timedelta(days=horizon_days)
    validation = max((day for day in days if day <= test - horizon), default=None)
    train = [day for day in days if validation is not None and day <= validation - horizon][-train_cutoffs:]
    if validation is None or not train:
        raise InputError(
            f"labels: their as_of days ({days[0]} to {test}, {len(days)} of them) cannot be split by time: training, "
            f"validation and test need one each, churn.horizon_days {horizon_days} apart; give earlier labels, "
            "shorten churn.horizon_days to what a label looks ahead, or leave the column as_of out"
        )
    return Folds(
        train=tuple(midnight(day, zone) for day in train),
        validation=midnight(validation, zone),
        test=midnight(test, zone),
        newest_complete=midnight(test, zone),
        ship_train=tuple(midnight(day, zone) for day in days[-train_cutoffs:]),
    )


def check_folds(folds: Folds, *, zone: str, label_days: int) -> None:
    """Raises InputError where a label window reaches into the next part, as hand-made folds may.

    Folds of one cutoff, split at random, have nothing to check: no customer is in two parts.
    """
    if not folds.out_of_time:
        return
    window = timedelta(days=label_days)
    validation, test = day_of(folds.validation, zone), day_of(folds.test, zone)
    for cutoff in folds.train:
        end = day_of(cutoff, zone) + window
        if end > validation:
            raise InputError(
                f"folds: the label window of the training cutoff {day_of(cutoff, zone)} ends on {end}, after the "
                f"validation cutoff {validation}: the model would be graded on labels it has seen; keep "
                f"{label_days} days (horizon and grace) between them"
            )
    if validation + window > test:
        raise InputError(
            f"folds: the label window of the validation cutoff {validation} ends on {validation + window}, after "
            f"the test cutoff {test}; keep {label_days} days (horizon and grace) between them"
        )
    if late := [cutoff for cutoff in folds.ship_train if cutoff > folds.newest_complete]:
        raise InputError(
            f"folds: the shipped training cutoff {day_of(late[0], zone)} is later than the newest complete one, "
            f"{day_of(folds.newest_complete, zone)}: its labels are not known yet"
        )


def _too_short(first: date, end: date, horizon_days: int, min_history_days: int, grace_days: int) -> str:
    have = (end - first).days
    need = min_history_days + 3 * (horizon_days + grace_days)
    fits = (have - min_history_days) // 3 - grace_days
    if fits >= 1:
        advice = (
            f"set churn.horizon_days to at most {fits}, lower churn.min_history_days or give more history"
        )
    elif have >= 3 and not grace_days:
        advice = (
            f"lower churn.min_history_days (with 0 a horizon of {have // 3} would fit) or give more history"
        )
    else:
        advice = "give more history"
    each = "one horizon with its grace" if grace_days else "one horizon"
    return (
        f"the history covers {have} days ({first} to {end}), but churn.horizon_days {horizon_days} needs {need}: "
        f"min_history_days {min_history_days} and {each} each for training, validation, test; {advice}"
    )
