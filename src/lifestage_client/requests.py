"""What the service is asked, as typed dicts. Times are ISO-8601 text, or datetime or date objects."""

from collections.abc import Mapping
from datetime import date
from typing import NotRequired, TypedDict

Time = str | date
"""A datetime is a date too. Without an offset it is local time of the shop; a date is its midnight."""


class Purchase(TypedDict):
    """One order; a refund where the amount is negative."""

    ordered_at: Time
    amount: float
    order_id: NotRequired[str | None]
    category: NotRequired[str | None]
    channel: NotRequired[str | None]
    discount: NotRequired[float | None]


class Event(TypedDict):
    occurred_at: Time
    event_type: str
    session_id: NotRequired[str | None]


class Feedback(TypedDict):
    """`kind`: nps, csat, complaint, ticket or review."""

    submitted_at: Time
    kind: str
    score: NotRequired[float | None]
    resolved_at: NotRequired[Time | None]


class Term(TypedDict):
    """One term of a subscription; `ended_at` is left out while it runs."""

    started_at: Time
    ended_at: NotRequired[Time | None]
    plan: NotRequired[str | None]
    monthly_price: NotRequired[float | None]


class Previous(TypedDict):
    stage: str
    stage_since: Time


class Customer(TypedDict):
    """One customer's whole history; rows in any order."""

    customer_id: str
    purchases: NotRequired[list[Purchase]]
    events: NotRequired[list[Event]]
    feedback: NotRequired[list[Feedback]]
    subscriptions: NotRequired[list[Term]]
    signed_up_at: NotRequired[Time | None]
    acquisition_channel: NotRequired[str | None]
    acquisition_cost: NotRequired[float | None]
    attributes: NotRequired[Mapping[str, bool | float | str | None]]
    previous: NotRequired[Previous | None]


class Columns(TypedDict):
    """One customer's features and scores, to be staged."""

    customer_id: str
    columns: Mapping[str, bool | float | str | None]
    previous: NotRequired[Previous | None]
