"""The site builds without a warning, holds what the code has, and loads nothing from elsewhere."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from lifestage.expressions import FUNCTIONS
from lifestage.schemas import CANONICAL, SCORE
from lifestage.settings import Shop
from tests.docs.project import ROOT

pytest.importorskip("mkdocs", reason="mkdocs is not installed; pip install -e '.[dev]'")
pytest.importorskip("material", reason="mkdocs-material is not installed; pip install -e '.[dev]'")
pytest.importorskip("mkdocstrings", reason="mkdocstrings is not installed; pip install -e '.[dev]'")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built in strict mode."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def page(site: Path, name: str) -> str:
    return (site / name / "index.html").read_text(encoding="utf-8")


class Loaded(HTMLParser):
    """What a browser would fetch for a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in ("script", "img", "iframe", "source") and values.get("src"):
            self.found.append(str(values["src"]))
        if tag == "link" and values.get("rel") not in ("canonical", "next", "prev", "alternate"):
            self.found.append(str(values.get("href")))


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    for path in site.rglob("*.html"):
        loaded = Loaded()
        loaded.feed(path.read_text(encoding="utf-8"))
        assert [url for url in loaded.found if re.match(r"(?:https?:)?//", url)] == [], path
    for path in site.rglob("*.css"):
        urls = re.findall(
            r"(?:url\(|@import\s)['\"]?((?:https?:)?//[^)'\"]+)", path.read_text(encoding="utf-8")
        )
        assert urls == [], path


def test_the_reference_has_every_key(site: Path) -> None:
    settings = page(site, "reference/settings")
    for name in Shop.model_fields:
        assert f"<code>{name}</code>" in settings
    for name in (
        "horizon_days",
        "grace_days",
        "min_gain",
        "warn_stability_index",
        "reload_seconds",
        "hash_ids",
    ):
        assert f"<code>{name}</code>" in settings
    assert "whole number, at least 1 and at most 3,650" in settings
    tables = page(site, "reference/tables")
    for table in CANONICAL.values():
        assert [c for c in table.names if f"<code>{c}</code>" not in tables] == []
    assert [c for c in SCORE.names if f"<code>{c}</code>" not in tables] == []


def test_the_reference_has_every_script(site: Path) -> None:
    commands = page(site, "reference/commands")
    for path in (ROOT / "training").glob("*.py"):
        if '__name__ == "__main__"' in path.read_text(encoding="utf-8"):
            assert f"python -m training.{path.stem}</code>" in commands
    assert str(Path(sys.executable).parent) not in commands


def test_the_reference_has_every_function_and_operation(site: Path) -> None:
    policy = page(site, "reference/policy")
    assert [name for name in FUNCTIONS if f"<code>{name}</code>" not in policy] == []
    from serving.app import app

    http = page(site, "reference/http")
    assert [path for path in app.openapi()["paths"] if path not in http] == []
    python = page(site, "reference/python")
    for name in ("lifestage.api.fit", "lifestage.clv.outlook.value_path", "lifestage.history.Before"):
        assert f'id="{name}"' in python


def test_no_reference_mark_is_left(site: Path) -> None:
    assert [path for path in site.rglob("*.html") if "generated: " in path.read_text(encoding="utf-8")] == []
