"""The score store: the current scores, every change of stage, alerts, and the runs that brought them.

A SQLite file, or a schema of a PostgreSQL database; the URL says which. Both keep the same tables and give the same
values: instants are UTC microseconds, nested columns JSON text, and text is compared by its UTF-8 bytes.
"""

from pathlib import Path
from urllib.parse import urlsplit

from lifestage.errors import InputError
from lifestage.store.base import Store, Stored, StoreError
from lifestage.store.flow import FLOW
from lifestage.store.postgres_url import SCHEMES, Place
from lifestage.store.sqlite import SqliteStore

__all__ = ["FLOW", "Store", "StoreError", "Stored", "open_store"]


def open_store(url: str) -> Store:
    """The store at `sqlite:///relative/path.db`, `sqlite:////absolute/path.db` or `postgresql://user@host:5432/db`
    (schema lifestage, or the one of `?schema=name`); touches no file or server yet.

    Raises InputError for another kind of URL, a password in it, or a driver that is not installed.
    """
    if urlsplit(url).scheme in SCHEMES:
        place = Place.of(url)
        try:
            from lifestage.store.postgres import PostgresStore
        except ImportError:
            raise InputError(
                "store: its driver psycopg is not installed; install lifestage[postgres]"
            ) from None
        return PostgresStore(place)
    path = url.removeprefix("sqlite:///")
    if path == url or not path:
        raise InputError(
            f"store: '{url}' is no score store; expected sqlite:///relative/path.db, sqlite:////absolute/path.db or "
            "postgresql://user@host:5432/database"
        )
    return SqliteStore(Path(path))
