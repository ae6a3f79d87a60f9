"""Back to an earlier release: the pointer and the aliases of both models, recorded."""

from typing import TYPE_CHECKING

from training.command import say
from training.exclusive import hold
from training.next_steps import restage
from training.switch import Move, Switch, settle, switch

if TYPE_CHECKING:
    from pathlib import Path

    from lifestage.settings import Shop

Tags = dict[str, dict[str, str | None]]
TAKEN_BACK, INSTEAD_OF = "rolled_back", "in_place_of"
"""Tags: of a version that was taken back; of the one that came back, naming it."""


def roll_back(shop: "Shop", config: str) -> None:
    """The newest earlier release with other model versions becomes current again, and they champions.

    Raises InputError where there is none, or where another machine has promoted since.
    """
    from lifestage import release
    from lifestage.errors import InputError

    hold(shop.output)
    now = release.pointer(shop.releases)
    if now is None:
        release.current(shop.releases)  # says what to do
        return
    served = versions_of(shop.releases / now.release)
    for name in reversed(now.chain):
        if not (shop.releases / name).is_dir():
            say(f"note: release {name} is no longer in {shop.releases}; the one before it is taken")
        elif versions_of(shop.releases / name) != served:
            go_back(shop, name, config)
            return
    raise InputError(
        f"{shop.releases}: before release {now.release} there was no other model to go back to; "
        "promote a version by its number instead (training.promote --churn VERSION --clv VERSION)"
    )


def go_back(shop: "Shop", name: str, config: str) -> None:
    """Make a release that was published before the current one again, and its versions champions."""
    from lifestage import release

    now = release.pointer(shop.releases)
    served = {} if now is None else versions_of(shop.releases / now.release)
    wanted = versions_of(shop.releases / name)
    before = None if now is None else now.release
    if served == wanted or now is None:  # another policy, say: the registry has nothing to do with it
        release.point_to(shop.releases, name, expected=before)
    else:
        from lifestage.tracking import Tracker

        tracker = Tracker(shop.tracking_uri)
        settle(shop.releases, tracker)
        earlier = [versions_of(shop.releases / one) for one in release.after(now, name).chain]
        moves = []
        for model, version in wanted.items():
            tracker.version(model, version)  # it must still be there before anything moves
            left = served.get(model)
            previous = next((v[model] for v in reversed(earlier) if v.get(model, version) != version), None)
            tags: Tags = {version: {TAKEN_BACK: None}}
            if left is not None and left != version:
                tags = {
                    left: {TAKEN_BACK: f"for version {version}"},
                    version: {TAKEN_BACK: None, INSTEAD_OF: left},
                }
            moves.append(Move(model, left, version, previous, tags))
        switch(shop.releases, shop.shop, tracker, Switch("rollback", name, before, moves))
    said = ", ".join(f"{model} version {version}" for model, version in wanted.items())
    say(f"release {name} is current again" + (f": {said}" if said else ""))
    if now is not None and policy_of(shop.releases / name) != policy_of(shop.releases / now.release):
        say("note: its policy came back with it; training.policy publish puts another one live")
    restage(config)


def versions_of(folder: "Path") -> dict[str, str]:
    """Registered model -> version in a release; empty for one that was made without a registry."""
    from lifestage import bundle

    found = bundle.read(folder, "release").get("versions_registered", {})
    return {str(model): str(version) for model, version in found.items()}


def policy_of(folder: "Path") -> bytes:
    return (folder / "policy.yaml").read_bytes()
