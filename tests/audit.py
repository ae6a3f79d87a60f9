"""Known vulnerabilities of the pinned packages, asked by pip-audit of the OSV database: python -m tests.audit.

Exit code 1 for one that pyproject.toml's [[tool.lifestage.audit]] does not accept with a reason and a date. Where the
database cannot be reached it says so and ends with 0: lint must run offline. PIP_AUDIT_OSV_URL names a mirror of it.
"""

import json
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PINS = ROOT / "constraints.txt"
SECONDS = 45
"""For the whole of it: lint does not wait for a slow line."""
AWAY = (
    "ConnectionError",
    "ConnectTimeout",
    "ReadTimeout",
    "HTTPError",
    "SSLError",
    "ProxyError",
    "ServiceError",
)
"""What pip-audit ends with where the database does not answer."""
OPTIONS = ("--no-deps", "--disable-pip", "--progress-spinner", "off", "--timeout", "5", "--format", "json")


def accepted(document: Mapping[str, Any]) -> dict[str, str]:
    """Identifier -> package, of what pyproject.toml accepts. Raises ValueError for an entry that does not say why."""
    entries: dict[str, str] = {}
    for entry in document.get("tool", {}).get("lifestage", {}).get("audit", []):
        texts = all(
            isinstance(entry.get(key), str) and entry[key].strip() for key in ("id", "package", "reason")
        )
        if set(entry) != {"id", "package", "reason", "date"} or not texts or type(entry["date"]) is not date:
            raise ValueError(
                f"pyproject.toml, [[tool.lifestage.audit]] {entry}: give id, package and reason as texts, and date "
                "as a day such as 2026-01-31"
            )
        entries[entry["id"]] = entry["package"]
    return entries


def verdict(report: Mapping[str, Any], known: Mapping[str, str]) -> tuple[list[str], int]:
    """Lines to print and the exit code, of pip-audit's JSON report."""
    lines: list[str] = []
    bad = 0
    met: set[str] = set()
    unchecked = [found["name"] for found in report["dependencies"] if "skip_reason" in found]
    for found in report["dependencies"]:
        for vulnerability in found.get("vulns", ()):
            ids = [vulnerability["id"], *vulnerability.get("aliases", ())]
            listed = [i for i in ids if known.get(i, "").lower() == found["name"].lower()]
            met.update(listed)
            if listed:
                continue
            bad += 1
            fixed = ", ".join(vulnerability.get("fix_versions", ())) or "no version"
            about = " ".join(str(vulnerability.get("description", "")).split())[:160]
            lines.append(f"{found['name']} {found['version']}: {ids[0]} (mended in {fixed}): {about}")
    lines += [f"no longer met, take it out of pyproject.toml: {i}" for i in known if i not in met]
    if unchecked:
        lines.append(f"the database could not tell about: {', '.join(unchecked)}")
    checked = len(report["dependencies"]) - len(unchecked)
    lines.append(
        f"audit: {checked} pinned packages, {bad or 'no'} known vulnerabilities beside {len(met)} accepted"
    )
    return lines, int(bad > 0)


def asked(pins: Path) -> tuple[Mapping[str, Any] | None, str]:
    """pip-audit's report; None and why where the database did not answer. Raises RuntimeError: pip-audit failed."""
    command = [sys.executable, "-m", "pip_audit", "-s", "osv", "-r", str(pins), *OPTIONS]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return None, f"it did not answer within {SECONDS} s"
    try:
        return json.loads(done.stdout), ""
    except ValueError:
        last = (done.stderr.strip() or "no output").splitlines()[-1]
    if any(name in done.stderr for name in AWAY):
        return None, "it cannot be reached from here"
    raise RuntimeError(f"pip-audit failed: {last}")


def main(arguments: Sequence[str] = ()) -> int:
    """Audit constraints.txt, or the file given."""
    pins = Path(arguments[0]) if arguments else PINS
    try:
        known = accepted(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8")))
        report, why = asked(pins)
    except (ValueError, RuntimeError) as error:
        print(f"audit: {error}", file=sys.stderr)
        return 1
    if report is None:
        print(f"audit: not done, as the database of vulnerabilities did not tell: {why}")
        return 0
    lines, code = verdict(report, known)
    print("\n".join(lines))
    return code


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
