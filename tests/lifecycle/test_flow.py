"""Counts by stage and of moves between stages."""

from collections import Counter
from datetime import date

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from lifestage.lifecycle.flow import flow, transitions


def frame(stages: dict[str, str | None]) -> pa.Table:
    return pa.table(
        {
            "customer_id": pa.array(list(stages), pa.string()),
            "stage": pa.array(list(stages.values()), pa.string()),
        }
    )


def test_transitions_name_stays_moves_and_the_new() -> None:
    before = frame({"1": "a", "2": "a", "3": "b", "4": None})
    after = frame({"5": "a", "4": "a", "3": "a", "2": "b", "1": "a"})
    assert transitions(before, after).to_pylist() == [
        {"from_stage": "a", "to_stage": "a", "customers": 1},
        {"from_stage": "a", "to_stage": "b", "customers": 1},
        {"from_stage": "b", "to_stage": "a", "customers": 1},
        {"from_stage": "new", "to_stage": "a", "customers": 2},
    ]


STAGES = st.dictionaries(st.sampled_from("123456789"), st.sampled_from("abc"))


@settings(max_examples=60, deadline=None)
@given(STAGES, STAGES)
def test_transitions_equal_a_plain_count(before: dict[str, str], after: dict[str, str]) -> None:
    expected = Counter((before.get(customer, "new"), stage) for customer, stage in after.items())
    got = transitions(frame(before), frame(after)).to_pylist()
    assert {(r["from_stage"], r["to_stage"]): r["customers"] for r in got} == expected
    assert [(r["from_stage"], r["to_stage"]) for r in got] == sorted(expected)


def test_flow_counts_stages_of_every_date() -> None:
    frames = {date(2024, 2, 1): frame({"1": "b", "2": "a", "3": "a"}), date(2024, 1, 1): frame({"1": "a"})}
    assert flow(frames).to_pylist() == [
        {"date": date(2024, 1, 1), "stage": "a", "customers": 1},
        {"date": date(2024, 2, 1), "stage": "a", "customers": 2},
        {"date": date(2024, 2, 1), "stage": "b", "customers": 1},
    ]


def test_flow_takes_dictionaries_and_nothing() -> None:
    encoded = pa.table({"stage": pa.array(["a", "a"]).dictionary_encode()})
    assert flow({date(2024, 1, 1): encoded}).to_pylist() == [
        {"date": date(2024, 1, 1), "stage": "a", "customers": 2}
    ]
    assert flow({}).column_names == ["date", "stage", "customers"]
    assert flow({}).num_rows == 0
