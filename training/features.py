"""The catalogue of features that the shop's churn model gets: name, family, unit, window, meaning."""

import argparse
from datetime import date
from typing import TYPE_CHECKING

from training.command import bar, main, parser, say
from training.prepare import history

if TYPE_CHECKING:
    from lifestage.settings import Shop

DESCRIPTION = """Print every feature that training would give the shop's churn model: its name, family, unit, window and
meaning in English and Chinese. Families are there where their table is; event types and category levels are
learnt from rows before the newest training cutoff. Policies may read all of these columns."""


def features(shop: "Shop", as_of: date | None) -> None:
    """Print the catalogue."""
    from lifestage.features import catalogue
    from lifestage.fitting import learn_features

    spec = learn_features(shop, history(shop, as_of), bar)
    found = catalogue(spec)
    widths = [max(len(getattr(f, part)) for f in found.values()) for part in ("name", "family", "unit")]
    for f in found.values():
        window = f"{f.window_days} d" if f.window_days else "all"
        parts = (text.ljust(width) for text, width in zip((f.name, f.family, f.unit), widths, strict=True))
        notes = ", taken as given" if f.as_given else ""
        if f.levels:
            notes += f"; levels: {', '.join(f.levels)}"
        say(f"{'  '.join(parts)}  {window:>6}  {f.meaning}{notes} | {f.meaning_zh}")
    say(f"{len(found)} features")


def run(args: argparse.Namespace) -> None:
    from lifestage import settings

    features(settings.load(args.config), args.as_of)


if __name__ == "__main__":
    main(parser("features", DESCRIPTION), run)
