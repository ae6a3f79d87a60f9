"""Try, compare and publish lifecycle policies; --help lists what it can do."""

import argparse
import json
import re
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING

from training.command import bar, main, runnable, say, shown, whole
from training.next_steps import restage
from training.policy_lists import columns, copy, presets, schema

if TYPE_CHECKING:
    from lifestage.lifecycle.checking.check import Report
    from lifestage.lifecycle.policy import Policy
    from lifestage.policies.dry_run import Live

DESCRIPTION = """Write, try and publish the lifecycle policy of a shop: the YAML file that says who is in which stage.
Nothing but 'publish' changes what is live. A usual way: copy a preset, edit the file, 'check' it, see with 'diff'
who would move, then 'publish' it."""
EXAMPLES = """examples:
  python -m training.policy presets
  python -m training.policy copy ecommerce my_policy.yaml
  python -m training.policy check my_policy.yaml --config configs/shop.yaml
  python -m training.policy diff my_policy.yaml --config configs/shop.yaml
  python -m training.policy publish my_policy.yaml --config configs/shop.yaml"""
FOUND = 1
"""Exit code of a check with errors (--strict: or warnings) in a policy that can be read."""


def check(args: argparse.Namespace) -> None:
    """Print what is odd about a policy."""
    from lifestage.lifecycle.checking.findings import as_json
    from lifestage.lifecycle.checking.text import report_lines

    report = _checked(args, quiet=args.json)
    if args.json:
        document = {
            "policy": report.policy.name,
            "version": report.policy.version,
            "own": None if report.own is None else dict(report.own),
            "generated": dict(report.generated),
            "findings": [as_json(finding) for finding in report.findings],
        }
        print(json.dumps(document, ensure_ascii=False, indent=1), flush=True)
    else:
        for line in report_lines(report):
            say(line)
    if report.count("error") or (args.strict and report.count("warn")):
        raise SystemExit(FOUND)


def _checked(args: argparse.Namespace, *, quiet: bool) -> "Report":
    from lifestage.lifecycle.checking.check import check

    if args.config is None:
        return check(_read(args.file), None, args.customers)
    at = _live(args.config)
    return _check_own(_read(args.file, at), at, args.customers, quiet=quiet)


def _read(file: str, at: "Live | None" = None) -> "Policy":
    """A policy for the features of the release, if there is one; its mistakes told with their line."""
    from lifestage.errors import InputError
    from lifestage.lifecycle.checking.hints import explained
    from lifestage.lifecycle.policy import parse_text, read

    content, where = read(file)
    try:
        return parse_text(content, where) if at is None else at.read(file)
    except InputError as error:
        told = explained(str(error), content.decode("utf-8", "replace"))
        if at is None and "unknown column" in told and "hint:" not in told and not _slip(told):
            told += "\n    hint: a column that only your shop has is known with --config configs/<shop>.yaml"
        raise InputError(told) from None


def _slip(message: str) -> bool:
    """Whether an unknown column is all but one that is known."""
    found = re.search(r"unknown column '(.+?)'; did you mean '(.+?)'", message)
    return found is not None and SequenceMatcher(None, found[1], found[2]).ratio() > 0.85


def _check_own(policy: "Policy", at: "Live", generated: int, *, quiet: bool) -> "Report":
    from contextlib import nullcontext

    from lifestage.lifecycle.checking.check import check
    from lifestage.policies.dry_run import MOST_CHECKED, own_customers

    label = "columns of your customers"
    with nullcontext() if quiet else bar(label, min(at.file.customers, MOST_CHECKED)) as progress:
        own = own_customers(policy, at, progress)
    if not quiet and at.file.customers > MOST_CHECKED and own is not None:
        say(f"a sample of {len(own):,} of {at.file.customers:,} customers is looked at")
    return check(policy, own, generated)


def _live(config: str) -> "Live":
    from lifestage import settings
    from lifestage.policies.dry_run import live

    return live(settings.load(config))


def diff(args: argparse.Namespace) -> None:
    """Print who would move; write the movers and the flow picture."""
    from lifestage.lifecycle.comparison import compare
    from lifestage.policies.diff import comparison_text, flow_picture, movers_csv
    from lifestage.policies.dry_run import difference
    from training.exclusive import hold

    at = _live(args.config)
    hold(at.shop.output)
    if len(args.files) > 2:
        args.parser.error("name one policy (compared with the live one) or two")
    new = _read(args.files[-1], at)
    old = _read(args.files[0], at) if len(args.files) == 2 else at.release.policy
    with bar("staging under both", at.file.customers) as progress:
        both = difference(old, new, at, progress)
    found = compare(both, new)
    say(f"{at.shop.shop} as of {shown(at.as_of, at.shop.timezone)}, release {at.release.name}")
    say(comparison_text(found, old, new, at.shop.currency, live=len(args.files) == 1))
    say()
    table = (args.out or at.shop.output) / "policy_diff.csv"
    _write(table, movers_csv(both).encode("utf-8-sig"))
    say(f"{found.moved:,} customers who would move: {table}")
    _same_version(old, new)
    title = f"{found.moved:,} of {found.customers:,} customers would be in another stage"
    _write(table.with_suffix(".svg"), flow_picture(found, old, new, title))
    say(f"the flow as a picture (open it in a browser): {table.with_suffix('.svg')}")


def _same_version(old: "Policy", new: "Policy") -> None:
    """Say so where two different policies call themselves the same."""
    if (old.name, old.version) == (new.name, new.version) and old.source != new.source:
        say(
            f"note: both are called {new.name} version {new.version}; write 'version: {new.version + 1}' in the new "
            "file, so that scores can be told apart"
        )


def _write(path: Path, content: bytes) -> None:
    from lifestage.errors import InputError

    draft = path.with_name(f".{path.name}.part")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); name a folder with --out") from None


def publish(args: argparse.Namespace) -> None:
    """Make a policy live, in a new release of the same models."""
    from lifestage import settings
    from lifestage.errors import InputError
    from lifestage.lifecycle.checking.check import GENERATED
    from lifestage.lifecycle.checking.text import finding_lines
    from lifestage.lifecycle.policy import read
    from lifestage.policies.publishing import publish
    from training.exclusive import hold

    hold(settings.load(args.config).output)
    at = _live(args.config)
    content, where = read(args.file)
    if content == (at.shop.releases / at.release.name / "policy.yaml").read_bytes():
        say(f"{where} is live already in release {at.release.name}; nothing was done")
    else:
        policy = _read(args.file, at)
        report = _check_own(policy, at, GENERATED, quiet=False)
        if report.count("error"):
            wrong = [line for f in report.findings if f.severity == "error" for line in finding_lines(f)]
            raise InputError("\n".join([f"{where}: is not published, for it has errors", *wrong]))
        if warnings := report.count("warn"):
            say(
                f"note: {warnings:,} warning{'s' if warnings > 1 else ''}; 'check' with this --config tells them"
            )
        _same_version(at.release.policy, policy)
        done = publish(at.shop.releases, policy.source, where)
        say(
            f"policy {policy.name} version {policy.version} is live: release {done.name} (before: {done.before})"
        )
        restage(args.config)
        say(f"  python -m training.promote --config {args.config} --release {done.before}    # back again")
    _remind(args.config, at.shop.policy, args.file, content)


def _remind(config: str, configured: str, file: str, content: bytes) -> None:
    """Say so where the config names another policy: the next promotion would bring that one back."""
    from lifestage.errors import InputError
    from lifestage.lifecycle.policy import read

    try:
        same = read(configured)[0] == content
    except InputError:
        same = False
    if same:
        return
    lines = Path(config).read_text(encoding="utf-8").splitlines()
    at = next((i for i, line in enumerate(lines, start=1) if line.startswith("policy:")), None)
    where = f"line {at} of {config} to" if at else f"{config}: add the line"
    say(
        f"warning: {config} names the policy '{configured}', not this one: the next training.promote or "
        f"training.pipeline would bring that one back. Change {where}\n  policy: {file}"
    )


def run(args: argparse.Namespace) -> None:
    args.act(args)


def arguments() -> argparse.ArgumentParser:
    """The parser of all verbs."""
    made = argparse.ArgumentParser(
        prog=runnable("python -m training.policy"),
        description=DESCRIPTION,
        epilog=runnable(EXAMPLES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = made.add_subparsers(required=True, metavar="VERB")

    def verb(name: str, act: object, text: str, config: str | None = None) -> argparse.ArgumentParser:
        one = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        one.set_defaults(act=act, parser=one)
        if config is not None:
            needed = config == "needed"
            one.add_argument(
                "--config",
                metavar="FILE",
                required=needed,
                help="the shop's YAML"
                + ("" if needed else "; with it, your own customers and columns count"),
            )
        return one

    one = verb("check", check, "find gaps, overlaps, unreachable stages and more, with examples", "may")
    one.add_argument("file", metavar="FILE", help="the policy's YAML, or the name of a preset")
    one.add_argument(
        "--customers",
        type=whole("customers"),
        default=20_000,
        metavar="N",
        help="how many to make up around the thresholds (default: 20000)",
    )
    one.add_argument("--json", action="store_true", help="for machines")
    one.add_argument("--strict", action="store_true", help="end with code 1 for a warning, too")
    one = verb(
        "diff", diff, "tell who would move, and what they are worth, before a policy goes live", "needed"
    )
    one.add_argument(
        "files", nargs="+", metavar="POLICY", help="NEW, compared with the one that is live; or OLD NEW"
    )
    one.add_argument("--out", type=Path, metavar="DIR", help="default: the shop's output folder")
    one = verb("publish", publish, "put a policy live with the models of the current release", "needed")
    one.add_argument("file", metavar="FILE", help="the policy's YAML, or the name of a preset")
    one = verb("columns", columns, "list the columns that conditions may read, with unit and meaning", "may")
    one.add_argument("--language", choices=("en", "zh"), default="en")
    verb("presets", presets, "list the policies that come with the package")
    one = verb("copy", copy, "copy a preset to a file of your own")
    one.add_argument("preset", metavar="PRESET")
    one.add_argument("file", metavar="FILE")
    verb("schema", schema, "print the JSON Schema of a policy, for editors")
    return made


if __name__ == "__main__":
    main(arguments(), run)
