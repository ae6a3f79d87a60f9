"""What a PostgreSQL store alone does."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

from lifestage.errors import InputError
from lifestage.store import Store, StoreError, open_store
from lifestage.store.postgres_sql import spoken
from lifestage.store.postgres_url import Place
from tests import postgres_server
from tests.postgres_server import Server
from tests.store.parts import MONTHS, part, publish, wide

SRC = Path(__file__).parents[2] / "src"
_SCHEMAS = count()


@pytest.fixture
def url(server: Server) -> str:
    return f"{server.url}?schema=p{next(_SCHEMAS)}"


@pytest.fixture
def store(url: str) -> Store:
    return open_store(url)


def asked(url: str, *statements: str) -> list[tuple[object, ...]]:
    """Each in a transaction of its own; the rows of the last."""
    import psycopg

    with psycopg.connect(Place.of(url).conninfo, autocommit=True) as connection:
        for statement in statements:
            cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


# --- where it lies ---------------------------------------------------------------------------------------------


def test_a_password_does_not_belong_into_the_url() -> None:
    for url in (
        "postgresql://u:secret@host/db",
        "postgres://u@host/db?password=secret",
        "postgres://:secret@h/d",
    ):
        with pytest.raises(
            InputError, match=r"store: a password does not belong into a file.*PGPASSWORD"
        ) as caught:
            open_store(url)
        assert "secret" not in str(caught.value)


def test_a_place_is_a_schema_of_a_database() -> None:
    place = Place.of("postgresql://u@host:5433/db?schema=shop_1&sslmode=require")
    assert place == Place(
        "postgresql://u@host:5433/db?sslmode=require", "shop_1", "postgresql://host:5433/db"
    )
    assert Place.of("postgres://host/db").schema == "lifestage"
    for schema in ("Shop", "a-b", "x;drop", ""):
        with pytest.raises(InputError, match=r"store: schema '.*' is no plain name"):
            Place.of(f"postgres://host/db?schema={schema}")


def test_what_is_spoken() -> None:
    assert spoken("SELECT ':a' FROM t WHERE a = ? AND b LIKE '%' AND c = :name", True) == (
        "SELECT ':a' FROM t WHERE a = %s AND b LIKE '%%' AND c = %(name)s"
    )
    assert spoken("SELECT '%'", False) == "SELECT '%'"
    made = spoken("CREATE TABLE t (a TEXT NOT NULL, b INTEGER, c REAL) WITHOUT ROWID", False)
    assert made == 'CREATE TABLE t (a TEXT COLLATE "C" NOT NULL, b BIGINT, c DOUBLE PRECISION)'


def test_two_shops_share_a_database(store: Store, url: str, server: Server) -> None:
    asked(
        url,
        "CREATE TABLE IF NOT EXISTS public.scores (customer_id text, mine int)",
        "INSERT INTO public.scores VALUES ('a', 1)",
    )
    other = open_store(f"{server.url}?schema=p{next(_SCHEMAS)}")
    publish(store, MONTHS[0], {"a": "new"})
    assert other.current() is None  # public.scores is none of ours
    publish(other, MONTHS[0], {"a": "lost", "b": "lost"})
    assert (store.customer("a") or {})["stage"] == "new"
    other.forget("a")
    assert store.holds("a") == ["risk_history", "scores", "stage_history"]
    assert asked(url, "SELECT mine FROM public.scores WHERE customer_id = 'a'")


# --- away ------------------------------------------------------------------------------------------------------


@pytest.fixture
def own_server(server: Server) -> Iterator[Server]:  # noqa: ARG001  skips where none can be started
    """One that may be stopped."""
    with postgres_server.running() as made:
        yield made


def test_a_server_that_was_away_is_found_again(own_server: Server) -> None:
    store = open_store(own_server.url)
    publish(store, MONTHS[0], {"a": "new"})
    assert store.customer("a") is not None
    own_server.stop()
    for ask in (lambda: store.customer("a"), store.current, store.distribution, lambda: store.forget("a")):
        with pytest.raises(
            StoreError, match=r"postgres://127.*cannot be reached; check 'store', that the server runs"
        ):
            ask()
    with pytest.raises(StoreError, match="cannot be reached"):
        publish(store, MONTHS[1], {"a": "lost"})
    own_server.start()
    assert (store.customer("a") or {})["stage"] == "new"
    own_server.stop()
    own_server.start()
    assert (store.customer("a") or {})["stage"] == "new"  # between two questions: not even noticed


def test_a_server_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """What hangs is told within the time given; who asks soon after is told at once."""
    import socket

    pytest.importorskip("psycopg")
    monkeypatch.setattr("lifestage.store.postgres.RETRY_SECONDS", 60.0)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(50)
        store = open_store(f"postgres://u@127.0.0.1:{silent.getsockname()[1]}/db?connect_timeout=2")
        with pytest.raises(StoreError, match="cannot be reached"):
            store.current()
        monkeypatch.setattr("psycopg.connect", lambda *_, **__: pytest.fail("asked again"))
        with pytest.raises(StoreError, match="cannot be reached"):
            store.current()


def test_what_the_user_may_not_do(server: Server) -> None:
    asked(server.url, "DROP ROLE IF EXISTS guest", "CREATE ROLE guest LOGIN")
    guest = server.url.replace("lifestage@", "guest@")
    store = open_store(f"{guest}?schema=p{next(_SCHEMAS)}")
    assert store.current() is None
    with pytest.raises(StoreError, match=r"its user may not do that; grant CREATE on the database"):
        publish(store, MONTHS[0], {"a": "new"})


def test_a_database_of_another_encoding_is_refused(server: Server) -> None:
    asked(
        server.url,
        "DROP DATABASE IF EXISTS latin",
        "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0",
    )
    with pytest.raises(StoreError, match="its encoding is LATIN1, expected UTF8"):
        open_store(server.url.replace("/postgres", "/latin")).current()


# --- publishing ------------------------------------------------------------------------------------------------


def test_a_reader_who_does_not_end_is_told_of(
    store: Store, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psycopg

    monkeypatch.setattr("lifestage.store.postgres.WAIT_SECONDS", 2)
    monkeypatch.setattr("lifestage.store.postgres.SWAP_SECONDS", 1)
    publish(store, MONTHS[0], {"a": "new"})
    place = Place.of(url)
    with psycopg.connect(place.conninfo, options=f"-c search_path={place.schema}") as reader:
        reader.execute("SELECT count(*) FROM scores")
        with pytest.raises(StoreError, match="or read by somebody who does not end; try again"):
            publish(store, MONTHS[1], {"a": "lost"})
        assert (store.customer("a") or {})["stage"] == "new"
        assert [h["stage"] for h in store.stage_history("a")] == ["new"]
    publish(store, MONTHS[1], {"a": "lost"})
    assert (store.customer("a") or {})["stage"] == "lost"


def test_a_second_writer_waits_then_says_so(store: Store, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import psycopg

    monkeypatch.setattr("lifestage.store.postgres.WAIT_SECONDS", 1)
    publish(store, MONTHS[0], {"a": "new"})
    with psycopg.connect(Place.of(url).conninfo) as other:
        other.execute(
            "SELECT pg_advisory_xact_lock(hashtext('lifestage'), hashtext(%s))", (Place.of(url).schema,)
        )
        with pytest.raises(StoreError, match="is being written by another run"):
            publish(store, MONTHS[1], {"a": "lost"})
    publish(store, MONTHS[1], {"a": "lost"})


KILLED = """
import os, signal, sys
from pathlib import Path
import lifestage.store.postgres as module
from lifestage.store import open_store
moment, url, as_of, file = sys.argv[1:]
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
if moment == "swap":
    module._swap = die
elif moment == "record":
    module.publishing.record = die
elif moment == "swapped":
    swap = module._swap
    module._swap = lambda connection: die(swap(connection))
loaded = die if moment == "load" else None
open_store(url).publish("second", int(as_of), [Path(file)], current=True, progress=loaded)
"""


@pytest.mark.parametrize("moment", ["load", "record", "swap", "swapped", "none"])
def test_killed_publish_leaves_the_old_run(tmp_path: Path, store: Store, url: str, moment: str) -> None:
    store.publish("first", MONTHS[0], [part(tmp_path / "1.parquet", MONTHS[0], {"a": "new"})], current=True)
    file = wide(tmp_path / "2.parquet", MONTHS[1], 3_000, 2.0)
    argv = [sys.executable, "-c", KILLED, moment, url, str(MONTHS[1]), str(file)]
    done = subprocess.run(argv, capture_output=True, check=False, env={**os.environ, "PYTHONPATH": str(SRC)})
    assert done.returncode == (0 if moment == "none" else -signal.SIGKILL), done.stderr.decode()
    expected = "second" if moment == "none" else "first"
    assert (store.current() or {})["run"] == expected
    assert (store.customer("a") is None) == (expected == "second")
    store.publish("second", MONTHS[1], [file], current=True)
    assert (store.current() or {})["customers"] == sum(store.stages().values()) == 3_000
    left = asked(
        url,
        f"SELECT relname FROM pg_class WHERE relname LIKE 'loading%' AND relnamespace::regnamespace::text = '{Place.of(url).schema}'",
    )
    assert left == []


# --- forgetting ------------------------------------------------------------------------------------------------


def test_no_byte_of_a_person_stays_in_the_tables(store: Store, url: str, server: Server) -> None:
    who = "Quendolin-4711"
    for k, stage in enumerate(("new", "lost")):
        publish(store, MONTHS[k], {who: stage, **{f"c{i:04d}": stage for i in range(200)}})

    def found() -> list[str]:
        asked(url, "CHECKPOINT")
        held = []
        for file in (server.folder / "data" / "base").rglob("*"):
            # The server makes and removes some all the time.
            with suppress(FileNotFoundError, IsADirectoryError):
                held += [file.name] if who.encode() in file.read_bytes() else []
        return held

    assert found()
    asked(url, "ANALYZE")
    assert store.forget(who) == {"risk_history": 1, "scores": 1, "stage_history": 2}
    deadline = time.monotonic() + 20
    while found() and time.monotonic() < deadline:  # files of dropped tables go with the next checkpoint
        time.sleep(0.2)
    assert found() == []
    assert (store.current() or {})["customers"] == 200
