"""The score store: the current scores, every change of stage, alerts, and the runs that brought them.

A SQLite file, or a schema of a PostgreSQL database; the URL says which. Both keep the same tables and give the same
values: instants are UTC microseconds, nested columns JSON text, and text is compared by its UTF-8 bytes.
"""

from pathlib import Path

from lifestage.errors import InputError
from lifestage.store.base import Store, Stored, StoreError
from lifestage.store.flow import FLOW
from lifestage.store.sqlite import SqliteStore

__all__ = ["FLOW", "Store", "StoreError", "Stored", "open_store"]


def open_store(url: str) -> Store:
    """The store at `sqlite:///relative/path.db` or `sqlite:////absolute/path.db`; touches no file yet.

    Raises InputError for another kind of URL.
    """
    path = url.removeprefix("sqlite:///")
    if path == url or not path:
        raise InputError(
            f"store: '{url}' is no score store; expected sqlite:///relative/path.db or sqlite:////absolute/path.db"
        )
    return SqliteStore(Path(path))
