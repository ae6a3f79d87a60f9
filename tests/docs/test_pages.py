"""Every command of the documentation is run as it is written, page by page; none is passed over in silence."""

import json
import re
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

import pytest
import yaml

from tests.docs.blocks import FENCE, Block, blocks, commands, missing, pages, shown_json
from tests.docs.conftest import README_TRAINED
from tests.docs.not_run import ELSEWHERE, NOT_RUN, check, reason
from tests.docs.project import ROOT, Project

PAGES = pages(ROOT)
TWINS = {
    "README.zh-CN.md": "README.md",
    "docs/zh/tutorial.md": "docs/tutorial.md",
    "docs/zh/numbers.md": "docs/explanation/numbers.md",
    "docs/zh/index.md": "docs/index.md",
}
"""Chinese page -> the page whose commands it repeats."""
FRESH = {"docs/tutorial.md"}
"""Pages that begin with a project in which nothing has been done; the README's first half is run by the fixture."""
LONG = {"docs/tutorial.md", "docs/howto/retrain.md"}
"""Pages that train more than once."""
LANGUAGES = {"bash", "python", "yaml", "json", "text"}


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


RUN = [name(path) for path in PAGES if name(path) not in TWINS]
WITH_COMMANDS = [page for page in RUN if any(b.language in ("bash", "python") for b in blocks(text(page)))]


def scripts(found: list[Block]) -> list[tuple[str, list[Block]]]:
    """Blocks in order; Python blocks that follow one another, whatever prose is between, are one script."""
    own = [block for block in found if block.language in ("bash", "python", "yaml")]
    return [(language, list(some)) for language, some in groupby(own, lambda block: block.language)]


@pytest.mark.timeout(1200)  # hangs, on a machine that is not its own
@pytest.mark.parametrize(
    "page", [pytest.param(p, marks=[pytest.mark.heavy] if p in LONG else []) for p in WITH_COMMANDS]
)
def test_the_commands_of_a_page_run(
    page: str, project: Callable[..., Project], readme_shop: Project, request: pytest.FixtureRequest
) -> None:
    found = blocks(text(page))
    here: Project = project(page, shop=page not in FRESH)
    if page == "README.md":
        here.ran, here.left_out = list(readme_shop.ran), list(readme_shop.left_out)
        found = found[README_TRAINED + 1 :]
    if any("curl " in block.text for block in found):
        here.address = request.getfixturevalue("address")
    for language, some in scripts(found):
        if language == "yaml":
            for block in some:
                here.write(block)
        elif language == "python":
            own = [block.text for block in some if not here.write(block)]
            here.ran += [block.text for block in some if block.text not in own]
            if own:
                here.python("\n".join(own))
                here.ran[-1:] = own
        else:
            for block in some:
                output = here.shell(block.text)
                if block.follower is not None and block.follower.language == "json":
                    assert missing(shown_json(block.follower.text), json.loads(output)) == []
    found = blocks(text(page))
    written = [command for b in found if b.language == "bash" for command in commands(b.text)]
    written += [b.text for b in found if b.language == "python"]
    assert sorted(here.ran + here.left_out) == sorted(written)


def test_commands_within_the_prose_exist() -> None:
    """They are not run, but what they name is there, and their arguments are taken."""
    for path in [*PAGES, ROOT / "serving" / "README.md"]:
        prose = FENCE.sub("", path.read_text(encoding="utf-8"))
        for command in re.findall(r"`((?:make|\.venv/bin/python -m) [^`]+)`", prose):
            if "..." not in command:
                check(command.replace("<shop>", "cdnow"))


def test_only_known_kinds_of_blocks() -> None:
    for page in PAGES:
        assert {block.language for block in blocks(text(name(page)))} <= LANGUAGES, page
        fences = re.findall(r"^```", text(name(page)), re.MULTILINE)
        assert len(fences) == 2 * len(blocks(text(name(page)))), f"{page}: a block without a language"


def test_what_is_run_with_another_page_is_on_it() -> None:
    for command, page in ELSEWHERE.items():
        assert command in [c for b in blocks(text(page)) if b.language == "bash" for c in commands(b.text)]
        assert reason(command, page) is None


def test_what_is_not_run_is_on_a_page() -> None:
    every = [
        c for p in PAGES for b in blocks(text(name(p))) if b.language == "bash" for c in commands(b.text)
    ]
    left_out = [command for command in every if reason(command) is not None]
    assert [
        pattern for pattern in NOT_RUN if not any(re.match(pattern, command) for command in left_out)
    ] == []
    assert len(left_out) < len(every) / 2


@pytest.mark.parametrize("page", TWINS)
def test_a_chinese_page_repeats_the_commands_that_were_run(page: str) -> None:
    own, other = blocks(text(page)), blocks(text(TWINS[page]))

    def of(found: list[Block], language: str) -> list[str]:
        return [block.text for block in found if block.language == language]

    known = {command for block in of(other, "bash") for command in commands(block)}
    assert [c for block in of(own, "bash") for c in commands(block) if c not in known] == []

    def plain(code: str) -> str:
        return re.sub(r"\s+#.*", "", code)

    assert {plain(code) for code in of(own, "python")} <= {plain(code) for code in of(other, "python")}
    documents = [yaml.safe_load(block) for block in of(other, "yaml")]
    assert [block for block in of(own, "yaml") if yaml.safe_load(block) not in documents] == []
    answers = [shown_json(block) for block in of(other, "json")]
    assert [block for block in of(own, "json") if shown_json(block) not in answers] == []
