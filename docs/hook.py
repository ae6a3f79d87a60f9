"""Fills the reference pages from the code when the site is built, and mends links that leave docs/.

A page asks by a line `<!-- generated: NAME -->`; NAME is a module of docs/generate with a function `markdown()`.
"""

import posixpath
import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
MARK = re.compile(r"^<!-- generated: (\w+) -->$", re.MULTILINE)
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)")
BROUGHT = {"howto/cookbook.md": "serving/README.md", "howto/mlflow.md": "mlflow/README.md"}
"""Pages of the site that are files of the project beside docs/."""


def on_config(config: Any) -> Any:
    """The project's code and docs/generate can be imported, however mkdocs was started."""
    for folder in (ROOT, ROOT / "src", ROOT / "docs"):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    return config


def on_files(files: Any, config: Any) -> Any:
    """The pages of `BROUGHT` among the files of the site."""
    for page, source in BROUGHT.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """The page with what is generated put in."""
    markdown = mended(markdown, page.file.src_uri)
    return MARK.sub(lambda match: import_module(f"generate.{match[1]}").markdown(), markdown)


def mended(markdown: str, page: str) -> str:
    """Links to files beside docs/ lead to their page of the site where there is one, else stay as text."""
    here = posixpath.dirname(posixpath.join("docs", page))
    pages = {source: brought for brought, source in BROUGHT.items()}

    def link(match: re.Match[str]) -> str:
        text, target = match.groups()
        path, _, anchor = target.partition("#")
        if "://" in target or not path:
            return match[0]
        at = posixpath.normpath(posixpath.join(here, path))
        if at.startswith("docs/"):
            return match[0]
        if at not in pages:
            return text
        way = posixpath.relpath(posixpath.join("docs", pages[at]), here)
        return f"[{text}]({way}{'#' + anchor if anchor else ''})"

    return LINK.sub(link, markdown)
