"""What the service needs installed: its packages and theirs, every one at the version of constraints.txt."""

import tomllib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lifestage.errors import InputError

EXTRA = "serve"
"""Of pyproject.toml."""


def pinned(project: Path) -> list[str]:
    """`name==version` of everything, sorted. Raises InputError where a package is not pinned or not installed.

    What a package asks for is read from the one installed here, under this Python and system.
    """
    about = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = about["optional-dependencies"]
    wanted = [*about["dependencies"], *optional[EXTRA]]
    versions = _versions(project / "constraints.txt")
    missing = [name for name in sorted(needed(wanted)) if name not in versions]
    if missing:
        raise InputError(
            f"constraints.txt: has no version of {', '.join(missing)}; pin what the service needs"
        )
    return [f"{name}=={versions[name]}" for name in sorted(needed(wanted))]


def needed(wanted: Iterable[str]) -> set[str]:
    """Names of the requirements and of all that they require in turn."""
    todo = [Requirement(line) for line in wanted]
    seen: set[tuple[str, str]] = set()
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        for extra in {"", *requirement.extras} - {extra for done, extra in seen if done == name}:
            seen.add((name, extra))
            todo += [r for r in map(Requirement, _required_by(name)) if _applies(r, extra)]
    return {name for name, _ in seen}


def _applies(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def _required_by(name: str) -> list[str]:
    try:
        return requires(name) or []
    except PackageNotFoundError:
        raise InputError(
            f"package '{name}' is not installed here, so what it needs is not known; run "
            "'make bento', or pip install -c constraints.txt -e '.[serve]'"
        ) from None


def _versions(constraints: Path) -> dict[str, str]:
    lines = constraints.read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    return {canonicalize_name(name): version.strip() for name, version in pairs}
