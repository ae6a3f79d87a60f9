"""Identities against union-find and reachability in plain Python, and what merging does to each table."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifestage.intake.identities import resolve

IDS = ["a", "b", "B", "c", "10", "9", "é", "客", "d", "e"]


def plain(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """id -> canonical id, by union-find and by walking the arrows."""
    parent = {name: name for pair in pairs for name in pair}

    def root(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    arrows: dict[str, set[str]] = {name: set() for name in parent}
    for alias, customer in pairs:
        parent[root(alias)] = root(customer)
        if alias != customer:
            arrows[alias].add(customer)

    def reach(name: str) -> set[str]:
        seen, todo = {name}, [name]
        while todo:
            for following in arrows[todo.pop()] - seen:
                seen.add(following)
                todo.append(following)
        return seen

    reached = {name: reach(name) for name in parent}
    # the end of a chain: whoever it leads to leads back to it
    ends = [name for name in parent if all(name in reached[other] for other in reached[name])]
    chosen = {r: min((n for n in ends if root(n) == r), key=str.encode) for r in map(root, parent)}
    return {name: chosen[root(name)] for name in parent}


@settings(max_examples=300, deadline=None)
@given(pairs=st.lists(st.tuples(st.sampled_from(IDS), st.sampled_from(IDS)), min_size=1, max_size=14))
def test_any_graph_of_aliases_resolves_as_union_find_says(pairs: list[tuple[str, str]]) -> None:
    found = resolve(pa.array([a for a, _ in pairs]), pa.array([b for _, b in pairs]))
    merged = dict(zip(found.ids.to_pylist(), found.canonical.to_pylist(), strict=True))
    expected = {name: to for name, to in plain(pairs).items() if name != to}
    assert merged == expected
    assert found.report["ids_merged"] == len(expected)
    assert found.report["customers_merged"] == len(set(expected.values()))
    targets: dict[str, set[str]] = {}
    for alias, customer in pairs:
        if alias != customer:
            targets.setdefault(alias, set()).add(customer)
    assert found.report["aliases"] == len(targets)
    assert found.report["conflicts"] == sum(len(t) > 1 for t in targets.values())


def test_order_and_repeats_of_aliases_change_nothing() -> None:
    pairs = [("a", "b"), ("b", "c"), ("d", "e"), ("e", "d"), ("x", "c"), ("x", "y")]
    one = resolve(pa.array([a for a, _ in pairs]), pa.array([b for _, b in pairs]))
    again = [*reversed(pairs), *pairs]
    two = resolve(pa.array([a for a, _ in again]), pa.array([b for _, b in again]))
    assert one.report == two.report
    assert one.ids.equals(two.ids)
    assert one.canonical.equals(two.canonical)
    assert dict(zip(one.ids.to_pylist(), one.canonical.to_pylist(), strict=True)) == {
        "a": "c", "b": "c", "e": "d", "x": "c", "y": "c",
    }  # fmt: skip
    assert one.report["conflict_examples"] == [{"alias": "x", "customer_ids": ["c", "y"]}]
    assert one.report["cycle_examples"] == [["d", "e"]]


def tables(pairs: list[tuple[str, str]], **more: Any) -> dict[str, Any]:
    rows = [{"alias": a, "cust": b} for a, b in pairs]
    return {"identities": rows, **more}


def test_every_table_is_merged(build: Any, read: Callable[..., dict[str, dict[str, Any]]]) -> None:
    buy = [
        {"cust": "old", "at": "2021-01-01", "amount": "10", "oid": "1"},
        {"cust": "new", "at": "2021-02-01", "amount": "20", "oid": "2"},
        {"cust": "older", "at": "2021-03-01", "amount": "-5", "oid": "2"},
        {"cust": "other", "at": "2021-03-05", "amount": "1", "oid": "3"},
    ]
    events = [{"cust": "old", "at": "2021-01-05", "what": "login"}]
    answers = [{"cust": "older", "at": "2021-01-06", "kind": "nps", "score": "9", "done": ""}]
    people = [
        {"cust": "old", "at": "2020-06-01", "cost": "", "city": "Rome"},
        {"cust": "new", "at": "2020-07-01", "cost": "3", "city": "Paris"},
        {"cust": "other", "at": "", "cost": "1", "city": ""},
    ]
    given_ = tables([("older", "old"), ("old", "new"), ("ghost", "new")],
                    transactions=buy, events=events, feedback=answers, customers=people)  # fmt: skip
    intake = build.open(given_)
    found = read(intake)
    assert sorted(found) == ["new", "other"]
    merged = found["new"]
    assert [p["amount"] for p in merged["purchases"]] == [10, 20]
    # the refund names an order of the same person under another id: linked
    assert merged["refunds"][0]["order_at"] == merged["purchases"][1]["t"]
    assert len(merged["events"]) == len(merged["feedback"]) == 1
    # the earliest registration first; what it leaves empty comes from the next
    assert (merged["city"], merged["acquisition_cost"]) == ("Rome", 3.0)
    report = intake.report["identities"]
    assert (report["aliases"], report["ids_merged"], report["customers_merged"]) == (3, 3, 1)
    assert report["profiles_combined"] == 1
    assert report["rows"] == {"transactions": 2, "events": 1, "feedback": 1, "customers": 1}
    assert report["examples"] == [{"customer_id": "new", "aliases": ["ghost", "old", "older"]}]
    assert intake.report["tables"]["customers"]["rejected"] == {}


def test_a_repeated_row_of_one_id_is_still_a_reject(
    build: Any, read: Callable[..., dict[str, dict[str, Any]]]
) -> None:
    buy = [{"cust": "n", "at": "2021-01-01", "amount": "10", "oid": "1"},
           {"cust": "o", "at": "2021-01-01 05:00", "amount": "11", "oid": "1"}]  # fmt: skip
    people = [{"cust": c, "at": "2020-06-01", "cost": "1", "city": "Rome"} for c in ("o", "o", "n")]
    intake = build.open(tables([("o", "n")], transactions=buy, customers=people))
    assert intake.report["tables"]["customers"]["rejected"] == {"repeated customer_id": 1}
    assert intake.report["tables"]["transactions"]["rejected"] == {"repeated order_id": 1}
    assert intake.report["identities"]["profiles_combined"] == 1
    assert [p["amount"] for p in read(intake)["n"]["purchases"]] == [10]


def test_lines_of_one_order_under_two_ids_are_one_order(
    build: Any, read: Callable[..., dict[str, dict[str, Any]]]
) -> None:
    lines = [{"cust": c, "at": "2021-01-01", "amount": "10", "oid": "1"} for c in ("n", "o")]
    path = build.write("lines", lines)
    columns = {"customer_id": "cust", "ordered_at": "at", "amount": "amount", "order_id": "oid"}
    source = {"path": path, "grain": "line", "columns": columns}
    intake = build.open(tables([("o", "n")], transactions=source))
    assert [p["amount"] for p in read(intake)["n"]["purchases"]] == [20]


@pytest.mark.parametrize("missing", ["alias", "cust"])
def test_an_alias_without_an_id_is_a_reject(build: Any, missing: str) -> None:
    rows = [{"alias": "o", "cust": "n"}, {"alias": "p", "cust": "n", missing: ""}]
    buy = [{"cust": "n", "at": "2021-01-01", "amount": "10", "oid": "1"}]
    intake = build.open({"identities": rows, "transactions": buy})
    name = {"alias": "alias", "cust": "customer_id"}[missing]
    assert intake.report["tables"]["identities"]["rejected"] == {f"missing {name}": 1}
