"""The client against a service that answers what each test wants."""

import json
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lifestage_client import Lifestage, LifestageError
from lifestage_client import transport as transports

ROOT = Path(__file__).parents[2]
OK: tuple[int, Any, dict[str, str]] = (200, {"fine": True}, {})
PROBLEM = {
    "type": "urn:lifestage:problem:invalid-request",
    "title": "Bad Request",
    "status": 400,
    "detail": "customers[0].purchases[3].amount: is no number",
    "path": "customers[0].purchases[3].amount",
    "errors": [{"path": "customers[0].purchases[3].amount", "message": "is no number"}],
}


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that the client would have slept."""
    slept: list[float] = []
    monkeypatch.setattr(transports.time, "sleep", slept.append)
    return slept


def test_it_needs_the_standard_library_alone() -> None:
    code = f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r}); import lifestage_client"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (ROOT / "src" / "lifestage_client" / "py.typed").is_file()


def test_what_is_sent(stub: Any) -> None:
    stub.answers = [OK]
    with Lifestage(stub.url + "/shop/", key="secret") as client:
        client.score([{"customer_id": "C-17", "purchases": []}], as_of=date(1998, 7, 1))
        client.score([{"customer_id": "é书"}])
    method, path, headers, body = stub.asked[0]
    assert (method, path) == ("POST", "/shop/v1/score")
    assert headers["authorization"] == "Bearer secret"
    assert headers["content-type"] == "application/json"
    assert 1 <= len(headers["x-request-id"]) <= 128
    assert headers["x-request-id"] != stub.asked[1][2]["x-request-id"]
    assert body == {
        "as_of": "1998-07-01",
        "customers": [{"customer_id": "C-17", "purchases": []}],
        "reasons": True,
        "ahead": False,
    }
    assert stub.asked[1][3] == {"customers": [{"customer_id": "é书"}], "reasons": True, "ahead": False}


def test_the_key_may_come_from_the_environment(stub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stub.answers = [OK]
    monkeypatch.setenv("LIFESTAGE_API_KEY", "from-outside")
    Lifestage(stub.url).ready()
    Lifestage(stub.url, key="given").ready()
    Lifestage(stub.url, key="").ready()
    sent = [headers.get("authorization") for _, _, headers, _ in stub.asked]
    assert sent == ["Bearer from-outside", "Bearer given", None]


def test_times_decimals_and_numpy_numbers_become_json(stub: Any) -> None:
    stub.answers = [OK]
    purchase: Any = {"ordered_at": datetime(1998, 1, 2, 3, tzinfo=UTC), "amount": Decimal("12.50")}
    more: Any = {"ordered_at": date(1998, 1, 3), "amount": np.float32(0.5)}
    Lifestage(stub.url).score([{"customer_id": "c", "purchases": [purchase, more]}])
    assert stub.asked[0][3]["customers"][0]["purchases"] == [
        {"ordered_at": "1998-01-02T03:00:00+00:00", "amount": 12.5},
        {"ordered_at": "1998-01-03", "amount": 0.5},
    ]
    with pytest.raises(ValueError, match="Out of range float values"):
        Lifestage(stub.url).score([{"customer_id": "c", "acquisition_cost": float("nan")}])
    with pytest.raises(TypeError, match=r"set .* has no place in a request"):
        Lifestage(stub.url).score([{"customer_id": "c", "attributes": {"a": {1}}}])  # type: ignore[dict-item]
    assert len(stub.asked) == 1


def test_ids_are_quoted_in_the_path(stub: Any) -> None:
    stub.answers = [OK]
    Lifestage(stub.url).customer("a/b?c#d é")
    assert stub.asked[0][1] == "/v1/customers/a%2Fb%3Fc%23d%20%C3%A9"


def test_connections_are_kept(stub: Any) -> None:
    stub.answers = [OK]
    with Lifestage(stub.url) as client:
        for _ in range(5):
            client.customer("c")
        assert len(stub.connections) == 1
        client.close()
        client.customer("c")
    assert len(stub.connections) == 2


def test_threads_share_one_client(stub: Any) -> None:
    stub.answers = [OK]
    with Lifestage(stub.url) as client, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: client.customer(f"c{i}"), range(200)))
    assert answers == [{"fine": True}] * 200
    assert sorted(path for _, path, _, _ in stub.asked) == sorted(f"/v1/customers/c{i}" for i in range(200))
    assert len(stub.connections) <= 8


def test_a_connection_that_the_service_closed_is_replaced_without_a_wait(
    stub: Any, waits: list[float]
) -> None:
    stub.answers = [OK, (0, None, {}), OK]
    client = Lifestage(stub.url, retries=0)
    client.customer("c")
    client.customer("c")
    assert len(stub.asked) == 3
    assert waits == []


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_service_is_asked_again(stub: Any, waits: list[float], status: int) -> None:
    stub.answers = [(status, {"detail": "busy"}, {})] * 3 + [OK]
    assert Lifestage(stub.url).customer("c") == {"fine": True}
    assert len(stub.asked) == 4
    assert 0.05 <= waits[0] <= 0.1
    assert 0.1 <= waits[1] <= 0.2
    assert 0.2 <= waits[2] <= 0.4
    assert len({headers["x-request-id"] for _, _, headers, _ in stub.asked}) == 1


def test_retry_after_is_honoured(stub: Any, waits: list[float]) -> None:
    stub.answers = [(429, {"detail": "slower"}, {"retry-after": "7"}), OK]
    Lifestage(stub.url).customer("c")
    assert waits == [7.0]


def test_a_retry_after_that_is_too_long_is_raised(stub: Any, waits: list[float]) -> None:
    stub.answers = [(429, {"detail": "slower"}, {"retry-after": "60"})]
    with pytest.raises(LifestageError, match="429 slower") as caught:
        Lifestage(stub.url, longest_wait=10).customer("c")
    assert caught.value.retry_after == 60.0
    assert waits == []


def test_retries_end(stub: Any, waits: list[float]) -> None:
    stub.answers = [
        (503, {"detail": "no release is loaded yet", "type": "urn:lifestage:problem:no-release"}, {})
    ]
    with pytest.raises(LifestageError, match="503 no release is loaded yet") as caught:
        Lifestage(stub.url, retries=2).model()
    assert caught.value.type.endswith(":no-release")
    assert len(stub.asked) == 3
    assert len(waits) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 500])
def test_what_does_not_pass_is_not_asked_again(stub: Any, waits: list[float], status: int) -> None:
    stub.answers = [(status, {**PROBLEM, "status": status}, {"x-request-id": "R-1"})]
    with pytest.raises(LifestageError, match="is no number") as caught:
        Lifestage(stub.url).score([{"customer_id": "c"}])
    error = caught.value
    assert (error.status, error.detail, error.path) == (status, PROBLEM["detail"], PROBLEM["path"])
    assert error.errors == PROBLEM["errors"]
    assert error.request_id == "R-1"
    assert "(request R-1)" in str(error)
    assert (len(stub.asked), waits) == (1, [])


def test_no_service_there_is_one_sentence(waits: list[float]) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    client = Lifestage(f"http://127.0.0.1:{port}", retries=2)
    with pytest.raises(LifestageError, match=rf"no connection to 127.0.0.1:{port} \(") as caught:
        client.model()
    assert caught.value.status == 0
    assert caught.value.request_id
    assert len(waits) == 2
    assert not client.ready()


def test_a_timeout_is_not_asked_again(stub: Any, waits: list[float]) -> None:
    stub.answers, stub.hold = [OK], threading.Event()
    with pytest.raises(LifestageError, match=r"no answer from 127.0.0.1:\d+ within 0.2 s") as caught:
        Lifestage(stub.url, timeout=0.2).customer("c")
    stub.hold.set()
    assert isinstance(caught.value.__cause__, TimeoutError)
    assert (len(stub.asked), waits) == (1, [])


def test_an_answer_of_something_else_is_told(stub: Any) -> None:
    stub.answers = [(200, b"<html>login</html>", {})]
    with pytest.raises(LifestageError, match="200 the answer is not one of Lifestage's; check the address"):
        Lifestage(stub.url).model()
    stub.answers = [(502, b"bad gateway", {})]
    with pytest.raises(LifestageError, match="502 the answer is not one of Lifestage's"):
        Lifestage(stub.url).model()


@pytest.mark.parametrize("url", ["127.0.0.1:3000", "ftp://x", "http://"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(ValueError, match=r"is no address; expected something like http://127\.0\.0\.1:3000"):
        Lifestage(url)


def test_an_unknown_customer_is_none_another_404_is_an_error(stub: Any) -> None:
    stub.answers = [(404, {"type": "urn:lifestage:problem:unknown-customer", "detail": "not stored"}, {})]
    assert Lifestage(stub.url).customer("c") is None
    stub.answers = [(404, {"type": "urn:lifestage:problem:no-such-operation", "detail": "not here"}, {})]
    with pytest.raises(LifestageError, match="404 not here"):
        Lifestage(stub.url).customer("c")


def looked_up(run: str, ids: list[str]) -> dict[str, Any]:
    known = [{"customer_id": i, "score": {}, "stage_history": []} for i in ids if not i.startswith("x")]
    return {"run": run, "customers": known, "unknown": [i for i in ids if i.startswith("x")]}


def test_many_look_ups_are_several_requests(stub: Any) -> None:
    ids = [f"{'x' if i % 7 == 0 else 'c'}{i}" for i in range(2_500)]
    stub.answers = [(200, looked_up("r1", ids[a:b]), {}) for a, b in ((0, 1000), (1000, 2000), (2000, 2500))]
    answer = Lifestage(stub.url).customers(ids)
    assert [len(body["customer_ids"]) for _, _, _, body in stub.asked] == [1000, 1000, 500]
    assert {path for _, path, _, _ in stub.asked} == {"/v1/customers:batchGet"}
    assert [found["customer_id"] for found in answer["customers"]] == [i for i in ids if i[0] == "c"]
    assert answer["unknown"] == [i for i in ids if i[0] == "x"]
    assert answer["run"] == "r1"


def test_look_ups_are_of_one_run(stub: Any) -> None:
    """A run that is published between two requests: everybody is asked for again."""
    ids = [f"c{i}" for i in range(1_500)]
    first, second = ids[:1000], ids[1000:]
    stub.answers = [
        (200, looked_up("r1", first), {}), (200, looked_up("r2", second), {}),
        (200, looked_up("r2", first), {}), (200, looked_up("r2", second), {}),
    ]  # fmt: skip
    answer = Lifestage(stub.url).customers(ids)
    assert answer["run"] == "r2"
    assert len(answer["customers"]) == 1_500
    assert len(stub.asked) == 4


def test_json_of_an_answer_keeps_every_bit(stub: Any) -> None:
    stub.answers = [(200, {"clv": 0.1 + 0.2, "tiny": 5e-324}, {})]
    answer: Any = Lifestage(stub.url).model()
    assert json.dumps(answer) == json.dumps({"clv": 0.30000000000000004, "tiny": 5e-324})
