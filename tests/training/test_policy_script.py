"""training.policy as a user runs it: copy a preset, check it, see who would move, publish it, and go back."""

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from lifestage import release as releases
from lifestage import settings
from lifestage.errors import InputError
from lifestage.lifecycle.checking.check import check
from lifestage.lifecycle.columns import GIVEN
from lifestage.lifecycle.policy import load, parse_text, presets, read
from lifestage.policies.dry_run import difference, live, own_customers
from lifestage.policies.publishing import publish
from lifestage.policies.shop_columns import own_blocks
from training.command import python
from training.policy import arguments
from training.policy_lists import first_sentence

from .conftest import CUSTOMERS, ROOT, script
from .test_pipeline import scores_of

OLD, NEW = "days_since_first_contact < 181", "days_since_first_contact < 121"


@pytest.fixture(scope="module")
def mine(shop: Path, shop_document: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a copy of the shop that may be changed, and two policies."""
    folder = tmp_path_factory.mktemp("mine")
    shutil.copytree(shop / "var" / "shop", folder / "var" / "shop")
    (folder / "shop.yaml").write_text(yaml.safe_dump(shop_document), encoding="utf-8")
    text = read("ecommerce")[0].decode()
    changed = text.replace(OLD, NEW).replace(
        "days_since_first_contact >= 181\n", "days_since_first_contact >= 121\n", 1
    )
    assert changed.count("121") == 2
    (folder / "changed.yaml").write_text(changed.replace("version: 1", "version: 2"), encoding="utf-8")
    (folder / "never.yaml").write_text(text.replace(OLD, f"{NEW} AND order_count < 0"), encoding="utf-8")
    return folder


@pytest.fixture
def policy(
    mine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """policy(*words): what `python -m training.policy` prints in that folder, run in this process."""
    monkeypatch.chdir(mine)

    def run(*words: str) -> str:
        args = arguments().parse_args(list(words))
        args.act(args)
        return capsys.readouterr().out

    return run


def current(folder: Path) -> str:
    return releases.current(folder / "var/shop/releases").name


def test_a_preset_is_copied_once(policy: Callable[..., str], tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    assert f"{python()} -m training.policy check {file}" in policy("copy", "ecommerce", str(file))
    assert file.read_bytes() == read("ecommerce")[0]
    with pytest.raises(InputError, match=r"mine.yaml: exists already and is not overwritten"):
        policy("copy", "ecommerce", str(file))
    with pytest.raises(InputError, match="'ecomerce' is no preset; choose one of"):
        policy("copy", "ecomerce", str(tmp_path / "other.yaml"))


def test_check_speaks_of_own_customers(
    policy: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    told = policy("check", "ecommerce", "--config", "shop.yaml", "--customers", "2000")
    assert "of your customers" in told
    assert "preempts: it takes" in told
    with pytest.raises(SystemExit) as ended:
        policy("check", "never.yaml", "--customers", "2000", "--json")
    assert ended.value.code == 1
    document = json.loads(capsys.readouterr().out)
    assert document["own"] is None
    assert "contradiction" in {finding["kind"] for finding in document["findings"]}


def test_a_broken_file_ends_with_its_line_and_code_2(mine: Path, tmp_path: Path) -> None:
    text = read("ecommerce")[0].decode()
    (tmp_path / "broken.yaml").write_text(
        text.replace(OLD, "days_since_first_contact < 1,5"), encoding="utf-8"
    )
    run = script(mine, "policy", "check", str(tmp_path / "broken.yaml"))
    assert run.returncode == 2
    assert "Traceback" not in run.stderr
    assert "write a decimal point" in run.stderr


def test_diff_tells_who_would_move(mine: Path, policy: Callable[..., str]) -> None:
    told = policy("diff", "changed.yaml", "--config", "shop.yaml", "--out", str(mine))
    assert "Who would move" in told
    with (mine / "policy_diff.csv").open(encoding="utf-8-sig", newline="") as file:
        movers = list(csv.DictReader(file))
    assert f"{len(movers)} customers who would move" in told
    at = live(settings.load("shop.yaml"))
    both = difference(at.release.policy, at.read("changed.yaml"), at)
    # Scoring again under the live policy changes nothing, so its side is what is stored.
    stored = {row["customer_id"]: row["stage"] for row in scores_of(mine).to_pylist()}
    assert {row["customer_id"]: row["old_stage"] for row in both.to_pylist()} == stored
    assert len(both) == CUSTOMERS
    moved = {row["customer_id"] for row in both.to_pylist() if row["old_stage"] != row["new_stage"]}
    assert {row["customer_id"].strip("'\t") for row in movers} == moved
    assert moved
    picture = (mine / "policy_diff.svg").read_text(encoding="utf-8")
    assert "<svg" in picture


def test_publishing_is_one_new_release_with_the_same_models(mine: Path, policy: Callable[..., str]) -> None:
    before = current(mine)
    told = policy("publish", "changed.yaml", "--config", "shop.yaml")
    after = current(mine)
    assert after != before
    folder = mine / "var/shop/releases"
    old, new = releases.load(folder / before), releases.load(folder / after)
    assert new.policy.source == (mine / "changed.yaml").read_text(encoding="utf-8")
    assert old.policy.source != new.policy.source
    for part in ("churn/manifest.json", "clv/manifest.json", "references.parquet"):
        assert (folder / before / part).read_bytes() == (folder / after / part).read_bytes()
    same = (
        "shop",
        "timezone",
        "currency",
        "as_of",
        "reasons",
        "versions_registered",
        "metrics",
        "out_of_time",
    )
    assert {k: old.manifest[k] for k in same} == {k: new.manifest[k] for k in same}
    assert f"  {python()} -m training.score --config shop.yaml    # gives every stored customer" in told
    assert (
        f"  {python()} -m training.score --config shop.yaml --flow-months 12    # stages the past months"
        in told
    )
    assert f"  {python()} -m training.promote --config shop.yaml --release {before}    # back again" in told
    assert f"--release {before}" in told
    assert "shop.yaml names the policy 'ecommerce', not this one" in told
    number = (mine / "shop.yaml").read_text(encoding="utf-8").splitlines().index("policy: ecommerce") + 1
    assert f"Change line {number} of shop.yaml to\n  policy: changed.yaml" in told
    listed = sorted(p.name for p in folder.iterdir())
    again = policy("publish", "changed.yaml", "--config", "shop.yaml")
    assert f"is live already in release {after}; nothing was done" in again
    assert sorted(p.name for p in folder.iterdir()) == listed
    # The old text gives the old release back: a release's name is that of its content.
    back = publish(folder, old.policy.source, "old")
    assert (back.name, back.before, back.changed) == (before, after, True)
    assert sorted(p.name for p in folder.iterdir()) == listed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("never", "is not published, for it has errors"),
        ("column", "unknown column 'profile_regoin'"),
        ("yaml", "is not valid YAML"),
    ],
)
def test_publishing_refuses_without_writing(
    mine: Path, policy: Callable[..., str], tmp_path: Path, text: str, message: str
) -> None:
    good = read("ecommerce")[0].decode()
    texts = {
        "never": (mine / "never.yaml").read_text(encoding="utf-8"),
        "column": good.replace(OLD, f"{NEW} AND profile_regoin = 'north'"),
        "yaml": good.replace("stages:", "stages"),
    }
    (tmp_path / "wrong.yaml").write_text(texts[text], encoding="utf-8")
    folder = mine / "var/shop/releases"
    before = {p.name: p.stat().st_mtime_ns for p in folder.iterdir()}
    with pytest.raises(InputError, match=message):
        policy("publish", str(tmp_path / "wrong.yaml"), "--config", "shop.yaml")
    assert {p.name: p.stat().st_mtime_ns for p in folder.iterdir()} == before


def test_a_release_that_cannot_be_written_changes_nothing(
    mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = current(mine)

    def full(*_: object, **__: object) -> Path:
        raise OSError("No space left on device")

    monkeypatch.setattr("lifestage.release.bundle.write", full)
    text = (mine / "changed.yaml").read_text(encoding="utf-8") + "# a note\n"
    with pytest.raises(OSError, match="No space left"):
        publish(mine / "var/shop/releases", text, "changed.yaml")
    assert current(mine) == before


def test_a_policy_may_read_what_its_release_has(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(mine)
    at = live(settings.load("shop.yaml"))
    own = next(n for n in at.release.policy.given if n.startswith("event_") and n not in GIVEN)
    text = read("ecommerce")[0].decode().replace(OLD, f"{OLD} AND coalesce({own}, 0) >= 0")
    tried = parse_text(text, "own.yaml", at.release.churn.spec)
    report = check(tried, own_customers(tried, at), 2_000)
    assert sum((report.own or {}).values()) == CUSTOMERS
    assert report.count("error") == 0
    with pytest.raises(InputError, match=f"unknown column '{own}'"):
        parse_text(text, "own.yaml")


def test_of_a_large_shop_some_blocks_are_looked_at(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(mine)
    at = live(settings.load("shop.yaml"))
    live_one = (at.release.policy,)
    blocks = list(own_blocks(at.file, at.release, at.as_of, None, live_one, most=600))
    assert [len(block.previous) for block in blocks] == [500, 200]  # the first and the last of three
    whole = list(own_blocks(at.file, at.release, at.as_of, None, live_one))
    assert sum(len(block.previous) for block in whole) == CUSTOMERS
    assert pa.concat_tables(b.previous for b in whole)["stage"].null_count == CUSTOMERS


def test_lists_for_people(policy: Callable[..., str]) -> None:
    columns = policy("columns", "--language", "zh")
    assert "days_since_last_order" in columns
    assert "距" in columns
    assert len(policy("columns", "--config", "shop.yaml").splitlines()) > len(columns.splitlines())
    listed = policy("presets")
    assert "ecommerce" in listed
    assert "引流获客" in listed
    assert json.loads(policy("schema"))["properties"]["stages"]


def test_presets_are_told_by_their_first_lines_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    arguments().parse_args(["presets"]).act(argparse.Namespace())
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[::2]] == presets()
    for name, about, stages in zip(presets(), lines[::2], lines[1::2], strict=True):
        loaded = load(name)
        assert stages.strip() == ", ".join(f"{s.name} {s.labels.zh}" for s in loaded.stages)
        sentence = about.removeprefix(name).strip()
        head = " ".join(line.strip("# ") for line in loaded.source.split("\n#\n")[0].splitlines())
        assert head.startswith(sentence)
        assert sentence.endswith((".", ";"))


def test_presets_check_nothing(mine: Path) -> None:
    code = (
        "import sys; from training.policy import arguments; args = arguments().parse_args(['presets']); args.act(args);"
        "print(sorted({'duckdb', 'sqlglot', 'pydantic', 'pyarrow'} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=mine,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.stdout.splitlines()[-1] == "[]", run.stderr


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("# One, two\n# three. Four.\n#\n# Five.\nname: x\n", "One, two three."),
        ("# As of 1.5 days, e.g. here; and there.\nname: x\n", "As of 1.5 days, e.g. here; and there."),
        ("name: x\n", ""),
    ],
)
def test_the_first_sentence(head: str, expected: str) -> None:
    assert first_sentence(head) == expected


def test_every_verb_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("check", "diff", "publish", "columns", "presets", "copy", "schema"):
        with pytest.raises(SystemExit) as ended:
            arguments().parse_args([verb, "--help"])
        assert ended.value.code == 0
        assert f"training.policy {verb}" in capsys.readouterr().out
