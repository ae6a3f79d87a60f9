"""Every table that crosses a border: columns, units, ranges, grain.

Canonical tables are what intake produces from a shop's own; the history is what everything after intake
sees; a score row is what the product delivers. Arrow types; instants are UTC microseconds.
"""

from dataclasses import dataclass

import pyarrow as pa

INSTANT = pa.timestamp("us", tz="UTC")
FIRST_YEAR, LAST_YEAR = 1950, 2099
"""Instants lie in these years: sentinels such as 1900-01-01 or 9999-12-31 are no times."""
LARGEST_AMOUNT = 1e15
"""Beyond it no order is real, and cents are lost in a double."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a canonical table. `zh` is its meaning in Chinese."""

    name: str
    type: pa.DataType
    meaning: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A canonical table; `instant` is the column that places a row in time (None: attributes)."""

    name: str
    grain: str
    columns: tuple[Column, ...]
    instant: str | None = None

    @property
    def required(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.columns if c.required)

    def __getitem__(self, name: str) -> Column:
        return next(c for c in self.columns if c.name == name)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.columns)


_ID = Column("customer_id", pa.string(), "customer, as text", required=True)

TRANSACTIONS = Table(
    "transactions",
    "one row an order (or an order line, then order_id is required)",
    (
        _ID,
        Column("ordered_at", INSTANT, "instant of the order", required=True),
        Column("amount", pa.float64(), "net amount in the shop's currency; negative = refund", required=True),
        Column("order_id", pa.string(), "order, unique at grain order"),
        Column("category", pa.string(), "product category"),
        Column("channel", pa.string(), "sales channel"),
        Column("discount", pa.float64(), "discount granted, currency, >= 0"),
        Column("margin", pa.float64(), "contribution margin, currency"),
    ),
    instant="ordered_at",
)
EVENTS = Table(
    "events",
    "one row a behaviour event",
    (
        _ID,
        Column("occurred_at", INSTANT, "instant of the event", required=True),
        Column("event_type", pa.string(), "what happened, e.g. login, view, cart", required=True),
        Column("session_id", pa.string(), "session"),
        Column("channel", pa.string(), "web, app, shop ..."),
    ),
    instant="occurred_at",
)
CUSTOMERS = Table(
    "customers",
    "one row a customer; any further column is an attribute",
    (
        _ID,
        Column("signed_up_at", INSTANT, "instant of registration"),
        Column("acquisition_channel", pa.string(), "channel that brought the customer"),
        Column("acquisition_cost", pa.float64(), "cost of acquiring the customer, currency, >= 0"),
    ),
)
FEEDBACK = Table(
    "feedback",
    "one row an answer or ticket",
    (
        _ID,
        Column("submitted_at", INSTANT, "instant of the answer", required=True),
        Column("kind", pa.string(), "nps, csat, complaint, ticket or review", required=True),
        Column("score", pa.float64(), "nps 0-10, csat and review 1-5"),
        Column("resolved_at", INSTANT, "instant at which the ticket was resolved"),
    ),
    instant="submitted_at",
)
IDENTITIES = Table(
    "identities",
    "one row an alias",
    (Column("alias", pa.string(), "another id of the same customer", required=True), _ID),
)
SUBSCRIPTIONS = Table(
    "subscriptions",
    "one row a term",
    (
        _ID,
        Column("started_at", INSTANT, "start of the term", required=True),
        Column("ended_at", INSTANT, "end of the term; empty while it runs"),
        Column("plan", pa.string(), "plan"),
        Column("monthly_price", pa.float64(), "price a month, currency"),
    ),
    instant="started_at",
)
LABELS = Table(
    "labels",
    "one row a customer, or a customer and as_of: churn as the shop itself knows it",
    (
        _ID,
        Column("churned", pa.bool_(), "whether the customer left", required=True),
        Column("as_of", INSTANT, "the instant from which on the label looks ahead"),
    ),
)
CANONICAL: dict[str, Table] = {
    t.name: t for t in (TRANSACTIONS, EVENTS, CUSTOMERS, FEEDBACK, IDENTITIES, SUBSCRIPTIONS, LABELS)
}
FEEDBACK_KINDS = ("nps", "csat", "complaint", "ticket", "review")

# --- the history: one row a customer, its rows of each kind as a list ordered by time -----------------
# `t` is always the row's instant. Ties are ordered by order id, then amount, so that the order is total.
PURCHASE = pa.struct(
    [
        ("t", INSTANT),
        ("amount", pa.float64()),
        ("category", pa.string()),  # of an order with several the one of the largest amount
        ("channel", pa.string()),
        ("discount", pa.float64()),
    ]
)
REFUND = pa.struct([("t", INSTANT), ("amount", pa.float64()), ("order_at", INSTANT)])
EVENT = pa.struct([("t", INSTANT), ("event_type", pa.string()), ("session_id", pa.string())])
ANSWER = pa.struct([("t", INSTANT), ("kind", pa.string()), ("score", pa.float64()), ("resolved_at", INSTANT)])
TERM = pa.struct(
    [("t", INSTANT), ("ended_at", INSTANT), ("plan", pa.string()), ("monthly_price", pa.float64())]
)
LABEL = pa.struct([("t", INSTANT), ("churned", pa.bool_())])
RAGGED: dict[str, pa.StructType] = {
    "purchases": PURCHASE,  # amount >= 0
    "refunds": REFUND,  # amount > 0; order_at = instant of the order it names, null where it names none
    "events": EVENT,
    "feedback": ANSWER,
    "subscriptions": TERM,  # t = started_at; ended_at null while the term runs
    "labels": LABEL,  # t = the label's as_of; without one the as_of of the history. No view of features has them
}
PROFILE: dict[str, pa.DataType] = {
    "signed_up_at": INSTANT,
    "acquisition_channel": pa.string(),
    "acquisition_cost": pa.float64(),
}

HISTORY = pa.schema(
    [pa.field("customer_id", pa.string(), nullable=False)]
    + [pa.field(name, pa.list_(struct)) for name, struct in RAGGED.items()]
    + [pa.field(name, type_) for name, type_ in PROFILE.items()]
)
"""One row per customer, ordered by customer_id (binary order of the UTF-8 text)."""

# --- a score: one row per customer and as_of -----------------------------------------------------------
SIGNAL = pa.struct([("name", pa.string()), ("level", pa.string())])
HEALTH_PART = pa.struct([("name", pa.string()), ("points", pa.float64())])  # [0, 100]; null where missing
REASON = pa.struct(
    [
        ("group", pa.string()),  # of features that tell one fact: features.groups
        ("feature", pa.string()),  # the one of them that adds most, and that the sentence tells
        ("direction", pa.string()),  # raises or lowers the churn probability
        ("value", pa.float64()),  # of the feature; null where missing, and for a category
        ("level", pa.string()),  # of a category
        ("contribution", pa.float64()),  # of the group, log-odds
        ("share", pa.float64()),  # [0, 1], of the sum of all groups' absolute contributions
        ("en", pa.string()),
        ("zh", pa.string()),
    ]
)
SCORE = pa.schema(
    [
        pa.field("customer_id", pa.string(), nullable=False),
        pa.field("as_of", INSTANT, nullable=False),
        pa.field("eligible", pa.bool_(), nullable=False),
        # of churn, within the churn horizon; null where not eligible
        ("churn_probability", pa.float64()),
        ("churn_percentile", pa.float64()),  # [0, 1], mid-rank among the eligible of the release
        # of CLV, within the CLV horizon; null without a purchase
        ("p_alive", pa.float64()),
        ("expected_orders", pa.float64()),
        ("expected_order_value", pa.float64()),  # currency
        ("clv", pa.float64()),  # currency, discounted
        ("clv_percentile", pa.float64()),  # [0, 1], mid-rank among all buyers of the release
        ("spend_low", pa.float64()),  # currency, undiscounted
        ("spend_high", pa.float64()),
        ("p_order", pa.float64()),
        ("next_order_at", INSTANT),
        ("next_order_low", INSTANT),
        ("next_order_high", INSTANT),
        ("stage", pa.string()),
        ("stage_since", INSTANT),
        ("previous_stage", pa.string()),
        ("rule", pa.string()),  # that brings or keeps them in the stage: <stage>.<rule>, .stays or .default
        (
            "next_stage",
            pa.string(),
        ),  # first other stage if nothing happens; null: none in the time looked ahead
        ("next_stage_at", INSTANT),  # the local midnight from which on
        (
            "at_risk_at",
            INSTANT,
        ),  # from when on in a stage of role at_risk if nothing happens; null: is so, or never
        ("lost_at", INSTANT),  # the same of role lost
        ("tier", pa.string()),
        ("segment", pa.string()),
        ("risk", pa.string()),
        ("signals", pa.list_(SIGNAL)),
        ("health", pa.float64()),  # [0, 100]; null without a health score in the policy
        ("health_parts", pa.list_(HEALTH_PART)),
        ("reasons", pa.list_(pa.string())),  # of the stage and the signals: sentences of the policy
        ("churn_reasons", pa.list_(REASON)),  # of the churn probability; null where not asked for
        ("action", pa.string()),
        ("alerts", pa.list_(pa.string())),  # rules that hold; who has just entered is for the store to say
        ("policy", pa.string()),  # name, version and digest
        pa.field("release", pa.string(), nullable=False),
    ]
)
"""One row per customer and as_of. What a later capability fills is null until then."""

PREVIOUS = pa.schema(
    [pa.field("customer_id", pa.string(), nullable=False), ("stage", pa.string()), ("stage_since", INSTANT)]
)
"""One row per customer: the latest stage stored with an earlier as_of."""
