"""The service beside an empty BentoML endpoint on the same machine, in one run, one worker each.

Rounds of the two alternate, so that a slow minute of the machine falls on both; every figure is the median of its
rounds, the slowest answer that of all rounds.
"""

import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.benchmarks import processes
from tests.benchmarks.serving_callers import Load, Measured, measure, request
from tests.benchmarks.serving_shop import batch_gets, ids, look_ups, make, scoring

ROUNDS = 5
SECONDS = 3.0
NOTHING = request("POST", "/nothing", {"body": {"customer_id": "C-17"}})


@dataclass(frozen=True)
class Scenario:
    """One row of the table: what is sent by how many callers, and what it has to reach."""

    name: str
    callers: int
    requests: list[bytes]
    goals: tuple[tuple[str, Callable[[Measured, Measured], bool]], ...]
    most: int = 1_000_000_000
    """Answers in a round."""


def scenarios(names: list[str]) -> list[Scenario]:
    return [
        Scenario(
            "look-up of a stored score",
            16,
            look_ups(names),
            (
                ("1.5x the empty endpoint's rate", lambda us, peer: us.rate >= 1.5 * peer.rate),
                ("p99 < 25 ms", lambda us, _: us.p99 < 25),
            ),
        ),
        Scenario(
            "score, 50 purchases + 200 events",
            1,
            scoring(1, 50, 200, 40),
            (("p50 at most 6 ms above the empty one's", lambda us, peer: us.p50 <= peer.p50 + 6),),
        ),
        Scenario(
            "score of one customer, 10 purchases",
            64,
            scoring(1, 10, 0, 200),
            (
                ("70 % of the empty endpoint's rate", lambda us, peer: us.rate >= 0.7 * peer.rate),
                ("p99 at most 2.5 x p50", lambda us, _: us.p99 <= 2.5 * us.p50),
            ),
        ),
        Scenario(
            "score of 1,000 customers, 50 purchases each",
            1,
            scoring(1_000, 50, 0, 2),
            (("p50 within 150 ms", lambda us, _: us.p50 <= 150),),
            most=8,
        ),
        Scenario("   the same without reasons", 1, scoring(1_000, 50, 0, 2, reasons=False), (), most=8),
        Scenario("batchGet of 100", 16, batch_gets(names, 100), ()),
    ]


def middle(rounds: list[Measured]) -> Measured:
    """The medians; errors and answers summed up."""
    return Measured(
        *(median(getattr(r, name) for r in rounds) for name in ("rate", "p50", "p90", "p99")),
        slowest=max(r.slowest for r in rounds),
        answers=sum(r.answers for r in rounds),
        errors=sum(r.errors for r in rounds),
        faults=[fault for r in rounds for fault in r.faults][:3],
    )


def side_by_side(
    scenario: Scenario, us: int, peer: int, rounds: int, seconds: float
) -> tuple[Measured, Measured]:
    """(ours, the empty endpoint's), after a second that does not count."""
    ours = Load(us, scenario.callers, seconds, scenario.requests, scenario.most)
    theirs = Load(peer, scenario.callers, seconds, [NOTHING])
    for load in (theirs, ours):
        measure(Load(load.port, load.callers, 1.0, load.requests, load.most))
    found = [(measure(ours), measure(theirs)) for _ in range(rounds)]
    return middle([a for a, _ in found]), middle([b for _, b in found])


HEAD = f"{'':46}{'callers':>8}{'req/s':>8}{'p50':>8}{'p90':>8}{'p99':>8}{'max':>9}{'errors':>8}   (ms)"


def row(name: str, callers: int, got: Measured) -> str:
    times = f"{got.p50:8.2f}{got.p90:8.2f}{got.p99:8.2f}{got.slowest:9.1f}"
    return f"{name:46}{callers:8}{got.rate:8.0f}{times}{got.errors:8}"


def show(scenario: Scenario, us: Measured, peer: Measured) -> bool:
    """Print one scenario; whether every goal is met."""
    print(row(scenario.name, scenario.callers, us))
    print(row("   empty endpoint", scenario.callers, peer))
    kept = us.errors == 0
    for fault in us.faults:
        print(f"   ERROR {fault}")
    print(
        f"   rate {us.rate / peer.rate:.2f}x, p50 {us.p50 - peer.p50:+.2f} ms, p99/p50 {us.p99 / us.p50:.1f}"
    )
    for goal, met in scenario.goals:
        kept &= met(us, peer)
        print(f"   {goal}: {'met' if met(us, peer) else 'NOT met'}", flush=True)
    return kept


def ceiling(stack: ExitStack, folder: Path) -> Measured:
    """What the callers themselves reach."""
    import sys

    port = processes.free_port()
    line = [sys.executable, "-m", "tests.benchmarks.serving_callers", str(port)]
    stack.enter_context(processes.running(line, port, folder, ready="/"))
    return measure(Load(port, 16, 2.0, [NOTHING]))


def run(rounds: int = ROUNDS, seconds: float = SECONDS) -> bool:
    """Make the shop, start both services, print the table; whether every goal is met."""
    with tempfile.TemporaryDirectory() as made, ExitStack() as stack:
        folder = Path(made)
        started = time.perf_counter()
        config = make(folder)
        names = ids(folder)
        print(f"shop of {len(names):,} customers made in {time.perf_counter() - started:.0f} s", flush=True)
        with ExitStack() as first:
            got = ceiling(first, folder)
        print(f"{HEAD}\n{row('the callers alone (a server that echoes)', 16, got)}", flush=True)
        us, peer = processes.free_port(), processes.free_port()
        stack.enter_context(processes.running(processes.ours(config, us), us, folder))
        stack.enter_context(processes.running(processes.empty(peer), peer, folder))
        kept = [show(s, *side_by_side(s, us, peer, rounds, seconds)) for s in scenarios(names)]
    print(f"serving: {sum(kept)} of {len(kept)} scenarios without error and with every goal met")
    return all(kept)
