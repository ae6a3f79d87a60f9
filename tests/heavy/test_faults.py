"""A full disk, a read-only one, damaged files, a clock set back: one sentence that names it, and nothing is lost."""

import contextlib
import json
import os
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.benchmarks import processes
from tests.heavy.conftest import EARLIER, LATER, Shop

pytestmark = pytest.mark.heavy
MEGABYTE = 2**20
BODY = {
    "as_of": LATER,
    "customers": [{"customer_id": "x", "purchases": [{"ordered_at": "2025-10-01", "amount": 5.0}]}],
}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 24 MB of its own, on which a copy of the shop leaves room."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"a disk of its own cannot be mounted here: {made.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def said(done: "subprocess.CompletedProcess[str]") -> str:
    """The one sentence of a run that failed as it should."""
    assert done.returncode == 2, f"{done.returncode}: {done.stdout}{done.stderr[-1500:]}"
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]


def day(shop: Shop) -> str:
    """The day of the current run."""
    run = shop.store.current()
    assert run is not None
    return str(run["run"]).removeprefix("as-of-")


def ask(server: processes.Server, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(server.address + path, data, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def looked_up(server: processes.Server, shop: Shop) -> str:
    """The run that the service answers from."""
    status, body = ask(server, f"/v1/customers/{quote(shop.ids[0])}")
    assert status == 200, body
    return str(body["run"]).removeprefix("as-of-")


def free(folder: Path) -> int:
    about = os.statvfs(folder)
    return about.f_bavail * about.f_frsize


# --- the disk ---------------------------------------------------------------------------------------------------


def test_a_full_disk(shop_in: Callable[[Path], Shop], disk: Path, tmp_path: Path) -> None:
    """From no room at all to almost enough: the sentence, the old scores, and then the next run."""
    shop = shop_in(disk)
    names = sorted(p.name for p in disk.rglob("*"))
    filler = disk / "filler"
    failed = 0
    with shop.served(tmp_path) as server:
        for room in (0, MEGABYTE // 4, MEGABYTE, 2 * MEGABYTE, 3 * MEGABYTE, 4 * MEGABYTE, 6 * MEGABYTE):
            filler.write_bytes(b"x" * max(0, free(disk) - room))
            done = shop.score(LATER)
            if done.returncode == 0:
                shutil.rmtree(shop.output / "runs" / f"as-of-{LATER}")
                shop.scored(EARLIER)
            else:
                failed += 1
                sentence = said(done)
                assert "no space left" in sentence.lower() or "full" in sentence.lower(), sentence
            assert day(shop) == EARLIER
            assert looked_up(server, shop) == EARLIER
            assert ask(server, "/v1/score", BODY)[0] == 200
            filler.unlink()
        assert failed >= 3
        shop.scored(LATER)
        assert looked_up(server, shop) == LATER
    shutil.rmtree(shop.output / "runs" / f"as-of-{LATER}")
    left = [p.name for p in disk.rglob("*") if p.name not in names and not p.name.endswith(("-wal", "-shm"))]
    assert [name for name in left if name.startswith(".") and name not in (".lock",)] == []


@pytest.mark.parametrize("size", [10_000, 300_000, 1_000_000])
def test_a_file_that_may_not_grow(shop: Shop, size: int) -> None:
    """As a quota does: every write beyond `size` bytes of a file fails."""
    before = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))"
    sentence = said(shop.score(LATER, before))
    assert any(word in sentence.lower() for word in ("file too large", "full", "disk")), sentence
    assert day(shop) == EARLIER
    shop.scored(LATER)
    assert day(shop) == LATER


def read_only(folder: Path, line: list[str]) -> list[str]:
    """The command line, for whose process alone the folder is a read-only mount: even root cannot write there."""
    mounts = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
    inside = ["unshare", "--mount", "sh", "-c", mounts, str(folder)]
    tried = subprocess.run([*inside, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"a folder cannot be mounted read-only here: {tried.stderr.strip()}")
    return [*inside, *line]


def test_a_read_only_output_folder(shop: Shop, tmp_path: Path) -> None:
    """A run is refused in a sentence; a service that only reads answers, or says what it lacks."""
    environment = {**os.environ, "PYTHONPATH": f"{processes.ROOT / 'src'}:{processes.ROOT}"}
    with shop.served(tmp_path) as server:
        assert looked_up(server, shop) == EARLIER
        done = subprocess.run(
            read_only(shop.output, shop.command(LATER)),
            cwd=processes.ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert "read-only" in said(done).lower(), done.stderr
        assert looked_up(server, shop) == EARLIER
        assert ask(server, "/v1/score", BODY)[0] == 200
    port = processes.free_port()
    line = read_only(shop.output, processes.ours(shop.config, port))
    with processes.running(line, port, tmp_path) as server:
        status, body = ask(server, f"/v1/customers/{quote(shop.ids[0])}")
        assert status == 200 or (status == 503 and "writable" in body["detail"]), body
        assert ask(server, "/v1/score", BODY)[0] == 200
    assert day(shop) == EARLIER
    shop.scored(LATER)


@contextlib.contextmanager
def fixed(path: Path) -> Iterator[None]:
    """The file cannot be changed, not even by root."""
    done = subprocess.run(["chattr", "+i", str(path)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a file cannot be made immutable here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", str(path)], check=True)


def test_a_read_only_store(shop: Shop, tmp_path: Path) -> None:
    with fixed(shop.output / "store.db"), shop.served(tmp_path) as server:
        sentence = said(shop.score(LATER))
        assert "store.db" in sentence, sentence
        assert looked_up(server, shop) == EARLIER
    assert day(shop) == EARLIER
    shop.scored(LATER)


# --- the release ------------------------------------------------------------------------------------------------


def release_of(shop: Shop) -> Path:
    from lifestage.release import current

    return current(shop.output / "releases")


def altered(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def broken_release(shop: Shop, tmp_path: Path, harm: Callable[[Path], None], named: str) -> None:
    """With the release harmed: runs and new services refuse, the running one serves on; mended, all is well."""
    kept = tmp_path / "kept"
    folder = release_of(shop)
    shutil.copytree(folder, kept)
    with shop.served(tmp_path) as server:
        subprocess.run(["chmod", "-R", "u+w", str(folder)], check=True)
        harm(folder)
        sentence = said(shop.score(LATER))
        assert named in sentence, sentence
        assert day(shop) == EARLIER
        assert looked_up(server, shop) == EARLIER
        assert ask(server, "/v1/score", BODY)[0] == 200
    again = subprocess.run(
        processes.ours(shop.config, processes.free_port()),
        cwd=processes.ROOT,
        env={**os.environ, "PYTHONPATH": f"{processes.ROOT / 'src'}:{processes.ROOT}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert named in said(again)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(kept, folder)
    shop.scored(LATER)


def test_a_release_half_copied(shop: Shop, tmp_path: Path) -> None:
    def harm(folder: Path) -> None:
        shutil.rmtree(folder / "churn")

    broken_release(shop, tmp_path, harm, "churn")


@pytest.mark.parametrize("part", ["churn", "clv"])
def test_a_model_file_altered_by_one_bit(shop: Shop, tmp_path: Path, part: str) -> None:
    largest = max(
        (p for p in (release_of(shop) / part).rglob("*") if p.is_file()), key=lambda p: p.stat().st_size
    )
    broken_release(shop, tmp_path, lambda _: altered(largest), largest.name)


def test_a_model_file_cut_off(shop: Shop, tmp_path: Path) -> None:
    largest = max((p for p in release_of(shop).rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)

    def harm(_: Path) -> None:
        with largest.open("r+b") as file:
            file.truncate(largest.stat().st_size // 2)

    broken_release(shop, tmp_path, harm, largest.name)


def test_a_current_release_that_is_gone(shop: Shop, tmp_path: Path) -> None:
    broken_release(shop, tmp_path, shutil.rmtree, "release")


# --- the clock --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("years", [1, 30])
def test_a_clock_set_back(shop: Shop, years: int) -> None:
    """Rows later than the clock are in the future, which no order can be: the run says so, or leaves them out."""
    before = (
        "import time\n_ns, _s = time.time_ns, time.time\n"
        f"time.time_ns = lambda: _ns() - {years} * 31_557_600 * 10**9\n"
        f"time.time = lambda: _s() - {years} * 31_557_600"
    )
    (shop.output / "history.key").unlink(missing_ok=True)
    done = shop.score(LATER, before)
    if done.returncode:
        sentence = said(done)
        assert "future" in sentence or "no usable purchase" in sentence, sentence
        assert day(shop) == EARLIER
    shop.scored(LATER)
    assert day(shop) == LATER


def test_an_earlier_run_after_a_later_one(shop: Shop) -> None:
    """What a scheduled run does whose clock was set back: asked for, it is done, and the history keeps both."""
    name = shop.ids[0]
    shop.scored(LATER)
    history = shop.store.stage_history(name)
    shop.scored(EARLIER)
    assert day(shop) == EARLIER
    assert shop.store.stage_history(name) == history


# --- the store --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["head", "middle", "all"])
def test_a_damaged_store(shop: Shop, tmp_path: Path, where: str) -> None:
    store = shop.output / "store.db"
    content = bytearray(store.read_bytes())
    spot = {"head": slice(0, 100), "middle": slice(16_384, len(content) - 16_384), "all": slice(0, None)}[
        where
    ]
    content[spot] = bytes(b ^ 0x5A for b in content[spot])
    store.write_bytes(content)
    sentence = said(shop.score(LATER))
    assert "store.db" in sentence, sentence
    with shop.served(tmp_path) as server:
        status, body = ask(server, f"/v1/customers/{quote(shop.ids[0])}")
        assert (status, body["type"].rsplit(":", 1)[1] in ("no-scores", "store-away")) == (503, True), body
        assert (
            "stored scores cannot be read" in body["detail"]
        )  # its log names the file, which callers need not know
        assert ask(server, "/v1/score", BODY)[0] == 200
        store.rename(store.with_name("damaged.db"))
        shop.scored(LATER)
        assert soon(lambda: looked_up(server, shop)) == LATER


def test_a_store_that_goes_away_and_comes_back(shop: Shop, tmp_path: Path) -> None:
    store = shop.output / "store.db"
    with shop.served(tmp_path) as server:
        assert looked_up(server, shop) == EARLIER
        store.rename(store.with_name("elsewhere.db"))
        status, body = ask(server, f"/v1/customers/{quote(shop.ids[0])}")
        assert status in (200, 503), body
        assert ask(server, "/v1/score", BODY)[0] == 200
        shop.scored(LATER)
        assert soon(lambda: looked_up(server, shop), LATER) == LATER, (
            "the service reads the store that is gone"
        )


def soon(look: Callable[[], str], wanted: str = "", seconds: float = 15) -> str:
    """What `look` gives in the end: the service may take a moment to see it."""
    import time

    end = time.monotonic() + seconds
    while True:
        try:
            found = look()
        except AssertionError:
            found = ""
        if (found and (not wanted or found == wanted)) or time.monotonic() > end:
            return found
        time.sleep(0.5)
