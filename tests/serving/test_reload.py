"""A new release is taken up, a broken one refused: in this process, round by round, without a server."""

import gc
import json
import shutil
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from lifestage import bundle, settings
from lifestage import release as releases
from lifestage.errors import InputError
from lifestage.lifecycle.policy import parse_text
from lifestage.store import open_store
from serving import logs, state
from serving.computing import COMPUTING
from serving.reload import Reloader
from serving.score import scores_of

KEPT = ("kind", "versions", "files", "checksum", "name")


_FIRST: list[releases.Release] = []


def first() -> releases.Release:
    """The first release, loaded once for all tests."""
    return _FIRST[0]


def publish(folder: Path, name: str, *, comment: str = "", point: bool = True, **meta: Any) -> Path:
    """Release `name`, made of the files of the first one; `comment` makes its policy another text."""
    base = folder / "tiny-1"
    loaded = first()
    policy = loaded.policy
    if comment:
        policy = parse_text(f"# {comment}\n{policy.source}", "test", loaded.churn.spec)
    about = {key: value for key, value in loaded.manifest.items() if key not in KEPT}
    made = releases.write(
        folder,
        name,
        churn=base / "churn",
        clv=base / "clv",
        policy=policy,
        reference=loaded.references,
        meta={**about, **meta},
    )
    if point:
        releases.point_to(folder, name)
    return made


@pytest.fixture
def config(made: Any, tmp_path: Path) -> Path:
    """The shop's settings, with an output folder of the test's own."""
    document = yaml.safe_load(made.config.read_text())
    document["output_dir"] = str(tmp_path / "out")
    document["serving"] = {"reload_seconds": 0.1}
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(document))
    source = made.config.parent / "out"
    shutil.copytree(source / "releases", tmp_path / "out" / "releases")
    for part in source.glob("*.db*"):
        shutil.copy(part, tmp_path / "out")
    return path


@pytest.fixture
def holder(made: Any, config: Path) -> SimpleNamespace:
    _FIRST[:] = [made.release]
    shop = settings.load(config)
    return SimpleNamespace(serving=state.current(shop, open_store(shop.store_url), made.release))


@pytest.fixture
def reloader(holder: SimpleNamespace) -> Iterator[Reloader]:
    logs._waiting.clear()
    made = Reloader(holder, holder.serving)
    yield made
    gc.unfreeze()
    gc.set_threshold(700, 10, 10)


@pytest.fixture
def folder(holder: SimpleNamespace) -> Path:
    found: Path = holder.serving.shop.releases
    return found


def said(event: str = "reload") -> list[dict[str, Any]]:
    return [fields for _, _, name, fields in logs._waiting if name == event]


def test_a_new_release_is_served_and_requests_keep_theirs(
    holder: SimpleNamespace, reloader: Reloader, folder: Path
) -> None:
    before = holder.serving
    reloader.look()
    assert holder.serving is before
    publish(folder, "tiny-2", comment="other words")
    reloader.look()
    assert holder.serving.release.name == "tiny-2"
    assert holder.serving.facts["release"] == "tiny-2"
    assert before.release.name == "tiny-1"
    assert reloader.status.failed is None
    assert reloader.status.loaded_at <= reloader.status.checked_at
    assert [line["release"] for line in said()] == ["tiny-2"]
    assert holder.serving.store is before.store


def test_the_same_policy_is_not_checked_anew(
    holder: SimpleNamespace, reloader: Reloader, folder: Path
) -> None:
    policy = holder.serving.release.policy
    publish(folder, "tiny-2")
    reloader.look()
    assert holder.serving.release.name == "tiny-2"
    assert holder.serving.release.policy is policy
    publish(folder, "tiny-3", comment="other words")
    reloader.look()
    assert holder.serving.release.policy is not policy


def test_an_altered_release_is_refused_once_in_the_log(
    holder: SimpleNamespace, reloader: Reloader, folder: Path
) -> None:
    made = publish(folder, "tiny-2")
    whole = (made / "churn" / "shipped.txt").read_bytes()
    (made / "churn" / "shipped.txt").write_bytes(whole.replace(b"leaf_value=", b"leaf_value=9", 1))
    for _ in range(3):
        reloader.look()
        reloader._retry_at = 0.0
    failed = reloader.status.failed
    assert holder.serving.release.name == "tiny-1"
    assert failed is not None
    assert failed.release == "tiny-2"
    assert failed.error.startswith("tiny-2/churn/shipped.txt: differs from its checksum")
    assert len(said()) == 1
    (made / "churn" / "shipped.txt").write_bytes(whole)
    reloader._retry_at = float("inf")  # what changed is tried at once
    reloader.look()
    assert holder.serving.release.name == "tiny-2"
    assert reloader.status.failed is None


def test_a_copy_under_way_is_taken_up_when_it_is_whole(
    holder: SimpleNamespace, reloader: Reloader, folder: Path
) -> None:
    made = publish(folder, "tiny-2", point=False)
    made.rename(folder.parent / "elsewhere")
    (folder / releases.POINTER).write_text(json.dumps({"release": "tiny-2", "previous": "tiny-1"}))
    reloader.look()
    assert "has no manifest.json" in str(reloader.status.failed)
    paths = [path for path in sorted((folder.parent / "elsewhere").rglob("*")) if path.is_file()]
    paths.sort(key=lambda path: path.name != bundle.MANIFEST)
    for path in paths:
        assert holder.serving.release.name == "tiny-1"
        copy = folder / "tiny-2" / path.relative_to(folder.parent / "elsewhere")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
        reloader.look()
    assert holder.serving.release.name == "tiny-2"


def test_a_broken_release_is_tried_again_at_growing_intervals(
    reloader: Reloader, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("serving.reload.time.monotonic", lambda: now[0])
    tries: list[float] = []
    original = Reloader._refuse
    monkeypatch.setattr(Reloader, "_refuse", lambda *given: (tries.append(now[0]), original(*given))[1])
    (publish(folder, "tiny-2") / "policy.yaml").write_text("stages: [")
    for _ in range(70):
        reloader.look()
        now[0] += 0.1
    gaps = [round(b - a, 1) for a, b in pairwise(tries)]
    assert gaps == sorted(gaps)
    assert gaps[0] == pytest.approx(0.2, abs=0.11)
    assert 4 <= len(gaps) <= 6


def test_without_a_pointer_the_old_release_stays(
    holder: SimpleNamespace, reloader: Reloader, folder: Path
) -> None:
    text = (folder / releases.POINTER).read_text()
    (folder / releases.POINTER).unlink()
    reloader.look()
    assert holder.serving.release.name == "tiny-1"
    failed = reloader.status.failed
    assert failed is not None
    assert failed.release is None
    assert "holds no current release" in failed.error
    assert str(folder.parent) not in failed.error
    (folder / releases.POINTER).write_text("{")
    reloader.look()
    assert "is damaged" in str(reloader.status.failed)
    (folder / releases.POINTER).write_text(text)
    reloader.look()
    assert reloader.status.failed is None


def _other_format(folder: Path) -> None:
    """Every checksum is right; the model is written as no version of ours writes it."""
    loaded = first()
    copy = folder.parent / "draft"
    shutil.copytree(folder / "tiny-1" / "churn", copy)
    (copy / "model.json").write_text('{"trees": []}')
    (copy / bundle.MANIFEST).unlink()
    bundle.write(folder.parent / "churn", "churn", {p.name: p for p in copy.iterdir()}, {})
    about = {key: value for key, value in loaded.manifest.items() if key not in KEPT}
    releases.write(
        folder,
        "odd",
        churn=folder.parent / "churn",
        clv=folder / "tiny-1" / "clv",
        policy=loaded.policy,
        reference=loaded.references,
        meta=about,
    )
    releases.point_to(folder, "odd")


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda folder: publish(folder, "odd", shop="other"), "was made for shop 'other', not for 'tiny'"),
        (lambda folder: publish(folder, "odd", timezone="Nowhere/City"), "Nowhere/City"),
        (_other_format, "odd"),
        (lambda folder: (folder / "current.json").write_text('{"release": "../.."}'), "has no manifest.json"),
    ],
)
def test_what_cannot_be_served_is_refused(
    holder: SimpleNamespace,
    reloader: Reloader,
    folder: Path,
    make: Callable[[Path], object],
    text: str,
) -> None:
    before = holder.serving
    make(folder)
    reloader.look()
    assert holder.serving is before
    failed = reloader.status.failed
    assert failed is not None
    assert text in f"{failed.release} {failed.error}"
    assert str(folder.parent) not in failed.error
    publish(folder, "tiny-9")
    reloader.look()
    assert holder.serving.release.name == "tiny-9"


def test_a_release_of_another_shop_is_refused_at_the_start(config: Path, folder: Path) -> None:
    publish(folder, "odd", shop="other")
    with pytest.raises(InputError, match=r"release odd was made for shop 'other', not for 'tiny'; correct"):
        state.load(config)


def test_settings_that_moved_on_are_told_and_do_not_stop_the_service(
    made: Any, holder: SimpleNamespace, config: Path
) -> None:
    document = yaml.safe_load(config.read_text())
    config.write_text(yaml.safe_dump({**document, "currency": "USD"}))
    loaded = state.current(settings.load(config), holder.serving.store, made.release)
    assert loaded.facts["currency"] == "EUR"
    assert state.differences(loaded) == [
        "currency is USD in the settings, EUR in the release: train and promote again"
    ]


def _ask(holder: SimpleNamespace, made: Any) -> "Future[dict[str, Any]]":
    record = made.record(min(made.rows))
    body = json.dumps({"as_of": made.as_of, "customers": [record]}).encode()

    def work(serving: state.State) -> dict[str, Any]:
        (answer,) = scores_of(serving, [body], 0)
        if isinstance(answer, Exception):
            raise answer
        found: dict[str, Any] = json.loads(answer.content)
        return found

    return COMPUTING.submit(work, holder.serving)


def test_no_request_fails_while_releases_change(
    made: Any, holder: SimpleNamespace, reloader: Reloader, folder: Path
) -> None:
    ending = threading.Event()
    answers: list[dict[str, Any]] = []
    faults: list[Exception] = []

    def ask() -> None:
        while not ending.is_set():
            try:
                answers.append(_ask(holder, made).result(30))
            except Exception as error:  # told below
                faults.append(error)

    callers = [threading.Thread(target=ask) for _ in range(4)]
    for caller in callers:
        caller.start()
    try:
        for i in range(4):
            publish(folder, f"new-{i}")
            reloader.look()
            assert holder.serving.release.name == f"new-{i}"
    finally:
        ending.set()
        for caller in callers:
            caller.join()
    assert not faults
    assert len({answer["release"] for answer in answers}) >= 2
    for answer in answers:
        assert {row["release"] for row in answer["scores"]} == {answer["release"]}
    figures = {json.dumps([{**row, "release": ""} for row in answer["scores"]]) for answer in answers}
    assert len(figures) == 1  # the same models: the same bits, whichever release


def test_old_releases_are_let_go(
    made: Any, holder: SimpleNamespace, reloader: Reloader, folder: Path
) -> None:
    publish(folder, "new-0", comment="other words")
    reloader.look()
    old: list[weakref.ref[Any]] = []
    for i in range(1, 4):
        release = holder.serving.release
        old += [weakref.ref(release), weakref.ref(release.churn), weakref.ref(release.references)]
        del release
        publish(folder, f"new-{i}")
        reloader.look()
        _ask(holder, made).result(30)
    assert [kept() for kept in old] == [None] * len(old)


def test_a_release_that_stays_broken_for_weeks_does_not_end_the_watch(
    reloader: Reloader, folder: Path
) -> None:
    (publish(folder, "bad") / "manifest.json").write_text("{")
    reloader.look()
    reloader._failures, reloader._retry_at = 5_000, 0.0
    checked = reloader.status.checked_at
    reloader.look()
    failed = reloader.status.failed
    assert failed is not None and failed.release == "bad"
    assert reloader.status.checked_at > checked


def test_threads_do_not_add_up(reloader: Reloader, folder: Path) -> None:
    def computing() -> int:
        return sum(thread.name == "computing" for thread in threading.enumerate())

    COMPUTING.submit(int).result(30)  # so that there is one
    before = computing()  # other tests' queues have theirs
    for i in range(2):
        publish(folder, f"new-{i}")
        reloader.look()
    assert computing() == before


def test_a_store_that_was_replaced_is_opened_anew(holder: SimpleNamespace, reloader: Reloader) -> None:
    reloader.look()
    first = holder.serving.store.current()
    path = Path(holder.serving.shop.store_url.removeprefix("sqlite:///"))
    assert path.is_file()
    copy = path.with_name("copy.db")
    with sqlite3.connect(path) as whole, sqlite3.connect(copy) as into:
        whole.backup(into)
        into.execute("UPDATE runs SET run = 'restored' WHERE is_current = 1")
    into.close()
    for name in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        name.unlink(missing_ok=True)
    reloader.look()
    assert not reloader.status.store_up
    assert holder.serving.store.current() is None
    copy.rename(path)
    reloader.look()
    assert reloader.status.store_up
    assert first is not None
    assert holder.serving.store.current() == {**first, "run": "restored"}
    assert holder.serving.release.name == "tiny-1"
