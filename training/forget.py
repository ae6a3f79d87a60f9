"""A person taken out of everything that Lifestage made of a shop, and the proof that nothing is left."""

import argparse
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from training.command import bar, main, now, parser, say
from training.exclusive import hold

if TYPE_CHECKING:
    from lifestage.erasure.needles import Needles
    from lifestage.settings import Shop

DESCRIPTION = """Forget customers: remove them, under every alias that the shop's identities know, from history,
quarantine, runs, score store, lists, alerts and reports; then search every file of ours for their ids, and print what
was found, removed, searched, and what remains. The next 'prepare' leaves their rows out.

  python -m training.forget --config configs/shop.yaml --customer C000017 --dry-run

--dry-run only searches. Exit code 0: nothing is left in what is ours; 1: something is. Your own source files are named,
never changed. Cut off at any moment: run it again."""
FOUND, REMOVED, REMAINS = range(3)
"""Columns of the table of places."""
FAILED = 1
"""Exit code where something remains."""
SHOWN = 40
"""Rows of the table of places that are printed."""


@dataclass
class Places:
    """What became of each place; the files of all scoring runs are one place."""

    rows: dict[str, tuple[Counter[str], Counter[str], Counter[str]]] = field(default_factory=dict)
    """Place -> found, removed, remains: what, and how many of it."""

    def note(self, place: str, column: int, what: str, n: int = 1) -> None:
        row = self.rows.setdefault(place, (Counter(), Counter(), Counter()))
        row[column][what] += n

    def remaining(self) -> list[str]:
        return [place for place, row in self.rows.items() if row[REMAINS]]

    def show(self) -> None:
        """What remains first."""
        if not self.rows:
            return
        rows = sorted(self.rows.items(), key=lambda row: (not row[1][REMAINS], row[0]))
        lines = [
            ("place", "found", "removed", "remains"),
            *((name, *map(_counted, row)) for name, row in rows[:SHOWN]),
        ]
        widths = [max(len(line[i]) for line in lines) for i in range(4)]
        for line in lines:
            say("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
        if len(rows) > SHOWN:
            say(f"... and {len(rows) - SHOWN:,} more places")


def _counted(found: Counter[str]) -> str:
    return ", ".join(what if n == 1 else f"{n:,} x {what}" for what, n in sorted(found.items()))


def forget(shop: "Shop", customers: list[str], *, dry_run: bool, aliases: bool) -> bool:
    """Forget customers by the shop's own ids; whether nothing of them remains."""
    from lifestage import privacy as private
    from lifestage.privacy import forgotten

    hold(shop.output)
    privacy = private.open_privacy(shop.output, shop.privacy.hash_ids)
    raw = _persons(shop, customers, aliases)
    ids = frozenset(privacy.id_of(name) for name in raw)
    if not dry_run:
        was, told = privacy.forgotten.stamp, privacy.forgotten.plus(sorted(ids))
        forgotten.write(shop.output, told)  # first: from now on no intake brings them back
    needles = _needles(shop, ids, raw)
    say(
        f"{shop.shop}: {_count(len(customers), 'customer')}, {_count(len(raw), 'id')} with their aliases"
        f"{', hashed' if privacy.hashed else ''}"
    )
    places = Places()
    searched, volume = _search(shop, needles, places, FOUND)
    if dry_run:
        places.show()
        say(
            f"dry run: {searched:,} files ({volume / 2**20:,.1f} MB) and the score store searched, nothing removed"
        )
        _tell(shop, needles)
        return True
    _remove(shop, needles, places)
    _restamp(shop.output, was, told.stamp)
    searched, volume = _search(shop, needles, places, REMAINS)
    places.show()
    if not places.rows:
        say("nothing of ours names them; the next intake leaves them out all the same")
    say(f"searched: {searched:,} files ({volume / 2**20:,.1f} MB) and the score store")
    _tell(shop, needles)
    left = places.remaining()
    say(f"REMAINS in {_count(len(left), 'place')}" if left else "nothing remains in what is ours")
    return not left


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _persons(shop: "Shop", customers: list[str], aliases: bool) -> set[str]:
    """Every id of the people, read as intake reads ids. Raises InputError."""
    from lifestage.errors import InputError
    from lifestage.intake.forgetting import known_as
    from lifestage.record_values import identifier

    read = {identifier(name) for name in customers}
    ids = {name for name in read if name}
    if len(ids) < len(read) or not ids:
        raise InputError("--customer: an id is empty; give the customer's id as in your tables")
    if not aliases:
        return ids
    try:
        return known_as(shop, ids, now())
    except InputError as error:
        raise InputError(
            f"{error}. Who else the person is cannot be known without it; to forget only the ids named, add "
            "--without-aliases"
        ) from None


def _needles(shop: "Shop", ids: frozenset[str], raw: set[str]) -> "Needles":
    """What to look for: the ids as Lifestage has them and, where they are hashed, the raw ones as well."""
    import pyarrow.parquet as pq

    from lifestage.erasure.needles import Needles, holding

    every = ids | frozenset(raw)
    others: set[str] = set()
    parts = [*shop.output.glob("history*.parquet"), *shop.output.glob("history*.parquet/part-*.parquet")]
    for path in [*parts, *shop.output.glob("runs/*/part-*.parquet")]:
        if path.is_file():
            names = pq.read_table(path, columns=["customer_id"])["customer_id"].to_pylist()
            others.update(holding(every, names))
    return Needles(every, tuple(sorted(others)))


def _folders(shop: "Shop") -> list[Path]:
    """Where files of ours lie; those of one that is part of another are searched once all the same."""
    found = [shop.output, shop.releases, shop.alerts_folder]
    for url in (shop.tracking_uri, shop.store_url):
        if url.startswith("sqlite:///"):
            path = Path(url.removeprefix("sqlite:///"))
            found += [path, *path.parent.glob(f"{path.name}-*"), path.parent / f"{path.stem}-artifacts"]
    return [path for path in found if path.exists()]


def _sources(shop: "Shop") -> set[Path]:
    from glob import glob

    return {
        Path(p).resolve() for s in shop.sources.given.values() for p in glob(s.path or "", recursive=True)
    }


def _files(shop: "Shop") -> list[Path]:
    """Every file of ours; the user's own sources are none, wherever they lie."""
    from lifestage.erasure.search import files_below

    own = _sources(shop)
    return [path for path in files_below(_folders(shop)) if path.resolve() not in own]


def _search(shop: "Shop", needles: "Needles", places: Places, column: int) -> tuple[int, int]:
    """Note every trace; how many files of how many bytes were searched."""
    from lifestage.erasure.search import traces
    from lifestage.store import open_store

    files, volume = _files(shop), 0
    with bar("searching", len(files), " files") as progress:
        for path in files:
            volume += path.stat().st_size
            if found := traces(path, needles):
                for what in found:
                    places.note(_place(shop, path), column, what)
            progress(1)
    store = open_store(shop.store_url)
    tables = sorted({table for name in needles.ids for table in store.holds(name)})
    if tables:
        places.note("score store", column, f"tables {', '.join(tables)}")
    return len(files), volume


def _remove(shop: "Shop", needles: "Needles", places: Places) -> None:
    """Take the people out, place by place; each place is changed whole or not at all."""
    from lifestage.erasure.drafts import PATTERN
    from lifestage.erasure.history import from_history
    from lifestage.erasure.removal import remover
    from lifestage.store import open_store

    for folder in (shop.output, shop.alerts_folder):
        for draft in folder.rglob(PATTERN):  # of a run that was killed: the lock is ours
            if draft.is_file():
                draft.unlink()
    for path in sorted(shop.output.glob("history*.parquet")):
        if n := from_history(path, needles):
            places.note(_place(shop, path), REMOVED, "customer", n)
    history = [path.resolve() for path in shop.output.glob("history*.parquet")]
    immutable = shop.releases.resolve()
    changed = set()
    for path in _files(shop):
        there = path.resolve()
        take = remover(path)
        if (
            take is None
            or immutable in there.parents
            or any(h == there or h in there.parents for h in history)
        ):
            continue
        if n := take(path, needles):
            page = path.suffix == ".html"
            places.note(_place(shop, path), REMOVED, "the page: make it again" if page else "row", n)
            changed.add(path.parent)
    for folder in changed:
        _recount(folder)
    store = open_store(shop.store_url)
    removed: dict[str, int] = {}
    for name in sorted(needles.ids):
        for table, n in store.forget(name).items():
            removed[table] = removed.get(table, 0) + n
    for table, n in removed.items():
        places.note("score store", REMOVED, f"row of {table}", n)


def _recount(folder: Path) -> None:
    """The number of customers that a run says it has."""
    import json

    import pyarrow.parquet as pq

    from lifestage.erasure.drafts import replaced

    path = folder / "run.json"
    if not path.exists():
        return
    facts = json.loads(path.read_text(encoding="utf-8"))
    facts["customers"] = sum(pq.read_metadata(part).num_rows for part in folder.glob("part-*.parquet"))
    with replaced(path) as draft:
        draft.write_text(json.dumps(facts, indent=1), encoding="utf-8")


def _restamp(folder: Path, was: str, told: str) -> None:
    """The history stands for the new list of the forgotten, if it stood for the one before."""
    from lifestage.erasure.drafts import replaced

    path = folder / "history.key"
    if was == told or not path.exists():
        return
    key, _, stamp = path.read_text().partition(" ")
    if stamp != was:
        path.unlink()  # of a run that was killed: the next one makes the history anew
        return
    with replaced(path) as draft:
        draft.write_text(f"{key} {told}")


def _tell(shop: "Shop", needles: "Needles") -> None:
    """What was not searched, what is the user's own, and what cannot be known."""
    from lifestage.erasure.needles import LEAST

    if short := needles.ids - needles.long:
        say(
            f"note: {_count(len(short), 'id')} shorter than {LEAST} bytes: looked for where ids stand (columns, "
            "fields, cells, tables), not as bytes, which stand everywhere by chance"
        )
    for name, source in shop.sources.given.items():
        where = source.path or source.table or f"dataset {source.dataset}"
        say(f"yours, not changed: {name} in {where}; delete the person there as well")
    if not shop.tracking_uri.startswith("sqlite:///"):
        say(f"not searched: MLflow at {shop.tracking_uri} (Lifestage logs no ids there)")
    say(
        "beyond our reach: backups, copies of lists and reports elsewhere, what webhooks received, blocks that the "
        "disk has freed. Model parameters are sums over many customers and hold no ids"
    )


def _place(shop: "Shop", path: Path) -> str:
    """What a file is called in the table."""
    runs = shop.output / "runs"
    return f"{_shown(runs)}/*" if path.is_relative_to(runs) else _shown(path)


def _shown(path: Path) -> str:
    path = path.resolve()
    return (path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path).as_posix()


def _asked(args: argparse.Namespace) -> list[str]:
    from lifestage.errors import InputError

    names: list[str] = list(args.customer)
    if args.customers is not None:
        try:
            lines = args.customers.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"--customers {args.customers}: cannot be read ({error}); give a text file"
            ) from None
        names += [line for line in lines if line.strip()]
    if not names:
        raise InputError("nobody is named; give --customer ID, or --customers FILE with one id a line")
    return names


def run(args: argparse.Namespace) -> None:
    from lifestage import settings

    shop = settings.load(args.config)
    if not forget(shop, _asked(args), dry_run=args.dry_run, aliases=not args.without_aliases):
        raise SystemExit(FAILED)


if __name__ == "__main__":
    made = parser("forget", DESCRIPTION, as_of=False)
    made.add_argument(
        "--customer",
        action="append",
        default=[],
        metavar="ID",
        help="the customer's id in your tables; repeatable",
    )
    made.add_argument("--customers", type=Path, metavar="FILE", help="a text file with one id a line")
    made.add_argument("--dry-run", action="store_true", help="only search and say what would be removed")
    made.add_argument(
        "--without-aliases",
        action="store_true",
        help="forget the ids named only; the table of identities is not read",
    )
    main(made, run)
