""" "Contact these N customers": the list that is expected to earn most, as a table, as CSV, and in words."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lifestage.campaign import Profit
from lifestage.churn.profit.gain import best_list, expected_cost, expected_gain, threshold
from lifestage.errors import InputError
from lifestage.lists.spreadsheet import csv_pieces, inert
from lifestage.ragged import Floats
from lifestage.summary import short, text_table

CONTACTS = pa.schema(
    [
        pa.field("rank", pa.int64(), nullable=False),  # 1 = expected to earn most
        pa.field("customer_id", pa.string(), nullable=False),
        pa.field("churn_probability", pa.float64(), nullable=False),
        ("clv", pa.float64()),  # currency; counts the chance of leaving
        pa.field("value_at_stake", pa.float64(), nullable=False),  # currency; lost if the customer leaves
        pa.field("expected_gain", pa.float64(), nullable=False),  # currency, costs taken off
        pa.field("pays_above", pa.float64(), nullable=False),  # churn probability from which on contact pays
        ("stage", pa.string()),
        ("reasons", pa.list_(pa.string())),
    ]
)
"""One row per customer to contact, the best first."""
DECIMALS = {
    "churn_probability": 4,
    "clv": 2,
    "value_at_stake": 2,
    "expected_gain": 2,
    "pays_above": 4,
}


@dataclass(frozen=True, slots=True)
class ContactList:
    """The customers to contact, and the figures of the whole list; currency."""

    table: pa.Table
    """Of CONTACTS."""
    eligible: int
    without_value: int
    """Eligible customers who never bought: nothing is known to be at stake, so they are not listed."""
    paying: int
    """Customers with an expected gain above 0, listed or not."""
    certain: int
    """Listed customers with a churn probability above 99 %."""
    gain: float
    contact_costs: float
    offer_costs: float
    """Expected: as many offers as are expected to be taken."""
    median_value: float
    """At stake with the eligible customers; NaN without any."""
    pays_above: float
    """Churn probability from which on a customer of that value pays; inf where none does."""


def contact_list(scores: pa.Table, value: Floats, terms: Profit, top: int | None = None) -> ContactList:
    """The list of a run's scores (schemas.SCORE); `value` is at stake with each row, NaN = unknown, currency.

    Eligible customers only, ordered by expected gain, equal ones by customer_id. `top`: no more than so many.
    Raises InputError for values of another number of rows, a top below 1, or an eligible customer without a
    churn probability.
    """
    if len(value) != len(scores):
        raise InputError(f"{len(value)} values at stake for {len(scores)} scored customers; give one each")
    if top is not None and top < 1:
        raise InputError(f"top is {top}, expected 1 or more customers to contact")
    eligible = scores["eligible"].to_numpy()
    rows = np.flatnonzero(eligible & ~np.isnan(value))
    ids = scores["customer_id"].take(pa.array(rows))
    rows = rows[pc.sort_indices(ids).to_numpy()]
    some = scores.take(pa.array(rows))
    probability, stake = some["churn_probability"].to_numpy(), value[rows]
    gain = expected_gain(probability, stake, terms)
    chosen = best_list(gain, terms)[:top]
    listed = some.take(pa.array(chosen))
    columns = {
        "rank": np.arange(1, len(chosen) + 1),
        "customer_id": listed["customer_id"],
        "churn_probability": listed["churn_probability"],
        "clv": listed["clv"],
        "value_at_stake": stake[chosen],
        "expected_gain": gain[chosen],
        "pays_above": threshold(stake[chosen], terms),
        "stage": listed["stage"],
        "reasons": listed["reasons"],
    }
    cost = float(expected_cost(probability[chosen], terms).sum())
    contacts = len(chosen) * terms.contact_cost
    median = float(np.median(stake)) if len(stake) else float("nan")
    return ContactList(
        table=pa.table([columns[name] for name in CONTACTS.names], schema=CONTACTS),
        eligible=int(eligible.sum()),
        without_value=int(eligible.sum()) - len(rows),
        paying=int(np.count_nonzero(gain > 0)),
        certain=int(np.count_nonzero(probability[chosen] > 0.99)),
        gain=float(gain[chosen].sum()),
        contact_costs=contacts,
        offer_costs=cost - contacts,
        median_value=median,
        pays_above=float(threshold(np.array([median]), terms)[0]) if len(stake) else float("inf"),
    )


def csv_text(table: pa.Table) -> str:
    """A table of CONTACTS as CSV text: amounts to cents, several reasons joined by "; ", nothing a formula."""
    cells = ([_cell(name, value) for name, value in row.items()] for row in table.to_pylist())
    return "".join(csv_pieces(table.schema.names, cells))


def _cell(name: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.{DECIMALS[name]}f}"
    if isinstance(value, list):
        return inert("; ".join(value))
    return inert(value) if isinstance(value, str) else str(value)


def contacts_text(found: ContactList, terms: Profit, currency: str, shown: int = 10) -> str:
    """How many to contact, what it earns and costs, from when on it pays, and the first so many of the list."""
    n = len(found.table)
    lines = [
        f"  contact {_count(n, 'customer')} of {found.eligible:,} eligible: expected gain {found.gain:,.0f} {currency}"
        f" after costs of {found.contact_costs + found.offer_costs:,.0f} (contacts {found.contact_costs:,.0f}, offers"
        f" taken {found.offer_costs:,.0f})",
        f"  a contact costs {terms.contact_cost:,.2f}, an offer {terms.offer_cost:,.2f} where it is taken; it keeps"
        f" {terms.success_rate:.0%} of those who would leave, and {terms.stayer_acceptance:.0%} of those who would"
        " stay take it too",
    ]
    if np.isnan(found.median_value):
        lines.append("  nobody eligible has a value that could be lost")
    elif np.isinf(found.pays_above):
        lines.append(
            f"  at the median value at stake, {found.median_value:,.2f}, no churn probability is high enough"
        )
    else:
        lines.append(
            f"  at the median value at stake, {found.median_value:,.2f}, it pays above a churn probability of"
            f" {found.pays_above:.0%}; a higher value, a lower one ('pays_above')"
        )
    if n < found.paying:
        lines.append(
            f"  {_count(found.paying - n, 'more customer')} would pay off: top, max_contacts or budget ended the list"
        )
    if found.certain > n / 10:
        lines.append(
            f"  {found.certain:,} of the list are over 99 % likely to leave: that an offer keeps as large a share of"
            " them as of others is a hope; a control group tells"
        )
    if found.without_value:
        lines.append(
            f"  not listed: {_count(found.without_value, 'customer')} who never bought, so without a value"
        )
    if n == 0:
        return "\n".join([*lines, "  nobody is worth contacting at these costs"])
    header = [
        "rank",
        "customer",
        "churn risk",
        f"clv, {currency}",
        "at stake",
        "expected gain",
        "stage",
        "why",
    ]
    rows = [
        [
            f"{row['rank']:,}",
            row["customer_id"],
            f"{row['churn_probability']:.0%}",
            "-" if row["clv"] is None else f"{row['clv']:,.0f}",
            f"{row['value_at_stake']:,.0f}",
            f"{row['expected_gain']:,.2f}",
            row["stage"] or "-",
            short("; ".join(row["reasons"] or []) or "-", 60),
        ]
        for row in found.table.slice(0, shown).to_pylist()
    ]
    return "\n".join([*lines, "", text_table(header, rows, left=(1, 6, 7))])


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"
