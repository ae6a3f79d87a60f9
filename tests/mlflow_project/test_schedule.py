"""mlflow/schedule: the examples' times and commands, as far as they go without cron, Airflow and Kubernetes."""

import ast
import re
import runpy
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

import training.command

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "mlflow/schedule"
FIELDS = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "weekday": (0, 7)}


def fields_hold(text: str) -> bool:
    """Whether five fields are cron's: numbers, ranges, lists, steps, within their bounds."""
    parts = text.split()
    if len(parts) != len(FIELDS):
        return False
    for part, (low, high) in zip(parts, FIELDS.values(), strict=True):
        for item in part.split(","):
            found = re.fullmatch(r"(?:\*|(\d+)(?:-(\d+))?)(?:/[1-9]\d*)?", item)
            if not found:
                return False
            first, last = found[1], found[2] or found[1]
            if first is not None and not low <= int(first) <= int(last) <= high:
                return False
    return True


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("15 2 * * 0", True),
        ("*/5 0-6,22 1 1,6 1-5", True),
        ("60 2 * * 0", False),
        ("1 2 3 4", False),
        ("a * * * *", False),
    ],
)
def test_the_check_of_times_tells_right_from_wrong(text: str, expected: bool) -> None:
    assert fields_hold(text) is expected


def accepted(words: list[str]) -> None:
    """A script's own parser takes the arguments of `python -m training.<script> ...`."""
    script = words[words.index("-m") + 1].removeprefix("training.")
    with pytest.MonkeyPatch.context() as patch:
        made = []
        patch.setattr(training.command, "main", lambda parser, _run: made.append(parser))
        runpy.run_path(str(ROOT / f"training/{script}.py"), run_name="__main__")
    made[0].parse_args(words[words.index("-m") + 2 :])


def crontab() -> tuple[list[str], list[str]]:
    """Its settings, and its lines of work."""
    lines = [line for line in (FOLDER / "crontab").read_text(encoding="utf-8").splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("#")]
    settings = [line for line in lines if re.match(r"[A-Z_]+=", line)]
    return settings, [line for line in lines if line not in settings]


def test_crontab() -> None:
    settings, work = crontab()
    assert len(work) == 3
    commands = []
    for line in work:
        times, command = " ".join(line.split()[:5]), line.split(maxsplit=5)[5]
        assert fields_hold(times), line
        assert "%" not in command  # cron would end the line there
        checked = subprocess.run(["bash", "-n", "-c", command], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr
        commands += [piece for piece in re.split(r"&&|\|\|", command) if "-m training." in piece]
    assert len(commands) == 3
    for command in commands:
        accepted(shlex.split(re.split(r">>", command)[0]))
    assert all(re.fullmatch(r'[A-Z_]+=(".*"|\S*)', line) for line in settings)
    assert sum("flock -n" in line for line in work) == 2


def test_a_line_of_the_crontab_runs_waits_for_nobody_and_tells_of_failure(tmp_path: Path) -> None:
    """Run by bash as cron does, with a stand-in for the script: once well, once failing, once while another runs."""
    settings, work = crontab()
    secrets = tmp_path / "secrets"
    secrets.write_text("MLFLOW_TRACKING_USERNAME=ana\n", encoding="utf-8")
    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(
        '#!/bin/bash\necho "ran $* as $MLFLOW_TRACKING_USERNAME"\nexit ${CODE:-0}\n', encoding="utf-8"
    )
    python.chmod(0o755)
    own = {"HOME_OF": tmp_path, "LOG": tmp_path / "log", "SECRETS": secrets}
    given = dict(line.split("=", 1) for line in settings) | {name: str(value) for name, value in own.items()}
    env = {name: value.strip('"') for name, value in given.items()}
    command = work[0].split(maxsplit=5)[5]

    def line(**more: str) -> str:
        done = subprocess.run(
            ["bash", "-c", command],
            env={**env, **more},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.stdout + done.stderr

    assert line() == ""  # silent: cron mails nothing
    said = "ran -m training.retrain --config configs/myshop.yaml as ana\n"
    assert (tmp_path / "log").read_text(encoding="utf-8") == said
    assert line(CODE="2") == f"the round of myshop failed; see the log (code 2): {tmp_path}/log\n"
    with subprocess.Popen(
        ["flock", f"{tmp_path}/log.lock", "bash", "-c", "echo held; read"], stdin=-1, stdout=-1
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert "(code 75)" in line()
        other.communicate(b"\n")


def test_airflow() -> None:
    source = (FOLDER / "airflow_dag.py").read_text(encoding="utf-8")
    tree = ast.parse(source)
    named = {
        target.id: node.value for node in tree.body if isinstance(node, ast.Assign) for target in node.targets
    }
    commands, shops = ast.literal_eval(named["COMMANDS"]), ast.literal_eval(named["SHOPS"])
    assert list(commands) == ["retrain", "alerts"]
    for script, arguments in commands.items():
        text = arguments.format(shop=shops[0])
        assert "{" not in text.replace("{{ data_interval_end | ds }}", "")
        shown = text.replace("{{ data_interval_end | ds }}", "2026-01-04")
        accepted(["python", "-m", f"training.{script}", *shlex.split(shown)])
    (schedule,) = re.findall(r'schedule="(.*)"', source)
    assert fields_hold(schedule)


def test_kubernetes() -> None:
    job = yaml.safe_load((FOLDER / "cronjob.yaml").read_text(encoding="utf-8"))
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "CronJob")
    spec = job["spec"]
    assert fields_hold(spec["schedule"])
    assert spec["concurrencyPolicy"] == "Forbid"
    inner = spec["jobTemplate"]["spec"]
    pod = inner["template"]["spec"]
    (container,) = pod["containers"]
    accepted(container["command"])
    assert inner["podFailurePolicy"]["rules"][0]["onExitCodes"]["values"] == [training.command.BAD_INPUT]
    assert pod["restartPolicy"] == "Never"  # a pod failure policy asks for it
    assert {mount["name"] for mount in container["volumeMounts"]} == {
        volume["name"] for volume in pod["volumes"]
    }
    for variable in container["env"]:
        assert "secretKeyRef" in variable["valueFrom"]
