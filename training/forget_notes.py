"""What is said about a search for people: who is known at all, how each id was looked for, what lies beyond."""

from typing import TYPE_CHECKING

from training.command import say

if TYPE_CHECKING:
    from lifestage.erasure.needles import Needles
    from lifestage.settings import Shop

NAMED = 5
"""Ids that a line names at most."""


def count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def who_is_known(people: list[set[str]], known: set[str], gone: set[str], *, dry_run: bool) -> None:
    """Name those of whom neither history, runs nor store have any id: of a mistyped id nothing is found either."""
    strangers = sorted(min(ids - gone) for ids in people if not ids & (known | gone))
    if strangers:
        say(
            f"note: nobody of {'this id' if len(strangers) == 1 else 'these ids'} is known here (no row of history, "
            f"runs or store): {_named(strangers)}; check the spelling"
            + ("" if dry_run else ". Forgotten all the same: the next intake leaves them out")
        )
    again = sorted(min(ids & gone) for ids in people if ids & gone and not ids & known)
    if again:
        say(f"note: forgotten before: {_named(again)}")


def _named(ids: list[str]) -> str:
    more = len(ids) - NAMED
    return ", ".join(repr(name) for name in ids[:NAMED]) + (f" and {more:,} more" if more > 0 else "")


def tell(shop: "Shop", needles: "Needles") -> None:
    """How was searched, what was not, what is the user's own, and what cannot be known."""
    from lifestage.erasure.needles import LEAST, SURE

    say(
        f"how: {count(len(needles.ids), 'id')} where ids stand (columns of Parquet, SQLite and lists, fields of JSON "
        "and YAML, tables of the store, cells of pages)"
    )
    if needles.long:
        say(
            f"how: {count(len(needles.long), 'id')} as whole words of texts and of every column of texts, too"
        )
    if needles.rare:
        say(f"how: {count(len(needles.rare), 'id')} byte by byte in every file, too")
    if short := needles.ids - needles.long:
        say(
            f"note: {count(len(short), 'id')} shorter than {LEAST} bytes, or a plain word: looked for only where ids "
            "stand; elsewhere such texts stand by chance"
        )
    if digits := needles.long - needles.rare:
        say(
            f"note: {count(len(digits), 'id')} of fewer than {SURE} digits: not looked for byte by byte in files that "
            "are no texts, where such digits stand by chance; those files were written anew without the rows"
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
