"""A promotion is whole whatever kills it, and of two at once one wins and the other says so: with real processes."""

import json
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lifestage import bundle, release
from lifestage.errors import InputError
from lifestage.tracking import Tracker
from training import switch as switching
from training.rollback import versions_of
from training.switch import INTENT, RECORD, Move, Switch, settle, switch

# Not "fork": a worker of the tests has threads by now, and a process forked from it may die of them.
APART = multiprocessing.get_context("forkserver")
APART.set_forkserver_preload(
    ["lifestage.release", "lifestage.tracking", "training.rollback", "training.switch"]
)
MODELS = ("shop-churn", "shop-clv")


class Registry:
    """Aliases and tags in a file, as a server keeps them when its client dies."""

    def __init__(self, path: Path, before_write: Callable[[str], None] = lambda _: None) -> None:
        self.path, self.before_write = path, before_write

    def _read(self) -> dict[str, Any]:
        empty: dict[str, Any] = {"aliases": {}, "tags": {}}
        return json.loads(self.path.read_text()) if self.path.exists() else empty

    def _write(self, what: str, document: Mapping[str, Any]) -> None:
        self.before_write(what)
        self.path.write_text(json.dumps(document))

    def aliased(self, model: str, alias: str) -> str | None:
        return self._read()["aliases"].get(f"{model}@{alias}")

    def point(self, model: str, alias: str, version: str | None) -> None:
        document = self._read()
        document["aliases"][f"{model}@{alias}"] = version
        self._write(f"{model}@{alias}", document)

    def tag(self, model: str, version: str, tags: Mapping[str, Any]) -> None:
        document = self._read()
        document["tags"].setdefault(f"{model}/{version}", {}).update(tags)
        self._write(f"tag {model}", document)

    def tags(self, model: str, version: str) -> dict[str, Any]:
        return self._read()["tags"].get(f"{model}/{version}", {})

    @contextmanager
    def alone(self, _shop: str, _clock: Any, _sleep: Any) -> Iterator[None]:
        yield

    def champions(self) -> dict[str, str | None]:
        return {model: self.aliased(model, "champion") for model in MODELS}


def write_release(folder: Path, name: str, version: str) -> None:
    versions = dict.fromkeys(MODELS, version)
    bundle.write(folder / name, "release", {"policy.yaml": b"x"}, {"versions_registered": versions})


@pytest.fixture
def releases(tmp_path: Path) -> Path:
    """R1 serves, R2 is there."""
    folder = tmp_path / "releases"
    write_release(folder, "R1", "1")
    write_release(folder, "R2", "2")
    release.point_to(folder, "R1")
    return folder


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    made = Registry(tmp_path / "registry.json")
    for model in MODELS:
        made.point(model, "champion", "1")
    return made


def forward(before: str = "1", there: str | None = "R1") -> Switch:
    moves = [Move(model, before, "2", before, {"2": {"rolled_back": None}}) for model in MODELS]
    return Switch("promote", "R2", there, moves)


def now_serving(folder: Path) -> release.Pointer:
    found = release.pointer(folder)
    assert found is not None
    return found


def test_pointer_and_aliases_move_together_and_it_is_recorded(releases: Path, registry: Registry) -> None:
    switch(releases, "shop", registry, forward())
    assert now_serving(releases) == release.Pointer("R2", ("R1",))
    assert registry.champions() == dict.fromkeys(MODELS, "2")
    assert {registry.aliased(model, "previous") for model in MODELS} == {"1"}
    lines = [json.loads(line) for line in (releases / RECORD).read_text().splitlines()]
    assert [(line["action"], line["release"], line["before"]) for line in lines] == [("promote", "R2", "R1")]
    assert lines[0]["versions"] == dict.fromkeys(MODELS, "2")
    assert not (releases / INTENT).exists()


def _dies(releases: Path, path: Path, step: int) -> None:
    """In a process of its own: no finally runs, no buffer is flushed."""
    writes = 0

    def before_write(_: str) -> None:
        nonlocal writes
        if writes == step:
            os._exit(9)
        writes += 1

    def watched(function: Callable[..., Any]) -> Callable[..., Any]:
        def first(*args: Any, **more: Any) -> Any:
            before_write("")
            return function(*args, **more)

        return first

    switching._write = watched(switching._write)
    release.point_to = watched(release.point_to)
    Path.unlink = watched(Path.unlink)  # type: ignore[method-assign]
    switch(releases, "shop", Registry(path, before_write), forward())
    os._exit(0)


STEPS = 10
"""Intent, (its draft), pointer, and for each model a tag and two aliases, then the intent's end."""


@pytest.mark.parametrize("step", range(STEPS))
def test_killed_before_any_of_its_writes_the_next_run_finds_one_or_the_other_whole(
    releases: Path, registry: Registry, step: int
) -> None:
    child = APART.Process(target=_dies, args=(releases, registry.path, step))
    child.start()
    child.join(60)
    assert child.exitcode == 9, "fewer writes than expected: lower STEPS"
    pointed = now_serving(releases).release
    bundle.read(releases / pointed, "release")  # what serves is whole at every moment
    settle(releases, registry)
    served = versions_of(releases / now_serving(releases).release)
    assert registry.champions() == served
    assert now_serving(releases).release == pointed  # settling never changes what serves
    assert not (releases / INTENT).exists()
    settle(releases, registry)  # twice does no harm
    recorded = (releases / RECORD).read_text().splitlines() if (releases / RECORD).exists() else []
    assert len(recorded) == (pointed == "R2")
    if pointed == "R1":
        switch(releases, "shop", registry, forward())
        assert registry.champions() == dict.fromkeys(MODELS, "2")


def test_the_kills_above_reach_the_last_write(releases: Path, registry: Registry) -> None:
    child = APART.Process(target=_dies, args=(releases, registry.path, STEPS + 5))
    child.start()
    child.join(60)
    assert child.exitcode == 0


def test_a_server_that_fails_half_way_is_caught_up_with(releases: Path, registry: Registry) -> None:
    def fails(what: str) -> None:
        if what == "shop-clv@champion":
            raise InputError("tracking_uri: cannot be reached")

    with pytest.raises(InputError, match="cannot be reached"):
        switch(releases, "shop", Registry(registry.path, fails), forward())
    assert registry.champions() == {"shop-churn": "2", "shop-clv": "1"}
    settle(releases, registry)
    assert registry.champions() == dict.fromkeys(MODELS, "2")


def test_what_another_machine_promoted_meanwhile_stays(
    releases: Path, registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(what: str) -> None:
        if what == "shop-clv@champion":
            raise InputError("away")

    with pytest.raises(InputError, match="away"):
        switch(releases, "shop", Registry(registry.path, fails), forward())
    registry.point("shop-clv", "champion", "9")
    settle(releases, registry)
    assert registry.champions() == {"shop-churn": "2", "shop-clv": "9"}
    assert "shop-clv version 9 was made champion elsewhere meanwhile; it stays" in capsys.readouterr().out


def test_a_champion_that_is_another_by_now_stops_everything(releases: Path, registry: Registry) -> None:
    registry.point("shop-clv", "champion", "3")
    with pytest.raises(InputError, match=r"shop-clv: version 3 has become champion meanwhile, in place of 1"):
        switch(releases, "shop", registry, forward())
    assert now_serving(releases).release == "R1"
    assert registry.champions() == {"shop-churn": "1", "shop-clv": "3"}


def test_a_release_that_is_another_by_now_stops_everything(releases: Path, registry: Registry) -> None:
    write_release(releases, "R3", "1")
    release.point_to(releases, "R3")
    with pytest.raises(InputError, match=r"release R3 has become current meanwhile, in place of R1"):
        switch(releases, "shop", registry, forward())
    assert registry.champions() == dict.fromkeys(MODELS, "1")


def _machine(uri: str, shop: str, releases: Path, version: str, ready: Any, result: Any) -> None:
    """One machine: reads what is champion, waits until the other has read it too, then promotes its version."""
    tracker = Tracker(uri)
    model = f"{shop}-churn"
    before = tracker.aliased(model, "champion")
    there = release.pointer(releases)
    ready.wait(60)
    move = Move(model, before, version, before)
    wanted = Switch("promote", f"R{version}", there.release if there else None, [move])
    try:
        switch(releases, shop, tracker, wanted)
        result.put((version, "won"))
    except InputError as error:
        result.put((version, str(error)))


def _prepare(uri: str) -> None:
    client = Tracker(uri).client
    for model in ("one-churn", "two-churn"):
        client.create_registered_model(model)
        for _ in range(3):
            client.create_model_version(model, "file:///nowhere")
        client.set_registered_model_alias(model, "champion", "1")


def _asked(uri: str, shop: str, answer: Any) -> None:
    tracker = Tracker(uri)
    found = [model.name for model in tracker.client.search_registered_models()]
    answer.put((tracker.aliased(f"{shop}-churn", "champion"), found))


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tracking database with a churn model of three versions of each of two shops."""
    uri = f"sqlite:///{tmp_path_factory.mktemp('tracking') / 'mlflow.db'}"
    _in_a_process(_prepare, uri)
    return uri


def _in_a_process(target: Callable[..., None], *args: Any) -> None:
    child = APART.Process(target=target, args=args)
    child.start()
    child.join(120)
    assert child.exitcode == 0


@pytest.mark.parametrize(
    ("shop", "shared"), [("one", True), ("two", False)], ids=["one folder", "two machines"]
)
def test_of_two_promotions_at_once_one_wins_and_the_other_says_so(
    tmp_path: Path, uri: str, shop: str, shared: bool
) -> None:
    folders = [tmp_path / "one", tmp_path / ("one" if shared else "two")]
    for folder in dict.fromkeys(folders):
        for version in "123":
            write_release(folder, f"R{version}", version)
        release.point_to(folder, "R1")
    ready, result, answer = APART.Barrier(2), APART.Queue(), APART.Queue()
    both = [
        APART.Process(target=_machine, args=(uri, shop, folder, version, ready, result))
        for folder, version in zip(folders, "23", strict=True)
    ]
    for one in both:
        one.start()
    said = dict(result.get(timeout=120) for _ in both)
    for one in both:
        one.join(60)
    _in_a_process(_asked, uri, shop, answer)
    champion, models = answer.get(timeout=60)
    winner = next(version for version, told in said.items() if told == "won")
    loser = "3" if winner == "2" else "2"
    assert champion == winner
    assert "meanwhile" in said[loser]
    assert "nothing was changed" in said[loser]
    assert models == ["one-churn", "two-churn"]  # the lock is gone
    place = dict(zip("23", folders, strict=True))
    assert now_serving(place[winner]).release == f"R{winner}"
    if not shared:
        assert now_serving(place[loser]).release == "R1"


def test_a_policy_put_live_meanwhile_is_not_lost(releases: Path) -> None:
    """What policies.publish does: it names the release that it was made from."""
    write_release(releases, "R3", "1")
    release.point_to(releases, "R2")
    with pytest.raises(InputError, match="R2 has become current meanwhile"):
        release.point_to(releases, "R3", expected="R1")
    assert now_serving(releases).release == "R2"


def test_going_back_and_forth_keeps_the_way(releases: Path) -> None:
    for version in "34":
        write_release(releases, f"R{version}", version)
    for name in ("R2", "R3", "R4"):
        release.point_to(releases, name)
    assert now_serving(releases).chain == ("R1", "R2", "R3")
    release.point_to(releases, "R2")
    assert now_serving(releases) == release.Pointer("R2", ("R1",))
    release.point_to(releases, "R4")
    assert now_serving(releases).chain == ("R1", "R2")


def test_a_pointer_of_an_earlier_version_is_understood(releases: Path) -> None:
    (releases / release.POINTER).write_text('{"release": "R2", "previous": "R1"}')
    assert now_serving(releases) == release.Pointer("R2", ("R1",))
