"""Which conditions a database may judge."""

import pytest

from lifestage.intake.portable import portable

TYPES = {"n": "INTEGER", "price": "DECIMAL(12,2)", "s": "VARCHAR", "d": "DATE", "at": "TIMESTAMP", "z": "TIMESTAMPTZ",
         "ok": "BOOLEAN"}  # fmt: skip


@pytest.mark.parametrize(
    ("where", "sql"),
    [
        ("s = 'it''s' AND n > 3", "(\"s\" = 'it''s') AND (\"n\" > 3)"),
        ("n > 3 AND upper(s) = 'X'", '("n" > 3)'),
        ("n > 3 OR upper(s) = 'X'", ""),
        ("s IN ('a', 'b') AND s IS NOT NULL", "(\"s\" IN ('a', 'b')) AND (NOT \"s\" IS NULL)"),
        ("N BETWEEN 1 AND 5", '("n" BETWEEN 1 AND 5)'),
        ("ok AND NOT (n = 2)", '("ok") AND (NOT ("n" = 2))'),
        ("d >= '2021-01-01' AND at < '2021-01-01 10:00:00'",
         "(\"d\" >= '2021-01-01') AND (\"at\" < '2021-01-01 10:00:00')"),
        ("s > 'a'", ""),  # collation
        ("s = 3", ""),  # a text read as a number
        ("n = '3'", ""),
        ("n > 2.5", ""),
        ("price > 3", ""),
        ("z > '2021-01-01'", ""),  # a local time
        ("at > 'yesterday'", ""),
        ("n = n", ""),
        ("none = 3", ""),
        ("s LIKE 'a%'", ""),
    ],
)  # fmt: skip
def test_portable(where: str, sql: str) -> None:
    assert portable(where, TYPES) == sql


def test_no_filter() -> None:
    assert portable(None, TYPES) == ""
