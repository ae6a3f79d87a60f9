"""Make, list and take away the API keys of a shop's service. A running service takes a change up by itself."""

import argparse
import re
import sys
from datetime import UTC, date, datetime
from pathlib import Path

from serving.scopes import NAME, SCOPES

DESCRIPTION = """Make, list and take away the API keys of a shop's service, which takes a change up within about a
second, without a restart. The file holds only hashes: a key is shown once, when it is made."""
BAD_INPUT = 2


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m serving.keys", description=DESCRIPTION)
    made.add_argument(
        "--config", required=True, metavar="FILE", help="the shop's YAML, e.g. configs/cdnow.yaml"
    )
    verbs = made.add_subparsers(dest="verb", required=True, metavar="add|list|remove")
    add = verbs.add_parser("add", help="make a key and print it, once", description=_scopes())
    add.add_argument("name", type=_name, metavar="NAME", help="who has the key, e.g. crm or checkout-2")
    add.add_argument("--scopes", type=_scoped, required=True, metavar="read,score", help="what it may")
    add.add_argument(
        "--expires",
        type=_day,
        metavar="YYYY-MM-DD",
        help="the day from whose beginning (UTC) it no longer works",
    )
    verbs.add_parser("list", help="all keys: name, scopes, days")
    remove = verbs.add_parser("remove", help="take a key away")
    remove.add_argument("name", metavar="NAME", help="of the key, as 'list' shows it")
    return made


def _scopes() -> str:
    return "Make a key and print it, once. Scopes: " + "; ".join(
        f"{name} ({what})" for name, what in SCOPES.items()
    )


def _name(text: str) -> str:
    if re.match(NAME, text) and "\n" not in text:
        return text
    raise argparse.ArgumentTypeError(
        f"'{text[:80]}' is no name of a key; use 1 to 63 English letters, digits, '.', '_' and '-', beginning "
        "with a letter or digit"
    )


def _scoped(text: str) -> tuple[str, ...]:
    given = [scope.strip() for scope in text.split(",")]
    for scope in given:
        if scope not in SCOPES:
            raise argparse.ArgumentTypeError(
                f"'{scope[:80]}' is no scope; give {' or '.join(SCOPES)}, or both: {','.join(SCOPES)}"
            )
    return tuple(scope for scope in SCOPES if scope in given)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text[:80]}' is not a date; write it as YYYY-MM-DD") from None


def today() -> date:
    """In UTC, as expiry is counted."""
    return datetime.now(UTC).date()


def add(path: Path, name: str, scopes: tuple[str, ...], expires: date | None) -> None:
    """Print the key on the standard output alone, so that a script can take it; the rest goes beside it."""
    from lifestage import errors
    from serving import keyfile

    if expires is not None and expires <= today():
        raise errors.InputError(
            f"--expires {expires}: is not after today, {today()} in UTC; give a later day"
        )
    key = keyfile.add(path, name, scopes, today(), expires)
    print(key, flush=True)
    until = f"until {expires} begins (UTC)" if expires else "until it is removed"
    print(
        f"key '{name}' may {', '.join(scopes)}, {until}. It is shown this once: {path} holds its hash only. "
        "Callers send it in the header 'Authorization: Bearer KEY'.",
        file=sys.stderr,
    )


def listed(path: Path) -> list[str]:
    """One line per key, below a line of headings."""
    from serving import keyfile

    keys = keyfile.read(path)
    if not keys:
        return [f"{path} holds no keys; make one by: python -m serving.keys ... add NAME --scopes read,score"]
    rows = [("name", "scopes", "created", "expires")]
    for key in keys:
        over = " (no longer valid)" if key.expires and key.expires <= today() else ""
        rows.append((key.name, ",".join(key.scopes), str(key.created), f"{key.expires or 'never'}{over}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def remove(path: Path, name: str) -> None:
    from serving import keyfile

    left = keyfile.remove(path, name)
    what = (
        f"{left} left"
        if left
        else "none is left, and a service that asks for a key lets nobody in until there is one"
    )
    print(f"removed key '{name}'; {what}")


def main() -> None:
    """Exit code 0, or 2 and one sentence for bad input."""
    args = parser().parse_args()
    from lifestage.errors import InputError
    from lifestage.settings import load
    from serving.keyfile import path_of

    try:
        path = path_of(load(args.config))
        if args.verb == "add":
            add(path, args.name, args.scopes, args.expires)
        elif args.verb == "remove":
            remove(path, args.name)
        else:
            print("\n".join(listed(path)))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(BAD_INPUT) from None


if __name__ == "__main__":
    main()
