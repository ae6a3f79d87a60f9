"""The service's operations as methods."""

import os
import ssl
from collections.abc import Sequence
from types import TracebackType
from typing import Self, cast
from urllib.parse import quote

from lifestage_client.answers import (
    CustomerAnswer,
    CustomersAnswer,
    ExplainAnswer,
    ScoreAnswer,
    StageAnswer,
    StagesAnswer,
)
from lifestage_client.errors import LifestageError
from lifestage_client.histories import batches
from lifestage_client.model import ModelAnswer
from lifestage_client.requests import Columns, Customer, Time
from lifestage_client.transport import Transport

KEY = "LIFESTAGE_API_KEY"
MOST_RUNS = 3


class Lifestage:
    """A service at one address. Threads may share it, and should: it keeps their connections.

    `key` is by default that of the environment variable LIFESTAGE_API_KEY. `timeout`: seconds to connect, and
    seconds without a byte of the answer. `retries`: how often 429, 503 and failed connections are tried again, with
    waits that double from 0.1 s or as Retry-After says; a Retry-After above `longest_wait` seconds is raised at once.
    Every method raises LifestageError.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:3000",
        key: str | None = None,
        *,
        timeout: float = 10.0,
        retries: int = 3,
        longest_wait: float = 10.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        key = os.environ.get(KEY) if key is None else key
        self._transport = Transport(
            url, key=key, timeout=timeout, retries=retries, longest_wait=longest_wait, tls=tls
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        self._transport.close()

    def score(
        self,
        customers: Sequence[Customer],
        as_of: Time | None = None,
        *,
        reasons: bool = True,
        ahead: bool = False,
    ) -> ScoreAnswer:
        """Scores of 1 to 1,000 raw histories, in their order; who could not be scored stands in `errors`.

        `reasons` False leaves `churn_reasons` out, which cost several times what the score does; `ahead` asks for the
        next stage and its date, which cost about as much as the score for each day looked ahead at.
        """
        return cast(ScoreAnswer, self._post("/v1/score", customers, as_of, reasons=reasons, ahead=ahead))

    def explain(
        self, customers: Sequence[Customer], as_of: Time | None = None, top: int = 5
    ) -> ExplainAnswer:
        """Why raw histories are scored as they are, `top` reasons (1 to 20) each; otherwise like `score`."""
        return cast(ExplainAnswer, self._post("/v1/explain", customers, as_of, top=top))

    def stage(self, customers: Sequence[Columns], as_of: Time | None = None) -> StageAnswer:
        """Stages of 1 to 1,000 customers whose features and scores are given."""
        return cast(StageAnswer, self._post("/v1/stage", customers, as_of))

    def customer(self, customer_id: str) -> CustomerAnswer | None:
        """The stored score and the history of stages; None for a customer whom the stored scores lack.

        Raises ValueError for an empty id.
        """
        if not customer_id:
            raise ValueError("customer_id is empty; give the customer's id")
        try:
            return cast(
                CustomerAnswer, self._transport.request("GET", f"/v1/customers/{quote(customer_id, safe='')}")
            )
        except LifestageError as error:
            if error.status == 404 and error.type.endswith(":unknown-customer"):
                return None
            raise

    def customers(self, customer_ids: Sequence[str]) -> CustomersAnswer:
        """Stored scores of any number of customers, all of one run; `unknown` are those it does not have.

        Above 1,000 it takes several requests, which are asked again where a new run comes between them.
        """
        for _ in range(MOST_RUNS):
            parts = [self._look_up(ids) for ids in list(batches(customer_ids)) or [[]]]
            if len({part["run"] for part in parts}) == 1:
                found = [customer for part in parts for customer in part["customers"]]
                unknown = [customer_id for part in parts for customer_id in part["unknown"]]
                return {**parts[0], "customers": found, "unknown": unknown}
        raise LifestageError(
            f"{MOST_RUNS} times a new run was published between two requests; ask again later"
        )

    def stages(self) -> StagesAnswer:
        """How many stored customers are in each stage, and what they are worth."""
        return cast(StagesAnswer, self._transport.request("GET", "/v1/stages"))

    def model(self) -> ModelAnswer:
        """What is being served: release, models with their grade, policy, stored run."""
        return cast(ModelAnswer, self._transport.request("GET", "/v1/model"))

    def ready(self) -> bool:
        """Whether the service answers and has loaded a release. Asked once; raises nothing."""
        try:
            self._transport.request("GET", "/readyz", retry=False)
        except LifestageError as error:
            return 200 <= error.status < 300
        return True

    def _look_up(self, customer_ids: Sequence[str]) -> CustomersAnswer:
        body = {"customer_ids": list(customer_ids)}
        return cast(CustomersAnswer, self._transport.request("POST", "/v1/customers:batchGet", body))

    def _post(self, path: str, customers: Sequence[object], as_of: Time | None, **more: object) -> object:
        body = {"customers": list(customers), **more} | ({} if as_of is None else {"as_of": as_of})
        return self._transport.request("POST", path, body)
