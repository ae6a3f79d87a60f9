"""Is the data fit to train on? Counts, rejects, cutoffs, eligible customers and churn at each cutoff."""

import argparse
from datetime import date
from typing import TYPE_CHECKING

from training.command import bar, main, parser, say, shown
from training.prepare import describe, history

if TYPE_CHECKING:
    from lifestage.settings import Shop

DESCRIPTION = """Read the shop's tables and say what training would find: rows kept and set aside, the cutoffs that fit
into the history, and how many customers are eligible and churn at each."""


def check(shop: "Shop", as_of: date | None) -> None:
    from lifestage.fitting import folds_of, learn_features
    from lifestage.lifecycle import policy as policies
    from lifestage.samples import churn_samples
    from lifestage.store import open_store

    # What later steps need is refused now, not after an hour of training.
    policies.read(shop.policy)
    open_store(shop.store_url)
    file = history(shop, as_of)
    describe(file)
    rule = shop.churn
    folds = folds_of(shop, file)
    policies.load(shop.policy, learn_features(shop, file, bar))
    named = [
        *(("train", cutoff) for cutoff in folds.train),
        ("validation", folds.validation),
        ("test", folds.test),
    ]
    with bar("counting at each cutoff", file.customers) as progress:
        samples = churn_samples(
            file,
            [cutoff for _, cutoff in named],
            horizon_days=rule.horizon_days,
            active_within_days=rule.active_within_days,
            progress=progress,
        )
    say(
        f"churn = no order within {rule.horizon_days} days, among customers who ordered in the last "
        f"{rule.active_within_days} days:"
    )
    for part, cutoff in named:
        sample = samples[cutoff]
        churned = int(sample.churned.sum())
        share = f"{churned / len(sample):.1%}" if len(sample) else "none"
        say(
            f"  {part:<10} {shown(cutoff, file.zone)}: {len(sample):>9,} eligible, {churned:>9,} churned ({share})"
        )


def run(args: argparse.Namespace) -> None:
    from lifestage import settings

    check(settings.load(args.config), args.as_of)


if __name__ == "__main__":
    main(parser("check", DESCRIPTION), run)
