"""Is the data fit to train on? Counts, rejects, cutoffs, eligible customers and churn at each cutoff."""

import argparse
from datetime import date
from typing import TYPE_CHECKING

from training.command import bar, main, parser, say
from training.prepare import describe, history
from training.ready import readiness, require_ready, show

if TYPE_CHECKING:
    from lifestage.settings import Shop

DESCRIPTION = """Read the shop's tables and say what training would find: rows kept and set aside, the cutoffs that fit
into the history, how many customers are eligible and churn at each, and whether the data meet the minimums of
'readiness': pass, warn or refuse, each with its figure and limit (also as readiness.json beside the history).
Below a minimum it ends with code 2, as training would."""


def check(shop: "Shop", as_of: date | None, *, stop: bool = True) -> None:
    """Print what the tables hold and how ready they are; `stop` raises InputError below the minimums."""
    from lifestage.churn.served.dimensions import check_names
    from lifestage.fitting import definition_of, learn_features
    from lifestage.lifecycle import policy as policies
    from lifestage.store import open_store

    # What later steps need is refused now, not after an hour of training.
    policies.read(shop.policy)
    open_store(shop.store_url)
    file = history(shop, as_of)
    describe(file)
    report = readiness(shop, file)
    if report.cutoffs:
        say(f"churn = {definition_of(shop).sentence()}:")
    for at in report.cutoffs:
        share = f"{at['churned'] / at['eligible']:.1%}" if at["eligible"] else "none"
        say(
            f"  {at['part']:<10} {at['cutoff']}: {at['eligible']:>9,} eligible, {at['churned']:>9,} churned ({share})"
        )
    say(f"readiness: {report.level}")
    show(report)
    require_ready(shop, file, accept=not stop)
    spec = learn_features(shop, file, bar)
    policies.load(shop.policy, spec)
    check_names(shop.churn.segments, spec)


def run(args: argparse.Namespace) -> None:
    from lifestage import settings

    check(settings.load(args.config), args.as_of)


if __name__ == "__main__":
    main(parser("check", DESCRIPTION), run)
