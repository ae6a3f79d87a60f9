"""Where a shop's history is made and worked on: on this machine, or on a Spark cluster.

`engine: duckdb` and the URL of a database read into the embedded engine; `engine: pyspark` reads, groups and works
on partitions of whole customers there. Everything after the intake is the same functions on the same blocks.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from lifestage.history_file import HistoryFile
from lifestage.intake import open_tables, write_history
from lifestage.settings import Shop

Progress = Callable[[str, int | None], AbstractContextManager[Callable[[int], Any]]]


def _silent(_label: str, _total: int | None) -> AbstractContextManager[Callable[[int], Any]]:
    return nullcontext(lambda _done: None)


def make_history(
    shop: Shop, extracted_at: int, as_of: int | None, path: Path, progress: Progress = _silent
) -> HistoryFile:
    """Read and check the shop's tables and write their history to `path`, by the shop's engine.

    `extracted_at` is the instant of the extraction, `as_of` None = as configured. Raises InputError.
    """
    if shop.engine == "pyspark":
        from lifestage.engines import spark_intake

        with progress("reading, checking and sorting on Spark", None):
            spark_intake.write_history(shop, extracted_at, as_of, path)
        return open_history(shop, path)
    with progress("reading and checking the tables", None):
        intake = open_tables(shop, extracted_at, as_of)
    done = 0
    with progress("sorting into the history", None) as step:

        def report(customers: int, _total: int) -> None:
            nonlocal done
            step(customers - done)
            done = customers

        write_history(intake, path, shop.scoring.block_customers, report)
    return HistoryFile(path)


def open_history(shop: Shop, path: Path) -> HistoryFile:
    """A history that was made before, to be worked on by the shop's engine."""
    if shop.engine == "pyspark":
        from lifestage.engines.spark import Spark

        return HistoryFile(path.resolve(), Spark(shop.engine_options))
    return HistoryFile(path)
