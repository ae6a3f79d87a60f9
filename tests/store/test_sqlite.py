import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lifestage.errors import InputError
from lifestage.schemas import INSTANT, PREVIOUS, SCORE
from lifestage.store import FLOW, Store, open_store

SRC = Path(__file__).parents[2] / "src"
MONTHS = [int(datetime(2025, m, 1, tzinfo=UTC).timestamp()) * 1_000_000 for m in range(1, 7)]


def part(path: Path, as_of: int, stages: dict[str, str | None], **columns: object) -> Path:
    """Parquet file of one score row per customer; `columns` gives further columns, one value for all."""
    rows = len(stages)
    values: dict[str, pa.Array] = {f.name: pa.nulls(rows, f.type) for f in SCORE}
    values["customer_id"] = pa.array(stages, pa.string())
    values["as_of"] = values["stage_since"] = pa.array([as_of] * rows, INSTANT)
    values["eligible"] = pa.array([True] * rows)
    values["stage"] = pa.array(stages.values(), pa.string())
    values["release"] = pa.array(["r1"] * rows)
    for name, value in columns.items():
        values[name] = pa.array([value] * rows, SCORE.field(name).type)
    pq.write_table(pa.table(values, schema=SCORE), path)
    return path


def wide(path: Path, as_of: int, rows: int, value: float) -> Path:
    return part(path, as_of, {f"C{i:07d}": f"stage{i % 3}" for i in range(rows)}, clv=value)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(f"sqlite:///{(tmp_path / 'in' / 'store.db').as_posix()}")


def publish(store: Store, as_of: int, stages: dict[str, str | None], current: bool = True) -> None:
    store.path.parent.mkdir(exist_ok=True)
    file = part(store.path.parent / "part.parquet", as_of, stages)
    store.publish(f"run-{as_of}", as_of, [file], current=current)


def test_open_store_refuses_other_urls() -> None:
    with pytest.raises(InputError, match=r"'mysql://x' is no score store; expected sqlite:///relative"):
        open_store("mysql://x")
    assert open_store("sqlite:///var/a.db").path == Path("var/a.db")
    assert open_store("sqlite:////srv/a.db").path == Path("/srv/a.db")


def test_customer_gives_back_every_column(tmp_path: Path, store: Store) -> None:
    signals = [{"name": "spend_down", "level": "高"}, {"name": 'q"\\', "level": None}]
    reasons = ["no order for 90 days", "退货\n多", None]
    file = part(
        tmp_path / "p.parquet",
        MONTHS[0],
        {"张三": "loyal"},
        eligible=False,
        churn_probability=0.1 + 0.2,
        next_order_at=MONTHS[1] + 123_456,
        signals=signals,
        reasons=reasons,
        tier="gold",
    )
    store.publish("run", MONTHS[0], [file], current=True)
    found = store.customer("张三")
    assert found is not None
    assert list(found) == SCORE.names
    assert found["eligible"] is False
    assert found["churn_probability"] == 0.1 + 0.2
    assert found["as_of"] == found["stage_since"] == "2025-01-01T00:00:00Z"
    assert found["next_order_at"] == "2025-02-01T00:00:00.123456Z"
    assert found["signals"] == signals
    assert found["reasons"] == reasons
    assert found["clv"] is None
    assert json.loads(json.dumps(found)) == found
    assert store.customer("李四") is None


def test_nested_columns_null_and_empty(tmp_path: Path, store: Store) -> None:
    files = []
    for i, reasons in enumerate((None, [], ["a", "b"])):
        files.append(part(tmp_path / f"{i}.parquet", MONTHS[0], {f"c{i}": "s"}, reasons=reasons, signals=[]))
    one = pa.concat_tables([pq.read_table(f) for f in files]).combine_chunks().slice(1)
    pq.write_table(one, tmp_path / "sliced.parquet")
    store.publish("run", MONTHS[0], [files[0], tmp_path / "sliced.parquet"], current=True)
    assert [(store.customer(f"c{i}") or {})["reasons"] for i in range(3)] == [None, [], ["a", "b"]]
    assert (store.customer("c2") or {})["signals"] == []


def test_current_and_stages(store: Store) -> None:
    assert store.current() is None
    publish(store, MONTHS[0], {"a": "new", "b": "new", "c": "loyal", "d": None})
    assert store.current() == {"run": f"run-{MONTHS[0]}", "as_of": MONTHS[0], "release": "r1", "customers": 4}
    assert store.stages() == {"new": 2, "loyal": 1}
    publish(store, MONTHS[1], {"a": "lost"}, current=False)
    assert (store.current() or {})["as_of"] == MONTHS[0]
    assert (store.customer("a") or {})["stage"] == "new"
    publish(store, MONTHS[2], {"a": "won_back"})
    assert (store.current() or {})["customers"] == 1
    assert store.customer("b") is None


def test_no_scores_yet(tmp_path: Path, store: Store) -> None:
    with pytest.raises(InputError, match=r"holds no scores yet; run python -m training.score first"):
        store.customer("a")
    assert store.previous(MONTHS[0], "", "z").schema == PREVIOUS
    assert store.flow().num_rows == 0
    assert store.stage_history("a") == []
    publish(store, MONTHS[0], {"a": "new"}, current=False)
    with pytest.raises(InputError, match="holds no scores yet"):
        store.customer("a")
    with pytest.raises(InputError, match="cannot be opened; readers need a writable folder, too"):
        open_store(f"sqlite:///{tmp_path}").current()
    (tmp_path / "text.db").write_text("no database at all, but long enough to be taken for one" * 20)
    with pytest.raises(InputError, match="is no score store or is damaged"):
        open_store(f"sqlite:///{tmp_path / 'text.db'}").current()


def test_previous_is_the_latest_earlier_stage(store: Store) -> None:
    publish(store, MONTHS[0], {"a": "new", "b": "new", "二": "new"})
    publish(store, MONTHS[1], {"a": "loyal", "b": "new", "二": "lost"})
    publish(store, MONTHS[3], {"a": "new", "b": "lost", "二": "lost"})

    def previous(as_of: int, low: str = "", high: str = "\U0010ffff") -> list[tuple[str, str, int]]:
        table = store.previous(as_of, low, high)
        assert table.schema == PREVIOUS
        since = table["stage_since"].cast(pa.int64()).to_pylist()
        return list(zip(table["customer_id"].to_pylist(), table["stage"].to_pylist(), since, strict=True))

    assert previous(MONTHS[0]) == []
    assert previous(MONTHS[0] + 1) == [(c, "new", MONTHS[0]) for c in ("a", "b", "二")]
    third = [("a", "loyal", MONTHS[1]), ("b", "new", MONTHS[0]), ("二", "lost", MONTHS[1])]
    assert previous(MONTHS[2]) == third
    assert previous(MONTHS[3]) == third
    assert previous(MONTHS[5], "b", "二") == [("b", "lost", MONTHS[3]), ("二", "lost", MONTHS[1])]
    assert [h["stage"] for h in store.stage_history("a")] == ["new", "loyal", "new"]
    assert [h["stage"] for h in store.stage_history("二")] == ["new", "lost"]


def test_previous_reads_by_index(store: Store) -> None:
    from lifestage.store.base import _PREVIOUS

    publish(store, MONTHS[0], {"a": "new"})
    with sqlite3.connect(store.path) as connection:
        values = {"as_of": 0, "low": "", "high": ""}
        plan = " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {_PREVIOUS}", values))
    assert "SCAN" not in plan
    assert "TEMP B-TREE" not in plan


def test_publishing_again_changes_nothing(store: Store) -> None:
    publish(store, MONTHS[0], {"a": "new", "b": "new"})
    publish(store, MONTHS[1], {"a": "loyal", "b": "new"})

    def dump() -> list[str]:
        with sqlite3.connect(store.path) as connection:
            return [line for line in connection.iterdump() if '"runs"' not in line]

    before, flow = dump(), store.flow()
    publish(store, MONTHS[1], {"a": "loyal", "b": "new"})
    assert dump() == before
    assert store.flow() == flow
    publish(store, MONTHS[1], {"a": "new", "b": "lost"})  # the same as_of, other stages: replaced
    assert [h["stage"] for h in store.stage_history("a")] == ["new"]
    assert [h["stage"] for h in store.stage_history("b")] == ["new", "lost"]


def slow_flow(monthly: dict[int, dict[str, str]]) -> dict[tuple[int, str | None, str], int]:
    counts: dict[tuple[int, str | None, str], int] = {}
    known: dict[str, str] = {}
    for as_of in sorted(monthly):
        for customer in sorted(known | monthly[as_of]):
            before = known.get(customer)
            known[customer] = monthly[as_of].get(customer, before or "")
            key = (as_of, before, known[customer])
            counts[key] = counts.get(key, 0) + 1
    return counts


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (4, 2, 0, 1, 3, 1, 2, 3, 4)])
def test_flow_counts_moves_and_stayers(store: Store, order: tuple[int, ...]) -> None:
    names = ("new", "loyal", "at_risk", "流失")
    monthly = {
        as_of: {f"c{i}": names[(i * (m + 1) // 7 + (i % 3) * m) % 4] for i in range(20 + 10 * m)}
        for m, as_of in enumerate(MONTHS[:5])
    }
    monthly[MONTHS[3]] = dict(monthly[MONTHS[2]])  # a month without any change
    for m in order:
        publish(store, MONTHS[m], dict(monthly[MONTHS[m]]), current=m == 4)
    flow = store.flow()
    assert flow.schema == FLOW
    keys = zip(
        flow["as_of"].cast(pa.int64()).to_pylist(),
        flow["previous_stage"].to_pylist(),
        flow["stage"].to_pylist(),
        strict=True,
    )
    assert dict(zip(keys, flow["customers"].to_pylist(), strict=True)) == slow_flow(monthly)


def test_bad_runs_leave_the_store_as_it_was(tmp_path: Path, store: Store) -> None:
    publish(store, MONTHS[0], {"a": "new"})
    file = part(tmp_path / "p.parquet", MONTHS[1], {"a": "lost"})
    with pytest.raises(InputError, match=r"p.parquet: column 'as_of' differs from run x's"):
        store.publish("x", MONTHS[2], [file], current=True)
    with pytest.raises(InputError, match=r"p.parquet: run x holds a customer_id twice"):
        store.publish("x", MONTHS[1], [file, file], current=True)
    with pytest.raises(InputError, match=r"run x: has no scores to publish"):
        store.publish("x", MONTHS[1], [], current=True)
    with pytest.raises(InputError, match=r"gone.parquet: cannot be read"):
        store.publish("x", MONTHS[1], [tmp_path / "gone.parquet"], current=True)
    pq.write_table(pa.table({"customer_id": ["a"]}), tmp_path / "other.parquet")
    with pytest.raises(InputError, match=r"other.parquet: has no column 'as_of'"):
        store.publish("x", MONTHS[1], [tmp_path / "other.parquet"], current=True)
    assert (store.customer("a") or {})["stage"] == "new"
    assert len(store.stage_history("a")) == 1
    assert not list(store.path.parent.glob("*.loading*"))


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


def test_readers_see_whole_runs_only(tmp_path: Path, store: Store) -> None:
    rows = 20_000
    files = [wide(tmp_path / f"{k}.parquet", MONTHS[k], rows, float(k)) for k in range(2)]
    store.publish("run-0", MONTHS[0], [files[0]], current=True)
    seen: set[tuple[int, float, float]] = set()
    failures: list[Exception] = []
    stop = threading.Event()

    def read() -> None:
        try:
            while not stop.is_set():
                seen.update(store.rows("SELECT count(*), min(clv), max(clv) FROM scores"))
                score = store.customer("C0000007")
                assert score is not None
                assert score["as_of"] == f"2025-0{int(score['clv']) + 1}-01T00:00:00Z"
        except Exception as error:
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for k in (1, 0, 1, 0, 1):
        store.publish(f"run-{k}", MONTHS[k], [files[k]], current=True)
    stop.set()
    for reader in readers:
        reader.join()
    assert not failures
    assert seen <= {(rows, 0.0, 0.0), (rows, 1.0, 1.0)}
    assert len(seen) == 2


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
