"""The bento: what goes in, and (heavy) that it runs where nothing else of ours is."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import yaml

from lifestage import release as releases
from lifestage import settings
from lifestage.decision import decide_block
from lifestage.errors import InputError
from lifestage.online import history_from_records
from serving import bento, requirements, shop
from serving.rows import rows, to_json

ROOT = Path(__file__).parents[2]
TRAINING = {
    "mlflow",
    "matplotlib",
    "lifetimes",
    "scikit-learn",
    "ibis-framework",
    "pyspark",
    "optuna",
    "empulse",
}


def test_help_of_the_bento_loads_nothing_heavy() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "serving.bento", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert "--config" in done.stdout
    for heavy in ("numpy", "pyarrow", "bentoml", "pydantic"):
        assert f" {heavy}\n" not in done.stderr


def test_requirements_are_pinned_as_everywhere_and_for_the_service_alone() -> None:
    pinned = requirements.pinned(ROOT)
    names = {line.partition("==")[0] for line in pinned}
    constraints = (ROOT / "constraints.txt").read_text().lower().replace("_", "-").splitlines()
    assert set(pinned) <= set(constraints)
    assert {"bentoml", "fastapi", "lightgbm", "starlette", "pydantic-core"} <= names
    assert not names & TRAINING
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for line in [*project["dependencies"], *project["optional-dependencies"]["serve"]]:
        assert re.split(r"[\[>=<]", line)[0] in names


def test_a_package_without_a_pinned_version_stops_the_build(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    (tmp_path / "constraints.txt").write_text("\n".join(x for x in lines if not x.startswith("starlette==")))
    with pytest.raises(InputError, match=r"constraints.txt: has no version of starlette; pin"):
        requirements.pinned(tmp_path)


def test_a_package_that_is_not_installed_stops_the_build() -> None:
    with pytest.raises(InputError, match=r"package 'no-such-package' is not installed here.*make bento"):
        requirements.needed(["no-such-package>=1"])


def test_the_configuration_inside_tells_nothing_of_this_machine(made: Any, tmp_path: Path) -> None:
    document = yaml.safe_load(made.config.read_text())
    document |= {
        "serving": {"max_customers": 7, "keys": str(tmp_path / "keys.json")},
        "store": "sqlite:///x.db",
    }
    text = bento.configuration(settings.parse(document, "test"))
    inside = settings.parse(yaml.safe_load(text), "inside")
    assert (inside.shop, inside.timezone, inside.currency) == ("tiny", "Europe/Berlin", "EUR")
    assert inside.serving.max_customers == 7
    assert inside.store == inside.serving.keys == ""
    assert str(made.config.parent) not in text
    assert str(tmp_path) not in text


def test_the_folder_holds_code_release_and_requirements(made: Any, tmp_path: Path) -> None:
    release = bento.assemble(settings.load(made.config), tmp_path)
    assert release.name == "tiny-1"
    assert releases.current(tmp_path / "releases").name == "tiny-1"
    there = {path.name for path in tmp_path.iterdir()}
    assert there == {
        "bentofile.yaml", "lifestage", "lifestage-0.1.0.dist-info", "lifestage.yaml", "releases",
        "requirements.txt", "serving",
    }  # fmt: skip
    code = "from importlib.metadata import version; print(version('lifestage'))"
    done = run(sys.executable, "-S", "-c", code, cwd=tmp_path, env={"PATH": os.defpath})
    assert done.stdout.strip() == "0.1.0"
    assert (tmp_path / "lifestage" / "lifecycle" / "presets" / "ecommerce.yaml").is_file()
    assert not list(tmp_path.rglob("*.pyc"))
    before = bento.digest(tmp_path)
    (tmp_path / "lifestage.yaml").write_text("shop: other")
    assert bento.digest(tmp_path) != before


def test_an_altered_release_is_not_packed(made: Any, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "releases"
    shutil.copytree(releases.current(settings.load(made.config).releases).parent, copy)
    path = copy / "tiny-1" / "policy.yaml"
    path.write_text(path.read_text() + "\n# changed")
    changed = settings.load(made.config).model_copy(update={"release_dir": str(copy)})
    with pytest.raises(InputError, match=r"policy\.yaml"):
        bento.assemble(changed, tmp_path / "bento")


def test_own_features_come_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    (tmp_path / "here" / "bento_own_features.py").write_text("def compute(view): return {}\n")
    monkeypatch.syspath_prepend(str(tmp_path / "here"))
    bento._copy_module("bento_own_features:compute", tmp_path / "there")
    assert (tmp_path / "there" / "bento_own_features.py").is_file()
    with pytest.raises(InputError, match=r"module 'bento_no_features' is not found; run from the directory"):
        bento._copy_module("bento_no_features:compute", tmp_path / "there")


def test_the_store_may_be_named_by_the_environment(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    own = shop.shop_of(made.config).store_url
    assert own.endswith("/out/store.db")
    monkeypatch.setenv(shop.STORE, "/data/store.db")
    assert shop.shop_of(made.config).store_url == "sqlite:////data/store.db"
    monkeypatch.setenv(shop.STORE, "postgresql://scores@db:5432/shop")
    assert shop.shop_of(made.config).store_url == "postgresql://scores@db:5432/shop"
    monkeypatch.delenv(shop.STORE)
    assert shop.shop_of(made.config).store_url == own


def test_a_packed_configuration_finds_its_release_from_any_directory(
    made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bento.assemble(settings.load(made.config), tmp_path)
    monkeypatch.setattr(shop, "PACKAGED", tmp_path / "lifestage.yaml")
    monkeypatch.delenv(shop.CONFIG, raising=False)
    assert shop.config_path() == tmp_path / "lifestage.yaml"
    assert releases.current(shop.shop_of(shop.config_path()).releases) == tmp_path / "releases" / "tiny-1"
    monkeypatch.setenv(shop.CONFIG, str(made.config))
    assert shop.config_path() == made.config


def test_without_configuration_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(shop.CONFIG, raising=False)
    with pytest.raises(InputError, match=r"LIFESTAGE_CONFIG is not set; start with 'python -m serving"):
        shop.config_path()


def run(*command: object, **options: Any) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def packed(made: Any, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """The tiny shop's bento and its export, and an environment with its requirements and nothing else."""
    folder = tmp_path_factory.mktemp("bento")
    said: dict[str, float] = {}
    clock = time.monotonic()
    environment = {
        **os.environ, "BENTOML_HOME": str(folder / "home"), "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",
    }  # fmt: skip
    (folder / "home").mkdir()
    command = (
        sys.executable,
        "-m",
        "serving.bento",
        "--config",
        made.config,
        "--export",
        folder / "tiny.bento",
    )
    text = run(*command, cwd=ROOT, env=environment).stdout
    again = run(*command[:-2], cwd=ROOT, env=environment).stdout
    assert text.splitlines()[0] == again.splitlines()[0], "the same content got another tag"
    (built,) = (folder / "home" / "bentos" / "lifestage").glob("tiny-1-*")
    said["build"] = time.monotonic() - clock
    run(sys.executable, "-m", "venv", folder / "venv")
    clock = time.monotonic()
    needed = built / "env" / "python" / "requirements.txt"
    run(folder / "venv" / "bin" / "pip", "install", "--quiet", "-r", needed)
    said["install"] = time.monotonic() - clock
    assert text.splitlines()[0].startswith(f"lifestage:{built.name}  (")
    return SimpleNamespace(folder=folder, built=built, exported=folder / "tiny.bento", seconds=said)


@pytest.mark.heavy
@pytest.mark.timeout(900)
def test_a_bento_names_nothing_of_the_machine_that_built_it(packed: Any, made: Any) -> None:
    unwanted = [str(ROOT), str(Path.home()), str(made.config.parent), str(packed.folder), sys.prefix]
    for path in packed.built.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not [text for text in unwanted if len(text) > 1 and text.encode() in content], path
    needed = (packed.built / "env" / "python" / "requirements.txt").read_text()
    assert not {line.partition("==")[0] for line in needed.split()} & TRAINING
    image = (packed.built / "env" / "docker" / "Dockerfile").read_text()
    assert "FROM python:3.11-slim" in image
    assert "libgomp1" in image


@pytest.mark.heavy
@pytest.mark.timeout(900)
@pytest.mark.parametrize("way", ["folder", "imported"])
def test_a_bento_serves_from_an_empty_directory(packed: Any, made: Any, tmp_path: Path, way: str) -> None:
    from tests.serving.conftest import free_port

    tool = packed.folder / "venv" / "bin" / "bentoml"
    environment = {"PATH": os.defpath, "HOME": str(tmp_path / "home"), "BENTOML_HOME": str(tmp_path / "home")}
    environment["LIFESTAGE_ACCESS"] = "local"
    (tmp_path / "home").mkdir()
    (tmp_path / "empty").mkdir()
    target = str(packed.built)
    if way == "imported":
        run(tool, "import", packed.exported, cwd=tmp_path / "empty", env=environment)
        target = f"lifestage:{packed.built.name}"
    port = free_port()
    clock = time.monotonic()
    process = subprocess.Popen(
        [tool, "serve", target, "--port", str(port)],
        cwd=tmp_path / "empty", env=environment, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        while True:
            assert process.poll() is None, process.stdout and process.stdout.read()
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2):
                    break
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        seconds = packed.seconds | {"start": time.monotonic() - clock}
        print(
            way, {k: round(v, 1) for k, v in seconds.items()}, f"{bento.size(packed.built) / 2**20:.1f} MiB"
        )
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
            records = [made.record(name) for name in list(made.rows)[:40]]
            answer = client.post("/v1/score", json={"as_of": made.as_of, "customers": records})
            assert answer.status_code == 200, answer.text
            release = made.release
            history = history_from_records(records, release.timezone, release.attribute_types)
            expected = rows(decide_block(history, made.run.as_of, release, None))
            assert answer.json()["scores"] == json.loads(to_json({"scores": expected}))["scores"]
            looked_up = client.get(f"/v1/customers/{records[0]['customer_id']}")
            assert looked_up.status_code == 503
            assert "no scores" in looked_up.json()["detail"]
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(20)
