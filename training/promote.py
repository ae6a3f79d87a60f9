"""Make challengers champions: publish the release that scoring reads and move the aliases; or go back."""

import argparse
import tempfile
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.command import bar, main, parser, say, shown
from training.exclusive import hold
from training.prepare import history
from training.rollback import INSTEAD_OF, TAKEN_BACK, go_back, roll_back, versions_of
from training.switch import Move, Switch, settle, switch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lifestage.settings import Shop
    from lifestage.tracking import Tracker, Version

DESCRIPTION = """Take the registered model versions (by default the challengers), write them with the reference
distributions and the policy into a new immutable release, point to it, and move the alias champion. Which of them are
better, training.gate says; --rollback brings back what served before."""


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
    """`wanted`, or the champion where the churn challenger is of grade C and the champion is not, or where it was
    taken back: what a promotion without the gate's comparison goes by.

    A version asked for by its number is a person's decision.
    """
    from lifestage.gate import grade_holds_back
    from lifestage.tracking import CHALLENGER, CHAMPION

    name = f"{shop.shop}-churn"
    if wanted != CHALLENGER or tracker.aliased(name, CHAMPION) is None:
        return wanted
    champion, challenger = (tracker.version(name, alias) for alias in (CHAMPION, wanted))
    if challenger.version == champion.version:
        return wanted
    if taken_back(tracker, challenger, champion):
        why = "was champion and was taken back"
    elif grade_holds_back(challenger.metrics.get("grade"), champion.metrics.get("grade")):
        why = "has grade C"
    else:
        return wanted
    say(
        f"{name} version {challenger.version} {why} and does not replace version {champion.version}; "
        f"to promote it all the same: --churn {challenger.version}"
    )
    return CHAMPION


def taken_back(tracker: "Tracker", challenger: "Version", champion: "Version") -> bool:
    """Whether the challenger was champion and was taken back, or was made of the same data as one that was."""
    if TAKEN_BACK in challenger.tags:
        return True
    withdrawn = champion.tags.get(INSTEAD_OF)
    if withdrawn is None:
        return False
    seen = tracker.version(champion.model, withdrawn).tags.get("fingerprint")
    return seen is not None and seen == challenger.tags.get("fingerprint")


def by_verdict(verdict: "Mapping[str, Any]", kind: str) -> str:
    """The version that the gate's verdict names: the challenger by its number, else the champion's."""
    said = verdict[kind]
    return str(said["challenger"] if said["promote"] else said["champion"])


def _id_key(shop: "Shop") -> str:
    """The fingerprint of the key that customer ids are hashed with; empty where they are not."""
    from lifestage.privacy import open_privacy

    return open_privacy(shop.output, shop.privacy.hash_ids).stamp


def _kinds(
    tracker: "Tracker",
    shop: "Shop",
    churn_version: str,
    clv_version: str,
    *,
    verdict: "Mapping[str, Any] | None",
) -> list[tuple[str, str]]:
    """Kind -> version or alias that shall serve: as the gate says, or without it as asked for and not held back."""
    from lifestage.tracking import CHALLENGER, CHAMPION

    if verdict is not None:
        return [(kind, by_verdict(verdict, kind)) for kind in ("churn", "clv") if kind in verdict]
    chosen = worth_promoting(tracker, shop, churn_version)
    if chosen != churn_version and clv_version == CHALLENGER:
        clv_version = CHAMPION
    if shop.sources.transactions is None:  # without orders there is no CLV model
        return [("churn", chosen)]
    return [("churn", chosen), ("clv", clv_version)]


def promote(
    shop: "Shop",
    as_of: date | None,
    churn_version: str = "challenger",
    clv_version: str = "challenger",
    *,
    replace_newer: bool = False,
    verdict: "Mapping[str, Any] | None" = None,
) -> Path:
    """Publish a release and return its folder; pointer and aliases move together (training.switch).

    verdict: what training.gate.gate returned: it then says which versions, and promotes nothing where a champion is
    no longer the one that it compared. Without it the challengers come in, and where the churn challenger is held
    back (see worth_promoting) the CLV challenger is too: both champions saw the same data. Raises InputError where
    somebody else promotes meanwhile.
    """
    from lifestage import bundle, release
    from lifestage.churn.model import ChurnModel, load_spec
    from lifestage.clv.model import ClvModel
    from lifestage.drift.profile import FILE
    from lifestage.drift.reference import make_reference
    from lifestage.lifecycle import policy as policies
    from lifestage.policies.publishing import content_name, named_versions
    from lifestage.references import collect
    from lifestage.samples import reference_columns
    from lifestage.tracking import CHAMPION, Tracker

    policies.read(shop.policy)  # a wrong name is refused before anything is fetched
    tracker = Tracker(shop.tracking_uri)
    file = history(shop, as_of)
    facts = file.facts
    settle(shop.releases, tracker)
    if not replace_newer:
        refuse_older(shop, facts["as_of"])
    before = _current(shop)
    kinds = _kinds(tracker, shop, churn_version, clv_version, verdict=verdict)
    champions = {kind: tracker.aliased(f"{shop.shop}-{kind}", CHAMPION) for kind, _ in kinds}
    if verdict is not None:
        _still_compared(shop, champions, verdict)
    versions = [tracker.version(f"{shop.shop}-{kind}", wanted) for kind, wanted in kinds]
    numbers = {v.model: v.version for v in versions}
    if verdict is not None and before is not None and versions_of(shop.releases / before) == numbers:
        say(f"nothing to promote: release {before} stays, with {_listed(versions)}")
        return shop.releases / before
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
        manifests += named_versions({"versions_registered": numbers})
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
                "versions_registered": numbers,
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
    tracker.ready()  # the aliases must be able to follow the pointer
    moves = [
        Move(
            v.model,
            champions[kind],
            v.version,
            champions[kind] if champions[kind] != v.version else None,
            {v.version: {TAKEN_BACK: None, INSTEAD_OF: None}} if champions[kind] != v.version else {},
        )
        for (kind, _), v in zip(kinds, versions, strict=True)
    ]
    switch(shop.releases, shop.shop, tracker, Switch("promote", name, before, moves))
    say(f"release {name}: {_listed(versions)}, policy {policy.name}")
    return shop.releases / name


def _listed(versions: "Iterable[Version]") -> str:
    return ", ".join(f"{v.model} version {v.version}" for v in versions)


def _current(shop: "Shop") -> str | None:
    """The release that the pointer names; None where there is none, or it is damaged and to be replaced."""
    from lifestage import release
    from lifestage.errors import InputError

    try:
        now = release.pointer(shop.releases)
    except InputError:
        return None
    return None if now is None else now.release


def _still_compared(
    shop: "Shop", champions: "Mapping[str, str | None]", verdict: "Mapping[str, Any]"
) -> None:
    """Raises InputError where another version is champion by now than the gate compared with."""
    from lifestage.errors import InputError

    for kind, champion in champions.items():
        compared = verdict[kind]["champion"]
        if champion not in (compared, verdict[kind]["challenger"]):
            raise InputError(
                f"{shop.shop}-{kind}: version {champion or 'none'} is champion, and the gate compared with "
                f"{compared or 'none'}; compare again (training.gate), then promote"
            )


def run(args: argparse.Namespace) -> None:
    from lifestage import settings

    shop = settings.load(args.config)
    if args.release:
        hold(shop.output)
        go_back(shop, args.release, args.config)
    elif args.rollback:
        roll_back(shop, args.config)
    else:
        promote(shop, args.as_of, args.churn, args.clv, replace_newer=args.replace_newer)


if __name__ == "__main__":
    made = parser("promote", DESCRIPTION)
    made.add_argument(
        "--churn", default="challenger", metavar="VERSION", help="alias or number (default: challenger)"
    )
    made.add_argument(
        "--clv", default="challenger", metavar="VERSION", help="alias or number (default: challenger)"
    )
    back = made.add_mutually_exclusive_group()
    back.add_argument(
        "--rollback",
        action="store_true",
        help="bring back the models that served before: the release before, and its versions as champions; again "
        "goes further back",
    )
    back.add_argument(
        "--release", metavar="NAME", help="make this earlier release current again, its versions champions"
    )
    made.add_argument(
        "--replace-newer", action="store_true", help="promote even if the current release is newer"
    )
    main(made, run)
