"""One bad customer in a request gets an error entry, the others the scores that they would have had without."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lifestage.ahead import with_ahead
from lifestage.decision import decide_block
from lifestage.settings import load
from serving.rows import rows

GOOD = {"ordered_at": "2023-01-01", "amount": 10.0}
BAD: list[tuple[str, dict[str, Any], str, str]] = [
    ("type", {"purchases": [GOOD, {**GOOD, "amount": "1"}]}, ".purchases[1].amount", "valid number"),
    ("unknown", {"purchases": [], "evnts": []}, ".evnts", "did you mean 'events'?"),
    (
        "time",
        {"purchases": [{**GOOD, "ordered_at": "1.2.2023"}]},
        ".purchases[0].ordered_at",
        "is '1.2.2023', no time",
    ),
    ("missing", {"purchases": [{"amount": 1.0}]}, ".purchases[0].ordered_at", "required"),
    (
        "order twice",
        {"purchases": [{**GOOD, "order_id": "o"}] * 2},
        ".purchases[1].order_id",
        "names two purchases",
    ),
    ("event", {"events": [{"occurred_at": "2023-01-01"}]}, ".events[0].event_type", "required"),
    (
        "answer",
        {"feedback": [{"submitted_at": "2023-01-01", "kind": "smile"}]},
        ".feedback[0].kind",
        "expected one of",
    ),
    ("attribute", {"attributes": {"no such": 1.0}}, ".attributes.no such", "is no attribute"),
    ("previous", {"previous": {"stage": "x", "stage_since": "y"}}, ".previous.stage_since", "'y' is no time"),
    (
        "previous later",
        {"previous": {"stage": "x", "stage_since": "2099-01-01"}},
        ".previous.stage_since",
        "after as_of",
    ),
    ("blank", {"customer_id": "  "}, ".customer_id", "is blank"),
    ("no id", {"customer_id": None}, ".customer_id", "valid string"),
]


def post(served: Any, body: Any, path: str = "/v1/score") -> Any:
    return served.client.post(path, json=body)


@pytest.mark.parametrize(("wrong", "at", "text"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_the_others_get_their_scores(
    served: Any, made: Any, wrong: dict[str, Any], at: str, text: str
) -> None:
    names = sorted(made.scores)[:2]
    good = [made.record(name) for name in names]
    alone = post(served, {"as_of": made.as_of, "customers": good}).json()["scores"]
    mixed = {"as_of": made.as_of, "customers": [good[0], {"customer_id": "bad", **wrong}, good[1]]}
    answer = post(served, mixed)
    assert answer.status_code == 200, answer.text
    assert answer.json()["scores"] == alone
    (error,) = answer.json()["errors"]
    assert error["index"] == 1
    assert error["customer_id"] == {"customer_id": "bad", **wrong}["customer_id"]
    assert error["path"] == f"customers[1]{at}"
    assert text in error["message"]


@pytest.mark.parametrize(("wrong", "at", "text"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_nobody_scored_is_a_problem(served: Any, wrong: dict[str, Any], at: str, text: str) -> None:
    answer = post(served, {"customers": [{"customer_id": "bad", **wrong}]})
    assert answer.status_code == 400, answer.text
    assert answer.json()["path"] == f"customers[0]{at}"
    assert text in answer.json()["detail"]


def test_many_bad_ones_are_told_in_the_order_of_the_request(served: Any) -> None:
    rows = [{**GOOD, "ordered_at": "never"}]
    customers = [{"customer_id": f"c{i}", "purchases": rows if i % 3 else [GOOD]} for i in range(60)]
    customers[30] = {"customer_id": 5}
    found = post(served, {"as_of": "2023-06-01", "customers": customers}).json()
    assert [score["customer_id"] for score in found["scores"]] == [
        f"c{i}" for i in range(0, 60, 3) if i != 30
    ]
    assert [error["index"] for error in found["errors"]] == sorted([*(i for i in range(60) if i % 3), 30])
    assert found["errors"][20]["path"] == "customers[30].customer_id"
    assert found["errors"][20]["customer_id"] is None


def test_whoever_stands_twice_is_scored_from_neither_half(served: Any) -> None:
    customers = [{"customer_id": name, "purchases": [GOOD]} for name in ("a", "b", "a", "17.0", "17")]
    found = post(served, {"as_of": "2023-06-01", "customers": customers}).json()
    assert [score["customer_id"] for score in found["scores"]] == ["b"]
    assert [error["index"] for error in found["errors"]] == [0, 2, 3, 4]
    assert all("stands twice" in error["message"] for error in found["errors"])


def test_what_concerns_the_whole_request_fails_it(served: Any) -> None:
    customers = [{"customer_id": "a", "purchases": [GOOD]}, {"customer_id": 7}]
    for body, at in (
        ({"as_of": "never"}, "as_of"),
        ({"asof": "2023-01-01"}, "asof"),
        ({"reasons": 1}, "reasons"),
    ):
        answer = post(served, {"customers": customers, **body})
        assert (answer.status_code, answer.json()["path"]) == (400, at), answer.text


def test_requests_at_the_same_time_get_what_they_get_alone(served: Any, made: Any) -> None:
    """Other instants, the same customer, and bad ones stand beside them in the queue."""
    names = sorted(made.scores)[:6]
    bodies: list[dict[str, Any]] = []
    for i in range(48):
        body: dict[str, Any] = {"as_of": made.as_of, "customers": [made.record(names[i % 6])]}
        if i % 5 == 0:
            body["as_of"] = "2023-01-01"
        if i % 7 == 0:
            body["reasons"] = False
        if i % 4 == 0:
            body["customers"].append({"customer_id": "bad", "purchases": [{**GOOD, "ordered_at": "x"}]})
        bodies.append(body)
    alone = [post(served, body).json() for body in bodies]
    with ThreadPoolExecutor(24) as pool:
        together = list(pool.map(lambda body: post(served, body).json(), bodies * 2))
    assert together == alone * 2


def test_reasons_are_left_out_where_nobody_reads_them(served: Any, made: Any) -> None:
    told = next(name for name, row in sorted(made.scores.items()) if row["churn_reasons"])
    body = {"as_of": made.as_of, "customers": [made.record(told)]}
    (whole,) = post(served, body).json()["scores"]
    (short,) = post(served, {**body, "reasons": False}).json()["scores"]
    assert whole["churn_reasons"] and short == {**whole, "churn_reasons": None}


def test_what_comes_if_nothing_happens_is_told_where_it_is_asked_for(served: Any, made: Any) -> None:
    names = sorted(made.scores)[:40]
    body = {"as_of": made.as_of, "customers": [made.record(name) for name in names]}
    plain = post(served, body).json()["scores"]
    told = post(served, {**body, "ahead": True}).json()["scores"]
    ahead = ("next_stage", "next_stage_at", "at_risk_at", "lost_at")
    assert all(row[name] is None for row in plain for name in ahead)
    assert sum(row["next_stage"] is not None for row in told) > 5
    assert [{**row, **dict.fromkeys(ahead)} for row in told] == plain
    history = made.history.block(0)
    scores = decide_block(history, made.run.as_of, made.release)
    looks = load(made.config).scoring.look_ahead_days
    batch = with_ahead(scores, history, made.run.as_of, made.release, looks)
    expected = {row["customer_id"]: row for row in rows(batch)}  # at first sight, too
    alike = [row for row in told if row["stage_since"] == expected[row["customer_id"]]["stage_since"]]
    assert len(alike) > 5
    for row in alike:
        assert {name: row[name] for name in ahead} == {n: expected[row["customer_id"]][n] for n in ahead}


def test_explain_tells_everybody_why(served: Any, made: Any) -> None:
    names = sorted(made.scores)[:30]
    customers = [made.record(name) for name in names] + [{"customer_id": "bad", "events": 1}]
    found = post(served, {"as_of": made.as_of, "top": 2, "customers": customers}, "/v1/explain").json()
    assert [row["customer_id"] for row in found["explanations"]] == names
    assert [error["path"] for error in found["errors"]] == ["customers[30].events"]
    for row in found["explanations"]:
        stored = made.scores[row["customer_id"]]
        assert row["churn_probability"] == stored["churn_probability"]
        assert row["rule"].split(".")[0] == row["stage"]
        assert (row["churn_reasons"] is None) == (not row["eligible"])
        assert len(row["churn_reasons"] or ()) <= 2
        if stored["churn_reasons"]:
            assert row["churn_reasons"] == stored["churn_reasons"][:2]
    wrong = post(served, {"top": 0, "customers": customers[:1]}, "/v1/explain")
    assert (wrong.status_code, wrong.json()["path"]) == (400, "top")


@pytest.mark.parametrize("path", ["/v1/score", "/v1/explain", "/v1/stage"])
def test_a_name_that_stands_twice_is_refused(served: Any, path: str) -> None:
    content = b'{"customers": [{"customer_id": "a", "customer_id": "b"}]}'
    answer = served.client.post(path, content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert 'key "customer_id"' in answer.json()["detail"] and "stands twice" in answer.json()["detail"]
