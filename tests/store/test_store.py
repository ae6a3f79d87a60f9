"""What every kind of store does."""

import json
import random
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lifestage.alerting import outbox
from lifestage.errors import InputError
from lifestage.lifecycle.alerts import Alert
from lifestage.schemas import PREVIOUS, SCORE
from lifestage.store import FLOW, Store, StoreError, open_store
from tests.store.parts import MONTHS, part, publish, wide

TABLES = (
    "alert_runs",
    "alerts",
    "message_alerts",
    "messages",
    "risk_history",
    "runs",
    "scores",
    "stage_history",
)


def dump(store: Store, *left_out: str) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table, in an order of their own."""
    return {
        t: sorted(map(tuple, store.rows(f"SELECT * FROM {t}")), key=repr) for t in TABLES if t not in left_out
    }


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


def test_no_scores_yet(store: Store) -> None:
    with pytest.raises(InputError, match=r"holds no scores yet; run python -m training.score first"):
        store.customer("a")
    assert store.previous(MONTHS[0], "", "z").schema == PREVIOUS
    assert store.flow().num_rows == 0
    assert store.stage_history("a") == []
    publish(store, MONTHS[0], {"a": "new"}, current=False)
    with pytest.raises(InputError, match="holds no scores yet"):
        store.customer("a")


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


def test_publishing_again_changes_nothing(store: Store) -> None:
    publish(store, MONTHS[0], {"a": "new", "b": "new"})
    publish(store, MONTHS[1], {"a": "loyal", "b": "new"})

    before, flow = dump(store, "runs"), store.flow()
    publish(store, MONTHS[1], {"a": "loyal", "b": "new"})
    assert dump(store, "runs") == before
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
    with pytest.raises(InputError, match=r"run x: holds a customer_id twice"):
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
    assert not list(tmp_path.rglob("*.loading*"))


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


# --- looking customers up ----------------------------------------------------------------------------------


def test_customers_are_read_at_once_in_the_order_asked(store: Store) -> None:
    publish(store, MONTHS[0], {"a": "new", "b": "new", "c": "new"}, clv=1.5)
    publish(store, MONTHS[1], {"a": "loyal", "b": "new", "c": "lost"}, clv=2.5)
    found = store.customers(["c", "x", "a", "c"])
    assert [stored.customer_id for stored in found] == ["c", "a"]
    assert {stored.run for stored in found} == {f"run-{MONTHS[1]}"}
    assert [stored["clv"] for stored in found] == [2.5, 2.5]
    assert [stored.score for stored in found] == [store.customer("c"), store.customer("a")]
    assert [stored.stage_history for stored in found] == [store.stage_history("c"), store.stage_history("a")]
    assert [h["stage"] for h in found[1].stage_history] == ["new", "loyal"]
    assert store.customers([]) == []
    with pytest.raises(
        InputError, match=r"1,001 customers asked for, expected at most 1,000; ask several times"
    ):
        store.customers([str(i) for i in range(1_001)])


def test_a_score_as_text_is_the_score(store: Store) -> None:
    reason = {"group": "rhythm", "feature": "f", "direction": "raises", "value": 0.1, "level": None}
    publish(
        store, MONTHS[0], {"张\"三\\\n\u2028😀": "new\t"}, clv=0.1 + 0.2, health=1e-300, p_alive=float("nan"),
        expected_orders=float("inf"), reasons=["退货\n多", None], eligible=False, next_order_at=MONTHS[1] + 1,
        churn_reasons=[{**reason, "contribution": 0.1 + 0.2, "share": 1.0, "en": '"', "zh": "/"}],
        health_parts=[], signals=None, churn_probability=5.0,
    )  # fmt: skip
    (found,) = store.customers(['张"三\\\n\u2028😀'])
    assert json.loads(found.score_json, parse_constant=pytest.fail) == found.score
    assert "\n" not in found.score_json
    assert list(found.score) == SCORE.names
    assert found.score["p_alive"] is None  # not a number is no number
    assert found.score["expected_orders"] is None


def test_a_thousand_are_found(tmp_path: Path, store: Store) -> None:
    store.publish("run", MONTHS[0], [wide(tmp_path / "p.parquet", MONTHS[0], 3_000, 1.0)], current=True)
    for n in (1, 2, 3, 7, 64, 65, 999, 1_000):
        ids = random.Random(n).sample([f"C{i:07d}" for i in range(3_000)], n)
        assert [stored.customer_id for stored in store.customers(ids)] == ids


STRANGE = (
    *(
        "",
        "%",
        "_",
        "c__",
        "' OR '1'='1",
        "a'; DROP TABLE scores; --",
        "\ud800",
        "a\0",
        "\0",
        "?",
        ":a",
        "%s",
    ),
    *("%(a)s", "A", "a ", " a", "ａ", "\U0010ffff", "c" * 300_000, "\\", '"', "NULL", "\u202e", "\x7f\x01"),
)


@pytest.mark.parametrize("name", STRANGE)
def test_a_strange_id_finds_nobody(store: Store, name: str) -> None:
    publish(store, MONTHS[0], {"a": "new", "cab": "new"})
    assert store.customer(name) is None
    assert store.stage_history(name) == []
    assert [stored.customer_id for stored in store.customers([name, "a", name])] == ["a"]
    assert store.holds(name) == []
    assert store.forget(name) == {}
    assert (store.current() or {})["customers"] == 2


@pytest.mark.parametrize(
    "name", [n for n in STRANGE if n and "\0" not in n and n != "\ud800" and len(n) < 1_000]
)
def test_a_strange_id_is_somebody_where_it_is_stored(store: Store, name: str) -> None:
    publish(store, MONTHS[0], {name: "new", "zz": "new"})
    assert store.customer(name) == {**(store.customer("zz") or {}), "customer_id": name}
    assert store.previous(MONTHS[1], name, name)["customer_id"].to_pylist() == [name]
    assert store.forget(name) == {"risk_history": 1, "scores": 1, "stage_history": 1}
    assert store.customer(name) is None
    assert store.customer("zz") is not None


# --- shares ------------------------------------------------------------------------------------------------


def test_distribution_adds_the_current_run_up(tmp_path: Path, store: Store) -> None:
    assert store.distribution() is None
    draw = random.Random(5)
    rows = [
        (f"c{i}", draw.choice(["new", "loyal", "流失", None]), draw.choice(["gold", None]), draw.random() < 0.7,
         draw.choice([None, draw.random()]), draw.choice([None, draw.random() * 100]))
        for i in range(300)
    ]  # fmt: skip
    table = pq.read_table(part(tmp_path / "p.parquet", MONTHS[0], {r[0]: r[1] for r in rows}, policy="p v1"))
    for column, place in (("tier", 2), ("eligible", 3), ("churn_probability", 4), ("clv", 5)):
        values = pa.array([r[place] for r in rows], SCORE.field(column).type)
        table = table.set_column(SCORE.names.index(column), SCORE.field(column), values)
    pq.write_table(table, tmp_path / "p.parquet")
    store.publish("run", MONTHS[0], [tmp_path / "p.parquet"], current=True)
    found = store.distribution()
    assert found is not None
    assert (found.run, found.as_of, found.release, found.policy) == ("run", MONTHS[0], "r1", "p v1")
    assert found.customers == 300

    def check(share: object, own: list[tuple[object, ...]]) -> None:
        leaving = [r[4] for r in own if r[3] and r[4] is not None]
        assert share.customers == len(own)
        assert share.share == len(own) / 300
        assert share.eligible == sum(bool(r[3]) for r in own)
        assert share.clv == pytest.approx(sum(r[5] for r in own if r[5] is not None), rel=1e-12)
        assert share.churn_probability == pytest.approx(sum(leaving) / len(leaving), rel=1e-12)

    assert {share.name for share in found.stages} == {"new", "loyal", "流失", None}
    assert [s.customers for s in found.stages] == sorted((s.customers for s in found.stages), reverse=True)
    for share in found.stages:
        own = [r for r in rows if r[1] == share.name]
        check(share, own)
        assert {tier.name for tier in share.tiers} == {"gold", None}
        for tier in share.tiers:
            check(tier, [r for r in own if r[2] == tier.name])
    assert store.distribution() is found  # once a run
    store.forget("c0")
    again = store.distribution()
    assert again is not None
    assert again.customers == 299
    publish(store, MONTHS[0], {"a": "new"})
    assert (store.distribution() or again).customers == 1


def test_nothing_to_add_up_is_null(store: Store) -> None:
    publish(store, MONTHS[0], {"a": "new"}, eligible=False)
    (share,) = store.distribution().stages
    assert (share.clv, share.churn_probability, share.eligible, share.share) == (None, None, 0, 1.0)


def test_most_valuable_is_one_with_a_value(store: Store) -> None:
    assert store.most_valuable() is None
    publish(store, MONTHS[0], {"b": "new", "a": "new"})
    assert store.most_valuable() == "a"


# --- alike -------------------------------------------------------------------------------------------------

LABELS = {"en": "At risk", "zh": "流失预警"}
RULES = (
    Alert(name="at_risk", labels=LABELS, stage="at_risk"),
    Alert(name="high", labels=LABELS, risk="high"),
    Alert(name="begins", labels=LABELS, stage="new", first_sight=True),
)


def scored(path: Path, as_of: int, draw: random.Random, policy: str) -> Path:
    names = draw.sample(["a", "B", "b", "Ä", "二", "😀", "a1", "a_"], draw.randrange(1, 9))
    rows = [(n, draw.choice(["new", "at_risk", "lost"]), draw.choice(["high", None])) for n in sorted(names)]
    table = pq.read_table(
        part(path, as_of, {n: s for n, s, _ in rows}, policy=policy, clv=1.25, reasons=["为何"])
    )
    holds = [
        [rule.name for rule in RULES if rule.state == (stage if rule.kind == "stage" else risk)]
        for _, stage, risk in rows
    ]
    for column, values in (("risk", [r for _, _, r in rows]), ("alerts", holds)):
        array = pa.array(values, SCORE.field(column).type)
        table = table.set_column(SCORE.names.index(column), SCORE.field(column), array)
    pq.write_table(table, path)
    return path


@pytest.mark.parametrize("seed", range(6))
def test_all_kinds_keep_the_same_rows(tmp_path: Path, url: str, seed: int) -> None:
    """Random runs in any order, alerts bound and settled, somebody forgotten: table by table as in a SQLite file."""
    draw = random.Random(seed)
    ours, theirs = open_store(f"sqlite:///{tmp_path / 'peer.db'}"), open_store(url)
    for step in range(10):
        day = draw.choice(MONTHS)
        file = scored(tmp_path / f"{step}.parquet", day, draw, draw.choice(["p", "p", "q"]))
        current, rules = draw.random() < 0.7, RULES[: draw.choice([3, 3, 2])]
        for store in (ours, theirs):
            store.publish(f"run-{day}", day, [file], current=current, alerts=rules)
        sizes = draw.choice([None, 1, 2])
        assert outbox.bind(ours, "shop", "csv", sizes) == outbox.bind(theirs, "shop", "csv", sizes)
        for message in outbox.messages(ours, "csv", "open")[:2]:
            assert outbox.alerts_of(theirs, "shop", "csv", message.id) == outbox.alerts_of(
                ours, "shop", "csv", message.id
            )
            state = draw.choice(["delivered", "dead"])
            for store in (ours, theirs):
                outbox.settle(store, "csv", message.id, state, attempts=2, reason="it's", at=day)
        if draw.random() < 0.2:
            assert outbox.reopen(ours, "csv") == outbox.reopen(theirs, "csv")
        if draw.random() < 0.3:
            name = draw.choice(["a", "二", "B"])
            assert ours.forget(name) == theirs.forget(name)
        assert dump(theirs) == dump(ours)
        assert theirs.flow() == ours.flow()
        assert theirs.previous(day, "", "\U0010ffff") == ours.previous(day, "", "\U0010ffff")
        assert theirs.stages() == ours.stages()
        assert theirs.current() == ours.current()
        assert outbox.messages(theirs, "csv", "open") == outbox.messages(ours, "csv", "open")


def test_two_writers_take_turns(tmp_path: Path, url: str) -> None:
    """Each publishes its own days; what is kept is what one after the other would have kept."""
    files = [wide(tmp_path / f"{k}.parquet", MONTHS[k], 3_000, float(k)) for k in range(4)]
    failures: list[Exception] = []

    def write(own: tuple[int, ...]) -> None:
        try:
            for k in own:
                open_store(url).publish(f"run-{k}", MONTHS[k], [files[k]], current=True)
        except Exception as error:
            failures.append(error)

    writers = [threading.Thread(target=write, args=(own,)) for own in ((0, 2), (1, 3))]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert not failures
    store = open_store(url)
    assert sorted(p for (p,) in store.rows("SELECT published FROM runs")) == [1, 2, 3, 4]
    newest = store.current()
    assert newest is not None
    assert store.rows("SELECT DISTINCT as_of FROM scores") == [(newest["as_of"],)]


def test_a_failing_writer_leaves_nothing(store: Store) -> None:
    publish(store, MONTHS[0], {"a": "new"})
    before = dump(store, "messages", "message_alerts")
    with pytest.raises(RuntimeError, match="in between"), store.writing() as writer:
        writer.execute("DELETE FROM stage_history WHERE customer_id = ?", ("a",))
        raise RuntimeError("in between")
    with pytest.raises(StoreError), store.writing() as writer:
        writer.execute("DELETE FROM stage_history WHERE customer_id = ?", ("a",))
        writer.execute("INSERT INTO nowhere VALUES (1)")
    assert dump(store, "messages", "message_alerts") == before
