"""A person is removed from a SQLite store, to the last byte."""

import sqlite3
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lifestage.alerting import outbox
from lifestage.errors import InputError
from lifestage.lifecycle.alerts import Alert
from lifestage.schemas import INSTANT, SCORE
from lifestage.store import Store, open_store

DAY = 86_400_000_000
WHO = "Zoë-Quendolin-4711"
RULE = Alert(name="at_risk", labels={"en": "At risk", "zh": "流失预警"}, stage="at_risk")
REASON = "the sentence of {} alone"


def publish(store: Store, folder: Path, day: int, stages: dict[str, str]) -> None:
    n = len(stages)
    values: dict[str, pa.Array] = {f.name: pa.nulls(n, f.type) for f in SCORE}
    values["customer_id"] = pa.array(stages, pa.string())
    values["as_of"] = values["stage_since"] = pa.array([day * DAY] * n, INSTANT)
    values["eligible"] = pa.array([True] * n)
    values["stage"] = pa.array(stages.values(), pa.string())
    values["risk"] = pa.array(["high" if s == "at_risk" else None for s in stages.values()], pa.string())
    values["alerts"] = pa.array([["at_risk"] if s == "at_risk" else [] for s in stages.values()])
    values["reasons"] = pa.array([[REASON.format(name)] for name in stages])
    values["policy"] = pa.array(["p"] * n)
    values["release"] = pa.array(["r"] * n)
    pq.write_table(pa.table(values, schema=SCORE), folder / "part.parquet")
    store.publish(f"run-{day}", day * DAY, [folder / "part.parquet"], current=True, alerts=(RULE,))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Three runs; everybody entered at_risk in the second, and messages of two went to each destination."""
    made = open_store(f"sqlite:///{tmp_path / 'in' / 'store.db'}")
    everybody = [WHO, *(f"c{i:04d}" for i in range(300))]
    publish(made, tmp_path, 1, dict.fromkeys(everybody, "new"))
    publish(made, tmp_path, 2, dict.fromkeys(everybody, "at_risk"))
    outbox.bind(made, "shop", "webhook", 2)
    outbox.bind(made, "shop", "csv", 1)
    publish(made, tmp_path, 3, dict.fromkeys(everybody, "lost"))
    return made


def bytes_with(folder: Path, text: str) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if text.encode() in p.read_bytes())


def test_nothing_of_a_person_is_left(store: Store) -> None:
    tables = ["alerts", "message_alerts", "risk_history", "scores", "stage_history"]
    folder = store.path.parent
    assert store.holds(WHO) == tables
    assert bytes_with(folder, WHO)
    before = len(outbox.messages(store, "webhook", "open")), len(outbox.messages(store, "csv", "open"))
    # A run that was killed left its file behind.
    (folder / "store.db.loading").write_text(WHO)
    assert store.forget(WHO) == {
        "alerts": 1,
        "message_alerts": 2,
        "messages": 1,  # the one of csv: nobody else's alert is in it
        "risk_history": 3,
        "scores": 1,
        "stage_history": 3,
    }
    assert store.holds(WHO) == []
    assert store.customers([WHO]) == []
    assert store.stage_history(WHO) == []
    for text in (WHO, REASON.format(WHO)):
        assert bytes_with(folder, text) == []
    assert len(outbox.messages(store, "webhook", "open")) == before[0]
    assert len(outbox.messages(store, "csv", "open")) == before[1] - 1
    assert sum(m.alerts for m in outbox.messages(store, "webhook", "open")) == 300
    # The others are all there.
    assert (store.current() or {})["customers"] == sum(store.stages().values()) == 300
    assert store.holds("c0000") == tables
    assert store.forget(WHO) == {}
    with sqlite3.connect(store.path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_bytes_of_earlier_runs_go_too(store: Store, tmp_path: Path) -> None:
    """A run without them left their pages free, not empty."""
    publish(store, tmp_path, 4, {f"c{i:04d}": "new" for i in range(50)})
    assert store.holds(WHO) == ["alerts", "message_alerts", "risk_history", "stage_history"]
    store.forget(WHO)
    assert bytes_with(store.path.parent, WHO) == []
    assert bytes_with(store.path.parent, REASON.format(WHO)) == []


def test_nobody_is_forgotten_by_a_strange_id(store: Store) -> None:
    for name in (
        "",
        "%",
        "c00__",
        "' OR '1'='1",
        "x'; DROP TABLE scores; --",
        "\ud800",
        "c0000\0",
        "c" * 100_000,
    ):
        assert store.forget(name) == {}
        assert store.holds(name) == []
    assert (store.current() or {})["customers"] == 301
    assert len(store.customers([f"c{i:04d}" for i in range(300)])) == 300


def test_without_a_store_nothing_is_held(tmp_path: Path) -> None:
    empty = open_store(f"sqlite:///{tmp_path / 'none.db'}")
    assert empty.forget("a") == {}
    assert empty.holds("a") == []
    assert not (tmp_path / "none.db").exists()


def test_a_reader_of_an_earlier_state_is_told_of(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lifestage.store.sqlite.WAIT_SECONDS", 0.05)
    reader = sqlite3.connect(store.path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM scores").fetchone()
    with pytest.raises(InputError, match=r"somebody still reads an earlier state.*run it again"):
        store.forget(WHO)
    reader.execute("COMMIT")
    assert store.forget(WHO) == {}  # no rows are left
    assert bytes_with(store.path.parent, WHO) == []


def test_readers_go_on_while_somebody_is_forgotten(store: Store) -> None:
    stop, failures = threading.Event(), []

    def read() -> None:
        try:
            while not stop.is_set():
                assert [found["stage"] for found in store.customers(["c0001"])] == ["lost"]
        except Exception as error:
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for i in range(200, 210):
        assert store.forget(f"c{i:04d}")["scores"] == 1
    stop.set()
    for reader in readers:
        reader.join()
    assert not failures
