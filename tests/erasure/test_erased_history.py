"""A history without one person is, facts and all, that of sources without them."""

import csv
from pathlib import Path

import pytest

from lifestage.erasure.history import from_history
from lifestage.erasure.needles import Needles
from lifestage.history_file import HistoryFile
from lifestage.intake import open_tables, write_history
from lifestage.settings import parse

LATE = 4_000_000_000_000_000
ROWS = [(f"C-10000{i % 5}", f"2024-0{1 + i % 9}-0{1 + i % 7}", 5 - i % 6, f"o{i}") for i in range(60)]


def made(folder: Path, without: str = "") -> HistoryFile:
    folder.mkdir()
    with (folder / "t.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [("c", "at", "amount", "oid"), *(row for row in ROWS if row[0] != without)]
        )
    with (folder / "i.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("alias", "c"), ("other-4711", "C-100001")])
    document = {
        "shop": "test",
        "timezone": "UTC",
        "currency": "EUR",
        "output_dir": str(folder),
        "intake": {"max_reject_share": 1},
        "sources": {
            "transactions": {
                "path": str(folder / "t.csv"),
                "columns": {"customer_id": "c", "ordered_at": "at", "amount": "amount", "order_id": "oid"},
            },
            "identities": {"path": str(folder / "i.csv"), "columns": {"alias": "alias", "customer_id": "c"}},
        },
    }
    with open_tables(parse(document, "test"), LATE) as intake:
        write_history(intake, folder / "history.parquet", 2, None)
    return HistoryFile(folder / "history.parquet")


@pytest.mark.parametrize("who", [f"C-10000{i}" for i in range(5)])
def test_as_though_the_person_had_never_been(tmp_path: Path, who: str) -> None:
    whole, expected = made(tmp_path / "a"), made(tmp_path / "b", without=who)
    names = frozenset({who, "other-4711"}) if who == "C-100001" else frozenset({who})
    assert from_history(whole.path, Needles(names)) == 1
    found = HistoryFile(whole.path)
    assert found.facts["fingerprint"] == expected.facts["fingerprint"]
    own = ("customers", "buyers", "purchases", "refunds", "refunds_linked")
    assert {n: found.facts["report"][n] for n in own} == {n: expected.facts["report"][n] for n in own}
    assert found.facts["customers"] == found.customers == 4
    assert not any(name.encode() in whole.path.read_bytes() for name in names)
    content = whole.path.read_bytes()
    assert from_history(whole.path, Needles(names)) == 0
    assert whole.path.read_bytes() == content
