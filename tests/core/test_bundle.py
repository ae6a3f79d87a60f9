"""Bundles: whole or not there, and read only when nothing was altered."""

import json
from pathlib import Path

import pytest

from lifestage import bundle
from lifestage.errors import InputError

META = {"name": "m1", "horizon_days": 90, "text": "留存", "scores": [0.25, 1e-9]}


@pytest.fixture
def made(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    source.mkdir()
    (source / "inner.txt").write_text("inner")
    (tmp_path / "lone.bin").write_bytes(b"lone")
    files = {
        "model.txt": b"tree",
        "sub/part.json": b"{}",
        "copied": source,
        "lone.bin": tmp_path / "lone.bin",
    }
    return bundle.write(tmp_path / "in" / "here" / "m1", "churn", files, META)


def test_read_gives_back_the_meta(made: Path) -> None:
    manifest = bundle.read(made, "churn")
    assert {key: manifest[key] for key in META} == META
    assert manifest["kind"] == "churn"
    assert sorted(manifest["files"]) == ["copied/inner.txt", "lone.bin", "model.txt", "sub/part.json"]
    assert set(manifest["versions"]) == set(bundle.LIBRARIES)
    assert (made / "copied" / "inner.txt").read_text() == "inner"
    assert (made / "sub" / "part.json").read_bytes() == b"{}"


def test_nothing_else_is_left_beside_it(made: Path) -> None:
    assert [p.name for p in made.parent.iterdir()] == ["m1"]


def test_write_never_overwrites(made: Path) -> None:
    with pytest.raises(InputError, match="m1: exists already and is never overwritten; choose another name"):
        bundle.write(made, "churn", {"model.txt": b"other"}, {})
    assert (made / "model.txt").read_bytes() == b"tree"


@pytest.mark.parametrize("name", ["model.txt", "copied/inner.txt", "lone.bin", "sub/part.json"])
def test_one_altered_byte_is_found_and_named(made: Path, name: str) -> None:
    content = bytearray((made / name).read_bytes())
    content[-1] ^= 1
    (made / name).write_bytes(content)
    with pytest.raises(InputError, match=f"{name}: differs from its checksum; it was altered after"):
        bundle.read(made, "churn")


def test_an_altered_manifest_is_found_whatever_byte_it_is(made: Path) -> None:
    path = made / bundle.MANIFEST
    whole = path.read_bytes()
    expected = bundle.read(made, "churn")
    for position in range(len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 2]) + whole[position + 1 :])
        try:
            said = bundle.read(made, "churn")
        except InputError as error:
            assert "damaged" in str(error)
        else:
            assert said == expected  # e.g. one kind of white space for another


def test_an_altered_figure_in_the_manifest_is_found(made: Path) -> None:
    path = made / bundle.MANIFEST
    path.write_text(path.read_text(encoding="utf-8").replace('"horizon_days": 90', '"horizon_days": 91'))
    with pytest.raises(InputError, match=r"manifest\.json: is damaged; train or promote again"):
        bundle.read(made, "churn")


def test_a_missing_file_is_named(made: Path) -> None:
    (made / "sub" / "part.json").unlink()
    with pytest.raises(
        InputError, match=r"sub/part\.json: is missing from its churn; train or promote again"
    ):
        bundle.read(made, "churn")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"files": 3, "kind": "churn", "checksum": "x"}', "null"]
)
def test_a_damaged_manifest_is_refused(made: Path, text: str) -> None:
    (made / bundle.MANIFEST).write_text(text)
    with pytest.raises(InputError, match=r"manifest\.json: is damaged; train or promote again"):
        bundle.read(made, "churn")


def test_a_missing_folder_or_manifest_is_refused(made: Path) -> None:
    with pytest.raises(
        InputError, match=r"none: has no manifest\.json, so it is no whole churn; train or promote"
    ):
        bundle.read(made.parent / "none", "churn")
    (made / bundle.MANIFEST).unlink()
    with pytest.raises(InputError, match=r"m1: has no manifest\.json"):
        bundle.read(made, "churn")


def test_a_foreign_kind_is_refused(made: Path) -> None:
    with pytest.raises(InputError, match="m1: holds a churn, expected a clv"):
        bundle.read(made, "clv")


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "models" / "m1"
    with pytest.raises(FileNotFoundError):
        bundle.write(target, "churn", {"a": b"1", "b": tmp_path / "absent"}, {})
    with pytest.raises(TypeError, match="JSON"):
        bundle.write(target, "churn", {"a": b"1"}, {"not_json": object()})
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize("step", ["write_text", "rename"])
def test_a_crash_while_writing_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, step, crash)
    with pytest.raises(KeyboardInterrupt):
        bundle.write(tmp_path / "models" / "m1", "churn", {"a": b"1"}, {})
    monkeypatch.undo()
    assert list((tmp_path / "models").iterdir()) == []
    assert bundle.write(tmp_path / "models" / "m1", "churn", {"a": b"1"}, {}).is_dir()


def test_the_manifest_is_plain_json(made: Path) -> None:
    text = (made / bundle.MANIFEST).read_text(encoding="utf-8")
    assert "留存" in text
    assert json.loads(text)["files"]["model.txt"] == (
        "dc9c5edb8b2d479e697b4b0b8ab874f32b325138598ce9e7b759eb8292110622"  # sha256sum of "tree"
    )
