"""Deliver the open messages of a destination, in order, at least once: attempts, waits, and whom the dead go to.

Network, clock and sleep are handed in.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from lifestage.alerting import outbox
from lifestage.alerting.webhooks import headers, retry_after, tried_again, wait_seconds
from lifestage.localtime import SECOND
from lifestage.store import Store

DESTINATION = "webhook"
GIVE_UP = 3
"""Messages in a row whose attempts are used up: then nobody is there, and the others wait for the next run."""
LONGEST_ASKED = 600.0
"""Seconds a receiver may ask to wait; beyond it the run ends, and the next one goes on."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one request."""

    status: int | None
    """None: no answer."""
    problem: str
    """In words, without anything secret."""
    retry_after: str | None = None


class Post(Protocol):
    """Sends one request and gives its answer; never raises for what a network does."""

    def __call__(self, body: bytes, headers: Mapping[str, str]) -> Answer: ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a delivery needs of the world."""

    post: Post
    now: Callable[[], float]
    """Seconds since 1970."""
    sleep: Callable[[float], None]
    jitter: Callable[[], float]
    """[0, 1)."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Alerts of one delivery run."""

    delivered: int
    dead: int
    waiting: int
    """Neither: for the next run."""
    ended: str = ""
    """Why it ended before all was tried; empty: it did not."""


def deliver(store: Store, shop: str, keys: tuple[bytes, ...], retries: int, world: Surroundings) -> Outcome:
    """Send every open message to the webhook, the oldest entry first, each at most 1 + `retries` times.

    A 2xx answer delivers. An answer that will not change (any other 4xx than 408, 409, 425 and 429, or a redirect)
    makes the message dead at once, used-up attempts do in the end. 410 also ends the run: the receiver wants no more.
    """
    delivered = dead = unanswered = 0
    ended = ""
    waiting = outbox.messages(store, DESTINATION, "open")
    left = sum(message.alerts for message in waiting)
    for message in waiting:
        body = outbox.payload(
            shop, message.entered_at, outbox.alerts_of(store, shop, DESTINATION, message.id)
        )
        answer, attempts, asked = _send(message.id, body, keys, retries, world)
        if asked > LONGEST_ASKED:
            ended = f"the receiver asks to wait {asked:,.0f} seconds ({answer.problem})"
            break
        done = answer.status is not None and 200 <= answer.status < 300
        outbox.settle(
            store,
            DESTINATION,
            message.id,
            "delivered" if done else "dead",
            attempts=attempts,
            reason=None if done else answer.problem,
            at=int(world.now() * SECOND),
        )
        left -= message.alerts
        delivered += message.alerts if done else 0
        dead += 0 if done else message.alerts
        unanswered = unanswered + 1 if not done and tried_again(answer.status) else 0
        if answer.status == 410:
            ended = "the receiver is gone for good (HTTP 410); correct alerts.webhook.url"
        elif unanswered == GIVE_UP:
            ended = f"{GIVE_UP} messages in a row failed to the last attempt ({answer.problem})"
        if ended:
            break
    return Outcome(delivered, dead, left, ended)


def _send(
    message: str, body: bytes, keys: tuple[bytes, ...], retries: int, world: Surroundings
) -> tuple[Answer, int, float]:
    """The last answer, the number of attempts, and the seconds that the receiver asked for if they are too many."""
    for attempt in range(1, retries + 2):
        answer = world.post(body, headers(keys, message, int(world.now()), body))
        if not tried_again(answer.status):
            return answer, attempt, 0.0
        asked = retry_after(answer.retry_after, world.now())
        if asked > LONGEST_ASKED:
            return answer, attempt, asked
        if attempt <= retries:
            world.sleep(max(asked, wait_seconds(attempt, world.jitter())))
    return answer, attempt, 0.0
