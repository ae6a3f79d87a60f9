"""Every block of serving/README.md does what the page shows, against a live service."""

import importlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving.app import app
from tests.docs.blocks import Block, blocks, missing, shown_json
from tests.serving.conftest import free_port, start

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "serving" / "README.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:3000"
OPERATIONS = app.openapi()["paths"]
SHELL = {"sh", "bash", "text", "yaml"}


BLOCKS = blocks(PAGE)
CALLS = [block for block in BLOCKS if block.language == "bash"]
COMMANDS = [
    line
    for block in BLOCKS
    if block.language == "sh"
    for line in block.text.replace("\\\n", " ").splitlines()
]


def operation(call: str) -> str:
    """The operation that a block asks for, as the OpenAPI description names it."""
    path = call.partition(ADDRESS)[2].split()[0].strip("'\"")
    return re.sub(r"/v1/customers/[^/:]+$", "/v1/customers/{customer_id}", path)


def called(call: str, address: str, ids: dict[str, str], **environment: str) -> tuple[int, str]:
    """Status and answer of a block's curl, its address and customers replaced."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed here")
    text = call.replace(ADDRESS, address)
    for written, real in ids.items():
        text = text.replace(written, real)
    assert text.count("curl ") == 1
    assert address in text
    script = f"curl() {{ command curl --noproxy '*' -w '\\n%{{http_code}}' \"$@\"; }}\n{text}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env={**os.environ, **environment}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer, _, status = done.stdout.rpartition("\n")
    return int(status), answer


@pytest.fixture(scope="module")
def ids(made: Any) -> dict[str, str]:
    """Customers of the page -> customers of the shop that is served here."""
    stored = [name for name, score in made.scores.items() if score["eligible"]]
    return dict(zip(("01848", "07592"), stored, strict=False))


@pytest.fixture(scope="module")
def keyed(made: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Address of a service that asks for keys, and one of them."""
    file = tmp_path_factory.mktemp("keys") / "keys.json"
    environment = {"LIFESTAGE_KEYS_FILE": str(file), "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    add = [
        sys.executable,
        "-m",
        "serving.keys",
        "--config",
        str(made.config),
        "add",
        "crm",
        "--scopes",
        "read,score",
    ]
    done = subprocess.run(
        add, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    port = free_port()
    process = start(made.config, port, **environment)
    try:
        address = f"http://127.0.0.1:{port}"
        end = time.monotonic() + 90
        while True:
            assert process.poll() is None, process.stdout and process.stdout.read()
            assert time.monotonic() < end, "the service did not become ready"
            try:
                if httpx.get(f"{address}/readyz", trust_env=False).status_code == 200:
                    break
            except httpx.TransportError:
                pass
            time.sleep(0.2)
        yield address, done.stdout.strip()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(20)


@pytest.mark.parametrize("block", CALLS, ids=lambda block: block.name)
def test_a_call_answers_as_shown(
    block: Block, served: Any, ids: dict[str, str], request: pytest.FixtureRequest
) -> None:
    if operation(block.text) == "/metrics":  # some are there from the first scored customer on
        served.client.post("/v1/score", json={"customers": [{"customer_id": "C-17"}]})
    address, key = str(served.client.base_url), ""
    expected = (
        shown_json(block.follower.text) if block.follower and block.follower.language == "json" else None
    )
    if "$KEY" in block.text or (expected and expected.get("status") == 401):
        address, key = request.getfixturevalue("keyed")
    status, answer = called(block.text, address, ids, KEY=key)
    assert status == (expected or {}).get("status", 200), answer
    if expected is not None:
        got = json.loads(answer)
        assert missing(expected, got) == []
        assert got.get("errors") == expected.get("errors")
        for name in ("type", "path"):
            assert got.get(name) == expected.get(name)
    elif block.follower is not None and block.follower.language == "text":
        names = [re.split(r"[{ ]", line)[0] for line in block.follower.text.splitlines()]
        assert [name for name in names if f"\n{name}" not in answer] == []


def test_what_is_sent_back_of_a_request_id(served: Any, ids: dict[str, str]) -> None:
    (block,) = (block for block in CALLS if "checkout-7" in block.text)
    _, answer = called(block.text, str(served.client.base_url), ids)
    assert "\nx-request-id: checkout-7" in answer.replace("\r", "")


def test_the_python_blocks_run(served: Any, ids: dict[str, str]) -> None:
    script = "\n".join(block.text for block in BLOCKS if block.language == "python")
    script = script.replace(ADDRESS, str(served.client.base_url)).replace("timeout=2.0", "timeout=60.0")
    for written, real in ids.items():
        script = script.replace(written, real)
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "['nobody']" in done.stdout
    assert "400 " in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_exists(command: str) -> None:
    """Its module takes these arguments; its target is in the Makefile. They are run by tests of their own."""
    words = [word for word in shlex.split(command) if not re.fullmatch(r"[A-Z_]+=.*", word)]
    if words[0] == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert words[1] in targets
    elif words[0] == "pip":
        assert words[1] == "install"
    else:
        assert words[:2] == ["python", "-m"]
        if words[2].startswith("serving"):
            module = importlib.import_module("serving.__main__" if words[2] == "serving" else words[2])
            module.parser().parse_args(words[3:])
        else:
            assert (ROOT / f"{words[2].replace('.', '/')}.py").is_file()
            assert words[3] == "--config"
            assert len(words) == 5


def test_the_configuration_of_traces_is_one(tmp_path: Path) -> None:
    (block,) = (block for block in BLOCKS if block.language == "yaml")
    (tmp_path / "tracing.yaml").write_text(block.text)
    code = (
        "from serving.service import Lifestage; Lifestage.inject_config();"
        "from bentoml._internal.configuration.containers import BentoMLContainer as C;"
        "print(C.config.tracing.exporter_type.get(), C.config.tracing.otlp.endpoint.get())"
    )
    environment = {
        **os.environ,
        "BENTOML_CONFIG": str(tmp_path / "tracing.yaml"),
        "BENTOML_HOME": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("otlp http://127.0.0.1:4318/v1/traces")


def test_every_operation_stands_on_the_page() -> None:
    asked = {operation(block.text) for block in CALLS}
    assert OPERATIONS.keys() <= asked
    assert {block.language for block in BLOCKS} <= SHELL | {"json", "python"}
    for path in OPERATIONS:
        assert path.replace("{customer_id}", "{id}") in PAGE


def test_every_section_begins_in_chinese() -> None:
    """With a short lead, for whom English is slow to read."""
    for section in re.split(r"^#+ ", re.sub(r"^```.*?^```", "", PAGE, flags=re.M | re.S), flags=re.M)[1:]:
        assert re.search(r"[一-鿿]{2}", section), section[:60]
