"""Callers of a server, in a process of their own: each keeps one connection and sends again once it is answered.

Request bytes are made beforehand and answers are read by httptools on uvloop, so that the callers cost little of the
machine that they share with the server. `ceiling` measures what they reach against a server that only echoes.

Standard input: a Load as JSON. Standard output: its Measured as JSON.
"""

import asyncio
import base64
import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0
"""Seconds that the last answers may take after the end."""


@dataclass(frozen=True)
class Load:
    """What to send: `requests` in turn, each caller beginning at another one, `seconds` long or `most` in all."""

    port: int
    callers: int
    seconds: float
    requests: list[bytes]
    most: int = 1_000_000_000
    rate: float = 0.0
    """Requests a second of all callers together; 0 = each as soon as it is answered."""


@dataclass
class Measured:
    """One row per run: answers a second, milliseconds of an answer, and what was no 2xx."""

    rate: float
    p50: float
    p90: float
    p99: float
    slowest: float
    answers: int
    errors: int
    faults: list[str] = field(default_factory=list)
    """The first few."""
    each: list[tuple[float, float]] = field(default_factory=list)
    """Second of the run and milliseconds of each answer, of a run at a given rate."""


def request(method: str, path: str, body: Any = None, headers: str = "") -> bytes:
    """The bytes of a request."""
    content = b"" if body is None else json.dumps(body, separators=(",", ":")).encode()
    about = (
        f"content-type: application/json\r\ncontent-length: {len(content)}\r\n" if body is not None else ""
    )
    return f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{about}{headers}\r\n".encode() + content


def measure(load: Load) -> Measured:
    """The load, sent by another process."""
    asked = json.dumps({**asdict(load), "requests": [base64.b64encode(r).decode() for r in load.requests]})
    line = [sys.executable, "-m", "tests.benchmarks.serving_callers"]
    done = subprocess.run(line, input=asked.encode(), cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.decode(errors="replace")[-2000:])
    return Measured(**json.loads(done.stdout))


class Caller(asyncio.Protocol):
    """One connection; one request at a time."""

    def __init__(self, run: "Run", number: int) -> None:
        self.run = run
        self.turn = number * 7919
        self.waiting = False
        self.keep = True

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        if self.run.rate:
            self.run.idle.append(self)
        else:
            self.send(time.perf_counter())

    def send(self, due: float) -> None:
        import httptools

        self.parser = httptools.HttpResponseParser(self)
        self.parts: list[bytes] = []
        self.due = due
        self.waiting = True
        self.transport.write(self.run.requests[self.turn % len(self.run.requests)])
        self.turn += 1

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        if len(self.parts) < 4:
            self.parts.append(body[:500])

    def on_message_complete(self) -> None:
        status = self.parser.get_status_code()
        self.keep = self.parser.should_keep_alive()
        if status >= 300:
            self.run.fail(f"{status}: {b''.join(self.parts)[:300].decode(errors='replace')}")
        self.waiting = False
        self.run.answered(self)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.run.over and (self.waiting or self.keep):
            self.run.fail(f"connection lost: {error}")
        self.run.lost()


class Run:
    """The state that callers share."""

    def __init__(self, load: Load) -> None:
        self.requests, self.rate, self.most = load.requests, load.rate, load.most
        self.times: list[float] = []
        self.dues: list[float] = []
        self.faults: list[str] = []
        self.errors = self.gone = 0
        self.over = False
        self.idle: list[Caller] = []
        self.late: list[float] = []

    def fail(self, what: str) -> None:
        self.errors += 1
        if len(self.faults) < 5:
            self.faults.append(what)

    def answered(self, caller: Caller) -> None:
        now = time.perf_counter()
        self.times.append(now - caller.due)
        self.dues.append(caller.due)
        if self.over or len(self.times) >= self.most:
            self.over = True
        elif self.rate:
            if self.late:
                caller.send(self.late.pop(0))
            else:
                self.idle.append(caller)
        else:
            caller.send(now)

    def lost(self) -> None:
        self.gone += 1


async def steady(run: Run, load: Load, started: float) -> None:
    """Requests at the given rate: a late answer delays nobody, and waiting for a free caller counts as time."""
    number = 0
    while (now := time.perf_counter()) - started < load.seconds:
        while started + number / load.rate <= now:
            due = started + number / load.rate
            number += 1
            if run.idle:
                run.idle.pop(0).send(due)
            else:
                run.late.append(due)
        await asyncio.sleep(0.002)


async def send(load: Load) -> Measured:
    loop = asyncio.get_running_loop()
    run = Run(load)
    started = time.perf_counter()
    callers: list[Caller] = []
    for number in range(load.callers):
        made = Caller(run, number)
        await loop.create_connection(lambda made=made: made, "127.0.0.1", load.port)
        callers.append(made)
    if load.rate:
        await steady(run, load, started)
    else:
        while time.perf_counter() - started < load.seconds and not run.over and run.gone < load.callers:
            await asyncio.sleep(0.02)
    seconds = time.perf_counter() - started
    answers = len(run.times)
    run.over = True
    run.late.clear()
    limit = time.perf_counter() + PATIENCE
    while any(c.waiting for c in callers) and time.perf_counter() < limit and run.gone < load.callers:
        await asyncio.sleep(0.01)
    for unanswered in (c for c in callers if c.waiting):
        run.fail(f"no answer within {PATIENCE:.0f} s after the end (caller {unanswered.turn})")
    for caller in callers:
        caller.transport.close()
    took = np.array(run.times or [0.0]) * 1e3
    p50, p90, p99 = (float(v) for v in np.percentile(took, [50, 90, 99]))
    each = (
        [(due - started, ms) for due, ms in zip(run.dues, took.tolist(), strict=False)] if load.rate else []
    )
    return Measured(
        answers / seconds, p50, p90, p99, float(took.max()), len(run.times), run.errors, run.faults, each
    )


ECHO = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


class Echo(asyncio.Protocol):
    """Answers every write at once: no server can be faster."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:  # noqa: ARG002
        self.transport.write(ECHO)


async def echo(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", port)
    await server.serve_forever()


def main() -> None:
    import uvloop

    if sys.argv[1:]:
        uvloop.run(echo(int(sys.argv[1])))
        return
    asked = json.loads(sys.stdin.buffer.read())
    load = Load(**{**asked, "requests": [base64.b64decode(r) for r in asked["requests"]]})
    print(json.dumps(asdict(uvloop.run(send(load)))))


if __name__ == "__main__":
    main()
