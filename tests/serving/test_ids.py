"""Ids hashed at the border of the service."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lifestage.errors import InputError
from lifestage.privacy import KEY, fingerprint, hasher
from lifestage.settings import Shop, parse
from serving import ids
from serving.customers import stored

SECRET = "s" * 32
SOURCES = {"transactions": {"dataset": "cdnow", "columns": {"customer_id": "customer_id", "ordered_at": "date", "amount": "dollar_value"}}}  # fmt: skip


def shop(folder: Path, hash_ids: bool) -> Shop:
    document = {"shop": "s", "timezone": "UTC", "currency": "EUR", "sources": SOURCES}
    return parse({**document, "output_dir": str(folder), "privacy": {"hash_ids": hash_ids}}, "s.yaml")


class OneCustomer:
    """A store that knows one id."""

    def __init__(self, known: str) -> None:
        self.known = known

    def customer(self, name: str) -> dict[str, Any] | None:
        return {"customer_id": name, "as_of": "x", "release": "r"} if name == self.known else None

    def current(self) -> dict[str, Any]:
        return {"run": "run"}

    def stage_history(self, name: str) -> list[str]:
        return [name]


def test_a_customer_is_looked_up_by_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, SECRET)
    known = hasher(SECRET)(["17850"])[0]
    state: Any = SimpleNamespace(shop=shop(tmp_path, True), store=OneCustomer(known), facts={"release": "r"})
    answer = stored(state, " 17850.0")
    assert answer["stage_history"] == [known]
    assert answer["score"]["customer_id"] == " 17850.0"
    plain: Any = SimpleNamespace(
        shop=shop(tmp_path, False), store=OneCustomer("17850"), facts={"release": "r"}
    )
    assert stored(plain, "17850")["stage_history"] == ["17850"]


def test_the_key_must_be_that_of_the_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release: Any = SimpleNamespace(name="r", manifest={"id_key": fingerprint(hasher(SECRET))})
    with pytest.raises(InputError, match=r"privacy\.hash_ids is off"):
        ids.check(shop(tmp_path, False), release)
    with pytest.raises(InputError, match="LIFESTAGE_ID_KEY is not set"):
        ids.check(shop(tmp_path, True), release)
    monkeypatch.setenv(KEY, "t" * 32)
    with pytest.raises(InputError, match="release r: was made with another LIFESTAGE_ID_KEY"):
        ids.check(shop(tmp_path, True), release)
    monkeypatch.setenv(KEY, SECRET)
    ids.check(shop(tmp_path, True), release)
