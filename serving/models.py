"""Requests, as the OpenAPI page documents them. Values are checked strictly: nothing is guessed.

Rows are typed dicts: a request may hold a hundred thousand of them. Times stay text here; `lifestage.online`
reads them, by the same rules as files.
"""

from typing import Annotated, Any, NotRequired

from pydantic import BaseModel, ConfigDict, Field, with_config
from typing_extensions import TypedDict

MAX_CUSTOMERS = 1_000
MAX_ROWS = 20_000
"""Rows of one kind that one customer may have."""

STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

Id = Annotated[
    str,
    Field(min_length=1, max_length=256, description="Read as tables are: blanks around it do not count."),
]
Word = Annotated[str, Field(max_length=256)]
WRITTEN = (
    r"^(19[5-9]\d|20\d\d)-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
    r"([T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,9})?)?(Z|[+-](0\d|1[0-3]):[0-5]\d)?)?$"
)
"""A time as the OpenAPI page describes it: for its reader, since it is `record_values` that reads times."""
Time = Annotated[
    str,
    Field(
        max_length=40,
        description="ISO-8601 time or date; without an offset it is local time of the shop, a date its midnight. "
        "From 1950 to 2099.",
        examples=["1998-06-30T18:05:00+02:00", "1998-06-30"],
        json_schema_extra={"pattern": WRITTEN},
    ),
]
AsOf = Annotated[
    Time | None,
    Field(
        description="The instant to score at, now by default. Rows at or after it are ignored.",
        examples=["1998-07-01"],
    ),
]


@with_config(STRICT)
class Purchase(TypedDict):
    """One order, or one refund."""

    ordered_at: Time
    amount: Annotated[
        float, Field(description="In the shop's currency; negative = refund.", examples=[29.33])
    ]
    order_id: NotRequired[
        Annotated[
            Word | None,
            Field(
                description="Of an order; of a refund, that of the order it takes back.", examples=["A-1001"]
            ),
        ]
    ]
    category: NotRequired[
        Annotated[
            Word | None,
            Field(description="Of an order with several, the one of the largest amount.", examples=["books"]),
        ]
    ]
    channel: NotRequired[Annotated[Word | None, Field(description="Sales channel.", examples=["app"])]]
    discount: NotRequired[Annotated[float | None, Field(description="Discount granted, 0 or more.")]]


@with_config(STRICT)
class Event(TypedDict):
    """One behaviour event."""

    occurred_at: Time
    event_type: Annotated[Id, Field(description="What happened.", examples=["login"])]
    session_id: NotRequired[Word | None]


@with_config(STRICT)
class Answer(TypedDict):
    """One answer or ticket."""

    submitted_at: Time
    kind: Annotated[Word, Field(description="nps, csat, complaint, ticket or review.", examples=["nps"])]
    score: NotRequired[
        Annotated[float | None, Field(description="nps 0-10, csat and review 1-5.", examples=[9])]
    ]
    resolved_at: NotRequired[Time | None]


@with_config(STRICT)
class Term(TypedDict):
    """One term of a subscription."""

    started_at: Time
    ended_at: NotRequired[
        Annotated[
            Time | None, Field(description="Leave it out while the term runs; a renewal date is no end.")
        ]
    ]
    plan: NotRequired[Word | None]
    monthly_price: NotRequired[float | None]


@with_config(STRICT)
class Previous(TypedDict):
    """The stage that was stored last."""

    stage: Annotated[str, Field(min_length=1, max_length=256, examples=["loyalty"])]
    stage_since: Time


@with_config(STRICT)
class Customer(TypedDict):
    """One customer's whole history; rows in any order."""

    customer_id: Annotated[Id, Field(examples=["C-17"])]
    purchases: NotRequired[Annotated[list[Purchase], Field(max_length=MAX_ROWS)]]
    events: NotRequired[Annotated[list[Event], Field(max_length=MAX_ROWS)]]
    feedback: NotRequired[Annotated[list[Answer], Field(max_length=MAX_ROWS)]]
    subscriptions: NotRequired[Annotated[list[Term], Field(max_length=MAX_ROWS)]]
    signed_up_at: NotRequired[Time | None]
    acquisition_channel: NotRequired[Word | None]
    acquisition_cost: NotRequired[Annotated[float | None, Field(ge=0)]]
    attributes: NotRequired[
        Annotated[
            dict[str, Annotated[bool | float | str | None, Field(union_mode="left_to_right")]],
            Field(
                max_length=1_000,
                description="The shop's own profile columns that the release reads; left out = missing.",
                examples=[{}],
            ),
        ]
    ]
    previous: NotRequired[
        Annotated[Previous | None, Field(description="Leave it out for a customer seen for the first time.")]
    ]


HISTORY_EXAMPLE: dict[str, Any] = {
    "as_of": "1998-07-01",
    "customers": [
        {
            "customer_id": "C-17",
            "purchases": [
                {"ordered_at": "1997-01-12", "amount": 29.33, "order_id": "A-1001"},
                {"ordered_at": "1997-05-02", "amount": 14.96, "order_id": "A-1002"},
                {"ordered_at": "1997-05-09", "amount": -14.96, "order_id": "A-1002"},
                {"ordered_at": "1998-02-21", "amount": 41.98, "order_id": "A-1003"},
            ],
            "previous": {"stage": "loyalty", "stage_since": "1998-03-01"},
        }
    ],
}
Customers = Annotated[list[Customer], Field(min_length=1, max_length=MAX_CUSTOMERS)]


class ScoreRequest(BaseModel):
    model_config = STRICT | {"json_schema_extra": {"examples": [HISTORY_EXAMPLE]}}

    as_of: AsOf = None
    reasons: Annotated[
        bool,
        Field(
            description="Also the reasons of the churn probability (`churn_reasons`), for whom a run gives them by "
            "the release's rule. They cost several times what the score does: false where nobody reads them."
        ),
    ] = True
    ahead: Annotated[
        bool,
        Field(
            description="Also what comes if nothing happens (`next_stage`, `next_stage_at`, `at_risk_at`, `lost_at`), "
            "as a run has it. It costs about as much as scoring for each of the days looked ahead at."
        ),
    ] = False
    customers: Customers


class ExplainRequest(BaseModel):
    model_config = STRICT | {"json_schema_extra": {"examples": [HISTORY_EXAMPLE | {"top": 5}]}}

    as_of: AsOf = None
    top: Annotated[int, Field(ge=1, le=20, description="Reasons a customer at the most.")] = 5
    customers: Customers


Value = Annotated[bool | float | str | None, Field(union_mode="left_to_right")]


@with_config(STRICT)
class Scored(TypedDict):
    """One customer's features and scores."""

    customer_id: Annotated[Id, Field(examples=["C-17"])]
    columns: Annotated[
        dict[str, Value],
        Field(
            max_length=1_000,
            description="Any published column: features, scores, percentiles. What is left out is missing; "
            "percentiles left out are looked up in the release's reference distributions.",
        ),
    ]
    previous: NotRequired[Previous | None]


class StageRequest(BaseModel):
    model_config = STRICT | {
        "json_schema_extra": {
            "examples": [
                {
                    "as_of": "1998-07-01",
                    "customers": [
                        {
                            "customer_id": "C-17",
                            "columns": {
                                "order_count": 2,
                                "days_since_last_order": 130.0,
                                "purchase_days": 2,
                                "days_since_first_contact": 535.0,
                                "recency_over_max_gap": 0.4,
                                "eligible": True,
                                "churn_probability": 0.71,
                                "clv": 38.2,
                            },
                        }
                    ],
                }
            ]
        }
    }

    as_of: AsOf = None
    customers: Annotated[list[Scored], Field(min_length=1, max_length=MAX_CUSTOMERS)]


class BatchGetRequest(BaseModel):
    """Whose stored scores are wanted."""

    model_config = ConfigDict(**STRICT, json_schema_extra={"examples": [{"customer_ids": ["C-17", "C-18"]}]})

    customer_ids: Annotated[
        list[Id],
        Field(min_length=1, max_length=MAX_CUSTOMERS, description="One named twice is answered once."),
    ]
