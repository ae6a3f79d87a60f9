"""Raw tables -> the checked history file that training and scoring read.

Every other script calls `history` and so makes the file when it is missing or its sources have changed.
"""

import argparse
import hashlib
import json
from datetime import date
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.command import bar, main, now, parser, say, shown
from training.exclusive import hold

if TYPE_CHECKING:
    from lifestage.history_file import HistoryFile
    from lifestage.settings import Shop

SILENT_DAYS = 14
"""A shop that is quiet for longer before as_of is told so: an old export makes everybody look inactive."""
DESCRIPTION = """Read the shop's tables, set bad rows aside (quarantine.parquet), link refunds, and write the history:
one row a customer, everything in order of time."""


def _key(shop: "Shop", as_of: date | None) -> str:
    """Changes when the sources, the config or schema that shape the history, or the asked-for date change.

    A table of a database does not say when it changed: it counts as new every day.
    """
    from lifestage.localtime import day_of
    from lifestage.schemas import HISTORY

    paths = [path for source in shop.sources.given.values() for path in sorted(glob(source.path or ""))]
    files = [(path, (stat := Path(path).stat()).st_size, stat.st_mtime_ns) for path in paths]
    names = {"engine", "sources", "intake", "timezone", "currency", "as_of", "observed_until"}
    shape = shop.model_dump(mode="json", include=names)
    shape |= shop.churn.model_dump(mode="json", include={"definition", "horizon_days"})  # of labels' windows
    daily = shop.as_of == "now" or _has_tables(shop)
    today = day_of(now(), shop.timezone) if daily else None
    text = json.dumps([shape, files, str(as_of), str(today), str(HISTORY)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _has_tables(shop: "Shop") -> bool:
    return any(source.table for source in shop.sources.given.values())


def stamp_of(shop: "Shop", as_of: date | None) -> str:
    """What a history was made of: its key, then what changes with the list of the forgotten, where there is one."""
    from lifestage.privacy import open_privacy

    privacy = open_privacy(shop.output, shop.privacy.hash_ids)
    return " ".join(part for part in (_key(shop, as_of) + privacy.stamp, privacy.forgotten.stamp) if part)


def history(shop: "Shop", as_of: date | None, *, fresh: bool = False) -> "HistoryFile":
    """The history of a shop as of a day, made anew only where its sources or settings have changed, or `fresh`."""
    from lifestage import engines
    from lifestage.errors import InputError
    from lifestage.localtime import midnight

    hold(shop.output)
    path = shop.output / "history.parquet"
    stamp = shop.output / "history.key"
    key = stamp_of(shop, as_of)
    if not fresh and path.exists() and stamp.is_file() and stamp.read_text() == key:
        try:
            file = engines.open_history(shop, path)
            _ = file.facts
            return file
        except InputError:
            pass
    extracted_at = now()
    stamp.unlink(missing_ok=True)
    moment = None if as_of is None else midnight(as_of, shop.timezone)
    file = engines.make_history(shop, extracted_at, moment, path, bar)
    stamp.write_text(key)
    return file


def data_window(file: "HistoryFile") -> dict[str, str]:
    """The span and fingerprint of the data, for runs and model folders."""
    facts = file.facts
    return {
        "data_from": shown(facts["first_row"], file.zone),
        "as_of": shown(facts["as_of"], file.zone),
        "observed_until": shown(facts["observed_until"], file.zone),
        "customers": str(file.customers),
        "fingerprint": facts["fingerprint"],
    }


def sources_of(shop: "Shop") -> dict[str, str]:
    """Table -> where it lies, for the lineage of a run: a path, a table of the engine, or a dataset of the package."""
    named = {
        name: source.path or source.table or f"dataset:{source.dataset}"
        for name, source in shop.sources.given.items()
    }
    return {"engine": shop.engine, **named}


def describe(file: "HistoryFile") -> None:
    """Print what was read, kept and set aside."""
    from lifestage.localtime import DAY

    facts = file.facts
    zone = file.zone
    for table, counts in facts["report"]["tables"].items():
        rejected = counts["rejected"]
        note = ", ".join(f"{n:,} {reason}" for reason, n in rejected.items()) if rejected else "none"
        say(
            f"{table}: {counts['rows_read']:,} rows read, {counts['kept']:,} kept, {counts['filtered']:,} filtered "
            f"out, {counts['out_of_scope']:,} at or after as_of; set aside: {note}"
        )
    if merged := facts["report"].get("identities"):
        for line in identity_lines(merged):
            say(line)
    say(
        f"{file.customers:,} customers from {shown(facts['first_row'], zone)}, as of "
        f"{shown(facts['as_of'], zone)}; labels complete up to {shown(facts['observed_until'], zone)} ({zone})"
    )
    if left := facts["report"].get("forgotten"):
        people = "customer" if left["customers"] == 1 else "customers"
        say(f"{left['rows']:,} rows of {left['customers']:,} forgotten {people} left out")
    silent = (facts["as_of"] - facts["observed_until"]) // DAY - 1
    if silent > SILENT_DAYS:
        say(f"note: nobody has bought in the {silent} days before as_of; is that so, or are the data older?")


def identity_lines(merged: "dict[str, Any]") -> list[str]:
    """What the aliases came to, as lines to print."""
    rows = ", ".join(f"{n:,} of {table}" for table, n in merged["rows"].items()) or "none"
    lines = [
        f"identities: {merged['aliases']:,} aliases, {merged['ids_merged']:,} ids became one of "
        f"{merged['customers_merged']:,} others (rows renamed: {rows}); {merged['profiles_combined']:,} rows of "
        "customers combined"
    ]
    for example in merged["examples"]:
        lines.append(f"  {', '.join(example['aliases'])} -> {example['customer_id']}")
    if merged["conflicts"]:
        found = "; ".join(
            f"{e['alias']} -> {' and '.join(e['customer_ids'])}" for e in merged["conflict_examples"]
        )
        lines.append(f"  {merged['conflicts']:,} aliases name several customers, who count as one: {found}")
    if merged["cycles"]:
        found = "; ".join(", ".join(ids) for ids in merged["cycle_examples"])
        lines.append(f"  {merged['cycles']:,} circles of aliases, named by their least id: {found}")
    return lines


def run(args: argparse.Namespace) -> None:
    from lifestage import settings

    shop = settings.load(args.config)
    describe(history(shop, args.as_of, fresh=_has_tables(shop)))


if __name__ == "__main__":
    main(parser("prepare", DESCRIPTION), run)
