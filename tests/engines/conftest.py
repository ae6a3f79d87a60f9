"""Spark in local mode, one session a test run; skipped with the reason where it cannot run."""

import importlib.util
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lifestage import engines
from lifestage.history_file import HistoryFile
from lifestage.settings import Shop, parse

LATE = 4_000_000_000_000_000  # 2096: nothing is in the future
OPTIONS = {
    "master": "local[2]",
    "partitions": 3,
    "spark": {
        "spark.sql.shuffle.partitions": "2",
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",  # it lives for a minute
    },
}


class Both:
    """One shop on the embedded engine and on Spark."""

    def __init__(self, document: dict[str, Any], folder: Path) -> None:
        self.duckdb, self.pyspark = (self.on(engine, document, folder) for engine in ("duckdb", "pyspark"))

    @staticmethod
    def on(engine: str, document: dict[str, Any], folder: Path) -> Shop:
        """The shop on one of them."""
        places = {"output_dir": str(folder / engine), "tracking_uri": f"sqlite:///{folder}/{engine}.db"}
        return parse({**document, **places, "engine": engine, "engine_options": OPTIONS}, "shop.yaml")

    @property
    def shops(self) -> tuple[Shop, Shop]:
        return self.duckdb, self.pyspark

    def made(self, as_of: int | None = None) -> tuple[HistoryFile, HistoryFile]:
        """The history of each."""
        ours, theirs = (
            engines.make_history(s, LATE, as_of, s.output / "history.parquet") for s in self.shops
        )
        return ours, theirs

    def alike(self, ours: HistoryFile, theirs: HistoryFile) -> None:
        """The same history to the bit, the same counts, the same rows set aside."""
        assert theirs.facts == ours.facts  # the fingerprint of every bit among them
        assert theirs.path.is_dir()
        first, second = (pa.concat_tables(pq.read_table(p) for p in f.files) for f in (ours, theirs))
        assert second.to_pylist() == first.to_pylist()
        assert _quarantined(self.pyspark) == _quarantined(self.duckdb)


def _quarantined(shop: Shop) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(shop.output / "quarantine.parquet").to_pylist()
    for row in found:
        if row["reason"] == "line that is no CSV row":
            row["row"] = json.loads(row["row"])["line"]  # each reader has its own words for what is wrong
    return sorted(found, key=str)


@pytest.fixture(scope="session")
def both() -> type[Both]:
    """A shop on both engines; the session that it opens lives to the end of the run."""
    for package in ("pyspark", "ibis.backends.pyspark"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed: pip install -e '.[spark]'")
    if shutil.which("java") is None and not os.environ.get("JAVA_HOME"):
        pytest.skip("Spark needs Java 17, and no Java is found")
    return Both
