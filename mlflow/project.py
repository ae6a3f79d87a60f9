"""Run one script of training/ as an entry point of the MLflow project.

python3 project.py FOLDER SCRIPT ARGUMENT...: the script runs in FOLDER, where the user stands, with this checkout's
code. An argument that was not given comes as '' or --name= and is left out; --name=true is the flag --name.
Nothing but the standard library: it may run under a Python that has no packages, and finds the one that has.
"""

import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SURROUNDING = ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_TRACKING_URI")
"""What MLflow tells of the run that the entry point is itself. A script makes runs of its own, where its config says:
told of this one it would write two models into it."""


def arguments(given: list[str]) -> list[str]:
    """The script's arguments, without those that were not given."""
    kept: list[str] = []
    for word in given:
        name, equals, value = word.partition("=")
        if name.startswith("--") and equals:
            if value == "true":
                kept.append(name)
            elif value not in ("", "false"):
                kept.append(word)
        elif word == "true" and kept and kept[-1].startswith("--"):
            continue  # -P flag=true of a parameter that MLproject does not name: MLflow writes --flag true
        elif word:
            kept.append(word)
    return kept


def interpreter() -> str:
    """The Python of the active environment, else one that has the packages: our own .venv need not be activated."""
    own = ROOT / ".venv" / "bin" / "python"
    active = sys.prefix != sys.base_prefix
    if active or find_spec("lightgbm") is not None or not own.is_file():
        return sys.executable
    return str(own)


def install() -> None:
    """Give this checkout to an environment that MLflow has made, which has all that it needs: models name its version.

    MLflow cannot: it installs from a folder of its own, where no path leads back here.
    """
    try:
        version("lifestage")
    except PackageNotFoundError:
        if sys.prefix != sys.base_prefix and find_spec("hatchling") is not None:
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
            subprocess.run([*pip, str(ROOT)], check=True)


def main(folder: str, script: str, *given: str) -> None:
    """Become the script. Ends with its exit code."""
    env = {name: value for name, value in os.environ.items() if name not in SURROUNDING}
    paths = [str(ROOT), str(ROOT / "src"), env.get("PYTHONPATH", "")]
    env["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    os.chdir(folder)
    python = interpreter()
    if python == sys.executable:
        install()
    os.execve(python, [python, "-m", f"training.{script}", *arguments(list(given))], env)


if __name__ == "__main__":
    main(*sys.argv[1:])
