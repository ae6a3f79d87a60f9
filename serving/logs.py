"""Log lines of a worker: JSON, one object a line; plain text on a terminal. Never a customer's id, body or query.

Whoever has something to say leaves it here and goes on. A thread of its own writes a few times a second, so that
neither a slow terminal nor a full pipe nor a closed one holds up an answer.
"""

import json
import logging
import os
import threading
import time
import traceback
from collections import deque
from datetime import UTC, datetime
from typing import Any

MODE = "LIFESTAGE_LOG"
"""Environment variable: json, text or off; by default text on a terminal, else json."""
LOGGERS = ("", "bentoml", "uvicorn.error")
KEPT = 10_000
"""Lines that wait at most; more are counted and dropped."""
EVERY_SECONDS = 0.2
PIPE = 4_096
"""Bytes that a pipe takes at once: lines of several workers do not mix."""

_waiting: deque[tuple[float, str, str, dict[str, Any]]] = deque()
_stopping = threading.Event()
_writing = threading.Lock()
_dropped = [0]
_writer: list[threading.Thread] = []


def say(level: str, event: str, **fields: Any) -> None:
    """Leave one line to be written; `fields` must be JSON, those that are None are left out."""
    if len(_waiting) < KEPT:
        _waiting.append((time.time(), level, event, fields))
    else:
        _dropped[0] += 1


def frames(error: BaseException) -> list[str]:
    """The traceback of an error and of what caused it, without their messages: these may quote a customer."""
    lines: list[str] = []
    seen: BaseException | None = error
    while seen is not None and len(lines) < 200:
        for frame in traceback.extract_tb(seen.__traceback__):
            lines.append(f"{frame.filename}:{frame.lineno} in {frame.name}: {frame.line or ''}".rstrip())
        lines.append(type(seen).__name__)
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return lines


def as_json(at: float, level: str, event: str, fields: dict[str, Any]) -> str:
    """time, level and event first, then what is known."""
    known = {name: value for name, value in fields.items() if value is not None}
    line = {"time": _stamp(at), "level": level, "event": event, **known}
    return json.dumps(line, ensure_ascii=False, separators=(",", ":"), default=str)


def as_text(at: float, level: str, event: str, fields: dict[str, Any]) -> str:
    """As a person reads it on a terminal."""
    left = {name: value for name, value in fields.items() if value is not None}
    stack = left.pop("traceback", [])
    if event == "request":
        said = (
            " ".join(str(left.pop(name, "")) for name in ("method", "path", "status", "duration_ms")) + " ms"
        )
    else:
        said = str(left.pop("message", event))
    rest = " ".join(f"{name}={value}" for name, value in left.items())
    return "\n    ".join([f"{_stamp(at)[11:23]} {level:5} {said}  {rest}".rstrip(), *stack])


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Bridge(logging.Handler):
    """What BentoML, uvicorn and libraries log, in the same form."""

    def emit(self, record: logging.LogRecord) -> None:
        stack = frames(record.exc_info[1]) if record.exc_info and record.exc_info[1] else None
        message = record.getMessage()[:2_000]
        say(record.levelname.lower(), "log", logger=record.name, message=message, traceback=stack)


def mode() -> str:
    """json, text or off."""
    asked = os.environ.get(MODE, "")
    if asked in ("json", "text", "off"):
        return asked
    try:
        return "text" if os.isatty(1) else "json"
    except OSError:
        return "json"


def start() -> None:
    """Write from now on, and let the process's other loggers write here too. Once a process."""
    if _writer:
        return
    _stopping.clear()
    bridge = Bridge()
    for name in LOGGERS:
        logger = logging.getLogger(name)
        if name == "" or logger.handlers:
            logger.handlers = [bridge]
    _writer.append(threading.Thread(target=_write, name="logs", daemon=True))
    _writer[0].start()


def stop(seconds: float = 1.0) -> None:
    """Write what waits, for so long at most."""
    _stopping.set()
    if _writer:
        _writer.pop().join(seconds)


def _write() -> None:
    while not _stopping.wait(EVERY_SECONDS):
        flush()
    flush()


def flush(fd: int = 1) -> None:
    """Write all that waits."""
    form = {"json": as_json, "text": as_text}.get(mode())
    with _writing:
        part = b""
        while _waiting:
            at, level, event, fields = _waiting.popleft()
            line = b"" if form is None else form(at, level, event, fields).encode("utf-8", "replace") + b"\n"
            if part and len(part) + len(line) > PIPE:
                _put(fd, part)
                part = b""
            part += line
        if _dropped[0] and form is not None:
            lost, _dropped[0] = _dropped[0], 0
            part += (
                form(time.time(), "warning", "log", {"message": f"{lost} log lines were dropped"}).encode()
                + b"\n"
            )
        _put(fd, part)


def _put(fd: int, content: bytes) -> None:
    """All of it, unless nobody reads any more."""
    try:
        while content:
            content = content[os.write(fd, content) :]
    except BlockingIOError:
        _dropped[0] += content.count(b"\n")
    except OSError:
        pass
