"""A new release is taken up while the old one serves; one that cannot be served is refused, and the old one stays.

A thread of each worker looks at the pointer and at the files of the release that it names. What changed is read,
checked and warmed up beside the thread that computes, and then takes over in one assignment: every request is
answered from one State throughout. A refused release is tried again when anything of it changes, as it does while
a copy is under way, and at growing intervals. The shop's YAML is read at start only.
"""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lifestage.errors import InputError
from lifestage.settings import Shop
from lifestage.store import open_store
from serving import logs, metrics, origin, state
from serving.computing import COMPUTING
from serving.origin import Seen
from serving.routes import clock
from serving.state import State
from serving.warmup import check

LONGEST_WAIT = 300.0
"""Seconds between two tries of a release that stays broken."""
SWITCH_SECONDS = 0.0005
"""How long a reload may keep the interpreter to itself; Python's default is ten times as long."""


@dataclass(frozen=True)
class Failure:
    """Why the release that the pointer names is not served."""

    release: str | None
    error: str
    at: int


@dataclass(frozen=True)
class Status:
    """What /v1/model and /metrics tell of reloading; UTC microseconds."""

    checked_at: int
    loaded_at: int
    failed: Failure | None = None
    store_up: bool = True


class Reloader:
    """Keeps `holder.serving` at the current release; `look` is one round."""

    def __init__(self, holder: Any, first: State) -> None:
        self.holder = holder
        now = clock()
        self.status = Status(now, now)
        self._tried: Seen = first.origin.seen
        self._failures = 0
        self._retry_at = 0.0
        self._store = _identity(first)
        self._run: object = None
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        for text in state.differences(first):
            logs.say("warning", "settings", message=text)

    def start(self) -> None:
        """Look every `serving.reload_seconds` until `stop`."""
        self._thread = threading.Thread(target=self._watch, name="reload", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        if self._thread is not None:
            self._thread.join(2)

    def _watch(self) -> None:
        every = self.holder.serving.shop.serving.reload_seconds
        while not self._ending.wait(every):
            try:
                self.look()
            except Exception as error:  # the watch must outlive whatever a file system comes up with
                logs.say("error", "reload", message=type(error).__name__, traceback=logs.frames(error))

    def look(self) -> None:
        """One round: the release, then the store."""
        serving: State = self.holder.serving
        seen = origin.look(serving.shop.releases)
        if seen == serving.origin.seen:
            self._settled(seen)
        elif seen != self._tried or time.monotonic() >= self._retry_at:
            self._try(serving, seen)
        self._look_at_store()
        self.status = replace(self.status, checked_at=clock())

    def _settled(self, seen: Seen) -> None:
        """The pointer names what is served: whatever was refused before is of no interest any more."""
        self._tried, self._failures = seen, 0
        if self.status.failed is not None:
            self.status = replace(self.status, failed=None)
            logs.say("info", "reload", message="the pointer names the release that is served again")

    def _try(self, serving: State, seen: Seen) -> None:
        started = time.perf_counter()
        try:
            with _giving_way():
                new = state.current(serving.shop, serving.store, serving.release)
                self._take_over(new)
        except Exception as error:
            self._refuse(self.holder.serving.shop, seen, error)
            return
        self._tried, self._failures = new.origin.seen, 0
        metrics.observe_reload(True)
        state.settle()
        logs.say(
            "info",
            "reload",
            message="a new release is served",
            release=new.release.name,
            seconds=round(time.perf_counter() - started, 3),
        )
        for text in state.differences(new):
            logs.say("warning", "settings", message=text)

    def _take_over(self, new: State) -> None:
        """Warm up in the thread that will compute; then one assignment changes the State. Raises InputError."""
        holder = self.holder

        def prepare() -> None:
            check(new)
            self.status = replace(self.status, loaded_at=clock(), failed=None)
            holder.serving = new

        COMPUTING.relieve(prepare)

    def _refuse(self, shop: Shop, seen: Seen, error: Exception) -> None:
        name = origin.named(seen[0])
        text = without_paths(_reason(error, name), shop)
        before = self.status.failed
        self._failures = self._failures + 1 if seen == self._tried else 1
        self._tried = seen
        wait = min(shop.serving.reload_seconds * 2.0 ** min(self._failures, 16), LONGEST_WAIT)
        self._retry_at = time.monotonic() + wait
        metrics.observe_reload(False)
        self.status = replace(self.status, failed=Failure(name, text, clock()))
        if before is None or (before.release, before.error) != (name, text):
            logs.say(
                "error",
                "reload",
                message="a release is refused; the one before goes on serving",
                release=name,
                serving=self.holder.serving.release.name,
                reason=text,
                traceback=None if isinstance(error, InputError) else logs.frames(error),
            )

    def _look_at_store(self) -> None:
        """A store whose file was replaced is opened anew; a new run needs no such thing."""
        serving: State = self.holder.serving
        now = _identity(serving)
        if now != self._store:
            self._store = now
            self.holder.serving = serving = replace(serving, store=open_store(serving.shop.store_url))
            logs.say("warning", "store", message="the store's file is another one now; opened anew")
        try:
            run = serving.store.current()
            up = run is not None
        except InputError as error:
            run, up = None, False
            if self.status.store_up:
                logs.say("error", "store", message=without_paths(str(error), serving.shop))
        name = run["run"] if run else None
        if up and name != self._run:
            logs.say("info", "store", message="scores are served from a run", run=name)
            self._run = name
        self.status = replace(self.status, store_up=up)


def _reason(error: Exception, name: str | None) -> str:
    if isinstance(error, InputError):
        return str(error)
    return (
        f"release {name} cannot be served ({type(error).__name__}: {error}); publish another with "
        "'python -m training.promote'"
    )


def _identity(serving: State) -> tuple[int, int] | None:
    """Which file the store is; None for one that is not there, or no file."""
    path = getattr(serving.store, "path", None)
    try:
        about = path.stat() if isinstance(path, Path) else None
    except OSError:
        about = None
    return None if about is None else (about.st_dev, about.st_ino)


def without_paths(text: str, shop: Shop) -> str:
    """An error's text as callers may read it: places on this machine by their names in the settings."""
    for folder, name in ((shop.releases, ""), (shop.output, "")):
        for written in (folder, folder.absolute(), folder.resolve()):
            text = text.replace(f"{written}/", name).replace(str(written), written.name)
    return text


@contextmanager
def _giving_way() -> Iterator[None]:
    """Reading a release is Python's work, too: meanwhile threads take turns more often, so that answers go on."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
