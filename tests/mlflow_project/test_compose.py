"""mlflow/compose.yaml and what its server's image runs: what can be checked without Docker."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "mlflow"
TEXT = (FOLDER / "compose.yaml").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load(TEXT)
SERVICES = COMPOSE["services"]
START = FOLDER / "server/start.py"
SERVICE_KEYS = {
    "image",
    "build",
    "restart",
    "environment",
    "command",
    "volumes",
    "ports",
    "healthcheck",
    "depends_on",
}
HEALTH_KEYS = {"test", "interval", "timeout", "retries", "start_period"}
SECRETS = {
    "POSTGRES_PASSWORD",
    "S3_ACCESS_KEY",
    "S3_SECRET_KEY",
    "MLFLOW_SECRET_KEY",
    "MLFLOW_ADMIN_PASSWORD",
}


def test_it_is_a_compose_file_of_three_services() -> None:
    assert set(COMPOSE) == {"name", "services", "volumes"}
    assert set(SERVICES) == {"database", "storage", "server"}
    for service in SERVICES.values():
        assert set(service) <= SERVICE_KEYS
        assert service["restart"] == "unless-stopped"
        assert set(service["healthcheck"]) <= HEALTH_KEYS
        assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
        for volume in service.get("volumes", []):
            assert volume.split(":")[0] in COMPOSE["volumes"]
    needed = SERVICES["server"]["depends_on"]
    assert needed == {name: {"condition": "service_healthy"} for name in ("database", "storage")}


def test_every_image_is_pinned() -> None:
    images = [service["image"] for service in SERVICES.values()]
    images += re.findall(
        r"^FROM (\S+)", (FOLDER / "server/Dockerfile").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len(images) == 4
    for image in images:
        assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+[\w.-]*", image), image


def test_only_the_server_is_reached_and_only_from_this_machine_by_default() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports == ["${MLFLOW_BIND:-127.0.0.1}:${MLFLOW_PORT:-5000}:5000"]


def test_every_secret_comes_from_the_environment_and_none_may_be_empty() -> None:
    for name, service in SERVICES.items():
        for variable, value in service["environment"].items():
            if re.search("PASSWORD|SECRET|KEY", variable):
                assert re.fullmatch(r"\$\{\w+:\?.+\}", value), f"{name}: {variable}"
    assert set(re.findall(r"\$\{(\w+):\?", TEXT)) == SECRETS
    example = (FOLDER / ".env.example").read_text(encoding="utf-8").splitlines()
    assert {line for line in example if line and not line.startswith("#")} == {f"{name}=" for name in SECRETS}
    optional = {line.split("=")[0].removeprefix("# ") for line in example if re.match("# [A-Z0-9_]+=", line)}
    assert optional == set(re.findall(r"\$\{(\w+):-", TEXT))
    ignored = subprocess.run(
        ["git", "check-ignore", "--quiet", "mlflow/.env"], cwd=ROOT, capture_output=True, check=False
    )
    assert ignored.returncode in (0, 128)  # 128: no checkout of git's


def test_the_image_has_the_mlflow_that_the_clients_have() -> None:
    pinned = set((ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines())
    listed = (FOLDER / "server/requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = [line for line in listed if not line.startswith("#")]
    assert all("==" in line for line in wanted)
    assert {line for line in wanted if not line.startswith("boto3==")} <= pinned
    version = next(line.split("==")[1] for line in wanted if line.startswith("mlflow=="))
    assert SERVICES["server"]["image"] == f"lifestage-mlflow:{version}"


def test_the_servers_variables_are_those_that_its_start_reads() -> None:
    given = set(SERVICES["server"]["environment"])
    assert {"PGHOST", "PGUSER", "PGPASSWORD", "PGDATABASE", "MLFLOW_ARTIFACTS_DESTINATION"} <= given
    start = runpy.run_path(str(START), run_name="start")
    assert set(start["NEEDED"]) <= given


def started(**env: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(START)],
        env={"PATH": os.environ["PATH"], **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_it_does_not_start_without_its_secrets() -> None:
    secret = {"MLFLOW_FLASK_SERVER_SECRET_KEY": "x" * 24}
    done = started()
    assert done.returncode == 1
    assert done.stderr.startswith("MLFLOW_FLASK_SERVER_SECRET_KEY: is missing or shorter than 12 letters")
    done = started(**secret, MLFLOW_AUTH_ADMIN_PASSWORD="short")
    assert done.stderr.startswith("MLFLOW_AUTH_ADMIN_PASSWORD: is missing or shorter than 12 letters")
    done = started(**secret, MLFLOW_AUTH_ADMIN_PASSWORD="y" * 12, MLFLOW_DEFAULT_PERMISSION="WRITE")
    assert done.stderr.startswith("MLFLOW_DEFAULT_PERMISSION: 'WRITE' is none of READ, USE, EDIT")


def test_the_log_in_reads_the_database_of_the_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow's own reader gets every letter of the password back, and nobody else may read the file."""
    import mlflow
    from sqlalchemy.engine import make_url

    for name, value in {
        "USER": "mlflow",
        "PASSWORD": "p@ss/w%o:rd",
        "HOST": "database",
        "DATABASE": "runs",
    }.items():
        monkeypatch.setenv(f"PG{name}", value)
    monkeypatch.delenv("MLFLOW_BACKEND_STORE_URI", raising=False)
    start = runpy.run_path(str(START), run_name="start")
    file = start["log_in_file"](start["database"]())
    monkeypatch.setenv("MLFLOW_AUTH_CONFIG_PATH", str(file))
    reader = Path(mlflow.__file__).with_name("server") / "auth/config.py"
    read = runpy.run_path(str(reader))["read_auth_config"]()
    url = make_url(read.database_uri)
    assert (url.password, url.host, url.database) == ("p@ss/w%o:rd", "database", "runs")
    assert (read.default_permission, read.admin_username, read.admin_password) == ("READ", "admin", None)
    assert read.auth_cache_ttl_seconds == 60
    assert file.stat().st_mode & 0o077 == 0
