"""What every kind of store can do; reading is written once, in SQL that all of them understand."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from json import loads
from pathlib import Path
from typing import Any

import pyarrow as pa

from lifestage.errors import InputError
from lifestage.lifecycle.alerts import Alert
from lifestage.localtime import instant_text
from lifestage.schemas import PREVIOUS
from lifestage.store.batches import Progress
from lifestage.store.flow import MOVES, flow_of
from lifestage.store.publishing import Writer
from lifestage.store.shares import Distribution, distribution_of
from lifestage.store.tables import NAMING
from lifestage.store.values import json_row, plain_row, table

STAGED = ("customer_id", "as_of", "stage", "stage_since", "risk", "policy", "release")
"""The columns of a score that a back-fill needs."""
MOST = 1_000
"""Customers looked up at once."""

_PREVIOUS = (
    "SELECT h.customer_id, h.stage, h.stage_since FROM stage_history AS h"
    " WHERE h.customer_id BETWEEN :low AND :high AND h.as_of = (SELECT max(g.as_of) FROM stage_history AS g"
    " WHERE g.customer_id = h.customer_id AND g.as_of < :as_of) ORDER BY h.customer_id"
)
_CURRENT = (
    "SELECT run, as_of, release, customers FROM runs WHERE is_current = 1 ORDER BY published DESC LIMIT 1"
)
# The place tells a run apart from an earlier one of its name, the count from itself before somebody was forgotten.
_NEWEST = "SELECT run, published, customers FROM runs WHERE is_current = 1 ORDER BY published DESC LIMIT 1"
_NAMED = (
    f"SELECT s.*, r.run, {{history}} FROM ({_CURRENT}) AS r CROSS JOIN scores AS s"
    " WHERE s.customer_id IN ({ids})"
)


class StoreError(InputError):
    """The store is away, in use, full or damaged; the text says which and what to do."""


class Rows(list[Any]):
    """Rows of a query, with the names of its columns: none where its table does not exist yet."""

    def __init__(self, rows: Iterable[Any], names: Sequence[str]) -> None:
        super().__init__(rows)
        self.names = tuple(names)


@dataclass(frozen=True, slots=True)
class Stored:
    """One customer's current score and changes of stage, of one run."""

    names: tuple[str, ...]
    row: tuple[Any, ...]
    """The score by column, as it is stored."""
    run: str
    changes: tuple[tuple[int, str, int | None], ...]
    """as_of, stage, stage_since (UTC microseconds); the oldest first."""

    @property
    def customer_id(self) -> str:
        return str(self[self.names[0]])

    def __getitem__(self, column: str) -> Any:
        """The value of a column as it is stored; None where an earlier version stored none."""
        return self.row[self.names.index(column)] if column in self.names else None

    @property
    def score(self) -> dict[str, Any]:
        """JSON-able values by column; instants as ISO-8601 text in UTC."""
        return plain_row(self.names, self.row)

    @property
    def score_json(self) -> str:
        """`score` as JSON text."""
        return json_row(self.names, self.row)

    @property
    def stage_history(self) -> list[dict[str, Any]]:
        """One dict per change: as_of, stage, stage_since as ISO-8601 text; the oldest first."""
        return [
            {"as_of": instant_text(t), "stage": stage, "stage_since": None if s is None else instant_text(s)}
            for t, stage, s in self.changes
        ]


class Store(ABC):
    """A score store; may be shared by threads (each gets its own connection)."""

    name: str
    """How errors name it."""
    local = False
    """Whether a row is read from a file here, in microseconds."""
    HISTORY: str
    """SQL: the changes of stage of customer `s`, as JSON text [[as_of, stage, stage_since], ...]."""

    def __init__(self) -> None:
        self._shares: tuple[tuple[Any, ...], Distribution | None] | None = None

    # --- what each kind does its own way ---------------------------------------------------------------

    @abstractmethod
    def publish(
        self,
        run: str,
        as_of: int,
        parts: Iterable[Path],
        current: bool,
        progress: Progress | None = None,
        *,
        alerts: Sequence[Alert] = (),
    ) -> int:
        """Store a run of scores (Parquet files of schemas.SCORE, one row per customer) in one transaction.

        Adds the changes of stage at `as_of` (UTC microseconds), replacing those stored for it before; with
        `current`, the run also takes the place of the current scores. Repeating it changes nothing. After
        re-publishing an earlier as_of, publish the later ones again: they hold changes only. `progress` is
        called with the number of rows just loaded. `alerts` are the rules of the run's policy: who enters what
        they watch gets a row in the outbox, with `current` alone (see store.alerts).

        Returns the number of alerts written. Raises InputError for no rows, rows of another as_of, a customer
        met twice, or a store in use.
        """

    @abstractmethod
    def writing(self) -> AbstractContextManager[Writer]:
        """A connection within one transaction, committed at the end unless an error leaves it."""

    @abstractmethod
    def rows(self, query: str, values: Sequence[Any] | dict[str, Any] = ()) -> Rows:
        """The rows of a query in portable SQL (? or :name for values); none where its table does not exist yet."""

    @abstractmethod
    def forget(self, customer_id: str) -> dict[str, int]:
        """Remove a person for good, bytes included; number of rows removed by table, those without any left out.

        Repeating it removes nothing. Raises StoreError where the bytes could not be wiped.
        """

    def _naming(self) -> list[str]:
        """The tables that name customers and exist."""
        return [name for name in NAMING if self.rows(f"SELECT 1 FROM {name} LIMIT 0").names]

    def _storable(self, customer_id: str) -> bool:
        """Whether the store can hold the id at all: half a surrogate pair is no text."""
        try:
            customer_id.encode()
        except UnicodeEncodeError:
            return False
        return True

    # --- reading ---------------------------------------------------------------------------------------

    def previous(self, as_of: int, low: str, high: str) -> pa.Table:
        """One row per customer, low <= customer_id <= high: the latest stage stored with an earlier as_of.

        A table of schemas.PREVIOUS ordered by customer_id; without rows where nothing was stored yet.
        """
        return table(self.rows(_PREVIOUS, {"as_of": as_of, "low": low, "high": high}), PREVIOUS)

    def customers(self, ids: Sequence[str]) -> list[Stored]:
        """The current scores and histories of up to 1,000 customers, read at once; unknown ones are left out.

        In the order of `ids`, each once. Raises InputError where no run was published as the current one, or for
        more ids.
        """
        wanted = [i for i in dict.fromkeys(ids) if self._storable(i)]
        if len(wanted) > MOST:
            raise InputError(
                f"{len(wanted):,} customers asked for, expected at most {MOST:,}; ask several times"
            )
        size = 1 << max(len(wanted) - 1, 0).bit_length()
        values = wanted + (wanted or [""])[-1:] * (size - len(wanted))
        rows = self.rows(_named(self.HISTORY, size), values)
        if not rows.names:
            raise InputError(f"{self.name}: holds no scores yet; run python -m training.score first")
        names = rows.names[:-2]
        at = names.index("customer_id")
        found = {row[at]: Stored(names, row[:-2], row[-2], _changes(row[-1])) for row in rows}
        return [found[i] for i in wanted if i in found]

    def customer(self, customer_id: str) -> dict[str, Any] | None:
        """One customer's current score as JSON-able values: instants as ISO-8601 text in UTC; None: unknown.

        Raises InputError where no run was published as the current one.
        """
        found = self.customers((customer_id,))
        return found[0].score if found else None

    def stage_history(self, customer_id: str) -> list[dict[str, Any]]:
        """One dict per change of a customer's stage: as_of, stage, stage_since; the oldest first."""
        if not self._storable(customer_id):
            return []
        rows = self.rows(
            "SELECT as_of, stage, stage_since FROM stage_history WHERE customer_id = ? ORDER BY as_of",
            (customer_id,),
        )
        return [plain_row(rows.names, row) for row in rows]

    def holds(self, customer_id: str) -> list[str]:
        """The tables that hold rows of a customer."""
        if not self._storable(customer_id):
            return []
        named = "SELECT 1 FROM {} WHERE customer_id = ? LIMIT 1"
        return [name for name in self._naming() if self.rows(named.format(name), (customer_id,))]

    def most_valuable(self) -> str | None:
        """The customer with the highest clv of the current scores; None where there are none."""
        found = self.rows(
            "SELECT customer_id FROM scores ORDER BY clv IS NULL, clv DESC, customer_id LIMIT 1"
        )
        return str(found[0][0]) if found else None

    def current(self) -> dict[str, Any] | None:
        """The run that the current scores come from: run, as_of (microseconds), release, customers."""
        rows = self.rows(_CURRENT)
        return dict(zip(rows.names, rows[0], strict=True)) if rows else None

    def stages(self) -> dict[str, int]:
        """Number of customers in each stage of the current scores, the largest first."""
        rows = self.rows(
            "SELECT stage, count(*) FROM scores WHERE stage IS NOT NULL GROUP BY stage ORDER BY 2 DESC, 1"
        )
        return dict(rows)

    def distribution(self) -> Distribution | None:
        """Customers, value and churn probability by stage and tier of the current scores; None without any.

        Worked out once a run, which takes a second a million customers; later calls only look which run is current.
        """
        found = self.rows(_NEWEST)
        key = tuple(found[0]) if found else ()
        if self._shares is None or self._shares[0] != key:
            self._shares = (key, distribution_of(self.rows))
        return self._shares[1]

    def flow(self) -> pa.Table:
        """One row per stored as_of, previous stage and stage: how many customers moved so, or stayed.

        A table of FLOW, in the order of as_of; the sum of `customers` over one as_of and stage is the number
        of customers in that stage on that day.
        """
        return flow_of(self.rows(MOVES), [day for (day,) in self.rows("SELECT DISTINCT as_of FROM runs")])


@lru_cache(maxsize=32)
def _named(history: str, ids: int) -> str:
    """The look-up of so many customers; numbers are powers of two, so that there are few statements to prepare."""
    return _NAMED.format(history=history, ids=", ".join("?" * ids))


def _changes(text: str | None) -> tuple[tuple[int, str, int | None], ...]:
    return tuple(sorted((t, stage, since) for t, stage, since in loads(text))) if text else ()
