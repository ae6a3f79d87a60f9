"""Token buckets against a plain count of what was let through, on a clock of our own."""

import random

import pytest

from serving.buckets import Buckets


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_full_bucket_then_evenly() -> None:
    clock = Clock()
    buckets = Buckets(60, clock=clock)
    assert [buckets.take("a") for _ in range(60)] == [0.0] * 60
    assert buckets.take("a") == pytest.approx(1.0)
    clock.now = 0.5
    assert buckets.take("a") == pytest.approx(0.5)
    clock.now = 1.001
    assert buckets.take("a") == 0.0
    assert buckets.take("a") == pytest.approx(0.999)
    clock.now = 1_000.0
    assert [buckets.take("a") for _ in range(61)].count(0.0) == 60


@pytest.mark.parametrize("per_minute", [1, 7, 600])
def test_never_more_than_a_bucket_and_what_flows_in(per_minute: int) -> None:
    """In any window: at most the bucket plus the window's share; and nobody waits in vain."""
    draw, clock = random.Random(per_minute), Clock()
    buckets = Buckets(per_minute, clock=clock)
    let: list[float] = []
    for _ in range(3_000):
        clock.now += draw.expovariate(per_minute / 30)
        wait = buckets.take("a")
        if wait == 0:
            let.append(clock.now)
        elif draw.random() < 0.3:
            clock.now += wait + 1e-9
            assert buckets.take("a") == 0.0
            let.append(clock.now)
    for i in range(0, len(let), 37):
        for j in range(i, len(let), 101):
            assert j - i + 1 <= per_minute + (let[j] - let[i]) * per_minute / 60 + 1e-6


def test_who_has_not_called_for_longest_is_forgotten() -> None:
    buckets = Buckets(1, kept=3, clock=Clock())
    assert [buckets.take(name) for name in "abc"] == [0.0] * 3
    assert buckets.take("a") > 0
    assert buckets.take("d") == 0.0
    assert len(buckets) == 3
    assert buckets.take("a") > 0
    assert buckets.take("b") == 0.0
    for i in range(10_000):
        buckets.take(str(i))
    assert len(buckets) == 3
