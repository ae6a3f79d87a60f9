"""Ids hashed at intake: the same history under other names. Forgotten people: as though the sources had none."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lifestage.errors import InputError
from lifestage.intake.screening import NOT_KEPT
from lifestage.privacy import KEY, hasher, open_privacy
from lifestage.privacy import forgotten as lists

SECRET = "k" * 40
HASHED = {"privacy": {"hash_ids": True}}
Row = dict[str, Any]


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, SECRET)


def tables() -> dict[str, list[Row]]:
    orders = [
        {"cust": f" C-10000{i % 4} " if i % 5 == 0 else f"C-10000{i % 4}", "at": f"2024-0{1 + i % 9}-1{i % 7} 10:00",
         "amount": 10 + i, "oid": f"C-10000{i % 4}/{i}"}
        for i in range(24)
    ]  # fmt: skip
    orders += [{"cust": "old-100003", "at": "2024-05-05", "amount": 5, "oid": "old-100003/1"}]
    orders += [{"cust": "C-100002", "at": "2024-05-05", "amount": "dear", "oid": "C-100002/x"}]
    return {
        "transactions": orders,
        "events": [{"cust": "C-100001", "at": "2024-06-01", "what": "login", "sess": "C-100001-s1"}],
        "customers": [
            {"cust": f"C-10000{i}", "at": "2023-12-01", "cost": i, "city": "Ulm"} for i in (0, 1, 2, 3)
        ],
        "identities": [{"alias": "old-100003", "cust": "C-100003"}],
    }


def unnamed(rows: dict[str, Row], rename: Callable[[str], str]) -> dict[str, Row]:
    """Rows by renamed customer; order and session ids, which hold the id, renamed too."""

    def own(value: Any, names: dict[str, str]) -> Any:
        if isinstance(value, dict):
            return {name: own(one, names) for name, one in value.items()}
        if isinstance(value, list):
            return [own(one, names) for one in value]
        if isinstance(value, str):
            for name, new in names.items():
                value = value.replace(name, new)
        return value

    names = {name: rename(name) for name in (*rows, "old-100003")}
    return {names[who]: own(row, names) for who, row in rows.items()}


def test_a_hashed_shop_is_the_raw_one_under_other_names(
    build: Any, read: Callable[..., dict[str, Row]], quarantined: Any, tmp_path: Path
) -> None:
    raw = build.open(tables(), output_dir=str(tmp_path / "raw"))
    hashed = build.open(tables(), output_dir=str(tmp_path / "hashed"), **HASHED)
    rename = hasher(SECRET)
    people = read(raw)
    assert len(people) == 4
    found = read(hashed)
    assert list(found) == sorted(rename(list(people)))
    assert found == unnamed(people, lambda name: rename([name])[0])
    assert hashed.report["identities"]["examples"] == [
        {"customer_id": rename(["C-100003"])[0], "aliases": rename(["old-100003"])}
    ]
    [(_, reason, text)] = quarantined(hashed)
    row = json.loads(text)
    assert reason == "unparseable amount"
    assert row["cust"] == rename(["C-100002"])[0]
    assert row["amount"] == "dear"
    for path in (tmp_path / "hashed").rglob("*.*"):
        assert b"C-10000" not in path.read_bytes()


def test_a_line_that_is_no_row_is_not_kept(build: Any, quarantined: Any, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("cust,at,amount\nC-1,2024-01-01,5\nC-2,2024-01-02,5,C-3,more\n")
    source = {"path": str(path), "columns": {"customer_id": "cust", "ordered_at": "at", "amount": "amount"}}
    intake = build.open({"transactions": source}, **HASHED)
    [(_, reason, text)] = quarantined(intake)
    assert reason == "line that is no CSV row"
    assert json.loads(text)["line"] == NOT_KEPT


def test_another_column_may_not_keep_the_id(build: Any) -> None:
    columns = {"customer_id": "cust", "ordered_at": "at", "amount": "amount", "order_id": "cust || at"}
    source = {"path": build.write("t", tables()["transactions"]), "columns": columns}
    with pytest.raises(
        InputError, match=r"transactions\.columns\.order_id: reads a column that the customer's id"
    ):
        build.open({"transactions": source}, **HASHED)
    build.open({"transactions": source}, output_dir=str(build.folder / "other"))


@pytest.mark.parametrize("settings", [{}, HASHED])
def test_the_forgotten_are_left_out_under_every_alias(
    build: Any, read: Callable[..., dict[str, Row]], quarantined: Any, tmp_path: Path, settings: Row
) -> None:
    given = tables()
    given["identities"].append({"alias": "new-100003", "cust": "old-100003"})
    given["transactions"].append({"cust": "new-100003", "at": "2024-05-06", "amount": 6, "oid": "n"})
    given["transactions"].append({"cust": "C-100000", "at": "2024-05-06", "amount": "C-100003", "oid": "m"})
    before = read(build.open(given, output_dir=str(tmp_path / "all"), **settings))
    shop = build.shop(given, **settings)
    privacy = open_privacy(shop.output, shop.privacy.hash_ids)
    gone = privacy.id_of("C-100003")
    lists.write(shop.output, privacy.forgotten.plus([gone]))
    intake = build.open(given, **settings)
    after = read(intake)
    assert after == {who: row for who, row in before.items() if who != gone}
    # orders under three names, a row of customers, two of identities
    own = [
        row
        for row in given["transactions"]
        if row["cust"].strip() in ("C-100003", "old-100003", "new-100003")
    ]
    assert intake.report["forgotten"] == {"customers": 1, "rows": len(own) + 1 + 2}
    assert intake.report["tables"]["transactions"]["rows_read"] == len(given["transactions"]) - len(own)
    assert intake.report["identities"]["aliases"] == 0
    assert len(quarantined(intake)) == 1  # the row that names them in another column is not kept
