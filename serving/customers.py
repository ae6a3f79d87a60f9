"""Stored scores and histories of stages: of one customer, and of many."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from lifestage.errors import InputError
from lifestage.localtime import instant_text
from lifestage.store import Store, Stored, StoreError
from serving import models
from serving.bodies import whole
from serving.ids import known_as
from serving.problems import ProblemError
from serving.rows import to_json
from serving.state import State

LOG = logging.getLogger("serving.store")


def stored(state: State, customer_id: str) -> bytes:
    """The answer about one customer. Raises ProblemError: 404 unknown, 503 no scores yet, or none to be had."""
    with reading():
        found = state.store.customers((known_as(state.shop, customer_id),))
        if found:
            one = found[0]
            return _answer(about(state, one.run, one["as_of"], one["release"], one["policy"]), _entry(one))
        run = state.store.current()
    raise ProblemError(
        HTTPStatus.NOT_FOUND,
        "unknown-customer",
        f"customer '{printable(customer_id)}' is not in the stored scores (run {run['run'] if run else ''}); "
        "check the id, or score the customer's history by POST /v1/score",
    )


def stored_many(state: State, body: bytes) -> bytes:
    """The answer about the customers that a body names, each spelling once. Raises ProblemError as `stored` and 400."""
    asked = {name: known_as(state.shop, name) for name in whole(models.BatchGetRequest, body).customer_ids}
    with reading():
        found = state.store.customers(tuple(dict.fromkeys(asked.values())))
        if found:
            one = found[0]
            head = about(state, one.run, one["as_of"], one["release"], one["policy"])
        else:
            run = state.store.current() or {}
            head = about(state, run.get("run", ""), run.get("as_of", 0), run.get("release", ""), None)
    known = {one.customer_id: _entry(one) for one in found}
    entries = ",".join(
        f'{{"customer_id":{_text(name)},{known[own]}}}' for name, own in asked.items() if own in known
    )
    unknown = _text([name for name, own in asked.items() if own not in known])
    return _answer(head, f'"customers":[{entries}],"unknown":{unknown}')


@contextmanager
def reading() -> Iterator[None]:
    """Reading the store. Raises ProblemError 503: scoring goes on without it."""
    try:
        yield
    except StoreError as error:
        LOG.warning("%s", error)
        raise ProblemError(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "store-away",
            "the stored scores cannot be read just now (the service's log says why); try again, or score the history "
            "by POST /v1/score, which goes on",
        ) from None
    except InputError:
        raise no_scores() from None


def no_scores() -> ProblemError:
    return ProblemError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "no-scores",
        "no scores are stored yet; run python -m training.score, or score a history by POST /v1/score",
    )


def about(state: State, run: str, as_of: int, release: str, policy: str | None) -> dict[str, Any]:
    """What an answer says about the stored run that it comes from; `as_of` in UTC microseconds."""
    facts = state.facts
    if release != facts["release"]:  # stored by another release: its horizons are not at hand
        facts |= {"release": release, "churn_horizon_days": None, "clv_horizon_days": None}
    return {"as_of": instant_text(as_of), **facts, "run": run, "policy": policy}


def printable(customer_id: str) -> str:
    """An id as an answer may repeat it."""
    return customer_id[:256].encode(errors="replace").decode()


def example(store: Store) -> str:
    """The id of the most valuable customer. Raises InputError where no scores are stored."""
    found = store.most_valuable()
    if found is None:
        raise InputError("no scores yet; run python -m training.score")
    return found


def _entry(one: Stored) -> str:
    """JSON text `"score":{...},"stage_history":[...]`; nested columns go as the store keeps them."""
    return f'"score":{one.score_json},"stage_history":{_text(one.stage_history)}'


def _answer(head: dict[str, Any], rest: str) -> bytes:
    return b"%s,%s}" % (to_json(head)[:-1], rest.encode())


def _text(value: str | Sequence[Any]) -> str:
    return to_json(value).decode()
