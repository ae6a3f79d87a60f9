"""What a SQLite store alone does."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from lifestage.errors import InputError
from lifestage.store import Store, open_store
from lifestage.store.tables import NAMING
from tests.store.parts import MONTHS, part, publish, wide

SRC = Path(__file__).parents[2] / "src"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(f"sqlite:///{(tmp_path / 'in' / 'store.db').as_posix()}")


def test_open_store_refuses_other_urls() -> None:
    with pytest.raises(InputError, match=r"'mysql://x' is no score store; expected sqlite:///relative"):
        open_store("mysql://x")
    assert open_store("sqlite:///var/a.db").path == Path("var/a.db")
    assert open_store("sqlite:////srv/a.db").path == Path("/srv/a.db")


def test_previous_reads_by_index(store: Store) -> None:
    from lifestage.store.base import _PREVIOUS

    publish(store, MONTHS[0], {"a": "new"})
    with sqlite3.connect(store.path) as connection:
        values = {"as_of": 0, "low": "", "high": ""}
        plan = " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {_PREVIOUS}", values))
    assert "SCAN" not in plan
    assert "TEMP B-TREE" not in plan


KILLED = """
import os, signal, sys
import lifestage.store.sqlite as module
from pathlib import Path
moment, url, as_of, file = sys.argv[1:]
seen = {"load": 0, "remove": 0}
remove = module.remove
def removing(path):
    seen["remove"] += 1
    if moment == f"remove{seen['remove']}":
        os.kill(os.getpid(), signal.SIGKILL)
    remove(path)
def loading(rows):
    seen["load"] += 1
    if moment == f"load{seen['load']}":
        os.kill(os.getpid(), signal.SIGKILL)
module.remove = removing
from lifestage.store import open_store
open_store(url).publish("second", int(as_of), [Path(file)], current=True, progress=loading)
"""


@pytest.mark.parametrize("moment", ["remove1", "load1", "load2", "remove2", "none"])
def test_killed_publish_leaves_the_old_run(tmp_path: Path, moment: str) -> None:
    """`remove1` strikes before the load, `remove2` when all is copied, just before the commit."""
    store = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    store.publish("first", MONTHS[0], [part(tmp_path / "1.parquet", MONTHS[0], {"a": "new"})], current=True)
    file = wide(tmp_path / "2.parquet", MONTHS[1], 100_000, 2.0)
    argv = [sys.executable, "-c", KILLED, moment, f"sqlite:///{store.path}", str(MONTHS[1]), str(file)]
    done = subprocess.run(argv, capture_output=True, check=False, env={**os.environ, "PYTHONPATH": str(SRC)})
    assert done.returncode == (0 if moment == "none" else -signal.SIGKILL), done.stderr.decode()
    expected = "second" if moment == "none" else "first"
    assert (store.current() or {})["run"] == expected
    assert (store.customer("a") is None) == (expected == "second")
    assert store.flow().num_rows == (1 if expected == "first" else 5)
    store.publish("second", MONTHS[1], [file], current=True)
    assert (store.current() or {})["customers"] == sum(store.stages().values()) == 100_000
    assert {p.name for p in tmp_path.iterdir()} <= {
        "1.parquet",
        "2.parquet",
        "store.db",
        "store.db-wal",
        "store.db-shm",
    }


def test_second_writer_waits_then_says_so(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(store, MONTHS[0], {"a": "new"})
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: connect(*a, **{**k, "timeout": 0.05}))
    with pytest.raises(InputError, match="is being written by another run; try again when that has ended"):
        publish(store, MONTHS[1], {"a": "lost"})
    other.close()
    publish(store, MONTHS[1], {"a": "lost"})
    assert (store.customer("a") or {})["stage"] == "lost"


def test_files_that_are_no_store(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read or written; check the rights in its folder"):
        open_store(f"sqlite:///{tmp_path}").current()
    (tmp_path / "text.db").write_text("no database at all, but long enough to be taken for one" * 20)
    with pytest.raises(InputError, match="is no score store or is damaged"):
        open_store(f"sqlite:///{tmp_path / 'text.db'}").current()
    with pytest.raises(
        InputError, match=r"text.db: cannot be made \(.*\); check 'store' and the rights there"
    ):
        publish(open_store(f"sqlite:///{tmp_path / 'text.db' / 'a.db'}"), MONTHS[0], {"a": "new"})
    with pytest.raises(InputError, match=r"a.db: cannot be read \(Not a directory\)"):
        open_store(f"sqlite:///{tmp_path / 'text.db' / 'a.db'}").current()


def test_every_table_that_names_customers_is_known(store: Store) -> None:
    from lifestage.alerting import outbox

    publish(store, MONTHS[0], {"a": "new"})
    outbox.bind(store, "shop", "csv", None)
    found = store.rows(
        "SELECT m.name FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS c"
        " WHERE m.type = 'table' AND c.name = 'customer_id' ORDER BY m.name"
    )
    assert tuple(name for (name,) in found) == NAMING


def test_a_file_put_in_the_place_of_another_is_read(tmp_path: Path, store: Store) -> None:
    publish(store, MONTHS[0], {"a": "new"})
    assert (store.current() or {})["customers"] == 1
    other = open_store(f"sqlite:///{tmp_path / 'other.db'}")
    publish(other, MONTHS[0], {"b": "lost", "c": "new"})
    for end in ("", "-wal", "-shm"):
        if (moved := Path(f"{other.path}{end}")).exists():
            moved.replace(f"{store.path}{end}")
    assert (store.current() or {})["customers"] == 2
    assert store.customer("a") is None
    assert (store.customer("b") or {})["stage"] == "lost"
    store.path.unlink()
    assert store.current() is None
    publish(store, MONTHS[1], {"d": "new"})
    assert (store.customer("d") or {})["stage"] == "new"


def test_a_run_leaves_no_log_while_somebody_reads(tmp_path: Path, store: Store) -> None:
    """Then a backup that takes the place of the file is read as it is."""
    publish(store, MONTHS[0], {"a": "new"})
    assert (store.current() or {})["customers"] == 1
    with sqlite3.connect(store.path) as connection:
        connection.execute("VACUUM INTO ?", (str(tmp_path / "older.db"),))
    connection.close()
    file = wide(tmp_path / "2.parquet", MONTHS[1], 20_000, 2.0)
    store.publish("second", MONTHS[1], [file], current=True)
    assert (store.current() or {})["customers"] == 20_000
    assert Path(f"{store.path}-wal").stat().st_size == 0
    (tmp_path / "older.db").replace(store.path)
    assert (store.current() or {})["customers"] == 1
    assert store.stages() == {"new": 1}
    assert (store.customer("a") or {})["stage"] == "new"


@pytest.mark.parametrize("again", [False, True])
def test_a_file_beside_the_log_of_another_is_refused(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    """The pages of both make no store: that is said instead of answering with a mixture."""
    publish(store, MONTHS[0], {f"a{i}": "new" for i in range(20_000)})
    assert (store.current() or {})["customers"] == 20_000
    with sqlite3.connect(store.path) as connection:
        connection.execute("VACUUM INTO ?", (str(tmp_path / "older.db"),))
    connection.close()
    monkeypatch.setattr("lifestage.store.sqlite.emptied", lambda _: None)
    file = wide(tmp_path / "2.parquet", MONTHS[1], 40_000, 2.0)
    store.publish("second", MONTHS[1], [file], current=True)
    assert Path(f"{store.path}-wal").stat().st_size
    (tmp_path / "older.db").replace(store.path)
    reader = open_store(f"sqlite:///{store.path}") if again else store
    for _ in range(2):
        with pytest.raises(
            InputError, match=r"is damaged; .* Was it restored from a backup\? Then remove store\.db-wal"
        ):
            reader.current()


def test_a_log_of_its_own_is_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(store, MONTHS[0], {"a": "new"})
    assert store.current()
    monkeypatch.setattr("lifestage.store.sqlite.emptied", lambda _: None)
    publish(store, MONTHS[1], {"a": "lost"})
    assert Path(f"{store.path}-wal").stat().st_size
    os.utime(f"{store.path}-wal", (1, 1))
    assert (open_store(f"sqlite:///{store.path}").customer("a") or {})["stage"] == "lost"


FULL = """
import resource, signal, sys
from pathlib import Path
from lifestage.errors import InputError
from lifestage.store import open_store
url, as_of, file, limit = sys.argv[1:]
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write beyond fails then, as on a full disk
resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
try:
    open_store(url).publish("second", int(as_of), [Path(file)], current=True)
except InputError as error:
    print(error)
    sys.exit(2)
"""


@pytest.mark.parametrize("kilobytes", [40, 400, 4_000])
def test_without_space_the_old_run_stays(tmp_path: Path, store: Store, kilobytes: int) -> None:
    publish(store, MONTHS[0], {"a": "new"})
    file = wide(tmp_path / "2.parquet", MONTHS[1], 40_000, 2.0)
    argv = [
        sys.executable,
        "-c",
        FULL,
        f"sqlite:///{store.path}",
        str(MONTHS[1]),
        str(file),
        str(kilobytes << 10),
    ]
    done = subprocess.run(
        argv, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(SRC)}
    )
    assert done.returncode == 2, done.stderr
    assert "store.db" in done.stdout
    assert (store.current() or {})["run"] == f"run-{MONTHS[0]}"
    assert (store.customer("a") or {})["stage"] == "new"
    assert not list(store.path.parent.glob("*.loading*"))
    store.publish("second", MONTHS[1], [file], current=True)
    assert (store.current() or {})["customers"] == 40_000
