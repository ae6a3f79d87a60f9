"""Pack the service and a shop's current release into one bento, which needs nothing else to run."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lifestage.release import Release
    from lifestage.settings import Shop

DESCRIPTION = """Build a BentoML bento of the service with the current release inside. It starts with 'bentoml serve
TAG' wherever its requirements are installed, in any directory; 'bentoml containerize TAG' makes an image of it."""
PROJECT = Path(__file__).resolve().parents[1]
RELEASES = "releases"
BAD_INPUT = 2
# The checks and the build run on the copy alone, as nothing else will be there where it is served.
BUILD = """
import json, logging, sys
from bentoml.bentos import build_bentofile
from serving.service import Lifestage
from serving.state import from_environment
from serving.warmup import check
check(from_environment())
logging.getLogger("bentoml").setLevel(logging.ERROR)
version, labels = json.loads(sys.argv[1])
bento = build_bentofile("bentofile.yaml", version=version, labels=labels, build_ctx=".")
print("\\n" + json.dumps([str(bento.tag), bento.path]))
"""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m serving.bento", description=DESCRIPTION)
    made.add_argument(
        "--config", required=True, metavar="FILE", help="the shop's YAML, e.g. configs/cdnow.yaml"
    )
    made.add_argument("--export", metavar="FILE", help="write the bento into this file too, e.g. shop.bento")
    return made


def assemble(shop: "Shop", folder: Path) -> "Release":
    """Code, current release, configuration and pinned requirements in `folder`. Raises InputError.

    The release's checksums are compared where it comes from and again where it went.
    """
    import shutil

    from lifestage import release as releases
    from serving.requirements import pinned

    current = releases.current(shop.releases)
    release = releases.load(current)
    unwanted = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(PROJECT / "serving", folder / "serving", ignore=unwanted)
    shutil.copytree(PROJECT / "src" / "lifestage", folder / "lifestage", ignore=unwanted)
    _tell_version(folder)
    shutil.copytree(current, folder / RELEASES / release.name)
    releases.point_to(folder / RELEASES, release.name)
    releases.load(folder / RELEASES / release.name)
    if release.churn.spec.custom is not None:
        _copy_module(release.churn.spec.custom, folder)
    (folder / "lifestage.yaml").write_text(configuration(shop), encoding="utf-8")
    (folder / "requirements.txt").write_text("\n".join(pinned(PROJECT)) + "\n", encoding="utf-8")
    shutil.move(folder / "serving" / "bentofile.yaml", folder / "bentofile.yaml")
    return release


def configuration(shop: "Shop") -> str:
    """The configuration inside: limits and names; no sources, paths, addresses or keys of where it was built."""
    import yaml

    about = shop.model_dump(mode="json", include={"shop", "timezone", "currency", "serving"})
    about["serving"].pop("keys", None)
    # Every configuration names a table. The service reads none.
    columns = {name: name for name in ("customer_id", "ordered_at", "amount")}
    about |= {"release_dir": RELEASES, "sources": {"transactions": {"path": "none.csv", "columns": columns}}}
    return "# What the service reads of the shop's configuration.\n" + yaml.safe_dump(about, sort_keys=False)


def _tell_version(folder: Path) -> None:
    """What an installed package tells of itself: there the code is not installed, only copied."""
    import tomllib

    about = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    told = folder / f"lifestage-{about['version']}.dist-info"
    told.mkdir()
    text = f"Metadata-Version: 2.1\nName: {about['name']}\nVersion: {about['version']}\n"
    (told / "METADATA").write_text(text, encoding="utf-8")


def _copy_module(function: str, folder: Path) -> None:
    """The module of the shop's own features, "module:function": a file, or the package that holds it."""
    import shutil
    from importlib.util import find_spec

    from lifestage.errors import InputError

    name = function.partition(":")[0].partition(".")[0]
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise InputError(
            f"features.custom '{function}': module '{name}' is not found; run from the directory that holds it"
        )
    origin = Path(spec.origin)
    if origin.name == "__init__.py":
        shutil.copytree(origin.parent, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    else:
        shutil.copyfile(origin, folder / origin.name)


def digest(folder: Path) -> str:
    """Eight hexadecimal digits of every file's name and content: the same content has the same tag."""
    import hashlib

    found = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = path.relative_to(folder).as_posix()
        found.update(name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()[:8]


def build(config: str) -> tuple[str, Path]:
    """Tag and folder of the bento of a shop's current release. Raises InputError."""
    import json
    import os
    import subprocess
    from tempfile import TemporaryDirectory

    import bentoml

    from lifestage import settings
    from lifestage.errors import InputError

    shop = settings.load(config)
    with TemporaryDirectory(prefix="lifestage-bento-") as name:
        folder = Path(name)
        release = assemble(shop, folder)
        version = f"{release.name[:54]}-{digest(folder)}"
        try:
            built = bentoml.bentos.get(f"lifestage:{version}")
            return str(built.tag), Path(built.path)
        except bentoml.exceptions.NotFound:
            pass
        labels = {"shop": shop.shop, "release": release.name}
        kept = {k: v for k, v in os.environ.items() if not k.startswith("LIFESTAGE_")}
        done = subprocess.run(
            [sys.executable, "-c", BUILD, json.dumps([version, labels])],
            cwd=folder,
            env=kept | {"PYTHONPATH": name, "PYTHONDONTWRITEBYTECODE": "1", "BENTOML_DO_NOT_TRACK": "True"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()
            raise InputError(f"the bento cannot be built: {said[-1] if said else 'BentoML did not say why'}")
        tag, path = json.loads(done.stdout.strip().splitlines()[-1])
        return tag, Path(path)


def size(folder: Path) -> int:
    """Bytes of all files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def report(tag: str, folder: Path, exported: str | None) -> str:
    lines: list[Any] = [
        f"{tag}  ({size(folder) / 2**20:.1f} MiB, in {folder})",
        f"serve it:      bentoml serve {tag}",
        f"an image:      bentoml containerize {tag}",
        f"requirements:  pip install -r {folder / 'env' / 'python' / 'requirements.txt'}",
    ]
    return "\n".join([*lines, f"in one file:   {exported}"] if exported else lines)


def main() -> None:
    """Exit code 2 and one sentence where it cannot be built."""
    import os

    args = parser().parse_args()
    os.environ["BENTOML_DO_NOT_TRACK"] = "True"
    from lifestage.errors import InputError

    try:
        tag, folder = build(args.config)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(BAD_INPUT) from None
    exported = None
    if args.export:
        import bentoml

        exported = bentoml.bentos.export_bento(tag, str(Path(args.export).resolve()))
    print(report(tag, folder, exported))


if __name__ == "__main__":
    main()
