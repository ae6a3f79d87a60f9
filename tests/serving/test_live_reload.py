"""A running service under load takes up a release, refuses a broken one, and tells of both."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from lifestage import release as releases

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Running:
    client: httpx.Client
    folder: Path
    log: Path

    def model(self) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get("/v1/model").json()
        return found

    def until(self, held: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """What /v1/model says as soon as it holds."""
        end = time.monotonic() + 60
        while not held(found := self.model()):
            assert time.monotonic() < end, found["reload"]
            time.sleep(0.1)
        return found

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Of the log, as JSON."""
        time.sleep(0.5)
        said = [json.loads(text) for text in self.log.read_text().splitlines() if text.startswith("{")]
        return [line for line in said if line["event"] == event]


@pytest.fixture
def running(made: Any, tmp_path: Path) -> Iterator[Running]:
    document = yaml.safe_load(made.config.read_text())
    document |= {"output_dir": str(tmp_path / "out"), "serving": {"reload_seconds": 0.2}}
    config = tmp_path / "tiny.yaml"
    config.write_text(yaml.safe_dump(document))
    source = made.config.parent / "out"
    shutil.copytree(source / "releases", tmp_path / "out" / "releases")
    for part in source.glob("*.db*"):
        shutil.copy(part, tmp_path / "out")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    log = tmp_path / "log"
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "serving", "--config", str(config), "--port", str(port)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
            end = time.monotonic() + 90
            while True:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < end, "the service did not become ready"
                try:
                    if client.get("/readyz").status_code == 200:
                        break
                except httpx.TransportError:
                    time.sleep(0.2)
            yield Running(client, tmp_path / "out" / "releases", log)
    finally:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)


def publish(folder: Path, loaded: releases.Release, name: str) -> None:
    about = {
        k: v for k, v in loaded.manifest.items() if k not in ("kind", "versions", "files", "checksum", "name")
    }
    base = folder / "tiny-1"
    releases.write(
        folder,
        name,
        churn=base / "churn",
        clv=base / "clv",
        policy=loaded.policy,
        reference=loaded.references,
        meta=about,
    )


def test_releases_change_under_load(running: Running, made: Any) -> None:
    customer = min(made.rows)
    body = {"as_of": made.as_of, "customers": [made.record(customer)]}
    ending = threading.Event()
    faults: list[str] = []
    served: list[tuple[str, str]] = []

    def ask() -> None:
        with httpx.Client(base_url=running.client.base_url, timeout=60, trust_env=False) as client:
            while not ending.is_set():
                answer = client.post("/v1/score", json=body)
                if answer.status_code == 200:
                    found = answer.json()
                    served.append((found["release"], found["scores"][0]["release"]))
                else:
                    faults.append(answer.text)

    callers = [threading.Thread(target=ask) for _ in range(4)]
    for caller in callers:
        caller.start()
    try:
        first = running.until(lambda _: served)
        publish(running.folder, made.release, "tiny-2")
        releases.point_to(running.folder, "tiny-2")
        second = running.until(lambda found: found["release"] == "tiny-2")
        publish(running.folder, made.release, "tiny-3")
        releases.point_to(running.folder, "tiny-3")
        running.until(lambda found: found["release"] == "tiny-3")
        broken = running.folder / "tiny-2" / "churn" / "shipped.txt"
        broken.write_bytes(broken.read_bytes() + b"\n")
        (running.folder / releases.POINTER).write_text('{"release": "tiny-2", "previous": "tiny-3"}')
        third = running.until(lambda found: found["reload"]["failed"])
    finally:
        ending.set()
        for caller in callers:
            caller.join()
    assert not faults
    assert {"tiny-1", "tiny-3"} <= {release for release, _ in served}
    assert all(one == other for one, other in served)
    assert (first["release"], first["reload"]["failed"]) == ("tiny-1", None)
    assert second["reload"]["loaded_at"] > first["reload"]["loaded_at"]
    assert third["release"] == "tiny-3"
    assert third["reload"]["failed"]["release"] == "tiny-2"
    assert third["reload"]["failed"]["error"].startswith(
        "tiny-2/churn/shipped.txt: differs from its checksum"
    )
    assert str(running.folder) not in json.dumps(third)

    metrics = running.client.get("/metrics").text
    assert 'lifestage_release_info{release="tiny-3",' in metrics
    assert "lifestage_release_refused 1.0" in metrics
    assert 'lifestage_reloads_total{outcome="success"} 2.0' in metrics
    assert 'lifestage_reloads_total{outcome="failure"}' in metrics
    assert 'lifestage_request_duration_seconds_count{endpoint="/v1/score",status="200"}' in metrics
    assert f"lifestage_customers_scored_total {float(len(served))}" in metrics
    assert "lifestage_store_up 1.0" in metrics
    assert "bentoml_service_request_total" in metrics

    running.client.get(f"/v1/customers/{customer}?id={customer}", headers={"x-request-id": "r-17"})
    told = running.lines("request")
    assert [line["path"] for line in told if line["request_id"] == "r-17"] == ["/v1/customers/{customer_id}"]
    assert len([line for line in told if line["path"] == "/v1/score"]) == len(served)
    assert not [line for line in told if line["path"] in ("/readyz", "/metrics")]
    reloads = running.lines("reload")
    assert [line.get("release") for line in reloads] == ["tiny-2", "tiny-3", "tiny-2"]
    assert "refused" in reloads[-1]["message"]
    for line in told:  # whose hexadecimal digits may be anything
        line["request_id"] = ""
    assert customer not in json.dumps([*told, *reloads, *running.lines("store"), *running.lines("log")])
