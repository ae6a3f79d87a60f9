"""The guard around a small inner service: who gets in, with what, how often, and what every answer carries."""

import asyncio
import json
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lifestage.settings import Serving
from serving import access, keyfile
from serving.guard import CALLER, FAILURES_PER_MINUTE, Guard
from serving.headers import DATA_POLICY, PAGE_POLICY
from serving.page import PAGE, SCRIPT_HASH
from serving.scopes import NEEDED

SCORE = "/v1/score"
CUSTOMER = "/v1/customers/{customer_id}"
DAY = date(2026, 1, 1)
LOCAL = ("127.0.0.1", 50_000)


class Answer(SimpleNamespace):
    """Status, headers and body of an answer; whether the inner service was asked."""

    status: int
    headers: dict[str, str]
    body: bytes
    reached: bool

    @property
    def detail(self) -> str:
        assert self.headers["content-type"] == "application/problem+json"
        problem = json.loads(self.body)
        assert problem["status"] == self.status
        assert problem["type"].startswith("urn:lifestage:problem:")
        return str(problem["detail"])


class Caller:
    """Calls a guard by ASGI, as a server would."""

    def __init__(self, tmp_path: Path, mode: str = access.KEYS, **serving: Any) -> None:
        self.path = tmp_path / "keys.json"
        shop = SimpleNamespace(keys_file=self.path, serving=Serving(**serving))
        self.scopes: list[Any] = []
        self.state: Any = SimpleNamespace(shop=shop)
        self.guard = Guard(self.inner, lambda: self.state, mode)

    async def inner(self, scope: Any, _receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-inner", b"1")]})
        await send({"type": "http.response.body", "body": b"ok"})

    def add(self, name: str, *scopes: str, expires: date | None = None) -> str:
        return keyfile.add(self.path, name, scopes, DAY, expires)

    def __call__(
        self,
        path: str = CUSTOMER,
        method: str = "GET",
        key: str | None = None,
        client: tuple[str, int] | None = LOCAL,
        **headers: str,
    ) -> Answer:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            given["authorization"] = f"Bearer {key}"
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "client": client,
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in given.items()],
        }
        sent: list[Any] = []
        before = len(self.scopes)

        async def receive() -> Any:
            raise AssertionError("the guard reads no body")

        async def send(message: Any) -> None:
            sent.append(message)

        asyncio.run(self.guard(scope, receive, send))
        start, body = sent
        headers = {name.decode(): value.decode() for name, value in start["headers"]}
        assert len(headers) == len(start["headers"]), "a header stands twice"
        reached = len(self.scopes) > before
        return Answer(status=start["status"], headers=headers, body=body["body"], reached=reached)


@pytest.fixture
def caller(tmp_path: Path) -> Caller:
    return Caller(tmp_path)


# --- keys and scopes -------------------------------------------------------------------------------------------


def test_a_key_of_the_scope_is_let_in(caller: Caller) -> None:
    key = caller.add("crm", "read")
    assert caller(key=key).status == 200
    assert caller.scopes[-1][CALLER] == "crm"
    assert caller(x_api_key=key).status == 200
    assert caller(authorization="Basic abc", x_api_key=key).status == 200
    assert caller(authorization=f"bearer  {key} ").status == 200


def test_without_a_key_nobody_is_let_in(caller: Caller) -> None:
    caller.add("crm", "read", "score")
    for answer in (
        caller(),
        caller(SCORE, "POST"),
        caller("/metrics"),
        caller("/unknown"),
        caller("/docs.json"),
    ):
        assert (answer.status, answer.reached) == (401, False)
        assert "'Authorization: Bearer KEY'" in answer.detail
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("wrong", ["x", "lsk_", "lsk_" + "A" * 43, "ÿ", "\x00", "A" * 5_000])
def test_a_wrong_key_is_refused(caller: Caller, wrong: str) -> None:
    key = caller.add("crm", "read")
    answer = caller(key=wrong)
    assert (answer.status, answer.reached) == (401, False)
    assert "this API key is not valid" in answer.detail
    assert wrong not in answer.detail
    assert caller(key=key[:-1] + ("A" if key[-1] != "A" else "B")).status == 401
    assert caller(key=key.upper()).status == 401
    assert caller(key=keyfile.digest_of(key).hex()).status == 401


def test_every_stored_hash_is_compared(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time tells neither whether nor which key fits."""
    from serving import keyring

    keys = [caller.add(f"k{i}", "read") for i in range(5)]
    seen: list[bytes] = []

    def compared(a: bytes, b: bytes) -> bool:
        seen.append(a)
        return a == b

    monkeypatch.setattr(keyring.hmac, "compare_digest", compared)
    for key in (keys[0], keys[4], "wrong"):
        seen.clear()
        caller(key=key)
        assert len(set(seen)) == 5


def test_a_scope_is_not_another(caller: Caller) -> None:
    reads, scores, both = caller.add("r", "read"), caller.add("s", "score"), caller.add("b", "read", "score")
    for (method, path), scope in NEEDED.items():
        assert caller(path, method, both).status == 200
        assert caller(path, method, reads if scope == "read" else scores).status == 200
        refused = caller(path, method, scores if scope == "read" else reads)
        assert (refused.status, refused.reached) == (403, False)
        assert f"this operation needs the scope '{scope}'" in refused.detail


def test_every_documented_operation_needs_a_scope() -> None:
    from serving.app import app

    schema = app.openapi()
    operations = {(method.upper(), path) for path, of in schema["paths"].items() for method in of}
    assert operations
    assert operations <= set(NEEDED)
    assert schema["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    for path, of in schema["paths"].items():
        for method, operation in of.items():
            assert {"bearer": []} in operation["security"]
            answers = operation["responses"]
            assert {"401", "403", "429"} <= set(answers), path
            assert ({"408", "413", "415"} <= set(answers)) == (method == "post")
            assert "422" not in answers
            assert all(
                list(a["content"]) == ["application/problem+json"] for s, a in answers.items() if s != "200"
            )


def test_an_expired_key_is_told_so(caller: Caller) -> None:
    key = caller.add("old", "read", expires=date(2026, 1, 2))
    answer = caller(key=key)
    assert (answer.status, answer.reached) == (401, False)
    assert answer.detail == "key 'old' is not valid since 2026-01-02; ask for a new one"
    assert caller(key=caller.add("new", "read", expires=date(2999, 1, 1))).status == 401  # not looked up yet


def test_health_and_the_page_need_no_key(caller: Caller) -> None:
    for path in ("/livez", "/readyz", "/healthz", "/", "/openapi.json", "/static_content/swagger-ui.css"):
        assert caller(path).status == 200


def test_without_a_key_file_nobody_is_let_in(caller: Caller) -> None:
    assert caller().status == 401
    assert caller("/livez").status == 200


def test_before_a_release_is_loaded_it_says_so(caller: Caller) -> None:
    caller.state = None
    answer = caller()
    assert answer.status == 503
    assert "no release is loaded yet" in answer.detail
    assert caller("/livez").status == 200


def test_a_websocket_is_closed(caller: Caller) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def never() -> Any:
        raise AssertionError

    asyncio.run(caller.guard({"type": "websocket", "path": "/v1/model"}, never, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]
    assert not caller.scopes


# --- where no key is asked for ---------------------------------------------------------------------------------


def test_on_loopback_only_this_machine_is_answered(tmp_path: Path) -> None:
    caller = Caller(tmp_path, access.LOCAL)
    for host in ("127.0.0.1:3000", "localhost", "LOCALHOST:80", "[::1]:3000", "[::1]"):
        assert caller(host=host).status == 200
    assert caller().status == 200
    for host in ("evil.example", "evil.example:3000", "127.0.0.1.evil.example", "10.0.0.5:3000", ""):
        answer = caller(host=host)
        assert (answer.status, answer.reached) == (403, False)
        assert "python -m serving.keys makes a key" in answer.detail
    assert caller(client=("10.0.0.7", 5), host="localhost").status == 403
    assert caller(client=None, host="localhost").status == 403
    for name in ("x_forwarded_for", "x_real_ip", "forwarded", "via", "x_forwarded_host"):
        assert caller(host="localhost", **{name: "127.0.0.1"}).status == 403, name
    assert caller("/livez", client=("10.0.0.7", 5)).status == 200


def test_on_loopback_a_key_is_asked_for_once_there_is_a_file(tmp_path: Path) -> None:
    caller = Caller(tmp_path, access.LOCAL)
    key = caller.add("crm", "read")
    assert caller(host="localhost").status == 401
    assert caller(key=key, client=("10.0.0.7", 5), host="scores.example").status == 200


def test_open_asks_nobody(tmp_path: Path) -> None:
    caller = Caller(tmp_path, access.OPEN)
    caller.add("crm", "read")
    assert caller(client=("10.0.0.7", 5), host="scores.example").status == 200
    assert caller(SCORE, "POST", content_type="text/plain").status == 415


# --- sizes and types -------------------------------------------------------------------------------------------


def test_a_large_body_is_refused_before_it_is_read(tmp_path: Path) -> None:
    caller = Caller(tmp_path, access.OPEN, max_body_megabytes=2)
    assert caller(SCORE, "POST", content_length=str(2 * 2**20)).status == 200
    for length in (str(2 * 2**20 + 1), "9" * 30):
        answer = caller(SCORE, "POST", content_length=length)
        assert (answer.status, answer.reached) == (413, False)
        assert answer.detail == "the body is larger than 2 MiB; send the customers in several requests"
    assert caller(SCORE, "POST", content_length="²").status == 200  # the server refuses such a header


@pytest.mark.parametrize(
    "kind", ["application/json", "application/json; charset=utf-8", "Application/JSON", ""]
)
def test_json_is_accepted(tmp_path: Path, kind: str) -> None:
    assert Caller(tmp_path, access.OPEN)(SCORE, "POST", content_type=kind).status == 200


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "application/json;charset=gbk",
    ],
)
def test_another_content_type_is_refused(tmp_path: Path, kind: str) -> None:
    answer = Caller(tmp_path, access.OPEN)(SCORE, "POST", content_type=kind)
    assert (answer.status, answer.reached) == (415, False)
    assert "send application/json" in answer.detail


# --- rates -----------------------------------------------------------------------------------------------------


def test_a_key_has_its_requests_a_minute(tmp_path: Path) -> None:
    caller = Caller(tmp_path, requests_per_minute=3)
    busy, calm = caller.add("busy", "read"), caller.add("calm", "read")
    assert [caller(key=busy).status for _ in range(4)] == [200, 200, 200, 429]
    answer = caller(key=busy)
    assert not answer.reached
    assert answer.detail == "key 'busy' has sent its requests of this minute; try again in 20 s"
    assert answer.headers["retry-after"] == "20"
    assert caller(key=calm).status == 200
    assert caller("/livez", key=busy).status == 200


def test_forbidden_requests_count_too(tmp_path: Path) -> None:
    caller = Caller(tmp_path, requests_per_minute=2)
    key = caller.add("busy", "read")
    assert [caller(SCORE, "POST", key=key).status for _ in range(3)] == [403, 403, 429]


def test_failures_are_limited_by_address_and_a_right_key_is_not_held_up(caller: Caller) -> None:
    key = caller.add("crm", "read")
    statuses = [caller(key="wrong").status for _ in range(FAILURES_PER_MINUTE + 1)]
    assert statuses == [401] * FAILURES_PER_MINUTE + [429]
    refused = caller()
    assert "from this address" in refused.detail
    assert refused.headers["retry-after"] == "2"
    assert caller(key="wrong", client=("127.0.0.2", 1)).status == 401
    assert caller(key=key).status == 200


def test_an_ipv6_network_is_one_address(caller: Caller) -> None:
    caller.add("crm", "read")
    for i in range(FAILURES_PER_MINUTE):
        assert caller(client=(f"2001:db8::{i:x}", 1)).status == 401
    assert caller(client=("2001:db8::ffff:1", 1)).status == 429
    assert caller(client=("2001:db8:0:1::1", 1)).status == 401
    assert caller(client=("no address", 1)).status == 401


# --- headers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [CUSTOMER, "/metrics", "/livez", "/unknown", SCORE])
@pytest.mark.parametrize("let_in", [True, False])
def test_every_answer_has_the_headers(tmp_path: Path, path: str, let_in: bool) -> None:
    headers = Caller(tmp_path, access.OPEN if let_in else access.KEYS)(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    assert headers["content-security-policy"] == DATA_POLICY
    assert headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in headers


def test_the_page_runs_its_own_script_alone(caller: Caller) -> None:
    import base64
    import hashlib
    import re

    policy = caller("/").headers["content-security-policy"]
    assert policy == PAGE_POLICY
    inline = re.findall(r"<script>(.*?)</script>", PAGE, re.DOTALL)
    assert [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in inline] == [
        SCRIPT_HASH[7:]
    ]
    assert f"script-src 'self' '{SCRIPT_HASH}';" in policy
    assert "http" not in policy.replace("https://", "http")
    assert "cache-control" not in caller("/static_content/swagger-ui.css").headers
