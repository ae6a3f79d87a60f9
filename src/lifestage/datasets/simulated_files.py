"""The simulated shop as a folder of Parquet files with its truth beside them.

Written in chunks of customers, each with a random stream of its own, into a draft folder that takes the
place of the asked-for one in a single rename: the folder is whole or it is not there.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from lifestage.datasets.simulated import World, describe, live
from lifestage.datasets.simulated_tables import tables
from lifestage.errors import InputError

CHUNK = 20_000
"""Customers drawn together. Part of what a seed means: another value is another shop."""
TABLES = ("customers", "transactions", "events", "feedback", "truth_customers")
TRUTH = "truth_parameters.json"
FILES = frozenset({f"{name}.parquet" for name in TABLES} | {TRUTH})


def simulate(
    out: Path,
    customers: int,
    seed: int,
    world: World,
    progress: Callable[[int], None] | None = None,
) -> dict[str, int]:
    """Write the shop to `out`; number of rows of each table. The same seed gives the same bytes.

    `out` must be new, empty, or hold files of an earlier simulation only, which are replaced. `progress` is
    called with the number of customers just written.

    Raises InputError for a folder that holds anything else, and for fewer than one customer.
    """
    if customers < 1:
        raise InputError(f"customers: {customers} is too few to simulate; give 1 or more")
    rows = dict.fromkeys(TABLES, 0)
    with _replacing(out) as draft:
        with ExitStack() as files:
            writers: dict[str, pq.ParquetWriter] = {}
            for chunk, offset in enumerate(range(0, customers, CHUNK)):
                rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(chunk,)))
                count = min(CHUNK, customers - offset)
                for name, table in tables(world, rng, live(world, rng, count), offset).items():
                    if name not in writers:
                        path = draft / f"{name}.parquet"
                        writer = pq.ParquetWriter(path, table.schema, compression="zstd", compression_level=1)
                        writers[name] = files.enter_context(writer)
                    writers[name].write_table(table)
                    rows[name] += table.num_rows
                if progress is not None:
                    progress(count)
        truth = {"customers": customers, "seed": seed, "rows": rows, **describe(world)}
        (draft / TRUTH).write_text(json.dumps(truth, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return rows


@contextmanager
def _replacing(out: Path) -> Iterator[Path]:
    """A draft folder beside `out`, renamed to it at the end; what a killed run left there is removed."""
    out = out.resolve()
    _check(out)
    draft, old = out.with_name(f".{out.name}.draft"), out.with_name(f".{out.name}.old")
    try:
        draft.mkdir(parents=True, exist_ok=True)
        held = os.open(draft, os.O_RDONLY)
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror}); choose another folder") from None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for leftover in draft.iterdir():
            leftover.unlink()
        yield draft
        _check(out)
        shutil.rmtree(old, ignore_errors=True)
        if out.exists():
            out.rename(old)
        draft.rename(out)
        shutil.rmtree(old, ignore_errors=True)
    except BlockingIOError:
        raise InputError(
            f"{out}: another simulation is writing there; wait, or choose another folder"
        ) from None
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    finally:
        os.close(held)


def _check(out: Path) -> None:
    if not out.exists():
        return
    if not out.is_dir():
        raise InputError(f"{out}: is a file; give a new or empty folder")
    others = sorted(p.name for p in out.iterdir() if p.name not in FILES)
    if others:
        raise InputError(
            f"{out}: holds '{others[0]}', which is no file of a simulated shop; give a new or empty folder "
            "(only an earlier simulation is replaced)"
        )
