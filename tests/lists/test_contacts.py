"""The contact list: who is on it, in which order, and that no spreadsheet runs what a customer id says."""

import csv
import io

import numpy as np
import pyarrow as pa
import pytest

from lifestage.campaign import Profit
from lifestage.errors import InputError
from lifestage.lists.contacts import CONTACTS, contact_list, contacts_text, csv_text
from lifestage.lists.spreadsheet import inert
from lifestage.schemas import SCORE

TERMS = Profit(contact_cost=1, offer_cost=10, success_rate=0.3)
ROWS = [
    # id, eligible, churn probability, clv, value at stake
    ("b", True, 0.5, 80.0, 200.0),
    ("a", True, 0.5, 80.0, 200.0),
    ("c", True, 0.9, 90.0, 900.0),
    ("d", False, None, 5000.0, 9000.0),
    ("e", True, 0.1, 60.0, 70.0),
    ("f", True, 0.8, None, np.nan),
]


def scores(rows: list[tuple]) -> pa.Table:
    filled = [
        {
            "customer_id": name,
            "as_of": 0,
            "eligible": eligible,
            "churn_probability": p,
            "clv": clv,
            "stage": "at_risk",
            "reasons": ["no order for 96 days", "usually every 31"],
            "release": "r",
        }
        for name, eligible, p, clv, _ in rows
    ]
    return pa.Table.from_pylist(filled, schema=SCORE)


def listed(rows: list[tuple] = ROWS, terms: Profit = TERMS, top: int | None = None):
    return contact_list(scores(rows), np.array([row[-1] for row in rows]), terms, top)


def test_who_pays_best_first_ties_by_id() -> None:
    found = listed()
    assert found.table.schema.equals(CONTACTS)
    rows = found.table.to_pylist()
    assert [(row["rank"], row["customer_id"]) for row in rows] == [(1, "c"), (2, "a"), (3, "b")]
    assert rows[0]["expected_gain"] == pytest.approx(0.9 * 0.3 * 890 - 0.1 * 10 - 1)
    assert rows[1]["pays_above"] == pytest.approx(11 / 67)
    assert (rows[0]["clv"], rows[0]["value_at_stake"], rows[0]["stage"]) == (90, 900, "at_risk")
    assert rows[0]["reasons"] == ["no order for 96 days", "usually every 31"]
    assert (found.eligible, found.without_value, found.contact_costs) == (5, 1, 3)
    assert found.gain == pytest.approx(sum(row["expected_gain"] for row in rows))
    # taken by 30 % of those who leave and all who stay
    assert found.offer_costs == pytest.approx(10 * (0.27 + 0.1 + 2 * (0.15 + 0.5)))
    assert found.median_value == 200
    assert found.pays_above == pytest.approx(11 / 67)


def test_the_order_of_the_rows_changes_nothing() -> None:
    assert listed(ROWS[::-1]).table.equals(listed().table)


def test_top_and_limits() -> None:
    assert listed(top=1).table["customer_id"].to_pylist() == ["c"]
    capped = TERMS.model_copy(update={"budget": 22.0})
    assert listed(terms=capped).table["customer_id"].to_pylist() == ["c", "a"]
    assert listed(terms=capped, top=5).table["customer_id"].to_pylist() == ["c", "a"]


def test_words() -> None:
    text = contacts_text(listed(), TERMS, "EUR", shown=2)
    assert "contact 3 customers of 5 eligible: expected gain" in text
    assert "it keeps 30% of those who would leave, and 100% of those who would stay take it too" in text
    assert "at the median value at stake, 200.00, it pays above a churn probability of 16%" in text
    assert "not listed: 1 customer who never bought" in text
    assert "no order for 96 days; usually every 31" in text
    assert " c " in text and " b " not in text


def test_nobody_worth_it() -> None:
    dear = TERMS.model_copy(update={"contact_cost": 1e6})
    found = listed(terms=dear)
    text = contacts_text(found, dear, "EUR")
    assert "nobody is worth contacting at these costs" in text
    assert "no churn probability is high enough" in text
    assert csv_text(found.table).strip() == ",".join(CONTACTS.names)
    nobody = contact_list(scores(ROWS[3:4]), np.array([9000.0]), TERMS)
    assert (len(nobody.table), nobody.eligible) == (0, 0)
    assert "nobody eligible has a value that could be lost" in contacts_text(nobody, TERMS, "EUR")


@pytest.mark.parametrize(
    "formula",
    [
        "=1+1",
        "+1+1",
        "-2+3",
        "@SUM(A1)",
        '=cmd|" /C calc"!A0',
        "\t=1",
        "\r=1",
        " =1",
        "＝1+1",
        "+49 30 1",
        "-",
    ],
)
def test_what_would_run_in_a_spreadsheet_becomes_text(formula: str) -> None:
    assert inert(formula) == f"'{formula}"
    (line,) = list(csv.reader(io.StringIO(csv_text(listed([(formula, *ROWS[0][1:])]).table), newline="")))[1:]
    assert line[1] == f"'{formula}"


@pytest.mark.parametrize("plain", ["C-17", "00042", "-17", "+4930123", "a=b", "客户-1", "", "3.5"])
def test_other_ids_stay_as_they_are(plain: str) -> None:
    assert inert(plain) == plain


def test_csv_reads_back() -> None:
    text = csv_text(listed([('O"Hara, "the, 1st"\nof', *ROWS[0][1:]), *ROWS[1:]]).table)
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    assert header == CONTACTS.names
    assert [row[1] for row in rows] == ["c", 'O"Hara, "the, 1st"\nof', "a"]
    # pays above (10 + 1) / (0.3 x 890 + 10)
    assert rows[0][2:7] == ["0.9000", "90.00", "900.00", "238.30", "0.0397"]
    assert rows[0][8] == "no order for 96 days; usually every 31"
    assert text.count("\r\n") == 4


def test_bad_input() -> None:
    table = scores(ROWS)
    with pytest.raises(InputError, match="2 values at stake for 6 scored customers"):
        contact_list(table, np.ones(2), TERMS)
    with pytest.raises(InputError, match="top is 0, expected 1 or more"):
        listed(top=0)
    with pytest.raises(InputError, match=r"churn probability of row 0 is nan, expected 0 to 1"):
        listed([("a", True, None, 1.0, 1.0)])
    with pytest.raises(InputError, match=r"value at stake of row 0 is -1\.0"):
        listed([("a", True, 0.5, 1.0, -1.0)])
