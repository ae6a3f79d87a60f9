"""A scoring run: decide_block over the blocks of a history file on all cores, one folder of Parquet parts a run.

Blocks stream: each worker holds one block at a time, so memory does not grow with the number of customers. The
folder appears under its name only when every part is whole.
"""

import json
import os
import shutil
import threading
import uuid
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context, parent_process
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lifestage import release as releases
from lifestage.ahead import with_ahead
from lifestage.decision import decide_block
from lifestage.errors import InputError
from lifestage.history_file import Cluster, HistoryFile, read_block
from lifestage.store import open_store

SMALL = 100_000
"""Up to so many customers one process is faster than starting several."""


@dataclass(frozen=True)
class Task:
    """What a worker needs to score one block; everything is a path or a number."""

    place: tuple[str, int]
    """File and row group of the block."""
    zone: str
    release: str
    store: str | None
    as_of: int
    everybody: bool
    """As of the history's own end: no customer is unknown then."""
    part: str
    threads: int
    looks: tuple[int, ...]
    """Days ahead at which changes of stage are looked for."""


@dataclass(frozen=True)
class Run:
    """A finished scoring run."""

    name: str
    as_of: int
    folder: Path
    customers: int

    @property
    def parts(self) -> list[Path]:
        return sorted(self.folder.glob("part-*.parquet"))

    def batches(self, columns: Collection[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The scores (schemas.SCORE), ordered by customer_id; of them the wanted columns that there are."""
        for part in self.parts:
            with pq.ParquetFile(part) as file:
                names = file.schema_arrow.names
                yield from file.iter_batches(
                    columns=None if columns is None else [name for name in names if name in columns]
                )


_load_release = lru_cache(maxsize=1)(releases.load)


def _score_block(task: Task) -> int:
    """Score one block and write its part; returns its number of customers."""
    history = read_block(task.place, task.zone)
    previous = None
    if task.store is not None and len(history):
        ids = history.customer_id
        previous = open_store(task.store).previous(task.as_of, ids[0].as_py(), ids[-1].as_py())
    release = _load_release(Path(task.release))
    scores = decide_block(history, task.as_of, release, previous, threads=task.threads)
    scores = with_ahead(scores, history, task.as_of, release, task.looks, threads=task.threads)
    if not task.everybody:
        scores = scores.filter(pa.array(history.known(task.as_of)))
    if len(scores):
        # On a cluster two workers may do the same task; the file is whole whoever ends last.
        draft = Path(f"{task.part}.{uuid.uuid4().hex}")
        pq.write_table(scores, draft)
        draft.replace(task.part)
    return len(scores)


def _score_far(task: Task) -> pa.Table:
    return pa.table({"customers": pa.array([_score_block(task)], pa.int64())})


def score_run(
    history: Path | HistoryFile,
    release_folder: Path,
    out: Path,
    name: str,
    as_of: int,
    *,
    store: str | None,
    workers: int | None = None,
    looks: tuple[int, ...] = (),
    progress: Callable[[int], None] | None = None,
) -> Run:
    """Score every customer known before `as_of` into folder `out / name`, replacing a run of that name.

    `store` gives the previous stages (None: first sight of everybody); `looks` are the days ahead at which changes of
    stage are looked for (ahead.look_ahead). `progress` gets the customers of each
    finished block. A history that a cluster made is scored there.
    """
    file = HistoryFile(history) if isinstance(history, Path) else history
    out, release_folder = out.resolve(), release_folder.resolve()  # workers need not run in this directory
    out.mkdir(parents=True, exist_ok=True)
    draft = out / f".{name}.{uuid.uuid4().hex[:8]}"
    draft.mkdir()
    workers = 1 if file.customers <= SMALL else min(workers or os.cpu_count() or 1, file.blocks)
    threads = 0 if workers == 1 and file.cluster is None else 1  # the workers are the parallelism
    everybody = as_of >= int(file.facts["as_of"])
    parts = [str(draft / f"part-{block:06d}.parquet") for block in range(file.blocks)]
    tasks = [
        Task(place, file.zone, str(release_folder), store, as_of, everybody, part, threads, looks)
        for place, part in zip(file.places, parts, strict=True)
    ]
    customers = 0
    try:
        for done in _each(tasks, workers, file.cluster):
            customers += done
            if progress is not None:
                progress(done)
        facts = {"run": name, "as_of": as_of, "customers": customers, "release": release_folder.name}
        (draft / "run.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
        folder = out / name
        if folder.exists():
            old = out / f".{name}.old.{uuid.uuid4().hex[:8]}"
            folder.rename(old)
            draft.rename(folder)
            shutil.rmtree(old)
        else:
            draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return Run(name, as_of, folder, customers)


def _each(tasks: list[Task], workers: int, cluster: Cluster | None) -> Iterator[int]:
    """Customers of each finished block, blocks in any order."""
    if cluster is not None:
        yield from (done.column("customers")[0].as_py() for done in cluster.map(_score_far, tasks))
        return
    if workers <= 1:
        yield from map(_score_block, tasks)
        return
    # Spawned, not forked: the parent's threads (DuckDB, Arrow, LightGBM) do not survive a fork.
    try:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_begin_worker) as pool:
            for future in as_completed([pool.submit(_score_block, task) for task in tasks]):
                yield future.result()
    except BrokenProcessPool:
        raise InputError(
            "scoring: a worker process was ended from outside, most likely for want of memory; nothing was "
            "published. Lower scoring.block_customers, or score where more memory is free"
        ) from None


def _begin_worker() -> None:
    """One thread of Arrow a worker, since the workers are the parallelism; and no life after the parent."""
    pa.set_cpu_count(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
