"""Ids hashed at the border of the service."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lifestage.errors import InputError
from lifestage.privacy import KEY, fingerprint, hasher
from lifestage.settings import Shop, parse
from lifestage.store import open_store
from serving import ids
from serving.customers import stored, stored_many
from serving.problems import ProblemError
from tests.store.parts import MONTHS, publish

SECRET = "s" * 32
SOURCES = {"transactions": {"dataset": "cdnow", "columns": {"customer_id": "customer_id", "ordered_at": "date", "amount": "dollar_value"}}}  # fmt: skip


def shop(folder: Path, hash_ids: bool) -> Shop:
    document = {"shop": "s", "timezone": "UTC", "currency": "EUR", "sources": SOURCES}
    return parse({**document, "output_dir": str(folder), "privacy": {"hash_ids": hash_ids}}, "s.yaml")


def test_a_customer_is_looked_up_by_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read as intake reads ids, and under the caller's own id in the answer of a batch."""
    monkeypatch.setenv(KEY, SECRET)
    hidden, plain = shop(tmp_path, True), shop(tmp_path, False)
    known = hasher(SECRET)(["17850"])[0]
    assert ids.known_as(hidden, " 17850.0") == known
    assert ids.known_as(plain, " 17850.0") == "17850"
    assert len(ids.known_as(hidden, "half \ud800 a pair")) == 32
    told: list[tuple[str, ...]] = []
    store = SimpleNamespace(customers=lambda names: told.append(names) or [], current=lambda: {"run": "r"})
    state: Any = SimpleNamespace(shop=hidden, store=store, facts={"release": "r"})
    with pytest.raises(ProblemError, match="customer '17850' is not in the stored scores"):
        stored(state, "17850")
    assert b'"unknown":["17850"]' in stored_many(state, b'{"customer_ids":["17850"]}')
    assert told == [(known,), (known,)]


@pytest.mark.parametrize("hashed", [False, True])
def test_every_spelling_of_a_known_id_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hashed: bool
) -> None:
    """Alone and among many, hashed or not, an id is read as intake reads it and repeated as it was asked."""
    monkeypatch.setenv(KEY, SECRET)
    name = hasher(SECRET)(["00001"])[0] if hashed else "00001"
    store = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    publish(store, MONTHS[0], {name: "new"})
    release = SimpleNamespace(policy=SimpleNamespace(name="p"))
    facts = {"release": "r1", "churn_horizon_days": 1.0, "clv_horizon_days": 1.0, "currency": "EUR"}
    state: Any = SimpleNamespace(shop=shop(tmp_path, hashed), store=store, facts=facts, release=release)
    asked = ["00001", " 00001", "nobody", "00001.0", "00001", " ", "1"]
    body = json.loads(stored_many(state, json.dumps({"customer_ids": asked}).encode()))
    assert [one["customer_id"] for one in body["customers"]] == ["00001", " 00001", "00001.0"]
    assert {one["score"]["customer_id"] for one in body["customers"]} == {name}
    assert body["unknown"] == ["nobody", " ", "1"]
    for spelling in ("00001", " 00001", "00001.0"):
        assert json.loads(stored(state, spelling))["score"]["customer_id"] == name
    with pytest.raises(ProblemError, match="customer '1' is not in the stored scores"):
        stored(state, "1")


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
