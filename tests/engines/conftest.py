"""Spark in local mode, one session a test run; skipped with the reason where it cannot run."""

import importlib.util
import os
import shutil

import pytest

OPTIONS = {
    "master": "local[2]",
    "partitions": 3,
    "spark": {
        "spark.sql.shuffle.partitions": "2",
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",  # it lives for a minute
    },
}


@pytest.fixture(scope="session")
def spark_options() -> dict[str, object]:
    """engine_options of a shop; the session that they open is stopped at the end."""
    if importlib.util.find_spec("pyspark") is None:
        pytest.skip("pyspark is not installed: pip install -e '.[spark]'")
    if shutil.which("java") is None and not os.environ.get("JAVA_HOME"):
        pytest.skip("Spark needs Java 17, and no Java is found")
    return OPTIONS
