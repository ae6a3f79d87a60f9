"""The audit of the pinned packages: what fails lint, what does not, and what an offline machine says."""

import http.server
import json
import threading
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests import audit

HOLE = {
    "id": "GHSA-1",
    "aliases": ["CVE-1"],
    "fix_versions": ["2.1", "3.0"],
    "description": "Reads\n  all files.",
}


def report(*vulns: dict[str, Any]) -> dict[str, Any]:
    return {
        "dependencies": [
            {"name": "left", "version": "2.0", "vulns": list(vulns)},
            {"name": "right", "version": "1.0", "vulns": []},
        ]
    }


def test_a_known_vulnerability_fails() -> None:
    lines, code = audit.verdict(report(HOLE), {})
    assert code == 1
    assert lines == [
        "left 2.0: GHSA-1 (mended in 2.1, 3.0): Reads all files.",
        "audit: 2 pinned packages, 1 known vulnerabilities beside 0 accepted",
    ]


@pytest.mark.parametrize("name", ["GHSA-1", "CVE-1"])
def test_an_accepted_one_does_not(name: str) -> None:
    assert audit.verdict(report(HOLE), {name: "Left"}) == (
        ["audit: 2 pinned packages, no known vulnerabilities beside 1 accepted"],
        0,
    )


def test_it_is_accepted_of_its_package_alone() -> None:
    assert audit.verdict(report(HOLE), {"CVE-1": "right"})[1] == 1


def test_what_is_no_longer_met_is_told() -> None:
    lines, code = audit.verdict(report(), {"CVE-9": "left"})
    assert code == 0
    assert lines[0] == "no longer met, take it out of pyproject.toml: CVE-9"


def test_what_could_not_be_checked_is_not_counted() -> None:
    skipped = {"dependencies": [{"name": "left", "skip_reason": "not found"}]}
    assert audit.verdict(skipped, {})[0] == [
        "the database could not tell about: left",
        "audit: 0 pinned packages, no known vulnerabilities beside 0 accepted",
    ]


def accepting(**entry: Any) -> dict[str, Any]:
    return {"tool": {"lifestage": {"audit": [entry]}}}


def test_an_entry_says_why_and_when() -> None:
    entry = {"id": "CVE-1", "package": "left", "reason": "never parses files", "date": date(2026, 11, 22)}
    assert audit.accepted(accepting(**entry)) == {"CVE-1": "left"}
    assert audit.accepted({}) == {}
    for wrong in ({"reason": " "}, {"date": "soon"}, {"more": "x"}, {"id": 5}):
        with pytest.raises(ValueError, match="give id, package and reason as texts, and date as a day"):
            audit.accepted(accepting(**(entry | wrong)))


def test_the_projects_own_list_is_right() -> None:
    document = tomllib.loads((audit.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert all(audit.accepted(document).values())


# --- pip-audit itself, against a database of our own -----------------------------------------------------------


class Database(http.server.BaseHTTPRequestHandler):
    """Knows one hole, in toolz."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        events = [{"introduced": "0"}, {"fixed": "99"}]
        package = {"name": "toolz", "ecosystem": "PyPI"}
        affected = [{"package": package, "ranges": [{"type": "ECOSYSTEM", "events": events}]}]
        hole = {"id": "GHSA-1", "aliases": ["CVE-1"], "summary": "A hole.", "affected": affected}
        answer = json.dumps({"vulns": [hole]} if asked["package"]["name"] == "toolz" else {}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Database) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("PIP_AUDIT_OSV_URL", f"http://127.0.0.1:{server.server_port}/v1/query")
        yield
        server.shutdown()


@pytest.fixture
def pins(tmp_path: Path) -> Path:
    pytest.importorskip("pip_audit", reason="pip-audit is not installed: make install-dev")
    (tmp_path / "pins.txt").write_text("# pinned\ntoolz==1.2.0\npy4j==0.10.9.9\n")
    return tmp_path / "pins.txt"


@pytest.mark.usefixtures("database")
def test_pip_audit_finds_the_hole(pins: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.main([str(pins)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "toolz 1.2.0: CVE-1 (mended in 99): A hole.",
        "audit: 2 pinned packages, 1 known vulnerabilities beside 0 accepted",
    ]


def test_offline_it_says_so_and_goes_on(
    pins: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIP_AUDIT_OSV_URL", "http://127.0.0.1:9/v1/query")
    assert audit.main([str(pins)]) == 0
    assert capsys.readouterr().out == (
        "audit: not done, as the database of vulnerabilities did not tell: it cannot be reached from here\n"
    )


def test_a_wrong_use_is_no_offline_machine(
    pins: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pins.exists()
    assert audit.main([str(tmp_path / "none.txt")]) == 1
    assert "audit: pip-audit failed: " in capsys.readouterr().err
