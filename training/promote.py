"""Make the challengers champions: move the aliases and publish the release that scoring reads."""

import argparse
import tempfile
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from training.command import bar, main, parser, say, shown
from training.next_steps import restage
from training.prepare import history

if TYPE_CHECKING:
    from lifestage.settings import Shop
    from lifestage.tracking import Tracker

DESCRIPTION = """Take the registered model versions (by default the challengers), write them with the reference
distributions and the policy into a new immutable release, point to it, and move the alias champion."""


def refuse_older(shop: "Shop", as_of: int) -> None:
    """Raises InputError where a release as of that instant would take the place of a newer one."""
    from lifestage import bundle, release
    from lifestage.errors import InputError

    try:
        now_serving = release.current(shop.releases)
        newest = int(bundle.read(now_serving, "release")["as_of"])
    except InputError:
        return
    if as_of < newest:
        raise InputError(
            f"as of {shown(as_of, shop.timezone)}: the current release {now_serving.name} is newer, and promoting "
            "would take its place; to try a past day, set output_dir to another folder in a copy of the config, or add "
            "--replace-newer"
        )


def worth_promoting(tracker: "Tracker", shop: "Shop", wanted: str) -> str:
    """`wanted`, or the champion where the churn challenger is of grade C and the champion is not.

    A version asked for by its number is a person's decision.
    """
    from lifestage.errors import InputError
    from lifestage.tracking import CHALLENGER, CHAMPION

    name = f"{shop.shop}-churn"
    if wanted != CHALLENGER:
        return wanted
    try:
        champion = tracker.version(name, CHAMPION)
    except InputError:
        return wanted
    challenger = tracker.version(name, wanted)
    if challenger.metrics.get("grade", 1.0) > 0 or champion.metrics.get("grade", 1.0) == 0:
        return wanted
    say(
        f"{name} version {challenger.version} has grade C and does not replace version {champion.version}; "
        f"to promote it all the same: --churn {challenger.version}"
    )
    return CHAMPION


def _id_key(shop: "Shop") -> str:
    """The fingerprint of the key that customer ids are hashed with; empty where they are not."""
    from lifestage.privacy import open_privacy

    return open_privacy(shop.output, shop.privacy.hash_ids).stamp


def promote(
    shop: "Shop", as_of: date | None, churn_version: str, clv_version: str, *, replace_newer: bool = False
) -> Path:
    """Publish a release and return its folder. The pointer moves before the aliases do.

    Where the churn challenger is held back the CLV challenger is too: both champions saw the same data.
    """
    from lifestage import bundle, release
    from lifestage.churn.model import ChurnModel, load_spec
    from lifestage.clv.model import ClvModel
    from lifestage.drift.profile import FILE
    from lifestage.drift.reference import make_reference
    from lifestage.lifecycle import policy as policies
    from lifestage.policies.publishing import content_name
    from lifestage.references import collect
    from lifestage.samples import reference_columns
    from lifestage.tracking import CHALLENGER, CHAMPION, Tracker

    policies.read(shop.policy)  # a wrong name is refused before anything is fetched
    tracker = Tracker(shop.tracking_uri)
    file = history(shop, as_of)
    facts = file.facts
    if not replace_newer:
        refuse_older(shop, facts["as_of"])
    chosen = worth_promoting(tracker, shop, churn_version)
    if chosen != churn_version and clv_version == CHALLENGER:
        clv_version = CHAMPION
    kinds = [("churn", chosen)]
    if shop.sources.transactions is not None:  # without orders there is no CLV model
        kinds.append(("clv", clv_version))
    versions = [tracker.version(f"{shop.shop}-{kind}", wanted) for kind, wanted in kinds]
    with tempfile.TemporaryDirectory() as scratch:
        churn, *others = (tracker.download(version, Path(scratch) / version.model) for version in versions)
        clv = others[0] if others else None
        policy = policies.load(shop.policy, load_spec(churn))
        with bar("reference distributions", file.customers) as progress:
            reference = collect(
                reference_columns(
                    file,
                    facts["as_of"],
                    ChurnModel.load(churn),
                    None if clv is None else ClvModel.load(clv),
                    progress=progress,
                )
            )
        manifests = [(folder / bundle.MANIFEST).read_bytes() for folder in (churn, *others)]
        wanted = shop.scoring.reasons.model_dump_json()
        prefix = f"{shop.shop}-{shown(facts['as_of'], file.zone)[:10]}"
        with bar("reference of drift", file.customers) as progress:
            seen = make_reference(
                file,
                release.Release(
                    name=prefix,
                    timezone=shop.timezone,
                    currency=shop.currency,
                    churn=ChurnModel.load(churn),
                    clv=None if clv is None else ClvModel.load(clv),
                    references=reference,
                    policy=policy,
                    manifest={},
                ),
                bundle.read(churn, "churn"),
                progress=progress,
            ).to_bytes()
        name = content_name(prefix, manifests, policy.source, reference.to_bytes() + seen, wanted)
        if not (shop.releases / name).exists():
            meta = {
                "shop": shop.shop,
                "timezone": shop.timezone,
                "currency": shop.currency,
                "as_of": facts["as_of"],
                "reasons": shop.scoring.reasons.model_dump(),
                "versions_registered": {v.model: v.version for v in versions},
                "metrics": {v.model: dict(v.metrics) for v in versions},
                **({"id_key": id_key} if (id_key := _id_key(shop)) else {}),
                "out_of_time": bool(versions[0].metrics.get("out_of_time", 1.0)),
            }
            release.write(
                shop.releases,
                name,
                churn=churn,
                clv=clv,
                policy=policy,
                reference=reference,
                meta=meta,
                further={FILE: seen},
            )
    release.point_to(shop.releases, name)
    for version in versions:
        tracker.alias(version, CHAMPION)
    say(
        f"release {name}: "
        + ", ".join(f"{v.model} version {v.version}" for v in versions)
        + f", policy {policy.name}"
    )
    return shop.releases / name


def go_back(shop: "Shop", name: str, config: str) -> None:
    """Make a release that was published before the current one again."""
    from lifestage import release

    release.point_to(shop.releases, name)
    say(f"release {name} is current again")
    restage(config)


def run(args: argparse.Namespace) -> None:
    from lifestage import settings

    shop = settings.load(args.config)
    if args.release:
        go_back(shop, args.release, args.config)
        return
    promote(shop, args.as_of, args.churn, args.clv, replace_newer=args.replace_newer)


if __name__ == "__main__":
    made = parser("promote", DESCRIPTION)
    made.add_argument(
        "--churn", default="challenger", metavar="VERSION", help="alias or number (default: challenger)"
    )
    made.add_argument(
        "--clv", default="challenger", metavar="VERSION", help="alias or number (default: challenger)"
    )
    made.add_argument(
        "--release", metavar="NAME", help="make this earlier release current again, and nothing else"
    )
    made.add_argument(
        "--replace-newer", action="store_true", help="promote even if the current release is newer"
    )
    main(made, run)
