"""A person taken out of everything that Lifestage made of a shop, and the proof that nothing is left."""

import argparse
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING

from training.command import bar, main, now, parser, say
from training.exclusive import hold
from training.forget_notes import count, tell, who_is_known
from training.places import FOUND, REMAINS, REMOVED, Places

if TYPE_CHECKING:
    from lifestage.erasure.needles import Needles
    from lifestage.settings import Shop

DESCRIPTION = """Forget customers: remove them, under every alias that the shop's identities know, from history,
quarantine, runs, score store, lists, alerts and reports; then search every file of ours for their ids, and print what
was found, removed, searched, and what remains. The next 'prepare' leaves their rows out.

  python -m training.forget --config configs/shop.yaml --customer C000017 --dry-run

--dry-run only searches. Exit code 0: nothing is left in what is ours; 1: something is. Your own source files are named,
never changed. Cut off at any moment: run it again."""
FAILED = 1
"""Exit code where something remains."""


def forget(shop: "Shop", customers: list[str], *, dry_run: bool, aliases: bool) -> bool:
    """Forget customers by the shop's own ids; whether nothing of them remains."""
    from lifestage import privacy as private
    from lifestage.privacy import forgotten

    hold(shop.output)
    privacy = private.open_privacy(shop.output, shop.privacy.hash_ids)
    people = _persons(shop, customers, aliases)
    raw = set[str]().union(*people)
    ids = frozenset(privacy.id_of(name) for name in raw)
    gone = set(compress(sorted(raw), privacy.are_forgotten(sorted(raw))))
    if not dry_run:
        was, told = privacy.forgotten.stamp, privacy.forgotten.plus(sorted(ids))
        forgotten.write(shop.output, told)  # first: from now on no intake brings them back
    needles, known = _needles(shop, ids, raw)
    say(
        f"{shop.shop}: {count(len(customers), 'customer')}, {count(len(raw), 'id')} with their aliases"
        f"{', hashed' if privacy.hashed else ''}"
    )
    who_is_known(people, {name for name in raw if privacy.id_of(name) in known}, gone, dry_run=dry_run)
    places = Places()
    searched, volume = _search(shop, needles, places, FOUND)
    if dry_run:
        places.show()
        say(
            f"dry run: {searched:,} files ({volume / 2**20:,.1f} MB) and the score store searched, nothing removed"
        )
        tell(shop, needles)
        return True
    _remove(shop, needles, places)
    _restamp(shop.output, was, told.stamp)
    searched, volume = _search(shop, needles, places, REMAINS)
    places.show()
    if not places.rows:
        say("nothing of ours names them; the next intake leaves them out all the same")
    say(f"searched: {searched:,} files ({volume / 2**20:,.1f} MB) and the score store")
    tell(shop, needles)
    left = places.remaining()
    say(f"REMAINS in {count(len(left), 'place')}" if left else "nothing remains in what is ours")
    return not left


def _persons(shop: "Shop", customers: list[str], aliases: bool) -> list[set[str]]:
    """Every id of each person, read as intake reads ids. Raises InputError."""
    from lifestage.errors import InputError
    from lifestage.intake.forgetting import known_as
    from lifestage.record_values import identifier

    read = {identifier(name) for name in customers}
    ids = {name for name in read if name}
    if len(ids) < len(read) or not ids:
        raise InputError("--customer: an id is empty; give the customer's id as in your tables")
    if not aliases:
        return [{name} for name in ids]
    try:
        return known_as(shop, ids, now())
    except InputError as error:
        raise InputError(
            f"{error}. Who else the person is cannot be known without it; to forget only the ids named, add "
            "--without-aliases"
        ) from None


def _needles(shop: "Shop", ids: frozenset[str], raw: set[str]) -> tuple["Needles", set[str]]:
    """What to look for: the ids as Lifestage has them and, where they are hashed, the raw ones as well; and which of
    them somebody has."""
    import pyarrow.parquet as pq

    from lifestage.erasure.needles import Needles, holding
    from lifestage.store import open_store

    every = ids | frozenset(raw)
    others: set[str] = set()
    store = open_store(shop.store_url)
    known = {name for name in ids if store.holds(name)}
    parts = [*shop.output.glob("history*.parquet"), *shop.output.glob("history*.parquet/part-*.parquet")]
    for path in [*parts, *shop.output.glob("runs/*/part-*.parquet")]:
        if path.is_file():
            names = pq.read_table(path, columns=["customer_id"])["customer_id"].to_pylist()
            others.update(holding(every, names))
            known |= every.intersection(names)
    return Needles(every, tuple(sorted(others))), known


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
