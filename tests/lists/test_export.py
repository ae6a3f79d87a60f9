"""Conditions, order and words of a list, on hand-made score rows."""

import math
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifestage.errors import InputError
from lifestage.lifecycle.policy import load
from lifestage.lists.export import best_first, checked, chosen_columns, columns_of, matches, stored
from lifestage.lists.wording import TITLES, Wording, list_rows, titles
from lifestage.schemas import INSTANT, SCORE

POLICY = load("ecommerce")
ZONE = "Asia/Shanghai"


def us(*day: int) -> int:
    return int(datetime(*day, tzinfo=UTC).timestamp()) * 1_000_000


ROWS = [
    {"customer_id": "a", "stage": "at_risk", "tier": "gold", "clv": 10.0, "churn_probability": 0.5, "eligible": True},
    {"customer_id": "b", "stage": "at_risk", "tier": "platinum", "clv": 90.0, "churn_probability": 0.2, "eligible": True,
     "next_order_at": us(2025, 12, 31, 15, 59), "signals": [{"name": "lapsed", "level": "high"}]},
    {"customer_id": "c", "stage": "loyalty", "tier": "gold", "clv": 50.0, "eligible": False,
     "next_order_at": us(2025, 12, 31, 16), "signals": [{"name": "beyond_rhythm", "level": "low"}, {"name": "lapsed", "level": "high"}]},
    {"customer_id": "d", "stage": "acquisition", "eligible": True, "signals": []},
]  # fmt: skip
STAKE = np.array([5.0, 70.0, 20.0, math.nan])


def table(rows: list[dict]) -> pa.Table:
    columns = []
    for field in SCORE:
        values = [row.get(field.name) for row in rows]
        if field.type == INSTANT:
            columns.append(pa.array(values, pa.int64()).cast(INSTANT))
        else:
            columns.append(pa.array(values, field.type))
    return pa.table(columns, schema=pa.schema([pa.field(f.name, f.type) for f in SCORE]))


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("stage = 'at_risk' AND tier IN ('gold', 'platinum')", "ab"),
        ("clv > 20", "bc"),
        ("NOT clv > 20", "a"),  # what is missing is not true
        ("clv IS NULL", "d"),
        ("eligible AND churn_probability < 0.3", "b"),
        ("next_order_at < DATE '2026-01-01'", "b"),  # 16:00 UTC is midnight in Shanghai
        ("next_order_at >= '2026-01-01'", "c"),
        ("hour(next_order_at) = 23", "b"),
        ("signal_lapsed", "bc"),
        ("NOT signal_lapsed", "ad"),
        ("signal_beyond_rhythm AND signal_lapsed", "c"),
        ("value_at_stake >= 20", "bc"),
        ("value_at_stake IS NULL OR customer_id = 'a'", "ad"),
        ("true", "abcd"),
    ],
)
def test_conditions(where: str, expected: str) -> None:
    condition = checked(where, POLICY)
    needed = stored(["customer_id", *condition.reads])
    (batch,) = table(ROWS).select(needed).to_batches()
    hit = matches(condition, batch, STAKE, ZONE)
    assert "".join(row["customer_id"] for row, h in zip(ROWS, hit, strict=True) if h) == expected


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("stage = 'at_rsk'", r"--where: .*stage is never 'at_rsk'; did you mean 'at_risk'\?"),
        ("tier IN ('gold', 'platin')", r"tier is never 'platin'; did you mean 'platinum'\?"),
        ("clvv > 3", r"--where: at line 1, column 1 .*unknown column 'clvv'; did you mean 'clv'\?"),
        ("clv > 3 AND\nsignal_laps", r"at line 2, column 1 .*did you mean 'signal_lapsed'\?"),
        ("clv + 1", r"--where: gives a value of type DOUBLE, expected true or false"),
        (
            "churn_probability > 50",
            r"--where: asks for churn_probability > 50, but churn_probability is always between 0 ",
        ),
        (
            "clv < 0 AND stage = 'at_risk'",
            r"asks for clv < 0, but clv is always 0 or more; so nobody can match",
        ),
        ("order_count > 3 AND order_count < 2", r"but no number is all of that; so nobody can match"),
        ("r_score = 5", r"--where: 'r_score' is worked out while staging and not kept; put it into a signal"),
        (
            "stage = '忠诚维系'",
            r"stage is never '忠诚维系', which is the label of 'loyalty'; write 'loyalty'",
        ),
        (
            "stage IN ('Loyalty')",
            r"stage is never 'Loyalty', which is the label of 'loyalty'; write 'loyalty'",
        ),
        ("segment = '冠军客户'", r"which is the label of 'champions'; write 'champions'"),
        (
            "clv > 1,000",
            r"--where: at line 1, column 7 .*'1,000' is no number; write it without commas: 1000",
        ),
        ("churn_percentile > 90%", r"'90%' is no number; write a share: 0.9"),
        ("days_since_last_order > 60 days", r"'60 days' is no number; write the number alone: 60"),
        ("clv > (SELECT 1)", r"a subquery is not allowed"),
        ("reasons = 'x'", r"unknown column 'reasons'"),
        ("", r"--where: expected a SQL expression"),
    ],
)
def test_bad_conditions(where: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        checked(where, POLICY)


def test_features_come_beside_the_scores() -> None:
    condition = checked("days_since_last_order > 60 AND (clv > 20 OR signal_lapsed) AND plan IS NULL", POLICY)
    assert condition.features == {"days_since_last_order": pa.float64(), "plan": pa.string()}
    needed = stored(["customer_id", *(condition.reads - condition.features.keys())])
    (batch,) = table(ROWS).select(needed).to_batches()
    features = pa.table(
        {"days_since_last_order": [10.0, 61.0, 60.0, None], "plan": pa.array([None] * 4, pa.string())}
    )
    assert matches(condition, batch, STAKE, ZONE, features).tolist() == [False, True, False, False]


def test_an_alternative_that_can_be_true_is_enough() -> None:
    assert checked("churn_probability > 50 OR clv > 3", POLICY).features == {}


def test_a_condition_that_fails_on_a_value() -> None:
    condition = checked("CAST(customer_id AS BIGINT) > 5", POLICY)
    (batch,) = table(ROWS).select(stored(list(condition.reads))).to_batches()
    with pytest.raises(InputError, match=r"--where: fails for these customers: .*guard it, e.g. with CASE"):
        matches(condition, batch, STAKE, ZONE)


def plainly(rows: list[int], stake: list[float], clv: list[float | None], p: list[float | None]) -> list[int]:
    """Sorted by Python, one rule after the other."""
    known = [stake[r] for r in rows if not math.isnan(stake[r])]
    same = len(set(known)) == 1

    def key(r: int) -> tuple:
        if not math.isnan(stake[r]):
            return (0, -stake[r], -(-math.inf if p[r] is None else p[r]) if same else 0, 0, r)
        return (1, *(math.inf if v is None else -v for v in (clv[r], p[r])), 0, r)

    return sorted(rows, key=key)


FIGURES = st.sampled_from([0.0, 1.0, 1.0, 2.5, 7.0])


@given(
    st.lists(
        st.tuples(
            st.one_of(st.just(math.nan), FIGURES),
            st.none() | FIGURES,
            st.none() | st.sampled_from([0.1, 0.9]),
        ),
        min_size=1,
        max_size=12,
    ),
    st.data(),
)
def test_order(values: list[tuple], data: st.DataObject) -> None:
    stake, clv, p = (list(column) for column in zip(*values, strict=True))
    rows = sorted(data.draw(st.sets(st.integers(0, len(values) - 1))))
    scores = pa.table({"clv": pa.array(clv, pa.float64()), "churn_probability": pa.array(p, pa.float64())})
    found = best_first(np.array(rows, np.int64), np.array(stake), scores, None)
    assert found.tolist() == plainly(rows, stake, clv, p)
    assert best_first(np.array(rows, np.int64), np.array(stake), scores, 3).tolist() == found.tolist()[:3]


def test_every_score_has_a_title_in_both_languages() -> None:
    assert set(SCORE.names) <= set(TITLES)
    assert set(columns_of(POLICY)) >= {f.name for f in SCORE if not pa.types.is_nested(f.type)}
    assert titles(("clv", "signal_lapsed", "stage"), POLICY, "zh", "CNY") == [
        *("客户终身价值（CNY）", "已流失", "生命周期阶段")
    ]
    assert titles(("value_at_stake",), POLICY, "en", "EUR") == ["Value at stake (EUR)"]


def test_columns() -> None:
    assert chosen_columns((), POLICY)[:3] == ("customer_id", "value_at_stake", "clv")
    assert chosen_columns(("stage", "signals", "signal_lapsed"), POLICY) == (
        "stage",
        "signals",
        "signal_lapsed",
    )
    with pytest.raises(InputError, match=r"--columns: unknown column 'reason'; did you mean 'reasons'\?"):
        chosen_columns(("reason",), POLICY)
    with pytest.raises(InputError, match=r"--columns: 'clv' stands twice"):
        chosen_columns(("clv", "stage", "clv"), POLICY)
    assert stored(("signal_lapsed", "clv", "value_at_stake", "signals")) == ["clv", "signals"]


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", ["0042\t", "70.00", "At risk", "2026-01-01", "yes", "Lapsed (high)", "yes", "no order; too late", "0.2000", ""]),
        ("zh", ["0042\t", "70.00", "流失预警", "2026-01-01", "是", "已流失（高）", "是", "no order; too late", "0.2000", ""]),
    ],
)  # fmt: skip
def test_words(language: str, expected: list[str]) -> None:
    row = {
        **ROWS[1],
        "customer_id": "0042",
        "next_order_at": us(2025, 12, 31, 16),
        "reasons": ["no order", "too late"],
    }
    names = (
        "customer_id",
        "value_at_stake",
        "stage",
        "next_order_at",
        "eligible",
        "signals",
        "signal_lapsed",
    )
    names += ("reasons", "churn_probability", "clv_percentile")
    wording = Wording(POLICY, language, ZONE)
    (cells,) = list_rows(table([row]).select(stored(names)), STAKE[1:2], names, wording)
    assert list(cells) == expected
    gone = table([{"customer_id": "x", "stage": "of_another_policy"}])
    (cells,) = list_rows(gone, np.array([math.nan]), ("stage", "value_at_stake", "signals"), wording)
    assert list(cells) == ["of_another_policy", "", ""]
