"""Ids hashed at the border of the service."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lifestage.errors import InputError
from lifestage.privacy import KEY, fingerprint, hasher
from lifestage.settings import Shop, parse
from serving import ids
from serving.customers import stored, stored_many
from serving.problems import ProblemError

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
    assert ids.known_as(plain, " 17850.0") == " 17850.0"
    assert len(ids.known_as(hidden, "half \ud800 a pair")) == 32
    told: list[tuple[str, ...]] = []
    store = SimpleNamespace(customers=lambda names: told.append(names) or [], current=lambda: {"run": "r"})
    state: Any = SimpleNamespace(shop=hidden, store=store, facts={"release": "r"})
    with pytest.raises(ProblemError, match="customer '17850' is not in the stored scores"):
        stored(state, "17850")
    assert b'"unknown":["17850"]' in stored_many(state, b'{"customer_ids":["17850"]}')
    assert told == [(known,), (known,)]


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
