"""Raw histories -> scores: the same `decide_block` as the batch, on blocks made of the requests that wait together."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from lifestage.ahead import with_ahead
from lifestage.decision import decide_block
from lifestage.errors import InputError
from lifestage.history import History
from lifestage.localtime import instant_text
from lifestage.online import RecordError, history_from_records
from lifestage.record_values import identifier, parse_instant, texts
from lifestage.schemas import PREVIOUS
from lifestage.settings import Reasons, Serving
from serving.bodies import Failure, by_customer, name_of, none_left
from serving.limits import check_count, too_many_rows
from serving.metrics import observe_batch, observe_scores, observe_unknown
from serving.models import MAX_ROWS, Customer, Scored, ScoreRequest
from serving.problems import ProblemError, bad, place
from serving.routes import Answer
from serving.rows import rows, to_json
from serving.state import State

NO_REASONS = Reasons(top=0)
NOBODY = PREVIOUS.empty_table()


@dataclass(slots=True)
class Asked:
    """One request, read: whom to score as of when, and who could not be."""

    as_of: int
    reasons: Reasons | None
    """None: as the release says."""
    looks: tuple[int, ...]
    """Days ahead at which changes of stage are looked for."""
    customers: list[Customer]
    places: list[int]
    """Of each customer in the request."""
    failures: list[Failure]
    ids: list[str] = field(init=False)
    rows: list[dict[str, Any]] = field(default_factory=list)
    """Their scores, once there are."""

    def __post_init__(self) -> None:
        ids = texts([customer["customer_id"] for customer in self.customers], identifier)
        self.ids = [name or "" for name in ids]

    def fail(self, faults: dict[int, tuple[str, str]]) -> None:
        """Take customers out: position among `customers` -> path below the customer, message."""
        for i, (path, message) in faults.items():
            at = self.places[i]
            self.failures.append(Failure(at, name_of(self.customers[i]), f"customers[{at}]{path}", message))
        kept = [i for i in range(len(self.customers)) if i not in faults]
        self.customers = [self.customers[i] for i in kept]
        self.places = [self.places[i] for i in kept]
        self.ids = [self.ids[i] for i in kept]


def scores_of(
    state: State, bodies: Sequence[bytes], now: int, *, counted: bool = True
) -> list[Answer | Exception]:
    """The answers to requests that came together, one each, each the same as if it had come alone; `counted` in the
    metrics."""
    answers: list[Asked | Exception] = []
    for body in bodies:
        try:
            answers.append(read(state, body, now))
        except ProblemError as problem:
            answers.append(problem)
    score(state, [asked for asked in answers if isinstance(asked, Asked)], counted=counted)
    return [answer(state, a, "scores") if isinstance(a, Asked) else a for a in answers]


def read(state: State, body: bytes, now: int) -> Asked:
    """Raises ProblemError where nothing of the request can be scored."""
    request, places, failures = by_customer(ScoreRequest, body)
    as_of = instant_of(request.as_of, now, state.release.timezone)
    looks = state.shop.scoring.look_ahead_days if request.ahead else ()
    reasons = None if request.reasons else NO_REASONS
    asked = Asked(as_of, reasons, looks, request.customers, places, failures)
    take_out(asked, state.shop.serving)
    return asked


def take_out(asked: Asked, limits: Serving) -> None:
    """Take out who cannot be scored, by what their rows need not be read for. Raises ProblemError for too many."""
    check_count(len(asked.customers) + len(asked.failures), limits)
    faults: dict[int, tuple[str, str]] = {}
    for i, customer in enumerate(asked.customers if limits.max_rows < MAX_ROWS else ()):
        if over := too_many_rows(customer, limits):
            faults[i] = (f".{over[0]}", over[1])
    if len(set(asked.ids)) < len(asked.ids) or "" in asked.ids:
        seen = Counter(asked.ids)
        for i, name in enumerate(asked.ids):
            if not name:
                faults[i] = (".customer_id", "is blank; give the customer's id")
            elif seen[name] > 1:
                faults[i] = (".customer_id", "stands twice in one request; give all rows in one record")
    if faults:
        asked.fail(faults)


def score(state: State, requests: Sequence[Asked], *, counted: bool = True) -> None:
    """Fill the rows of each; whose history cannot be read is taken out of its request."""
    waiting = [asked for asked in requests if asked.customers]
    while waiting:
        first, taken, later = waiting[0], [], []
        ids: set[str] = set()
        for asked in waiting:  # one block: of one instant, and nobody twice
            alike = (asked.as_of, asked.reasons, asked.looks) == (first.as_of, first.reasons, first.looks)
            if alike and ids.isdisjoint(asked.ids):
                ids.update(asked.ids)
                taken.append(asked)
            else:
                later.append(asked)
        _score_block(state, taken, counted)
        waiting = later


def _score_block(state: State, taken: Sequence[Asked], counted: bool) -> None:
    history, previous = _history(state, taken)
    if not len(history):
        return
    table = decide_block(
        history, taken[0].as_of, state.release, previous, threads=1, reasons_for=taken[0].reasons
    )
    table = with_ahead(table, history, taken[0].as_of, state.release, taken[0].looks, threads=1)
    if counted:
        observe_batch(len(history), len(taken))
        observe_scores(table)
        observe_unknown(history, state.release.churn.spec)
    scored, start = rows(table), 0
    for asked in taken:
        asked.rows = scored[start : start + len(asked.customers)]
        start += len(asked.customers)


def _history(state: State, taken: Sequence[Asked]) -> tuple[History, pa.Table]:
    """The block of all customers whose records can be read, and their previous stages."""
    zone, types, as_of = state.release.timezone, state.release.attribute_types, taken[0].as_of
    while True:
        customers = [customer for asked in taken for customer in asked.customers]
        try:
            return history_from_records(customers, zone, types), previous_stages(customers, zone, as_of)
        except RecordError:
            faults = [_faults(asked.customers, 0, zone, types, as_of) for asked in taken]
            if not any(faults):
                raise
            for asked, found in zip(taken, faults, strict=True):
                asked.fail(found)


def _faults(
    customers: list[Customer], first: int, zone: str, types: Mapping[str, pa.DataType], as_of: int
) -> dict[int, tuple[str, str]]:
    """Position -> what is wrong; by halves, as most are right."""
    try:
        history_from_records(customers, zone, types)
        previous_stages(customers, zone, as_of)
    except RecordError as error:
        if len(customers) == 1:
            return {first: (f".{place(error.path[1:])}", error.fault)}
        half = len(customers) // 2
        left = _faults(customers[:half], first, zone, types, as_of)
        return left | _faults(customers[half:], first + half, zone, types, as_of)
    return {}


def answer(state: State, asked: Asked, name: str) -> Answer | Exception:
    """The answer's JSON, or the problem that nobody could be scored."""
    failures = sorted(asked.failures, key=lambda failure: failure.index)
    if not asked.rows:
        return none_left(failures)
    content = {
        "as_of": instant_text(asked.as_of),
        **state.facts,
        name: asked.rows,
        "errors": [failure.entry() for failure in failures],
    }
    return Answer(to_json(content), len(asked.rows))


def instant_of(as_of: str | None, now: int, zone: str) -> int:
    """UTC microseconds of a request's as_of, `now` where it names none."""
    if as_of is None:
        return now
    try:
        return parse_instant(as_of, zone)
    except InputError as error:
        raise bad(f"as_of: {error}", ("as_of",)) from None


def previous_stages(customers: Sequence[Customer] | Sequence[Scored], zone: str, as_of: int) -> pa.Table:
    """Rows of schemas.PREVIOUS for the customers that the request gives a previous stage. Raises RecordError."""
    names: list[str | None] = []
    stages: list[str] = []
    instants: list[int] = []
    for i, customer in enumerate(customers):
        given = customer.get("previous")
        if given is None:
            continue
        path = (i, "previous", "stage_since")
        try:
            since = parse_instant(given["stage_since"], zone)
        except InputError as error:
            raise RecordError(customer["customer_id"], path, str(error)) from None
        if since > as_of:
            fault = f"is '{given['stage_since']}', after as_of; expected the day on which the stage began"
            raise RecordError(customer["customer_id"], path, fault)
        instants.append(since)
        names.append(identifier(customer["customer_id"]))
        stages.append(given["stage"])
    if not names:
        return NOBODY
    began = pa.array(instants, pa.int64()).view(PREVIOUS.field("stage_since").type)
    return pa.table([pa.array(names, pa.string()), pa.array(stages, pa.string()), began], schema=PREVIOUS)
