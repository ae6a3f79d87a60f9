"""Which entries become alerts: the store against a plain-Python telling of the rules."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lifestage.lifecycle.alerts import Alert
from lifestage.schemas import INSTANT, SCORE
from lifestage.store import Store, open_store

DAY = 86_400_000_000
LABELS = {"en": "At risk", "zh": "流失预警"}
AT_RISK = Alert(name="at_risk", labels=LABELS, stage="at_risk")
HIGH = Alert(name="high_risk", labels=LABELS, risk="high")
BEGINS = Alert(name="begins", labels=LABELS, stage="new", first_sight=True)
RULES = (AT_RISK, HIGH, BEGINS)
Row = tuple[str, str, tuple[str, ...]]
"""Stage, risk ('' = none) and the rules that hold."""


def holding(stage: str, risk: str) -> tuple[str, ...]:
    """Rules without `when` that hold."""
    return tuple(r.name for r in RULES if r.state == (stage if r.kind == "stage" else risk))


def part(path: Path, as_of: int, rows: dict[str, Row], policy: str = "policy 1") -> Path:
    n = len(rows)
    values: dict[str, pa.Array] = {f.name: pa.nulls(n, f.type) for f in SCORE}
    values["customer_id"] = pa.array(rows, pa.string())
    values["as_of"] = values["stage_since"] = pa.array([as_of] * n, INSTANT)
    values["eligible"] = pa.array([True] * n)
    values["stage"] = pa.array([stage for stage, _, _ in rows.values()])
    values["risk"] = pa.array([risk or None for _, risk, _ in rows.values()], pa.string())
    values["alerts"] = pa.array([list(holds) for _, _, holds in rows.values()], pa.list_(pa.string()))
    values["reasons"] = pa.array([["已96天未下单"]] * n, pa.list_(pa.string()))
    values["clv"] = pa.array([12.5] * n)
    values["release"] = pa.array(["release 1"] * n)
    values["policy"] = pa.array([policy] * n)
    pq.write_table(pa.table(values, schema=SCORE), path)
    return path


def publish(
    store: Store,
    day: int,
    rows: dict[str, Row | tuple[str, str]],
    *,
    current: bool = True,
    rules: tuple[Alert, ...] = RULES,
    policy: str = "policy 1",
) -> int:
    full = {c: (*row, holding(*row)) if len(row) == 2 else row for c, row in rows.items()}
    store.path.parent.mkdir(exist_ok=True, parents=True)
    file = part(store.path.parent / "part.parquet", day * DAY, full, policy)
    return store.publish(f"run-{day}", day * DAY, [file], current=current, alerts=rules)


def found(store: Store) -> set[tuple[str, str, int]]:
    rows = store.rows("SELECT customer_id, alert, entered_at FROM alerts")
    assert len(rows) == len(set(rows))
    return {(customer, alert, entered // DAY) for customer, alert, entered in rows}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    return open_store(f"sqlite:///{(tmp_path / 'in' / 'store.db').as_posix()}")


def test_entering_is_told_once_and_anew_after_leaving(store: Store) -> None:
    assert publish(store, 1, {"a": ("new", ""), "b": ("at_risk", "high")}) == 0
    assert publish(store, 2, {"a": ("at_risk", ""), "b": ("at_risk", "high")}) == 1
    assert publish(store, 3, {"a": ("at_risk", "high"), "b": ("new", "")}) == 2
    assert publish(store, 4, {"a": ("new", "high"), "b": ("at_risk", "high")}) == 3
    assert found(store) == {
        ("a", "at_risk", 2),
        ("a", "high_risk", 3),
        ("b", "begins", 3),
        ("a", "begins", 4),
        ("b", "at_risk", 4),
        ("b", "high_risk", 4),
    }
    row = store.rows(
        "SELECT label_en, label_zh, stage, risk, clv, reasons, release FROM alerts WHERE alert = 'high_risk' AND customer_id = 'a'"
    )
    assert row == [("At risk", "流失预警", "at_risk", "high", 12.5, '["已96天未下单"]', "release 1")]


def test_first_run_first_sight_and_back_fill(store: Store) -> None:
    assert publish(store, 5, {"a": ("at_risk", "high"), "n": ("new", "")}) == 0
    # Seen for the first time: only a rule with first_sight takes it for an entry.
    assert publish(store, 6, {"b": ("at_risk", "high"), "m": ("new", ""), "a": ("at_risk", "high")}) == 1
    assert found(store) == {("m", "begins", 6)}
    # A past day stored afterwards tells nothing, whoever moved then.
    assert publish(store, 2, {"a": ("new", "")}, current=False) == 0
    assert publish(store, 4, {"a": ("at_risk", "high")}, current=False) == 0
    assert found(store) == {("m", "begins", 6)}


def test_back_filled_months_are_what_the_first_served_run_is_compared_with(store: Store) -> None:
    publish(store, 1, {"a": ("new", ""), "b": ("at_risk", "")}, current=False)
    assert publish(store, 2, {"a": ("at_risk", ""), "b": ("at_risk", "")}) == 1
    assert found(store) == {("a", "at_risk", 2)}


def test_a_rule_begins_to_watch_with_the_first_run_that_knows_it(store: Store) -> None:
    everybody = {f"c{i}": ("new", "") for i in range(50)}
    publish(store, 1, everybody, rules=())
    assert publish(store, 2, dict.fromkeys(everybody, ("at_risk", "high")), rules=()) == 0
    publish(store, 3, dict.fromkeys(everybody, ("new", "")), rules=())
    assert publish(store, 4, dict.fromkeys(everybody, ("at_risk", "high"))) == 0
    assert publish(store, 5, {**dict.fromkeys(everybody, ("at_risk", "high")), "c1": ("new", "")}) == 1
    assert publish(store, 6, dict.fromkeys(everybody, ("at_risk", "high"))) == 2
    assert found(store) == {("c1", "begins", 5), ("c1", "at_risk", 6), ("c1", "high_risk", 6)}


def test_a_policy_in_the_place_of_another_tells_nobody_at_first(store: Store) -> None:
    publish(store, 1, {"a": ("new", ""), "b": ("new", "")})
    assert publish(store, 2, {"a": ("at_risk", ""), "b": ("new", "")}, policy="policy 2") == 0
    assert publish(store, 3, {"a": ("at_risk", ""), "b": ("at_risk", "")}) == 0  # and back to the first
    assert publish(store, 4, {"a": ("new", ""), "b": ("at_risk", "")}) == 1
    assert found(store) == {("a", "begins", 4)}


def test_when_is_looked_at_as_they_enter_and_never_again(store: Store) -> None:
    publish(store, 1, {"a": ("new", ""), "b": ("new", "")})
    told = ("at_risk",)
    assert publish(store, 2, {"a": ("at_risk", "", told), "b": ("at_risk", "", ())}) == 1
    assert publish(store, 3, {"a": ("at_risk", "", told), "b": ("at_risk", "", told)}) == 0
    assert (
        publish(store, 2, {"a": ("at_risk", "", ()), "b": ("at_risk", "", told)}) == 1
    )  # that day, corrected
    assert publish(store, 2, {"a": ("at_risk", "", told), "b": ("at_risk", "", told)}) == 0
    assert found(store) == {("a", "at_risk", 2), ("b", "at_risk", 2)}


def test_rolling_back_and_scoring_again_tells_nobody_twice(store: Store) -> None:
    publish(store, 1, {"a": ("new", ""), "b": ("new", "")})
    one, other = {"a": ("at_risk", ""), "b": ("new", "")}, {"a": ("new", ""), "b": ("at_risk", "high")}
    assert [publish(store, 2, rows) for rows in (one, other, one, other, one)] == [1, 2, 0, 0, 0]
    publish(store, 3, one)
    assert (
        publish(store, 1, {"a": ("at_risk", ""), "b": ("new", "")}) == 0
    )  # and an older day as the current run
    assert publish(store, 3, one) == 0


def test_an_older_run_served_again_does_not_tell_an_earlier_entry(store: Store) -> None:
    publish(store, 1, {"a": ("new", "")})
    assert publish(store, 9, {"a": ("at_risk", "")}) == 1
    assert publish(store, 5, {"a": ("at_risk", "")}) == 0  # the same stay, found to have begun earlier
    assert publish(store, 9, {"a": ("at_risk", "")}) == 0
    assert found(store) == {("a", "at_risk", 9)}


def test_a_store_from_before_there_were_alerts(store: Store) -> None:
    publish(store, 1, {"a": ("new", "")}, rules=())
    with sqlite3.connect(store.path) as connection:
        for table in ("alerts", "alert_runs", "risk_history"):
            connection.execute(f"DROP TABLE {table}")
    assert publish(store, 2, {"a": ("at_risk", "high")}) == 0
    assert publish(store, 3, {"a": ("new", "high")}) == 1
    assert found(store) == {("a", "begins", 3)}


class Told:
    """The rules in plain words: dictionaries and loops over whole histories."""

    def __init__(self) -> None:
        self.history: dict[str, dict[str, dict[int, str]]] = {"stage": {}, "risk": {}}
        self.days: dict[int, dict[str, str]] = {}
        self.alerts: set[tuple[str, str, int]] = set()

    def before(self, kind: str, customer: str, day: int) -> str | None:
        changes = self.history[kind].get(customer, {})
        earlier = [d for d in changes if d < day]
        return changes[max(earlier)] if earlier else None

    def publish(
        self, day: int, rows: dict[str, Row], current: bool, rules: tuple[Alert, ...], policy: str
    ) -> None:
        entered: set[tuple[str, str, str]] = set()
        sight: set[tuple[str, str]] = set()
        for kind, place in (("stage", 0), ("risk", 1)):
            for changes in self.history[kind].values():
                changes.pop(day, None)
            for customer, row in rows.items():
                was = self.before(kind, customer, day)
                if was != row[place]:
                    self.history[kind].setdefault(customer, {})[day] = row[place]
                    entered.add((customer, kind, row[place]))
                    if was is None:
                        sight.add((customer, kind))
        for rule in rules:
            earlier = [d for d in self.days if d < day]
            known = bool(earlier) and self.days[max(earlier)].get(rule.name) == policy
            for customer, row in rows.items():
                later = [d for c, name, d in self.alerts if (c, name) == (customer, rule.name) and d >= day]
                if (
                    current
                    and known
                    and rule.name in row[2]
                    and (customer, rule.kind, rule.state) in entered
                    and (rule.first_sight or (customer, rule.kind) not in sight)
                    and not later
                ):
                    self.alerts.add((customer, rule.name, day))
            self.days.setdefault(day, {})[rule.name] = policy
        self.days.setdefault(day, {})


@st.composite
def runs(draw: st.DrawFn) -> list[tuple[int, dict[str, Row], bool, tuple[Alert, ...], str]]:
    made = []
    for _ in range(draw(st.integers(1, 8))):
        if made and draw(st.integers(0, 3)) == 0:
            made.append(draw(st.sampled_from(made)))  # the very same run again
            continue
        rows = {}
        for customer in draw(st.sets(st.sampled_from(["a", "b", "乙"]), min_size=1)):
            stage = draw(st.sampled_from(["new", "at_risk", "lost"]))
            risk = draw(st.sampled_from(["", "high", "low"]))
            keep = draw(st.integers(0, 7))
            rows[customer] = (stage, risk, tuple(r for i, r in enumerate(holding(stage, risk)) if keep != i))
        rules = draw(st.sampled_from([RULES, RULES, RULES, RULES[:2], ()]))
        made.append(
            (
                draw(st.integers(1, 6)),
                rows,
                draw(st.integers(0, 4)) > 0,
                rules,
                draw(st.sampled_from(["one", "one", "two"])),
            )
        )
    return made


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(runs())
def test_any_order_of_runs_tells_what_the_plain_rules_tell(
    sequence: list[tuple[int, dict[str, Row], bool, tuple[Alert, ...], str]],
) -> None:
    told = Told()
    with TemporaryDirectory() as folder:
        store = open_store(f"sqlite:///{folder}/store.db")
        for day, rows, current, rules, policy in sequence:
            before = set(told.alerts)
            count = publish(store, day, dict(rows), current=current, rules=rules, policy=policy)
            told.publish(day, rows, current, rules, policy)
            assert found(store) == told.alerts
            assert count == len(told.alerts - before)
        again = publish(store, day, dict(rows), current=current, rules=rules, policy=policy)
        assert again == 0  # repeated: nothing
        assert found(store) == told.alerts


def test_a_run_that_fails_at_the_last_step_leaves_no_alert(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    import lifestage.store.sqlite as module

    publish(store, 1, {"a": ("new", "")})

    def full(*_args: object) -> str:
        raise OSError("no space left")

    with monkeypatch.context() as broken:
        broken.setattr(module, "create_scores", full)  # after the alerts were written, within the transaction
        with pytest.raises(OSError, match="no space left"):
            publish(store, 2, {"a": ("at_risk", "high")})
    assert found(store) == set()
    assert store.rows("SELECT count(*) FROM alert_runs WHERE as_of > ?", (DAY,)) == [(0,)]
    assert publish(store, 2, {"a": ("at_risk", "high")}) == 2
