"""Every notebook runs from top to bottom, shows pictures, repeats its stored figures, and only imports.

The pictures and figures that a reader of the repository's page sees are stored in the files. After a change that
moves them, run the notebooks anew: jupyter nbconvert --to notebook --execute --inplace notebooks/*.ipynb
"""

import ast
import re
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
EXPECTED = ["01_data", "02_features", "03_churn", "04_clv", "05_stages", "06_monitoring"]
each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
MACHINE = re.compile(
    r"/(home|root|tmp|work|usr|Users|private|var/folders)/|site-packages|\b0x[0-9a-f]{6,}|%\|"
)
"""Paths of a machine, addresses in memory, progress bars."""
MOST_BYTES = 700_000


@cache
def stored(path: Path) -> Any:
    """The notebook as it is in the repository."""
    return nbformat.read(path, as_version=4)


def cells(notebook: Any, kind: str) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == kind]


def outputs(notebook: Any) -> list[Any]:
    return [output for cell in cells(notebook, "code") for output in cell.outputs]


def printed(notebook: Any) -> list[str]:
    """What each code cell prints and shows as text, one text a cell."""
    return [
        "".join(o.text if o.output_type == "stream" else o.data.get("text/plain", "") for o in cell.outputs)
        for cell in cells(notebook, "code")
    ]


def figures(text: str) -> list[float]:
    """The numbers in a text, thousands separators taken away."""
    return [float(number.replace(",", "")) for number in re.findall(r"-?\d[\d,]*\.?\d*", text)]


def words(text: str) -> str:
    """A text without its numbers and the spaces and signs around them."""
    return re.sub(r"[-+\s]+", " ", re.sub(r"-?\d[\d,]*\.?\d*(e[-+]\d+)?|\.\.\.", "#", text))


def test_all_are_there_in_order() -> None:
    assert [path.stem for path in NOTEBOOKS] == EXPECTED


@each
def test_runs_and_repeats_what_is_stored(path: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    found = outputs(notebook)
    assert not any(
        o.output_type == "error" or (o.output_type == "stream" and o.name == "stderr") for o in found
    )
    assert sum("image/png" in o.get("data", {}) for o in found) >= 5
    assert not list(tmp_path.iterdir()), "a notebook writes to a temporary folder of its own"
    for ran, kept in zip(printed(notebook), printed(stored(path)), strict=True):
        assert words(ran) == words(kept)
        assert figures(ran) == pytest.approx(figures(kept), rel=0.05, abs=0.02)


@each
def test_imports_but_never_defines(path: Path) -> None:
    own = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    for cell in cells(stored(path), "code"):
        assert not any(isinstance(node, own) for node in ast.walk(ast.parse(cell.source)))


@each
def test_begins_with_a_question_and_says_it_in_chinese_too(path: Path) -> None:
    first = stored(path).cells[0]
    assert first.cell_type == "markdown"
    lines = [line for line in first.source.splitlines() if line]
    assert lines[0].startswith("# ") and lines[0].endswith("?")
    assert lines[1].startswith("中文摘要：")
    assert "**The question.**" in first.source and "**The data.**" in first.source


@each
def test_says_so_where_the_data_are_simulated(path: Path) -> None:
    code = "".join(cell.source for cell in cells(stored(path), "code"))
    text = "".join(cell.source for cell in cells(stored(path), "markdown"))
    assert ("datasets.simulated" in code) <= ("**simulated**" in text)


@each
def test_is_stored_whole_and_clean(path: Path) -> None:
    notebook = stored(path)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) >= (4, 5)
    assert notebook.metadata.kernelspec.name == "python3"
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    code = cells(notebook, "code")
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert sum("image/png" in o.get("data", {}) for o in outputs(notebook)) >= 5
    assert not any(o.output_type == "stream" and o.name == "stderr" for o in outputs(notebook))
    assert path.stat().st_size < MOST_BYTES
    texts = [cell.source for cell in notebook.cells] + printed(notebook)
    texts += [o.data["text/html"] for o in outputs(notebook) if "text/html" in o.get("data", {})]
    for text in texts:
        assert not MACHINE.search(text), MACHINE.search(text)
