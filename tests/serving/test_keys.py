"""The file of API keys, the command that changes it, and the service's look at it."""

import hashlib
import json
import logging
import multiprocessing
import re
import stat
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from lifestage.errors import InputError
from serving import access, keyfile
from serving.keyring import Keyring
from serving.scopes import MAX_KEYS

ROOT = Path(__file__).parents[2]
DAY = date(2026, 1, 1)


def add(path: Path, name: str, *scopes: str) -> str:
    return keyfile.add(path, name, scopes or ("read",), DAY, None)


# --- the file --------------------------------------------------------------------------------------------------


def test_only_the_hash_is_stored(tmp_path: Path) -> None:
    path = tmp_path / "made" / "keys.json"
    key = add(path, "crm", "read", "score")
    assert re.fullmatch(r"lsk_[A-Za-z0-9_-]{43}", key)
    assert json.loads(path.read_text()) == {
        "version": 1,
        "keys": [
            {
                "name": "crm",
                "scopes": ["read", "score"],
                "sha256": hashlib.sha256(key.encode()).hexdigest(),
                "created": "2026-01-01",
                "expires": None,
            }
        ],
    }
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert key.encode() not in file.read_bytes()
    assert {file.name for file in path.parent.iterdir()} == {"keys.json", ".keys.json.lock"}


def test_keys_differ(tmp_path: Path) -> None:
    assert len({add(tmp_path / "k", f"k{i}") for i in range(20)}) == 20


def _add_ten(path: Path, who: int) -> None:
    for i in range(10):
        add(path, f"k{who}-{i}")


def test_changes_at_once_lose_none(tmp_path: Path) -> None:
    """Four processes; whoever reads meanwhile always sees a whole file."""
    path = tmp_path / "keys.json"
    add(path, "first")
    spawn = multiprocessing.get_context("fork")
    writers = [spawn.Process(target=_add_ten, args=(path, who)) for who in range(4)]
    for writer in writers:
        writer.start()
    seen = [len(keyfile.read(path))]
    while any(writer.is_alive() for writer in writers):
        seen.append(len(keyfile.read(path)))
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert seen == sorted(seen)
    assert {key.name for key in keyfile.read(path)} == {
        "first",
        *(f"k{w}-{i}" for w in range(4) for i in range(10)),
    }


def test_a_killed_writer_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    (tmp_path / ".keys.json.new").write_text('{"version": 1, "ke')
    add(path, "crm")
    assert [key.name for key in keyfile.read(path)] == ["crm"]
    assert not (tmp_path / ".keys.json.new").exists()


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    link = tmp_path / "keys.json"
    link.symlink_to(tmp_path / "secret" / "keys.json")
    add(link, "crm")
    assert link.is_symlink()
    assert [key.name for key in keyfile.read(tmp_path / "secret" / "keys.json")] == ["crm"]


def test_a_name_stands_once(tmp_path: Path) -> None:
    add(tmp_path / "k", "crm")
    with pytest.raises(
        InputError,
        match=r"there is a key 'crm' already; to rotate it, add one of another name, e\.g\. 'crm-2'",
    ):
        add(tmp_path / "k", "crm")


def test_there_is_a_most(tmp_path: Path) -> None:
    path = tmp_path / "k"
    keys = [
        {"name": f"k{i}", "scopes": ["read"], "sha256": f"{i:064x}", "created": "2026-01-01"}
        for i in range(MAX_KEYS)
    ]
    path.write_text(json.dumps({"version": 1, "keys": keys}))
    with pytest.raises(InputError, match=f"holds {MAX_KEYS} keys, which is the most"):
        add(path, "more")


GOOD = {"name": "a", "scopes": ["read"], "sha256": "0" * 64, "created": "2026-01-01"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is no file of API keys"),
        ("[]", "is no file of API keys"),
        ("{", "is no file of API keys"),
        ("[" * 100_000, "is no file of API keys"),
        ("\x00\xff", "is no file of API keys"),
        ("{}", "version: Field required"),
        ('{"version": 2, "keys": []}', "version: Input should be 1"),
        ('{"version": 1, "keys": [], "open": true}', "unknown key 'open'"),
        (json.dumps({"version": 1, "keys": [GOOD | {"sha256": "lsk_SECRET"}]}), r"keys\.0\.sha256: String should match"),
        (json.dumps({"version": 1, "keys": [GOOD | {"scopes": ["all"]}]}), r"keys\.0\.scopes\.0: Input should be 'read' or"),
        (json.dumps({"version": 1, "keys": [GOOD | {"scopes": []}]}), r"keys\.0\.scopes: Tuple should have at least 1"),
        (json.dumps({"version": 1, "keys": [GOOD | {"expires": "soon"}]}), r"keys\.0\.expires: Input should be a valid date"),
        (json.dumps({"version": 1, "keys": [GOOD, GOOD]}), "the name 'a' stands twice"),
    ],
)  # fmt: skip
def test_a_broken_file_is_one_sentence_without_its_values(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(InputError, match=says) as caught:
        keyfile.read(path)
    assert "SECRET" not in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=says):
        add(path, "b")
    assert path.read_text(encoding="latin-1") == content


# --- the service's look at it ----------------------------------------------------------------------------------


class Looking:
    """A keyring whose next second comes when asked for."""

    def __init__(self, path: Path) -> None:
        self.now = 0.0
        self.ring = Keyring(path, lambda: self.now)

    def names(self, after: float = 1.0) -> list[str]:
        self.now += after
        self.ring.look()
        return [key.name for key in self.ring.keys]


def test_changes_are_taken_up_after_a_second(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    first = add(path, "a")
    looking = Looking(path)
    assert looking.names() == ["a"]
    second = add(path, "b")
    assert looking.names(0.5) == ["a"]
    assert looking.names(0.5) == ["a", "b"]
    keyfile.remove(path, "a")
    assert looking.names() == ["b"]
    assert looking.ring.find(first) is None
    found = looking.ring.find(second)
    assert found is not None
    assert found.name == "b"


def test_the_file_is_asked_once_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "keys.json"
    add(path, "a")
    asked: list[Path] = []
    real = Path.stat
    monkeypatch.setattr(Path, "stat", lambda self, **more: asked.append(self) or real(self, **more))
    looking = Looking(path)
    for _ in range(100):
        looking.names(0.031)
    assert len(asked) in (3, 4)


def test_a_broken_file_keeps_the_keys_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "keys.json"
    key = add(path, "a")
    good = path.read_text()
    looking = Looking(path)
    assert looking.names() == ["a"]
    path.write_text(good[: len(good) // 2])
    with caplog.at_level(logging.ERROR):
        for _ in range(5):
            assert looking.names() == ["a"]
    assert [record.getMessage() for record in caplog.records] == [
        "keys.json: is no file of API keys; take it away, or bring back the one that python -m serving.keys wrote; "
        "the 1 keys read before stay valid"
    ]
    assert looking.ring.find(key) is not None
    assert looking.ring.fault
    path.write_text(good.replace('"a"', '"renamed"'))
    assert looking.names() == ["renamed"]
    assert not looking.ring.fault


def test_a_file_broken_from_the_start_lets_nobody_in(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text("{")
    looking = Looking(path)
    assert looking.names() == []
    assert looking.ring.seen


def test_a_file_that_is_gone_leaves_no_keys_and_is_still_asked_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "keys.json"
    looking = Looking(path)
    assert looking.names() == []
    assert not looking.ring.seen
    add(path, "a")
    assert looking.names() == ["a"]
    content = path.read_text()
    path.unlink()
    with caplog.at_level(logging.ERROR):
        assert looking.names() == []
        assert looking.names() == []
    assert [record.getMessage() for record in caplog.records] == [
        "keys.json is gone: no key is valid until it is back"
    ]
    assert looking.ring.seen
    path.write_text(content)
    assert looking.names() == ["a"]


# --- where a key is asked for ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "host", "mode"),
    [
        (None, "127.0.0.1", "local"),
        (None, "::1", "local"),
        (None, "localhost", "local"),
        (None, "127.1.2.3", "local"),
        (None, "0.0.0.0", "keys"),
        (None, "::", "keys"),
        (None, "192.168.1.5", "keys"),
        (None, "somewhere.example", "keys"),
        ("local", "0.0.0.0", "keys"),
        ("keys", "127.0.0.1", "keys"),
        ("open", "0.0.0.0", "open"),
    ],
)
def test_the_address_decides(monkeypatch: pytest.MonkeyPatch, said: str | None, host: str, mode: str) -> None:
    monkeypatch.delenv(access.ACCESS, raising=False)
    if said:
        monkeypatch.setenv(access.ACCESS, said)
    assert access.launched_on(host) == mode


def test_where_bentoml_starts_it_a_key_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(access.ACCESS, raising=False)
    assert access.mode() == access.KEYS
    monkeypatch.setenv(access.ACCESS, "none")
    with pytest.raises(InputError, match="LIFESTAGE_ACCESS is 'none'; set it to keys"):
        access.mode()


# --- the command -----------------------------------------------------------------------------------------------


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    columns = {"customer_id": "a", "ordered_at": "b", "amount": "c"}
    document = {"shop": "none", "timezone": "UTC", "currency": "EUR", "output_dir": str(tmp_path / "out")}
    path = tmp_path / "none.yaml"
    path.write_text(
        yaml.safe_dump({**document, "sources": {"transactions": {"dataset": "cdnow", "columns": columns}}})
    )
    return path


def run(capsys: Any, monkeypatch: Any, *args: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error of python -m serving.keys."""
    from serving import keys

    monkeypatch.setattr(sys, "argv", ["keys", *args])
    try:
        keys.main()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    said = capsys.readouterr()
    return code, said.out, said.err


def test_add_list_remove(shop: Path, tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    config = ("--config", str(shop))
    assert "holds no keys; make one by" in run(capsys, monkeypatch, *config, "list")[1]
    code, key, told = run(
        capsys, monkeypatch, *config, "add", "crm", "--scopes", "score,read", "--expires", "2999-01-01"
    )
    assert code == 0
    assert re.fullmatch(r"lsk_[A-Za-z0-9_-]{43}\n", key)
    assert told.startswith(
        "key 'crm' may read, score, until 2999-01-01 begins (UTC). It is shown this once: "
    )
    assert key.strip() not in told
    run(capsys, monkeypatch, *config, "add", "checkout", "--scopes", "score")
    _, lines, _ = run(capsys, monkeypatch, *config, "list")
    assert [line.split()[:2] for line in lines.splitlines()] == [
        ["name", "scopes"],
        ["crm", "read,score"],
        ["checkout", "score"],
    ]
    assert "2999-01-01" in lines
    assert "lsk_" not in lines
    code, out, _ = run(capsys, monkeypatch, *config, "remove", "crm")
    assert (code, out) == (0, "removed key 'crm'; 1 left\n")
    code, out, _ = run(capsys, monkeypatch, *config, "remove", "checkout")
    assert "none is left, and a service that asks for a key lets nobody in" in out
    assert (tmp_path / "out" / "keys.json").exists()


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("add", "crm"), "--scopes"),
        (("add", "crm", "--scopes", "all"), "'all' is no scope; give read or score, or both: read,score"),
        (("add", "crm", "--scopes", ""), "'' is no scope"),
        (("add", "a b", "--scopes", "read"), "'a b' is no name of a key"),
        (("add", "a\n", "--scopes", "read"), "is no name of a key"),
        (("add", "x" * 64, "--scopes", "read"), "is no name of a key"),
        (
            ("add", "crm", "--scopes", "read", "--expires", "soon"),
            "'soon' is not a date; write it as YYYY-MM-DD",
        ),
        (
            ("add", "crm", "--scopes", "read", "--expires", "2020-01-01"),
            "--expires 2020-01-01: is not after today",
        ),
        (("remove", "crm"), "does not exist, so there is no key 'crm'"),
        (("rotate",), "invalid choice"),
        ((), "required"),
    ],
)
def test_bad_input_is_one_sentence(
    shop: Path, capsys: Any, monkeypatch: Any, args: tuple[str, ...], says: str
) -> None:
    code, out, told = run(capsys, monkeypatch, "--config", str(shop), *args)
    assert (code, out) == (2, "")
    assert says in told.replace("'add', ", "")
    assert "Traceback" not in told


def test_removing_an_unknown_key_names_the_known(shop: Path, capsys: Any, monkeypatch: Any) -> None:
    run(capsys, monkeypatch, "--config", str(shop), "add", "crm", "--scopes", "read")
    code, _, told = run(capsys, monkeypatch, "--config", str(shop), "remove", "cmr")
    assert code == 2
    assert "there is no key 'cmr'; the keys are: crm" in told


def test_the_environment_names_another_file(
    shop: Path, tmp_path: Path, capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.setenv(keyfile.KEYS_FILE, str(tmp_path / "mounted.json"))
    run(capsys, monkeypatch, "--config", str(shop), "add", "crm", "--scopes", "read")
    assert [key.name for key in keyfile.read(tmp_path / "mounted.json")] == ["crm"]
    monkeypatch.setenv(keyfile.KEYS_FILE, str(shop / "below" / "a.json"))
    code, _, told = run(capsys, monkeypatch, "--config", str(shop), "add", "crm", "--scopes", "read")
    assert code == 2
    assert "cannot be written" in told


def test_help_loads_nothing_heavy() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "serving.keys", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert "shown once" in done.stdout
    for heavy in ("numpy", "pydantic", "json", "bentoml", "lifestage"):
        assert f" {heavy}\n" not in done.stderr
