"""The running service, called as an application calls it."""

import json
import os
import random
import shlex
import signal
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pyarrow as pa
import pytest

from lifestage.decision import condition_columns, decide_block
from lifestage.lifecycle.columns import GIVEN
from lifestage.schemas import SCORE
from lifestage.settings.privacy import Privacy
from serving import access
from serving.__main__ import examples
from serving.state import load


def plain(row: dict[str, Any]) -> dict[str, Any]:
    """A batch score as the API writes it, in plain Python."""
    return {
        name: value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        if isinstance(value, datetime)
        else value
        for name, value in row.items()
    }


def post(served: Any, path: str, body: Any) -> httpx.Response:
    return served.client.post(path, json=body)


def same_bits(a: Any, b: Any) -> bool:
    """Equal values of equal types; floats by their digits, so that 0.0 and -0.0 differ."""
    if isinstance(a, dict) and isinstance(b, dict):  # whose names have no order
        a, b = sorted(a.items()), sorted(b.items())
    return repr(a) == repr(b)


# --- /v1/score: the numbers of the batch -----------------------------------------------------------------------


def test_scores_of_many_equal_the_batch(served: Any, made: Any) -> None:
    """Raw rows of the file, shuffled, in one request: every bit of the stored run."""
    names = random.Random(1).sample(sorted(made.scores), 400)
    stored = {name: made.scores[name] for name in names}
    records = []
    for name in names:
        record = made.record(name)
        if stored[name]["previous_stage"] is not None:
            since = before(made, name)
            record["previous"] = {"stage": stored[name]["previous_stage"], "stage_since": since}
        records.append(record)
    answer = post(served, "/v1/score", {"as_of": made.as_of, "customers": records})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert [score["customer_id"] for score in body["scores"]] == names
    for score in body["scores"]:
        assert same_bits(score, plain(stored[score["customer_id"]]))
    assert body["release"] == "tiny-1"
    assert (body["churn_horizon_days"], body["clv_horizon_days"], body["currency"]) == (60, 180, "EUR")
    assert sum(score["churn_probability"] is not None for score in body["scores"]) > 50


def before(made: Any, name: str) -> str:
    """When the stage before the run began, as stored 30 days earlier."""
    from lifestage.settings import load
    from lifestage.store import open_store

    return open_store(load(made.config).store_url).stage_history(name)[0]["stage_since"]


def test_scores_of_one_equal_those_of_many(served: Any, made: Any) -> None:
    names = random.Random(2).sample(sorted(made.scores), 200)
    records = [made.record(name) for name in names]
    many = post(served, "/v1/score", {"as_of": made.as_of, "customers": records}).json()["scores"]
    for record, score in zip(records, many, strict=True):
        one = post(served, "/v1/score", {"as_of": made.as_of, "customers": [record]}).json()["scores"]
        assert same_bits(one, [score])


def test_scores_at_an_earlier_instant_ignore_later_rows(served: Any, made: Any) -> None:
    """An as_of within a day, not at midnight: equal to decide_block on the history file's block."""
    as_of = made.run.as_of - 77 * 86_400_000_000 + 5_000_000_001
    moment = datetime.fromtimestamp(as_of // 1_000_000, UTC).replace(microsecond=as_of % 1_000_000)
    block = made.history.block(0)
    expected = decide_block(block, as_of, made.release).to_pylist()
    records = [made.record(row["customer_id"]) for row in expected]
    answer = post(served, "/v1/score", {"as_of": moment.isoformat(), "customers": records}).json()
    assert len(expected) == 200
    for score, row in zip(answer["scores"], expected, strict=True):
        assert same_bits(score, plain(row))


def test_a_customer_without_rows_is_staged_too(served: Any) -> None:
    answer = post(served, "/v1/score", {"customers": [{"customer_id": "new", "signed_up_at": "2024-01-01"}]})
    assert answer.status_code == 200
    score = answer.json()["scores"][0]
    assert score["eligible"] is False
    assert score["clv"] is None
    assert score["stage"]
    assert set(score) == set(SCORE.names)
    assert abs(datetime.now(UTC) - datetime.fromisoformat(answer.json()["as_of"])).total_seconds() < 60


def test_an_answer_never_holds_nan(served: Any, made: Any) -> None:
    text = post(served, "/v1/score", {"as_of": made.as_of, "customers": [{"customer_id": "x"}]}).text
    assert "NaN" not in text
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in the answer"))


# --- /v1/customers ---------------------------------------------------------------------------------------------


def test_a_stored_score_is_the_batch_score(served: Any, made: Any) -> None:
    for name in random.Random(3).sample(sorted(made.scores), 50):
        body = served.client.get(f"/v1/customers/{name}").json()
        assert same_bits(body["score"], plain(made.scores[name]))
        assert body["release"] == "tiny-1"
        assert body["as_of"] == plain(made.scores[name])["as_of"]
        assert body["stage_history"][-1]["stage"] == body["score"]["stage"]


def test_an_unknown_customer_is_404(served: Any) -> None:
    answer = served.client.get("/v1/customers/nobody%2F..%2F'x")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert "customer 'nobody/../'x' is not in the stored scores" in answer.json()["detail"]


# --- /v1/stage -------------------------------------------------------------------------------------------------


def test_given_columns_are_staged_like_the_batch(served: Any, made: Any) -> None:
    block = made.history.block(1)
    columns = condition_columns(block, made.run.as_of, made.release)
    table = pa.table({name: columns[name] for name in ("customer_id", *GIVEN) if name in columns}).to_pylist()
    expected = decide_block(block, made.run.as_of, made.release).to_pylist()
    customers = [
        {"customer_id": row.pop("customer_id"), "columns": {n: v for n, v in row.items() if v is not None}}
        for row in table
    ]
    body = post(served, "/v1/stage", {"as_of": made.as_of, "customers": customers}).json()
    for staged, row in zip(body["stages"], expected, strict=True):
        assert same_bits(staged, {name: plain(row)[name] for name in staged})
    # Percentiles left out are looked up.
    for customer in customers:
        customer["columns"] = {n: v for n, v in customer["columns"].items() if not n.endswith("_percentile")}
    assert post(served, "/v1/stage", {"as_of": made.as_of, "customers": customers}).json() == body
    assert body["policy"] == "ecommerce"


def test_a_previous_stage_is_kept_or_left(served: Any, made: Any) -> None:
    previous = {"stage": "gone_from_the_policy", "stage_since": "2023-01-01"}
    customer = {"customer_id": "a", "columns": {"order_count": 1}, "previous": previous}
    staged = post(served, "/v1/stage", {"as_of": made.as_of, "customers": [customer]}).json()["stages"][0]
    assert staged["previous_stage"] == "gone_from_the_policy"
    assert staged["stage"] != "gone_from_the_policy"
    again = {**customer, "previous": {"stage": staged["stage"], "stage_since": "2023-01-01"}}
    kept = post(served, "/v1/stage", {"as_of": made.as_of, "customers": [again]}).json()["stages"][0]
    assert (kept["stage"], kept["stage_since"]) == (staged["stage"], "2022-12-31T23:00:00Z")


# --- bad requests ----------------------------------------------------------------------------------------------

ORDER = {"ordered_at": "2023-01-01", "amount": 1.0}


def scoring(**customer: Any) -> dict[str, Any]:
    return {"customers": [{"customer_id": "c", **customer}]}


def staging(**columns: Any) -> dict[str, Any]:
    return {"customers": [{"customer_id": "c", "columns": columns}]}


@pytest.mark.parametrize(
    ("path", "body", "at", "text"),
    [
        ("score", {}, "customers", "Field required"),
        ("score", [], None, "expected a JSON object"),
        ("score", {"customers": []}, "customers", "at least 1 item"),
        (
            "score",
            {"customers": [{"customer_id": f"{i}"} for i in range(1_001)]},
            "customers",
            "at most 1000 items",
        ),
        ("score", {"customer": []}, "customers", "Field required"),
        ("score", scoring(purchase=[]), "customers[0].purchase", "did you mean 'purchases'?"),
        (
            "score",
            scoring(purchases=[{**ORDER, "amuont": 1}]),
            "customers[0].purchases[0].amuont",
            "did you mean 'amount'?",
        ),
        (
            "score",
            scoring(purchases=[{**ORDER, "amount": "1"}]),
            "customers[0].purchases[0].amount",
            "valid number",
        ),
        (
            "score",
            scoring(purchases=[{**ORDER, "amount": True}]),
            "customers[0].purchases[0].amount",
            "valid number",
        ),
        (
            "score",
            scoring(purchases=[{**ORDER, "amount": 1e300}]),
            "customers[0].purchases[0].amount",
            "at most 1e+15",
        ),
        (
            "score",
            scoring(purchases=[{**ORDER, "ordered_at": "1.2.2023"}]),
            "customers[0].purchases[0].ordered_at",
            "customers[0].purchases[0].ordered_at: is '1.2.2023', no time",
        ),
        (
            "score",
            scoring(purchases=[{**ORDER, "ordered_at": 1672531200}]),
            "customers[0].purchases[0].ordered_at",
            "valid string",
        ),
        (
            "score",
            scoring(purchases=[{**ORDER, "order_id": "o"}] * 2),
            "customers[0].purchases[1].order_id",
            "'o' names two purchases",
        ),
        ("score", {"customers": [{"customer_id": "c"}] * 2}, "customers[0].customer_id", "stands twice"),
        ("score", {"customers": [{"customer_id": 7}]}, "customers[0].customer_id", "valid string"),
        ("score", {"as_of": "someday", **scoring()}, "as_of", "as_of: 'someday' is no time"),
        ("score", {"as_of": "9999-12-31", **scoring()}, "as_of", "out of range"),
        (
            "score",
            scoring(previous={"stage": "active", "stage_since": "x"}),
            "customers[0].previous.stage_since",
            "'x' is no time",
        ),
        ("stage", staging(order_cuont=1), "customers[0].columns.order_cuont", "did you mean 'order_count'?"),
        ("stage", staging(tier="gold"), "customers[0].columns.tier", "what staging works out"),
        (
            "stage",
            staging(order_count="three"),
            "customers[0].columns.order_count",
            "'three'; expected a number",
        ),
        ("stage", staging(eligible=1), "customers[0].columns.eligible", "expected true or false"),
        (
            "stage",
            staging(churn_probability=7),
            "customers[0].columns.churn_probability",
            "is 7.0; expected 0 to 1",
        ),
        ("stage", staging(clv=-1.0), "customers[0].columns.clv", "is -1.0; expected 0 or more"),
        ("stage", staging(order_count=[1]), "customers[0].columns.order_count", "valid"),
        (
            "stage",
            {"customers": [{"customer_id": "c", "columns": {}}] * 2},
            "customers[1].customer_id",
            "twice",
        ),
    ],
)
def test_a_bad_request_says_where_and_what(
    served: Any, path: str, body: Any, at: str | None, text: str
) -> None:
    answer = post(served, f"/v1/{path}", body)
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem.get("path") == at
    assert text in problem["detail"]
    assert problem["status"] == 400


DEEP = b'{"customers":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
RAW: dict[str, bytes] = {
    "truncated": b'{"customers": [{"customer_id": "c", "purchases": [{"ordered_at": "2023',
    "empty": b"",
    "no JSON": b"customers=1",
    "not UTF-8": b'{"customers": [{"customer_id": "\xff\xfe"}]}',
    "UTF-16": '{"customers": [{"customer_id": "c"}]}'.encode("utf-16"),
    "lone surrogate": b'{"customers": [{"customer_id": "\\ud800"}]}',
    "NaN": b'{"customers": [{"customer_id": "c", "purchases": [{"ordered_at": "2023-01-01", "amount": NaN}]}]}',
    "Infinity": b'{"customers": [{"customer_id": "c", "acquisition_cost": Infinity}]}',
    "huge number": b'{"customers": [{"customer_id": "c", "acquisition_cost": 1' + b"0" * 4_000 + b"}]}",
    "1e999": b'{"customers": [{"customer_id": "c", "purchases": [{"ordered_at": "2023-01-01", "amount": 1e999}]}]}',
    "deep": DEEP,
    "long text": b'{"customers": [{"customer_id": "' + b"a" * 10_000_000 + b'"}]}',
    "long key": b'{"customers": [{"customer_id": "c", "' + b"k" * 1_000_000 + b'": 1}]}',
    "a number": b"17",
    "null": b"null",
}


@pytest.mark.parametrize("path", ["/v1/score", "/v1/stage"])
@pytest.mark.parametrize("name", list(RAW))
def test_a_malformed_body_is_4xx(served: Any, path: str, name: str) -> None:
    answer = served.client.post(path, content=RAW[name], headers={"content-type": "application/json"})
    assert answer.status_code == 400, (name, answer.text[:300])
    assert "Traceback" not in answer.text
    assert len(answer.text) < 5_000
    assert answer.json()["detail"]


def test_a_body_that_is_too_large_is_413(served: Any) -> None:
    def parts() -> Any:
        for _ in range(65):
            yield b" " * 2**20

    answer = served.client.post("/v1/score", content=parts())
    assert answer.status_code == 413
    assert "larger than 64 MiB" in answer.json()["detail"]


def test_other_paths_and_methods_are_problems(served: Any) -> None:
    for method, path, status in (
        ("GET", "/v1/score", 405),
        ("POST", "/v1/customers/x", 405),
        ("GET", "/v1/nothing", 404),
        ("POST", "/v1/customers/", 404),
        ("DELETE", "/nothing", 404),
    ):
        answer = served.client.request(method, path)
        assert (answer.status_code, answer.json()["status"]) == (status, status), path
        assert f"{method} {path} does not exist" in answer.json()["detail"]


# --- what stands around the endpoints ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/livez", "/healthz", "/readyz", "/metrics", "/", "/docs.json", "/openapi.json"]
)
def test_the_built_in_paths_answer(served: Any, path: str) -> None:
    assert served.client.get(path).status_code == 200


def test_metrics_hold_no_customer(served: Any, made: Any) -> None:
    name = min(made.scores)
    served.client.get(f"/v1/customers/{name}")
    served.client.get("/v1/whatever-else")
    text = served.client.get("/metrics").text
    assert 'endpoint="/v1/customers/{customer_id}"' in text
    assert name not in text
    assert "whatever-else" not in text


def test_the_page_asks_nobody_but_this_host(served: Any) -> None:
    page = served.client.get("/").text
    assert "http:" not in page
    assert "https:" not in page
    assert "//" not in page.replace("<!--", "")
    for asset in ("swagger-ui.css", "swagger-ui-bundle.js"):
        assert served.client.get(f"/static_content/{asset}").status_code == 200


def test_the_documented_examples_work(served: Any) -> None:
    document = served.client.get("/openapi.json").json()
    for path in ("/v1/score", "/v1/stage"):
        operation = document["paths"][path]["post"]
        name = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
        example = document["components"]["schemas"][name]["examples"][0]
        answer = post(served, path, example)
        assert answer.status_code == 200, answer.text
        assert {"200", "400", "413", "503"} <= set(operation["responses"])
    assert "/v1/customers/{customer_id}" in served.client.get("/docs.json").json()["paths"]


def test_the_printed_lines_work(served: Any, made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the launcher prints can be pasted, with an id of one's own where its output is no terminal."""
    lines = [line for line in served.said if line.startswith("curl ")]
    assert len(lines) == 2
    assert lines[0].endswith("/v1/customers/CUSTOMER_ID")
    monkeypatch.setattr(access, "key_asked", lambda _: False)  # as on this machine alone
    state = load(made.config)
    address = lines[0].removeprefix("curl -s ").removesuffix("/v1/customers/CUSTOMER_ID")
    name = max(sorted(made.scores), key=lambda n: made.scores[n]["clv"] or 0)
    to_a_person = [line for line in examples(state, address, shown=True).splitlines() if "curl" in line]
    assert to_a_person == [lines[0].replace("CUSTOMER_ID", name), lines[1]]
    hashed = replace(state, shop=state.shop.model_copy(update={"privacy": Privacy(hash_ids=True)}))
    assert "/v1/customers/CUSTOMER_ID\n" in examples(hashed, address, shown=True)
    for line in to_a_person:
        answered = subprocess.run(shlex.split(line), capture_output=True, text=True, check=True, timeout=20)
        assert json.loads(answered.stdout)["release"] == "tiny-1"


def test_zz_ctrl_c_ends_it_cleanly(served: Any) -> None:
    """Last of the file: the service is gone after it."""
    os.kill(served.process.pid, signal.SIGINT)
    rest, _ = served.process.communicate(timeout=30)
    assert served.process.returncode in (0, 130)
    assert "Traceback" not in rest
    with pytest.raises(httpx.TransportError):
        served.client.get("/livez")
