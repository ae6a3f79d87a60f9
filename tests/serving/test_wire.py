"""Callers who break the protocol, or hang: refused or waited for, and nobody else is the worse for it."""

import json
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.serving.malformed import HISTORY

BODY = json.dumps(HISTORY).encode()
HEAD = b"POST /v1/score HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
LOOK = b"GET /livez HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"


def post(body: bytes = BODY, headers: bytes = b"") -> bytes:
    return HEAD + headers + b"content-length: %d\r\n\r\n" % len(body) + body


class Wire:
    """A bare connection."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def close(self) -> None:
        self.socket.close()

    def heard(self, seconds: float = 20, enough: int = 1) -> list[tuple[int, bytes]]:
        """(status, body) of the answers until there are `enough`, the service hangs up, or nothing comes."""
        data, answers, end = b"", [], time.monotonic() + seconds
        while len(answers) < enough and time.monotonic() < end:
            self.socket.settimeout(max(0.05, end - time.monotonic()))
            try:
                part = self.socket.recv(65_536)
            except (TimeoutError, ConnectionResetError):
                break
            data += part
            while b"\r\n\r\n" in data:
                head, rest = data.split(b"\r\n\r\n", 1)
                lines = head.lower().split(b"\r\n")
                sizes = [int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")]
                size = sizes[0] if sizes else len(rest)
                if len(rest) < size:
                    break
                answers.append((int(lines[0].split()[1]), rest[:size]))
                data = rest[size:]
            if not part:
                break
        return answers


@pytest.fixture
def wire(served: Any) -> Iterator[Any]:
    """wire(): a new connection; at the end the service must still score."""
    with ExitStack() as stack:

        def open_one() -> Wire:
            made = Wire(served.client.base_url.port)
            stack.callback(made.close)
            return made

        yield open_one
        answer = served.client.post("/v1/score", json=HISTORY)
        assert answer.status_code == 200, answer.text
        assert served.process.poll() is None


REFUSED = {
    "no method": b"\x00\x01\x02\x03\r\n\r\n",
    "no HTTP": b"GIMME scores\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    "another version": b"GET / HTTP/9.9\r\nhost: 127.0.0.1\r\n\r\n",
    "length twice": HEAD + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}x",
    "length and chunks": HEAD
    + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "negative length": HEAD + b"content-length: -1\r\n\r\n",
    "length in words": HEAD + b"content-length: two\r\n\r\n{}",
    "length beyond all": HEAD + b"content-length: " + b"9" * 400 + b"\r\n\r\n{}",
    "chunk without size": HEAD + b"transfer-encoding: chunked\r\n\r\nxyz\r\n{}\r\n0\r\n\r\n",
    "chunk beyond all": HEAD + b"transfer-encoding: chunked\r\n\r\n" + b"F" * 40 + b"\r\n{}\r\n0\r\n\r\n",
    "negative chunk": HEAD + b"transfer-encoding: chunked\r\n\r\n-1\r\n{}\r\n0\r\n\r\n",
    "header without colon": b"GET /livez HTTP/1.1\r\nhost: 127.0.0.1\r\nno colon here\r\n\r\n",
    "null in a header": b"GET /livez HTTP/1.1\r\nhost: 127.0.0.1\r\nx: a\0b\r\n\r\n",
    "a space before the colon": b"GET /livez HTTP/1.1\r\nhost : 127.0.0.1\r\ncontent-length : 5\r\n\r\nGET /",
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_http_is_refused(wire: Any, what: str) -> None:
    caller = wire()
    caller.send(REFUSED[what])
    answers = caller.heard(5)
    assert answers, "neither answered nor hung up on" if not hung_up(caller) else ""
    assert all(400 <= status < 500 for status, _ in answers), answers
    assert not any(b"Traceback" in body for _, body in answers)


def hung_up(caller: Wire) -> bool:
    caller.socket.settimeout(0.2)
    try:
        return caller.socket.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("sent", [0, 1, 40, len(HEAD) + 10, len(post()) - 1])
def test_a_caller_who_hangs_up_midway_harms_nobody(wire: Any, sent: int) -> None:
    for _ in range(20):
        caller = wire()
        caller.send(post()[:sent])
        caller.close()


def test_a_caller_who_hangs_up_before_the_answer_harms_nobody(wire: Any) -> None:
    for _ in range(30):
        caller = wire()
        caller.send(post())
        caller.close()


def test_a_body_shorter_than_promised_is_waited_for(wire: Any) -> None:
    """Nothing is answered on half a body, and others are served meanwhile."""
    slow, quick = wire(), wire()
    slow.send(HEAD + b"content-length: %d\r\n\r\n" % (len(BODY) + 10) + BODY)
    quick.send(post())
    assert [status for status, _ in quick.heard()] == [200]
    assert slow.heard(0.5) == []


def test_a_body_longer_than_promised_is_no_part_of_the_request(wire: Any) -> None:
    caller = wire()
    caller.send(HEAD + b"content-length: %d\r\n\r\n" % (len(BODY) - 1) + BODY)
    assert [status for status, _ in caller.heard(3, 2)][:1] == [400]


def test_a_slow_body_is_scored_and_holds_up_nobody(wire: Any) -> None:
    slow, whole = wire(), post()
    for start in range(0, len(whole), 100):
        slow.send(whole[start : start + 100])
        time.sleep(0.02)
        if start % 500 == 0:
            quick = wire()
            quick.send(post())
            assert [status for status, _ in quick.heard()] == [200]
    assert [status for status, _ in slow.heard()] == [200]


def test_requests_in_one_packet_are_answered_in_order(wire: Any) -> None:
    caller = wire()
    other = json.dumps({**HISTORY, "as_of": "2023-04-01"}).encode()
    caller.send(post() + post(other) + post(b"{") + LOOK + post())
    answers = caller.heard(enough=5)
    assert [status for status, _ in answers] == [200, 200, 400, 200, 200]
    assert [json.loads(answers[i][1])["as_of"][:10] for i in (0, 1, 4)] == [
        "2023-04-30",
        "2023-03-31",
        "2023-04-30",
    ]


def test_chunks_are_put_together(wire: Any) -> None:
    caller = wire()
    chunks = b"".join(
        b"%x\r\n%s\r\n" % (len(BODY[i : i + 7]), BODY[i : i + 7]) for i in range(0, len(BODY), 7)
    )
    caller.send(HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")
    assert [status for status, _ in caller.heard()] == [200]


@pytest.mark.parametrize("name", ["many", "one"])
def test_endless_headers_are_refused(wire: Any, name: str) -> None:
    """Many of them, or one that does not end: the caller is told, and hung up on before they fill the memory."""
    caller = wire()
    try:
        caller.send(b"GET /livez HTTP/1.1\r\nhost: 127.0.0.1\r\nx: ")
        for i in range(2_000):
            caller.send(
                (b"x-%d: " % i if name == "many" else b"")
                + b"a" * 1_000
                + (b"\r\n" if name == "many" else b"")
            )
    except (BrokenPipeError, ConnectionResetError):
        return
    answers = caller.heard(3)
    assert hung_up(caller) or (answers and answers[0][0] in (400, 431)), answers


def test_headers_of_a_decent_size_are_taken(wire: Any) -> None:
    caller = wire()
    caller.send(post(headers=b"".join(b"x-%d: %s\r\n" % (i, b"a" * 100) for i in range(300))) + LOOK)
    assert [status for status, _ in caller.heard(enough=2)] == [200, 200]


def test_a_long_path_is_refused(wire: Any) -> None:
    caller = wire()
    caller.send(b"GET /v1/customers/" + b"a" * 60_000 + b" HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
    answers = caller.heard(5)
    assert [400 <= status < 500 for status, _ in answers] == [True], [a[0] for a in answers]
    assert len(answers[0][1]) < 5_000


def test_a_thousand_idle_connections_hold_up_nobody(wire: Any) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 1_500 and (hard == resource.RLIM_INFINITY or hard >= 2_000):
        resource.setrlimit(resource.RLIMIT_NOFILE, (2_000, hard))
    idle = [wire() for _ in range(1_000)]
    for caller in idle[::3]:
        caller.send(HEAD)
    busy = wire()
    busy.send(post())
    assert [status for status, _ in busy.heard()] == [200]
    for caller in idle[1::99]:
        caller.send(LOOK)
        assert [status for status, _ in caller.heard()] == [200]
