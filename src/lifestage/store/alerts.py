"""Who has just entered what an alert rule watches: decided and written within the transaction that stores a run.

A row of the store's table `alerts` is one entry of one customer; its key is customer, rule and time of entry. Rows
are added, never changed nor taken back. An entry is: the rule holds in the run, the customer was elsewhere at the
latest earlier as_of stored of them, and the latest earlier run was staged by the same policy, to the letter: a rule
begins to watch with the first run that knows it, which tells nothing. So neither a shop's first run nor a rule added
later, nor a policy that takes the place of another, tells about everybody who is there already. Nobody is told about
an entry that is not later than the last one they were told of under the same rule, in whatever order runs are stored.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lifestage.lifecycle.alerts import Alert
from lifestage.store.tables import ALERTS

if TYPE_CHECKING:
    from lifestage.store.publishing import Writer

COLUMNS = (
    *("customer_id", "alert", "entered_at", "label_en", "label_zh", "stage", "previous_stage", "risk"),
    *("tier", "clv", "churn_probability", "reasons", "action", "policy", "release"),
)
"""Of the table `alerts`: entered_at is the as_of of the run that found the entry, the rest the score of that run."""
_OF_SCORE = COLUMNS[COLUMNS.index("stage") :]

# Like stage_history: a row where the latest earlier level is another one or none is known; '' = no level.
_RISK_CHANGES = (
    "INSERT INTO risk_history SELECT customer_id, as_of, coalesce(risk, '') FROM {scores} AS s"
    " WHERE stage IS NOT NULL AND coalesce(risk, '') <> coalesce((SELECT h.risk FROM risk_history AS h"
    " WHERE h.customer_id = s.customer_id AND h.as_of < s.as_of ORDER BY h.as_of DESC LIMIT 1), '-')"
)
# A history has a row at this as_of only where it changed, so a row of the right state is the entry itself. CROSS JOIN
# keeps SQLite to this order: the wide scores are read for the few who have entered only.
_ENTRIES = (
    f"INSERT INTO alerts ({', '.join(COLUMNS)})"
    f" SELECT s.customer_id, a.alert, s.as_of, :label_en, :label_zh, {', '.join(f's.{c}' for c in _OF_SCORE)}"
    " FROM {holding} AS a CROSS JOIN {kind}_history AS h CROSS JOIN {scores} AS s"
    " WHERE a.alert = :alert AND h.customer_id = a.customer_id AND h.as_of = :as_of AND h.{kind} = :state"
    " AND (:first_sight = 1 OR EXISTS (SELECT 1 FROM {kind}_history AS e WHERE e.customer_id = a.customer_id"
    " AND e.as_of < :as_of)) AND s.customer_id = a.customer_id"
    " AND NOT EXISTS (SELECT 1 FROM alerts AS o WHERE o.customer_id = a.customer_id AND o.alert = a.alert"
    " AND o.entered_at >= :as_of)"
)
_WATCHED = (
    "SELECT 1 FROM alert_runs WHERE alert = :alert AND coalesce(policy, '') = coalesce(:policy, '')"
    " AND as_of = (SELECT max(as_of) FROM runs WHERE as_of < :as_of)"
)
_KNOWN = (
    "INSERT INTO alert_runs VALUES (:alert, :as_of, :policy)"
    " ON CONFLICT (alert, as_of) DO UPDATE SET policy = excluded.policy"
)


def record(
    writer: "Writer",
    as_of: int,
    rules: Sequence[Alert],
    *,
    current: bool,
    scores: str,
    holding: str,
) -> int:
    """Take note of a run's risk levels, and write its alerts if it is a `current` one; number of alerts written.

    Within the transaction of `publish`, after the stage history: the run lies in table `scores`, and in
    `holding` (customer_id, alert) which rules hold. Repeating it changes nothing.
    """
    for table in ALERTS:
        writer.execute(table)
    writer.execute("DELETE FROM risk_history WHERE as_of = ?", (as_of,))
    writer.execute(_RISK_CHANGES.format(scores=scores))
    found = 0
    policy = writer.execute(f"SELECT policy FROM {scores} LIMIT 1").fetchone()[0]
    for rule in rules:
        values = {"alert": rule.name, "as_of": as_of, "policy": policy}
        watched = writer.execute(_WATCHED, values)
        if current and watched.fetchone() is not None:
            values |= {"state": rule.state, "first_sight": int(rule.first_sight)}
            values |= {"label_en": rule.labels.en, "label_zh": rule.labels.zh}
            entries = _ENTRIES.format(kind=rule.kind, scores=scores, holding=holding)
            found += writer.execute(entries, values).rowcount
        writer.execute(_KNOWN, values)
    return found
