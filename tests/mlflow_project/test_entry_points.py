"""mlflow/MLproject: an entry point for every script, with the script's own arguments; one of them really run."""

import argparse
import os
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest
import yaml
from mlflow.projects._project_spec import load_project

import training.command
from lifestage.datasets.simulated import World
from lifestage.datasets.simulated_files import simulate

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "mlflow"
PROJECT = load_project(str(FOLDER))
SCRIPTS = sorted(
    path.stem
    for path in (ROOT / "training").glob("*.py")
    if '__name__ == "__main__"' in path.read_text(encoding="utf-8")
)
POINTS = sorted(PROJECT._entry_points)
ELSEWHERE = {"folder"} | {"verb", "file", "second"}
"""Parameters that are no option of the script: where it runs, and the positional words of `policy`."""


def the_parser(script: str) -> argparse.ArgumentParser:
    """The script's parser, as its command makes it."""
    made: list[argparse.ArgumentParser] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training.command, "main", lambda parser, _run: made.append(parser))
        runpy.run_path(str(ROOT / f"training/{script}.py"), run_name="__main__")
    return made[0]


def options(parser: argparse.ArgumentParser) -> set[str]:
    """The long options of a parser and of its verbs."""
    found: set[str] = set()
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found |= set().union(*(options(verb) for verb in action.choices.values()))
        found |= {name.removeprefix("--") for name in action.option_strings if name.startswith("--")}
    return found - {"help"}


def words(point: str, **given: str) -> list[str]:
    """The words of the command that MLflow would give to a shell, after project.py and the folder."""
    command = PROJECT.get_entry_point(point).compute_command(given, None)
    python, script, _folder, *rest = shlex.split(command)
    assert (python, script) == ("python3", "project.py")
    return rest


@pytest.fixture
def arguments() -> Iterator[object]:
    yield runpy.run_path(str(FOLDER / "project.py"), run_name="project")["arguments"]


def test_every_script_has_an_entry_point_and_every_entry_point_a_script() -> None:
    assert set(SCRIPTS) <= set(POINTS), "mlflow/MLproject lacks an entry point"
    assert set(POINTS) <= set(SCRIPTS), "mlflow/MLproject has an entry point without a script"


@pytest.mark.parametrize("point", POINTS)
def test_an_entry_points_parameters_are_the_scripts_options(point: str) -> None:
    entry = PROJECT.get_entry_point(point)
    named = {name.replace("_", "-") for name in entry.parameters} - ELSEWHERE
    wanted = options(the_parser(point))
    assert named <= wanted, f"mlflow/MLproject: {point} has parameters that the script does not know"
    assert wanted <= named, f"mlflow/MLproject: {point} lacks options of the script"
    passed = dict(re.findall(r"--([a-z-]+)=\{(\w+)\}", entry.command))
    assert passed == {name: name.replace("-", "_") for name in named}
    assert set(re.findall(r"\{(\w+)\}", entry.command)) == set(entry.parameters)
    assert entry.command.split()[3] == point


@pytest.mark.parametrize("point", [point for point in POINTS if point != "policy"])
def test_what_is_not_given_is_not_passed_on(point: str, arguments: object) -> None:
    needed = {n: "7" for n, p in PROJECT.get_entry_point(point).parameters.items() if p.default is None}
    script, *rest = words(point, **needed)
    assert script == point
    parsed = the_parser(point).parse_args(arguments(rest))
    plain = the_parser(point).parse_args([f"--{name}=7" for name in needed])
    assert vars(parsed) == vars(plain)


def test_words_with_spaces_flags_and_parameters_that_the_project_does_not_name(arguments: object) -> None:
    rest = words("export", config="my shop.yaml", where="stage = 'loyalty' AND clv > 5", top="", seed="3")[1:]
    assert arguments(rest) == [
        "--config=my shop.yaml",
        "--where=stage = 'loyalty' AND clv > 5",
        "--seed",
        "3",
    ]
    promoted = words("promote", config="a.yaml", replace_newer="true", **{"dry-run": "true"})[1:]
    assert arguments(promoted) == ["--config=a.yaml", "--replace-newer", "--dry-run"]
    checked = words("policy", verb="diff", file="old.yaml", second="new.yaml", config="a.yaml")[1:]
    assert arguments(checked) == ["diff", "old.yaml", "new.yaml", "--config=a.yaml"]
    assert the_parser("policy").parse_args(arguments(checked)).files == ["old.yaml", "new.yaml"]


def test_a_made_environment_gets_what_training_needs_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {*project["dependencies"], *project["optional-dependencies"]["train"]}
    listed = (FOLDER / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert {line for line in listed if not line.startswith("#")} == wanted
    assert (FOLDER / "constraints.txt").read_bytes() == (ROOT / "constraints.txt").read_bytes()
    environment = yaml.safe_load((FOLDER / "python_env.yaml").read_text(encoding="utf-8"))
    assert environment["dependencies"] == ["-r requirements.txt", "-c constraints.txt"]


def test_the_folder_is_no_package() -> None:
    assert not (FOLDER / "__init__.py").exists()
    assert Path(mlflow.__file__).parent != FOLDER


def run(folder: Path, *args: str) -> "subprocess.CompletedProcess[str]":
    """mlflow run of the project from `folder`, with the Python of these tests."""
    # Of a run in this process MLflow leaves variables behind, which would name an experiment of another database.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    env = {**kept, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    env |= {"MLFLOW_TRACKING_URI": "sqlite:///var/mlflow.db", "MLFLOW_DISABLE_TELEMETRY": "true"}
    (folder / "var").mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-m", "mlflow", "run", str(FOLDER), "--env-manager", "local", *args],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )


def test_mlflow_run_runs_a_script_where_the_user_stands(tmp_path: Path) -> None:
    """The config's path, and those in it, are relative to there; the script's own run is none of MLflow's around it."""
    simulate(tmp_path / "data/shop", 120, 7, World())
    (tmp_path / "my configs").mkdir()
    (tmp_path / "my configs/shop.yaml").write_bytes((ROOT / "configs/shop.yaml").read_bytes())
    done = run(tmp_path, "-e", "prepare", "-P", "config=my configs/shop.yaml", "-P", "as_of=2025-06-01")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "as of 2025-06-01" in done.stdout
    assert (tmp_path / "var/shop/history.parquet").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "my configs", "var"]
