"""A store of each kind: a SQLite file, and a schema of a PostgreSQL server of the tests' own."""

import importlib.util
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from lifestage.store import Store, open_store
from tests import postgres_server
from tests.postgres_server import Server

_SCHEMAS = count()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """Lives to the end of the run; skipped with the reason where it cannot."""
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip("its driver is not installed: pip install -e '.[postgres]'")
    if reason := postgres_server.why_not():
        pytest.skip(reason)
    with postgres_server.running() as made:
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store; its folder or schema does not exist yet."""
    if request.param == "sqlite":
        return f"sqlite:///{(tmp_path / 'in' / 'store.db').as_posix()}"
    return f"{request.getfixturevalue('server').url}?schema=s{next(_SCHEMAS)}"


@pytest.fixture
def store(url: str) -> Store:
    return open_store(url)
