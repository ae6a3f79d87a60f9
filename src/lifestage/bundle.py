"""A folder of files under one manifest with checksums: how models and releases are kept.

Text, JSON, Arrow and Parquet only. Written beside its place and renamed into it, so that a folder with a
manifest is always whole; read only after every checksum was compared.
"""

import hashlib
import json
import shutil
import uuid
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lifestage.errors import InputError

MANIFEST = "manifest.json"
LIBRARIES = ("lifestage", "numpy", "scipy", "pyarrow", "duckdb", "lightgbm")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(manifest: Mapping[str, Any]) -> str:
    """Checksum of what the manifest says, whatever its spacing."""
    said = json.dumps({k: v for k, v in manifest.items() if k != "checksum"}, sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()


def write(folder: Path, kind: str, files: Mapping[str, bytes | Path], meta: Mapping[str, Any]) -> Path:
    """Write `files` (name -> content, or a file or folder to copy) and their manifest; returns `folder`.

    `meta` must be JSON. Raises InputError where the folder already exists: a bundle is immutable.
    """
    if folder.exists():
        raise InputError(f"{folder}: exists already and is never overwritten; choose another name")
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")
    draft.mkdir()
    try:
        for name, content in files.items():
            (draft / name).parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                (draft / name).write_bytes(content)
            elif content.is_dir():
                shutil.copytree(content, draft / name)
            else:
                shutil.copyfile(content, draft / name)
        names = sorted(p for p in draft.rglob("*") if p.is_file())
        manifest = {
            "kind": kind,
            **meta,
            "versions": {library: version(library) for library in LIBRARIES},
            "files": {p.relative_to(draft).as_posix(): _sha256(p) for p in names},
        }
        manifest["checksum"] = _digest(json.loads(json.dumps(manifest)))
        (draft / MANIFEST).write_text(json.dumps(manifest, indent=1, ensure_ascii=False), encoding="utf-8")
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return folder


def read(folder: Path, kind: str) -> dict[str, Any]:
    """The manifest of a bundle whose every file was found unchanged.

    Raises InputError for a missing folder, another kind, or a missing or altered file, which it names.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise InputError(f"{folder}: has no {MANIFEST}, so it is no whole {kind}; train or promote again")
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        whole = manifest["checksum"] == _digest(manifest)
        files: dict[str, str] = manifest["files"]
        found = manifest["kind"]
    except (ValueError, KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise InputError(f"{path}: is damaged; train or promote again")
    if found != kind:
        raise InputError(f"{folder}: holds a {found}, expected a {kind}")
    for name, expected in files.items():
        if not (folder / name).is_file():
            raise InputError(f"{folder / name}: is missing from its {kind}; train or promote again")
        if _sha256(folder / name) != expected:
            raise InputError(
                f"{folder / name}: differs from its checksum; it was altered after it was written: make it "
                "again, or go back to an earlier release (training.promote --release NAME)"
            )
    return manifest
