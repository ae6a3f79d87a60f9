"""The live service against its OpenAPI description, by schemathesis: generated requests, every check it has."""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.benchmarks import processes
from tests.serving.conftest import Made

ROOT = Path(__file__).parents[2]
OPERATIONS = 3
"""At least so many."""

# 200 to what it does not: one bad customer among others, who are scored (see schema_hooks).
# 400 to what the description allows: an id twice, a column that the policy has not, a time that no calendar has.
SETTINGS = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 400, 401, 403, 404, 429]

[[operations]]
include-path = ["/v1/score", "/v1/explain"]
checks.negative_data_rejection.expected-statuses = [200, 400, 401, 403, 404, 408, 413, 415, 429]
"""


def generated(
    address: str, folder: Path, ids: list[str], examples: int, *options: str
) -> "tuple[subprocess.CompletedProcess[str], dict[str, Any]]":
    """The run of all its checks, and its report."""
    config, report = folder / "schemathesis.toml", folder / "report.json"
    config.write_text(SETTINGS, encoding="utf-8")
    program = Path(sys.executable).with_name("schemathesis")
    line = [str(program), "--config-file", str(config), "run", f"{address}/openapi.json", "--no-color"]
    line += [
        "--max-examples",
        str(examples),
        "--seed",
        "1",
        "--continue-on-failure",
        "--generation-database",
        "none",
    ]
    line += [
        "--checks",
        "all",
        "--suppress-health-check",
        "all",
        "--report",
        "json",
        "--report-json-path",
        str(report),
        *options,
    ]
    environment = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": "tests.serving.schema_hooks",
        "LIFESTAGE_IDS": ",".join(ids),
        "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",
    }
    done = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert report.exists(), done.stdout[-3000:] + done.stderr[-3000:]
    return done, json.loads(report.read_text())


def asked(report: dict[str, Any]) -> int:
    """Requests made; says how they were answered."""
    for operation, phases in report["valid_rates"].items():
        print(
            operation,
            {name: sum(phase[name] for phase in phases.values()) for name in ("accepted", "rejected")},
        )
    assert report["complete"]
    assert report["operations"]["tested"] == report["operations"]["total"] >= OPERATIONS
    return int(report["test_cases"]["generated"])


def test_generated_requests_get_described_answers(served: Any, made: Made, tmp_path: Path) -> None:
    """A few of them; the service asks for no key here."""
    address = str(served.client.base_url).rstrip("/")
    few = ("--phases", "examples,fuzzing", "--exclude-checks", "ignored_auth")
    done, report = generated(address, tmp_path, sorted(made.scores)[:20], 15, *few)
    assert done.returncode == 0, done.stdout[-6000:]
    assert asked(report) > 40


@pytest.mark.heavy
def test_five_thousand_generated_requests(made: Made, tmp_path: Path) -> None:
    """All phases and checks, behind a key."""
    shop = yaml.safe_load(made.config.read_text())
    shop["serving"] = {"keys": str(tmp_path / "keys.json")}
    config = tmp_path / "keyed.yaml"
    config.write_text(yaml.safe_dump(shop))
    line = [
        sys.executable,
        "-m",
        "serving.keys",
        "--config",
        str(config),
        "add",
        "fuzz",
        "--scopes",
        "read,score",
    ]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    key = subprocess.run(
        line, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()
    port = processes.free_port()
    with processes.running(processes.ours(config, port), port, tmp_path) as server:
        with urllib.request.urlopen(f"{server.address}/openapi.json") as answer:
            operations = sum(len(methods) for methods in json.load(answer)["paths"].values())
        bearer = ("--header", f"Authorization: Bearer {key}")
        each = 1 + 6_000 // operations
        done, report = generated(server.address, tmp_path, sorted(made.scores)[:20], each, *bearer)
        assert server.process.poll() is None
    assert done.returncode == 0, done.stdout[-8000:]
    assert asked(report) >= 5_000
