"""Relative links and anchors of README and docs lead somewhere, on a repository's web page too."""

import re
from pathlib import Path

import pytest

from tests.docs.blocks import FENCE, pages
from tests.docs.project import ROOT

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
GENERATED = "<!-- generated:"
ALL = [*pages(ROOT), ROOT / "serving" / "README.md", ROOT / "mlflow" / "README.md"]


def prose(path: Path) -> str:
    return FENCE.sub("", path.read_text(encoding="utf-8"))


def anchors(path: Path) -> set[str]:
    """As both the site and a repository's web page make them."""
    heads = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    plain = [re.sub(r"[^\w\s-]", "", head.replace("`", "")).strip().lower() for head in heads]
    return {re.sub(r"\s+", "-", head) for head in plain}


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    faults = []
    for target in LINK.findall(prose(path)):
        if re.match(r"https?://", target):
            continue
        place, _, anchor = target.partition("#")
        goal = (path.parent / place).resolve() if place else path
        if not goal.exists():
            faults.append(f"{target}: does not exist")
        elif not goal.is_relative_to(ROOT):
            faults.append(f"{target}: leads out of the project")
        elif anchor and GENERATED not in goal.read_text(encoding="utf-8") and anchor not in anchors(goal):
            faults.append(f"{target}: {goal.name} has no such heading")
    assert faults == []


def test_every_page_is_linked_from_the_readme_or_a_page() -> None:
    linked = {
        (path.parent / target.partition("#")[0]).resolve()
        for path in ALL
        for target in LINK.findall(prose(path))
        if not target.startswith("http") and target.partition("#")[0]
    }
    lonely = [path for path in pages(ROOT) if path not in linked and path.name != "README.md"]
    assert lonely == []


def test_readmes_link_each_other() -> None:
    assert "(README.zh-CN.md)" in prose(ROOT / "README.md")
    assert "(README.md)" in prose(ROOT / "README.zh-CN.md")
