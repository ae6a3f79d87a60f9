"""The moment of a promotion: the pointer and the aliases move together, and no promotion loses another.

Under two locks, of the folder of releases and of the shop on the tracking server: what was read is compared with what
is there; the intent is written down; the pointer moves, which is the promotion; the aliases and tags follow; the intent
is removed. Killed before the pointer moved, nothing has happened; killed after, the next run lets the aliases follow.
"""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from training.command import now, say

INTENT = "promotion.json"
RECORD = "promotions.jsonl"
"""One line a promotion or rollback, the oldest first."""


class Registry(Protocol):
    """What is asked of lifestage.tracking.Tracker."""

    def aliased(self, model: str, alias: str) -> str | None: ...
    def point(self, model: str, alias: str, version: str | None) -> None: ...
    def tag(self, model: str, version: str, tags: Mapping[str, Any]) -> None: ...
    def alone(self, shop: str, clock: Any, sleep: Any) -> Any: ...


class Move(NamedTuple):
    """A model's champion changes from the version that was read to another."""

    model: str
    before: str | None
    """The champion that was read; None where there was none."""
    version: str
    previous: str | None = None
    """What the alias `previous` shall name; None takes it away."""
    tags: Mapping[str, Mapping[str, str | None]] | None = None
    """Version -> tags to set (None: to remove)."""


class Switch(NamedTuple):
    """Everything that a promotion or a rollback changes."""

    action: str
    release: str
    before: str | None
    """The release that was read as current; None where there was none."""
    moves: Sequence[Move]


def switch(releases: Path, shop: str, registry: Registry, wanted: Switch) -> None:
    """Carry it out whole. Raises InputError, and changes nothing, where somebody else came first."""
    from lifestage import release

    with release.locked(releases), registry.alone(shop, time.time, time.sleep):
        settle(releases, registry)
        _compare(releases, registry, wanted)
        intent = {**wanted._asdict(), "moves": [move._asdict() for move in wanted.moves], "at": now()}
        _write(releases / INTENT, intent)
        release.point_to(releases, wanted.release, expected=wanted.before)
        _follow(releases, registry, intent)


def _compare(releases: Path, registry: Registry, wanted: Switch) -> None:
    from lifestage import release
    from lifestage.errors import InputError
    from lifestage.tracking import CHAMPION

    try:
        there = release.pointer(releases)
    except InputError:  # damaged: the new one mends it
        there = None
    found = None if there is None else there.release
    if found not in (wanted.before, wanted.release):
        raise InputError(
            f"{releases}: release {found} has become current meanwhile, in place of {wanted.before or 'none'}; nothing "
            "was changed: look at it, then run the same again"
        )
    for move in wanted.moves:
        champion = registry.aliased(move.model, CHAMPION)
        if champion not in (move.before, move.version):
            raise InputError(
                f"{move.model}: version {champion} has become champion meanwhile, in place of "
                f"{move.before or 'none'}; nothing was changed: compare with that one (training.gate), "
                "then promote again"
            )


def settle(releases: Path, registry: Registry) -> None:
    """Let the aliases follow where a promotion was killed after the pointer had moved; forget it where before."""
    from lifestage import release

    if not (releases / INTENT).exists():
        return
    with release.locked(releases):  # whoever wrote it is dead or done, once the lock is ours
        try:
            intent = json.loads((releases / INTENT).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return
        there = release.pointer(releases)
        if there is None or there.release != intent["release"]:
            (releases / INTENT).unlink()
            return
        say(f"release {intent['release']}: its promotion was interrupted; the registry follows now")
        _follow(releases, registry, intent)


def _follow(releases: Path, registry: Registry, intent: Mapping[str, Any]) -> None:
    """Aliases and tags after the pointer; each step may be done twice."""
    from lifestage.tracking import CHAMPION, PREVIOUS

    for move in intent["moves"]:
        model, champion = move["model"], registry.aliased(move["model"], CHAMPION)
        if champion not in (move["before"], move["version"]):
            say(f"note: {model} version {champion} was made champion elsewhere meanwhile; it stays")
            continue
        for version, tags in (move["tags"] or {}).items():
            registry.tag(model, version, tags)
        if move["version"] != move["before"]:
            registry.point(model, PREVIOUS, move["previous"])
            registry.point(model, CHAMPION, move["version"])
    told = {key: intent[key] for key in ("at", "action", "release", "before")}
    line = (
        json.dumps({**told, "versions": {move["model"]: move["version"] for move in intent["moves"]}}) + "\n"
    )
    with (releases / RECORD).open("a+", encoding="utf-8") as file:
        file.seek(0)
        if line not in file:  # killed here before, it was recorded already
            file.write(line)
    (releases / INTENT).unlink()


def _write(path: Path, document: Mapping[str, Any]) -> None:
    from training.whole_file import write_text

    write_text(path, [json.dumps(document, indent=1)], option="release_dir")
