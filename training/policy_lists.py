"""What `python -m training.policy` lists and copies: columns, presets, the schema. Imports nothing heavy."""

import argparse
import json
import re
from pathlib import Path

from training.command import say


def columns(args: argparse.Namespace) -> None:
    """Print what a policy may read."""
    from lifestage.lifecycle.columns import DERIVED, GIVEN, given

    known = dict(GIVEN)
    if args.config is not None:
        from lifestage import release, settings
        from lifestage.churn.model import load_spec

        known = given(load_spec(release.current(settings.load(args.config).releases) / "churn"))
    rows = {**known, **DERIVED}
    width, units = max(map(len, rows)), max(len(column.unit) for column in rows.values())
    for name, column in rows.items():
        say(f"{name:<{width}}  {column.unit:<{units}}  {column.zh if args.language == 'zh' else column.en}")
    say(
        f"{len(rows)} columns; conditions of risk also read signal_<name>, those of stages also risk. A missing value "
        "is not true."
    )


def presets(args: argparse.Namespace) -> None:
    """Print the policies that come with the package, from their first lines alone."""
    from importlib.resources import files

    del args
    folder = files("lifestage.lifecycle").joinpath("presets")
    names = sorted(e.name.removesuffix(".yaml") for e in folder.iterdir() if e.name.endswith(".yaml"))
    width = max(map(len, names))
    for name in names:
        text = folder.joinpath(f"{name}.yaml").read_text(encoding="utf-8")
        say(f"{name:<{width}}  {first_sentence(text)}")
        say(f"{'':<{width}}  {', '.join(_stages(text))}")


def first_sentence(text: str) -> str:
    """The first sentence of a file's head comment, however many lines it takes."""
    head: list[str] = []
    for line in text.splitlines():
        if not line.startswith("#") or not line.strip("# "):
            break
        head.append(line.strip("# "))
    return re.split(r"(?<=[.;])\s+(?=[A-Z])", " ".join(head), maxsplit=1)[0]


def _stages(text: str) -> list[str]:
    """Name and Chinese label of each stage of a preset; the file is ours, so nothing of it is checked."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    stages = yaml.load(text[text.index("\nstages:") :], Loader=loader)["stages"]
    return [f"{stage['name']} {stage['labels']['zh']}" for stage in stages]


def copy(args: argparse.Namespace) -> None:
    """Write a preset to a file of one's own."""
    from lifestage.errors import InputError
    from lifestage.lifecycle import policy as policies

    if args.preset not in policies.presets():
        raise InputError(f"'{args.preset}' is no preset; choose one of {', '.join(policies.presets())}")
    content, _ = policies.read(args.preset)
    path = Path(args.file)
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError:
        raise InputError(f"{path}: exists already and is not overwritten; choose another name") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); choose another place") from None
    say(f"{path}: a copy of {args.preset}; edit it, then: python -m training.policy check {path}")


def schema(args: argparse.Namespace) -> None:
    """Print the JSON Schema with which an editor completes and checks a policy."""
    from lifestage.lifecycle.json_schema import policy_schema

    del args
    print(json.dumps(policy_schema(), ensure_ascii=False, indent=1), flush=True)
