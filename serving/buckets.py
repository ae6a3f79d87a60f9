"""Rate limits: a bucket of tokens for each caller, filled evenly."""

import time
from collections import OrderedDict
from collections.abc import Callable

KEPT = 10_000
"""Callers remembered. Who has not called for longest is forgotten, and begins anew with a full bucket."""


class Buckets:
    """`per_minute` requests at once at most, and as many a minute in the long run."""

    def __init__(
        self, per_minute: int, kept: int = KEPT, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.per_minute = per_minute
        self.kept = kept
        self._clock = clock
        self._held: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> float:
        """Take a token; the seconds to wait for one where there is none, else 0."""
        now = self._clock()
        tokens, at = self._held.get(caller, (float(self.per_minute), now))
        tokens = min(self.per_minute, tokens + (now - at) * self.per_minute / 60)
        wait = 0.0 if tokens >= 1 else (1 - tokens) * 60 / self.per_minute
        self._held[caller] = (tokens if wait else tokens - 1, now)
        self._held.move_to_end(caller)
        if len(self._held) > self.kept:
            self._held.popitem(last=False)
        return wait

    def __len__(self) -> int:
        return len(self._held)
