"""Alert rules of a policy: what is refused, and for whom they hold."""

import pyarrow as pa
import pytest

from lifestage.errors import InputError
from lifestage.lifecycle import policy as policies
from lifestage.lifecycle.staging import assign
from lifestage.schemas import INSTANT, PREVIOUS

TEXT = """\
name: shop
default: idle
risk:
  - {name: high, labels: {en: High, zh: 高}, when: churn_probability >= 0.5}
  - {name: low, labels: {en: Low, zh: 低}, when: churn_probability < 0.5}
signals:
  - {name: quiet, labels: {en: Quiet, zh: 沉默}, high: days_since_last_order > 90}
stages:
  - {name: at_risk, labels: {en: At risk, zh: 流失预警}, enter: signal_quiet}
  - {name: idle, labels: {en: Idle, zh: 闲置}, enter: "false"}
alerts:
"""
LABELS = "labels: {en: Told, zh: 提醒}"


def policy(*alerts: str) -> policies.Policy:
    lines = "".join(f"  - {{name: a{i}, {LABELS}, {text}}}\n" for i, text in enumerate(alerts))
    return policies.parse_text(TEXT + lines, "shop.yaml")


@pytest.mark.parametrize(
    ("alert", "message"),
    [
        ("stage: at_rsk", r"shop.yaml, line 12, column \d+: alerts\.a0\.stage: 'at_rsk' is no stage .*did you mean 'at_risk'\?"),
        ("risk: hgh", r"alerts\.a0\.risk: 'hgh' is no risk level of this policy; did you mean 'high'\?"),
        ("risk: zzz", r"'zzz' is no risk level of this policy; known are: high, low"),
        ("stage: idle, risk: high", "give either stage or risk: the one whose entering is told"),
        ("when: clv > 1", "give either stage or risk"),
        ("stage: idle, when: clvv > 1", r"line 12, column \d+: alerts\.a0\.when: .*unknown column 'clvv'; did you mean 'clv'\?"),
        ("stage: idle, when: clv", r"alerts\.a0\.when: gives a value of type DOUBLE, expected true or false"),
        ("stage: idle, when: \"stage = 'idl'\"", r"stage is never 'idl'; did you mean 'idle'\?"),
        ("stage: idle, wen: clv > 1", r"unknown key 'wen'; did you mean 'when'\?"),
        ("stage: idle}\n  - {name: a0, labels: {en: T, zh: T}, stage: idle", "alerts: the name 'a0' stands twice"),
    ],
)  # fmt: skip
def test_mistakes(alert: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        policy(alert)


def held(made: policies.Policy, rows: list[dict], was: list[str | None] | None = None) -> list[list[str]]:
    names = ("days_since_last_order", "churn_probability", "clv", "clv_percentile")
    columns = {n: pa.array([row.get(n) for row in rows], pa.float64()) for n in names}
    ids = pa.array([str(i) for i in range(len(rows))])
    previous = None
    if was is not None:
        previous = pa.table([ids, pa.array(was, pa.string()), pa.nulls(len(rows), INSTANT)], schema=PREVIOUS)
    return assign(made, pa.table({"customer_id": ids, **columns}), 10**15, previous)["alerts"].to_pylist()


def test_a_rule_holds_in_its_stage_or_level_where_when_is_true() -> None:
    made = policy(
        "stage: at_risk",
        "risk: high",
        "stage: at_risk, when: clv > 100",
        "risk: high, when: \"stage = 'idle' AND NOT signal_quiet AND risk = 'high'\"",
        "stage: idle, when: previous_stage = 'at_risk'",
    )
    rows = [
        {"days_since_last_order": 100.0, "churn_probability": 0.9, "clv": 200.0},
        {"days_since_last_order": 100.0, "churn_probability": 0.5, "clv": 100.0},
        {"days_since_last_order": 100.0},  # no probability: no level; no clv: not true
        {"days_since_last_order": 90.0, "churn_probability": 0.5},
        {"churn_probability": 0.1},
        {},
    ]
    expected = [["a0", "a1", "a2"], ["a0", "a1"], ["a0"], ["a1", "a3"], [], []]
    assert held(made, rows) == expected
    assert [held(made, [row])[0] for row in rows] == expected  # one customer alone
    assert held(made, rows[4:], ["at_risk", "idle"]) == [["a4"], []]
    assert held(policy("stage: idle").model_copy(update={"alerts": ()}), rows[:2]) == [[], []]
    assert held(made, []) == []
