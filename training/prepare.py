"""Raw tables -> the checked history file that training and scoring read.

Every other script calls `history` and so makes the file when it is missing or its sources have changed.
"""

import argparse
import hashlib
import json
from datetime import date
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING

from training.command import bar, main, now, parser, say, shown

if TYPE_CHECKING:
    from lifestage.history_file import HistoryFile
    from lifestage.settings import Shop

DESCRIPTION = """Read the shop's tables, set bad rows aside (quarantine.parquet), link refunds, and write the history:
one row a customer, everything in order of time."""


def _key(shop: "Shop", as_of: date | None) -> str:
    """Changes when the sources, the config that shapes the history, or the asked-for date change.

    A table of a database does not say when it changed: it counts as new every day.
    """
    paths = [path for source in shop.sources.given.values() for path in sorted(glob(source.path or ""))]
    files = [(path, (stat := Path(path).stat()).st_size, stat.st_mtime_ns) for path in paths]
    shape = shop.model_dump(
        mode="json", include={"engine", "sources", "timezone", "currency", "as_of", "observed_until"}
    )
    daily = shop.as_of == "now" or any(source.table for source in shop.sources.given.values())
    text = json.dumps([shape, files, str(as_of), str(date.today()) if daily else ""], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def history(shop: "Shop", as_of: date | None, *, fresh: bool = False) -> "HistoryFile":
    """The history of a shop as of a day, made anew only where its sources or settings have changed, or `fresh`."""
    from lifestage import engines
    from lifestage.errors import InputError
    from lifestage.localtime import midnight

    path = shop.output / "history.parquet"
    stamp = shop.output / "history.key"
    key = _key(shop, as_of)
    if not fresh and path.exists() and stamp.is_file() and stamp.read_text() == key:
        try:
            file = engines.open_history(shop, path)
            _ = file.facts
            return file
        except InputError:
            pass
    extracted_at = now()
    shop.output.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    moment = None if as_of is None else midnight(as_of, shop.timezone)
    file = engines.make_history(shop, extracted_at, moment, path, bar)
    stamp.write_text(key)
    return file


def data_window(file: "HistoryFile") -> dict[str, str]:
    """The span and fingerprint of the data, for runs and model folders."""
    facts = file.facts
    return {
        "data_from": shown(facts["first_purchase"], file.zone),
        "as_of": shown(facts["as_of"], file.zone),
        "observed_until": shown(facts["observed_until"], file.zone),
        "customers": str(file.customers),
        "fingerprint": facts["fingerprint"],
    }


def describe(file: "HistoryFile") -> None:
    """Print what was read, kept and set aside."""
    facts = file.facts
    zone = file.zone
    for table, counts in facts["report"]["tables"].items():
        rejected = counts["rejected"]
        note = ", ".join(f"{n:,} {reason}" for reason, n in rejected.items()) if rejected else "none"
        say(
            f"{table}: {counts['rows_read']:,} rows read, {counts['kept']:,} kept, {counts['filtered']:,} filtered "
            f"out, {counts['out_of_scope']:,} at or after as_of; set aside: {note}"
        )
    say(
        f"{file.customers:,} customers from {shown(facts['first_purchase'], zone)}, as of "
        f"{shown(facts['as_of'], zone)}; labels complete up to {shown(facts['observed_until'], zone)} ({zone})"
    )


def run(args: argparse.Namespace) -> None:
    from lifestage import settings

    shop = settings.load(args.config)
    describe(history(shop, args.as_of, fresh=any(source.table for source in shop.sources.given.values())))


if __name__ == "__main__":
    main(parser("prepare", DESCRIPTION), run)
