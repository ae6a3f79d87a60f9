"""The store's SQL, which is SQLite's, as PostgreSQL reads it."""

import re
from functools import lru_cache

from lifestage.schemas import SCORE
from lifestage.store.sqlite_load import kind_of

# Text is compared by its bytes, as SQLite does: 'a' after 'Z', and the same order on every server.
_TYPES = {"INTEGER": "BIGINT", "REAL": "DOUBLE PRECISION", "TEXT": 'TEXT COLLATE "C"'}
_VALUE = re.compile(r"'[^']*'|\?|(?<![:\w]):([a-z_]+)|%")


@lru_cache(maxsize=256)
def spoken(query: str, values: bool) -> str:
    """The query with PostgreSQL's types, and psycopg's marks where `values` are given."""
    if query.startswith("CREATE TABLE"):
        for theirs, ours in _TYPES.items():
            query = re.sub(rf"\b{theirs}\b", ours, query)
        return query.removesuffix(" WITHOUT ROWID")
    return _VALUE.sub(_mark, query) if values else query


def _mark(found: re.Match[str]) -> str:
    if found[0] == "?":
        return "%s"
    if found[1]:
        return f"%({found[1]})s"
    return found[0].replace("%", "%%")


def create_scores(columns: tuple[str, ...], *, lasting: bool) -> str:
    """A table of scores that is still to be loaded, without its key."""
    typed = [f"{name} {_TYPES[kind_of(SCORE.field(name).type)]}" for name in columns]
    if lasting:
        return f"CREATE TABLE loading_scores ({', '.join(typed)})"
    return f"CREATE TEMP TABLE loading_scores ({', '.join(typed)}) ON COMMIT DROP"
