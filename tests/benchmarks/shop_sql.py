"""The features of the simulated shop in hand-written DuckDB SQL, one function a family, one row a customer.

Written as an analyst who knows DuckDB writes them: each table is scanned once for the plain aggregates (FILTER),
and once more where rows must be grouped first (days, sessions, categories) or compared with the one before (lag).
Tables are in memory; instants are `t`, microseconds; the shop's calendar is 8 hours ahead all the year.

Left out, as SQL would have to walk from row to row for it: a refund that names no order (`unfollowed` finds such
customers), and sessions of events without a session_id by their pauses. This shop has neither.
"""

from lifestage.features import FeatureSpec
from lifestage.features.behaviour import CHANGES, FUNNEL, OWN, STREAK_DAYS, TOTALS
from lifestage.features.feedback import CASES, DETRACTOR, SCORED
from lifestage.features.feedback import WINDOWS as ANSWER_WINDOWS
from lifestage.features.habits import PARTS
from lifestage.features.purchases import SEASON_END_DAYS, WINDOWS, YEAR_DAYS
from lifestage.localtime import DAY, HOUR

AHEAD = 8 * HOUR
TABLES = {
    "transactions": "order_id, epoch_us(ordered_at) AS t, amount, category, channel, discount",
    "events": "epoch_us(occurred_at) AS t, event_type AS kind, session_id AS session",
    "feedback": "epoch_us(submitted_at) AS t, kind, score, epoch_us(resolved_at) AS resolved",
    "customers": "epoch_us(signed_up_at) AS signed_up, * EXCLUDE (customer_id, signed_up_at)",
}
"""What of each table the SQL holds in memory, beside the customer."""


def purchases(cutoff: int, _: FeatureSpec) -> dict[str, str]:
    """Counts, spend, rhythm, habits, breadth, discounts of the orders net of refunds, and the refunds themselves."""
    return {
        "bought": _bought(cutoff),
        "orders": _orders(cutoff),
        "rhythm": _rhythm(cutoff),
        "categories": _categories(cutoff),
        "channels": _channels(),
        "refunds": _refunds(cutoff),
        "placed": f"SELECT customer, min(t) AS first FROM transactions WHERE t < {cutoff} AND amount >= 0 GROUP BY customer",
    }


def _since(cutoff: int, days: int, t: str = "t") -> str:
    return f"{t} >= {cutoff - days * DAY}"


def _age(cutoff: int, t: str) -> str:
    return f"({cutoff} - {t}) / {DAY}"


def _bought(cutoff: int) -> str:
    """Orders less what was refunded of them by the cutoff; fully refunded ones are none."""
    return f"""
WITH seen AS (FROM transactions WHERE t < {cutoff}),
taken AS (SELECT order_id, -sum(amount) AS back FROM seen WHERE amount < 0 GROUP BY order_id)
SELECT customer, t, greatest(amount - coalesce(back, 0), 0) AS net, category, channel, discount,
    (t + {AHEAD}) // {DAY} AS day, (t + {AHEAD}) % {DAY} / {HOUR} AS hour
FROM seen LEFT JOIN taken USING (order_id) WHERE amount >= 0 AND (back IS NULL OR amount - back > 1e-9 * amount)"""


def unfollowed(cutoff: int) -> str:
    """Customers with a refund that names no earlier order: it would go to the most recent ones, as far as they reach."""
    return f"""
WITH seen AS (FROM transactions WHERE t < {cutoff}),
refunds AS (SELECT customer, order_id, t FROM seen WHERE amount < 0),
named AS (
    SELECT DISTINCT refunds.order_id, refunds.t FROM seen JOIN refunds USING (order_id)
    WHERE amount >= 0 AND seen.t <= refunds.t
)
SELECT DISTINCT customer FROM refunds ANTI JOIN named USING (order_id, t)"""


def _orders(cutoff: int) -> str:
    def since(days: int) -> str:
        return _since(cutoff, days)

    columns = [f"count(*) FILTER ({since(w)}) AS orders_{w}d" for w in WINDOWS]
    columns += [f"coalesce(sum(net) FILTER ({since(w)}), 0) AS spend_{w}d" for w in WINDOWS]
    for w in CHANGES:
        columns.append(
            f"2 * count(*) FILTER ({since(w)}) - count(*) FILTER ({since(2 * w)}) AS orders_change_{w}d"
        )
        columns.append(
            f"coalesce(sum(net) FILTER ({since(w)}), 0) - "
            f"coalesce(sum(net) FILTER ({since(2 * w)} AND NOT {since(w)}), 0) AS spend_change_{w}d"
        )
    columns.append(
        f"count(*) FILTER ({since(YEAR_DAYS)} AND NOT {since(SEASON_END_DAYS)}) AS orders_same_season"
    )
    columns += [f"avg((hour >= {h} AND hour < {h + 6})::INT) AS {part}_share" for part, h in PARTS.items()]
    columns += [f"count(*) FILTER (weekday = {d}) AS weekday_{d}" for d in range(7)]
    quarter = f"quarter(make_date(({(cutoff + AHEAD) // DAY})::INT))"
    entropy = " + ".join(f"weekday_{d} * ln(greatest(weekday_{d}, 1))" for d in range(7))
    return f"""
WITH numbered AS (
    SELECT *, (day + 3) % 7 AS weekday, row_number() OVER (PARTITION BY customer ORDER BY t) AS nth FROM bought
),
sums AS (
    SELECT customer, {", ".join(columns)},
        count(*) AS order_count, sum(net) AS spend_total, avg(net) AS mean_order_value,
        arg_max(net, t) AS last_order_value, max(net) AS max_order_value, arg_min(net, t) AS first_order_value,
        {_age(cutoff, "max(t)")} AS days_since_last_order, {_age(cutoff, "min(t)")} AS days_since_first_order,
        avg((weekday >= 5)::INT) AS weekend_share, avg(hour) AS mean_order_hour,
        CASE WHEN count(*) > 1 THEN regr_slope(net, nth) END AS order_value_slope,
        avg((quarter(make_date(day::INT)) = {quarter})::INT) AS same_quarter_share,
        sum(discount) AS discount_total, sum(net) FILTER (discount IS NOT NULL) AS paid,
        avg((discount > 0)::INT) AS discounted_order_share
    FROM numbered GROUP BY customer
)
SELECT * EXCLUDE (paid, {", ".join(f"weekday_{d}" for d in range(7))}),
    last_order_value / nullif(mean_order_value, 0) AS last_over_mean_order_value,
    discount_total / nullif(discount_total + paid, 0) AS discount_share,
    greatest(ln(order_count) - ({entropy}) / order_count, 0) AS weekday_entropy,
    greatest({", ".join(f"weekday_{d}" for d in range(7))}) / order_count AS top_weekday_share
FROM sums"""


def _rhythm(cutoff: int) -> str:
    """Gaps between distinct days of purchase."""
    return f"""
WITH days AS (SELECT customer, day, max(t) AS last FROM bought GROUP BY customer, day),
gaps AS (SELECT *, day - lag(day) OVER (PARTITION BY customer ORDER BY day) AS gap FROM days),
rhythm AS (
    SELECT customer, count(*) AS purchase_days, avg(gap) AS mean_gap_days, stddev_samp(gap) AS std_gap_days,
        min(gap) AS min_gap_days, max(gap) AS max_gap_days, arg_max(gap, day) FILTER (gap IS NOT NULL) AS last_gap_days,
        {_age(cutoff, "max(last)")} AS age
    FROM gaps GROUP BY customer
)
SELECT * EXCLUDE age, age / mean_gap_days AS recency_over_mean_gap, age / max_gap_days AS recency_over_max_gap,
    std_gap_days / mean_gap_days AS gap_variation
FROM rhythm"""


def _categories(cutoff: int) -> str:
    """How orders spread over categories."""
    return f"""
WITH categories AS (
    SELECT customer, count(*) AS c, max(t) AS last FROM bought WHERE category IS NOT NULL GROUP BY customer, category
)
SELECT customer, count(*) AS category_count,
    count(*) FILTER ({_since(cutoff, YEAR_DAYS, "last")}) AS category_count_{YEAR_DAYS}d,
    greatest(ln(sum(c)) - sum(c * ln(c)) / sum(c), 0) AS category_entropy, max(c) / sum(c) AS top_category_share
FROM categories GROUP BY customer"""


def _channels() -> str:
    return """
WITH channels AS (SELECT customer, count(*) AS c FROM bought WHERE channel IS NOT NULL GROUP BY customer, channel)
SELECT customer, count(*) AS channel_count, max(c) / sum(c) AS top_channel_share FROM channels GROUP BY customer"""


def _refunds(cutoff: int) -> str:
    return f"""
SELECT customer, refund_count, refund_count_90d, refund_total, days_since_last_refund,
    refund_total / nullif(refund_total + coalesce(spend_total, 0), 0) AS refund_share
FROM (
    SELECT customer, count(*) AS refund_count, count(*) FILTER ({_since(cutoff, 90)}) AS refund_count_90d,
        -sum(amount) AS refund_total, {_age(cutoff, "max(t)")} AS days_since_last_refund
    FROM transactions WHERE t < {cutoff} AND amount < 0 GROUP BY customer
) LEFT JOIN orders USING (customer)"""


def behaviour(cutoff: int, spec: FeatureSpec) -> dict[str, str]:
    """Events by window and type, active days and the gaps between them, sessions, the furthest step of the funnel."""

    def since(days: int, t: str = "t") -> str:
        return _since(cutoff, days, t)

    counts = [f"count(*) FILTER ({since(w)}) AS events_{w}d" for w in TOTALS]
    counts += [
        f"2 * count(*) FILTER ({since(w)}) - count(*) FILTER ({since(2 * w)}) AS events_change_{w}d"
        for w in CHANGES
    ]
    for kind in spec.event_types:
        mine = f"kind = '{kind}'"
        counts += [f"count(*) FILTER ({since(w)} AND {mine}) AS event_{kind}_{w}d" for w in OWN]
        counts.append(
            f"2 * count(*) FILTER ({since(30)} AND {mine}) - count(*) FILTER ({since(60)} AND {mine}) "
            f"AS event_{kind}_change_30d"
        )
        counts.append(f"{_age(cutoff, f'max(t) FILTER ({mine})')} AS days_since_event_{kind}")
    used = " + ".join(f"(days_since_event_{kind} IS NOT NULL)::INT" for kind in spec.event_types)
    used_90 = " + ".join(f"(event_{kind}_90d > 0)::INT" for kind in spec.event_types)
    steps = [(i, step) for i, step in enumerate(spec.funnel, 1)][::-1]
    funnel = [
        f"CASE {' '.join(f'WHEN event_{step}_{w}d > 0 THEN {i}' for i, step in steps)} ELSE 0 END AS funnel_step_{w}d"
        for w in FUNNEL
    ]
    active = [f"count(*) FILTER ({since(w, 'last')}) AS active_days_{w}d" for w in TOTALS]
    active += [
        f"2 * count(*) FILTER ({since(w, 'last')}) - count(*) FILTER ({since(2 * w, 'last')}) "
        f"AS active_days_change_{w}d"
        for w in CHANGES
    ]
    own = [f"count(*) FILTER ({since(w, 'last')}) AS sessions_{w}d" for w in OWN]
    sums = f"""
WITH sums AS (
    SELECT customer, {", ".join(counts)}, count(*) AS event_count,
        {_age(cutoff, "max(t)")} AS days_since_last_event, {_age(cutoff, "min(t)")} AS days_since_first_event
    FROM events WHERE t < {cutoff} GROUP BY customer
)
SELECT *, {used} AS event_type_count, {used_90} AS event_types_90d, {", ".join(funnel)} FROM sums"""
    days = f"""
WITH days AS (
    SELECT customer, (t + {AHEAD}) // {DAY} AS day, max(t) AS last, min(t) AS first
    FROM events WHERE t < {cutoff} GROUP BY customer, day
),
gaps AS (SELECT *, day - lag(day) OVER (PARTITION BY customer ORDER BY day) AS gap FROM days)
SELECT customer, count(*) AS active_days, {", ".join(active)}, avg(gap) AS mean_inactive_days,
    max(gap) AS max_inactive_days, {_age(cutoff, "max(last)")} / max(gap) AS inactive_over_max,
    count(*) FILTER (gap >= {STREAK_DAYS} AND {since(365, "first")}) AS inactive_streaks_365d
FROM gaps GROUP BY customer"""
    sessions = f"""
WITH sessions AS (
    SELECT customer, max(t) AS last, count(*) AS size FROM events WHERE t < {cutoff} GROUP BY customer, session
)
SELECT customer, count(*) AS session_count, {", ".join(own)}, sum(size) / count(*) AS events_per_session
FROM sessions GROUP BY customer"""
    return {"visits": sums, "days": days, "sessions": sessions}


def feedback(cutoff: int, spec: FeatureSpec) -> dict[str, str]:
    """Scores, tickets and complaints by window, what is open, how long it took."""
    columns = []
    for kind in (kind for kind in SCORED if kind in spec.feedback):
        scored = f"FILTER (kind = '{kind}' AND score IS NOT NULL)"
        columns += [f"count(*) {scored} AS {kind}_count", f"arg_max(score, t) {scored} AS {kind}_last"]
        columns.append(f"avg(score) {scored} AS {kind}_mean")
    for kind, (many, _) in CASES.items():
        mine = f"kind = '{kind}'"
        columns += [
            f"count(*) FILTER ({mine} AND {_since(cutoff, w)}) AS {many}_{w}d" for w in ANSWER_WINDOWS
        ]
        columns.append(f"count(*) FILTER ({mine} AND took IS NULL) AS {many}_open")
        columns.append(f"{_age(cutoff, f'max(t) FILTER ({mine})')} AS days_since_last_{kind}")
    cases = f"kind IN ({', '.join(repr(kind) for kind in CASES)})"
    return {
        "answers": f"""
WITH seen AS (
    SELECT *, CASE WHEN resolved < {cutoff} THEN greatest(resolved - t, 0) / {DAY} END AS took
    FROM feedback WHERE t < {cutoff}
)
SELECT *, (nps_last <= {DETRACTOR})::INT AS nps_detractor FROM (
    SELECT customer, count(*) AS feedback_count, {_age(cutoff, "max(t)")} AS days_since_last_feedback,
        {", ".join(columns)},
        {_age(cutoff, f"min(t) FILTER ({cases} AND took IS NULL)")} AS oldest_open_days,
        avg(took) FILTER ({cases}) AS mean_resolution_days,
        arg_max(took, t) FILTER ({cases} AND took IS NOT NULL) AS last_resolution_days
    FROM seen GROUP BY customer
)"""
    }


def profile(cutoff: int, spec: FeatureSpec) -> dict[str, str]:
    """Tenure, attributes by their levels' places, and the first contact of any kind (from the other families)."""

    def place(name: str, levels: tuple[str, ...]) -> str:
        whens = " ".join(f"WHEN {name} = '{level}' THEN {i}" for i, level in enumerate(levels))
        return f"CASE {whens} WHEN {name} IS NOT NULL THEN {len(levels)} END AS profile_{name}"

    attributes = [
        place(a.name, a.levels) if a.type == "text" else f"{a.name}::DOUBLE AS profile_{a.name}"
        for a in spec.attributes
    ]
    return {
        "profile": f"""
WITH known AS (
    SELECT customer, CASE WHEN signed_up < {cutoff} THEN {_age(cutoff, "signed_up")} END AS profile_tenure_days,
        {", ".join(attributes)}
    FROM customers
)
SELECT known.*, greatest(profile_tenure_days, {_age(cutoff, "first")}, days_since_first_event) AS days_since_first_contact
FROM known LEFT JOIN placed USING (customer) LEFT JOIN visits USING (customer)"""
    }


FAMILIES = {
    "purchases": ("transactions", purchases),
    "behaviour": ("events", behaviour),
    "feedback": ("feedback", feedback),
    "profile": ("customers", profile),
}
"""Family -> the table that it reads, and its statements by the table that each makes."""
