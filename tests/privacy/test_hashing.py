"""Hashes of ids against the standard library's HMAC; keys and lists that are refused."""

import hashlib
import hmac
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifestage.errors import InputError
from lifestage.privacy import KEY, Forgotten, fingerprint, hasher, key_from, open_privacy
from lifestage.privacy import forgotten as lists
from lifestage.privacy.folder import keep_fingerprint

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SECRET = "a secret of more than thirty-two characters"


@given(TEXT.filter(bool), st.lists(TEXT))
def test_a_hash_is_half_of_the_hmac(key: str, ids: list[str]) -> None:
    expected = [hmac.new(key.encode(), name.encode(), hashlib.sha256).hexdigest()[:32] for name in ids]
    assert hasher(key)(ids) == expected


def test_published_value() -> None:
    """RFC 4231, test case 2."""
    assert hasher("Jefe")(["what do ya want for nothing?"]) == ["5bdcc146bf60754e6a042426089575c7"]


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "LIFESTAGE_ID_KEY is not set"),
        ({KEY: "x" * 31}, "has 31 characters; give a random secret of at least 32"),
    ],
)
def test_no_key_or_a_short_one_is_refused(environment: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        key_from(environment)
    assert "xxx" not in str(caught.value)


def test_a_folder_keeps_to_its_key(tmp_path: Path) -> None:
    privacy = open_privacy(tmp_path, True, {KEY: SECRET})
    assert SECRET not in repr(privacy)
    keep_fingerprint(tmp_path, privacy)
    assert SECRET not in (tmp_path / "id_key.json").read_text()
    again = open_privacy(tmp_path, True, {KEY: SECRET})
    assert again.id_of("C-1") == hasher(SECRET)(["C-1"])[0]
    with pytest.raises(
        InputError, match=r"was made with another LIFESTAGE_ID_KEY .* every customer would be a stranger"
    ):
        open_privacy(tmp_path, True, {KEY: SECRET + "!"})
    with pytest.raises(InputError, match=r"holds hashed ids, and privacy\.hash_ids is off"):
        open_privacy(tmp_path, False, {})
    assert fingerprint(hasher(SECRET)) != fingerprint(hasher(SECRET + "!"))


def test_a_folder_of_raw_ids_is_not_mixed_with_hashes(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    with pytest.raises(
        InputError, match=r"holds raw ids from before privacy\.hash_ids was set; name a new output_dir"
    ):
        open_privacy(tmp_path, True, {KEY: SECRET})
    assert open_privacy(tmp_path, False, {}).id_of("C-1") == "C-1"


def test_the_list_of_the_forgotten_names_nobody(tmp_path: Path) -> None:
    found = lists.read(tmp_path)
    assert not found
    assert found.stamp == ""
    lists.write(tmp_path, found.plus(["C-100001", "客户"]))
    again = lists.read(tmp_path)
    assert again.among(["C-100001", "C-100002", "客户", ""]) == [True, False, True, False]
    assert b"C-100001" not in (tmp_path / lists.FILE).read_bytes()
    assert again.plus(["C-100001"]) == again
    assert again.plus(["other"]).stamp != again.stamp
    salted = hashlib.sha256((again.salt + "C-100001").encode()).hexdigest()
    assert salted in json.loads((tmp_path / lists.FILE).read_text())["digests"]


def test_a_damaged_list_is_not_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / lists.FILE).write_text("{")
    with pytest.raises(InputError, match="damaged, so who was forgotten is not known"):
        lists.read(tmp_path)
    assert Forgotten("salt").among(["x"]) == [False]
