"""The most valuable customers at risk, found batch by batch, are those of all batches together."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lifestage import summary
from lifestage.lifecycle import policy as policies
from lifestage.runs import Run
from lifestage.schemas import SCORE

N = 500


@pytest.fixture
def scores() -> pa.Table:
    rng = np.random.default_rng(3)
    columns = {
        "customer_id": pa.array([f"C{i:04d}" for i in range(N)]),
        "stage": pa.array(rng.choice(["at_risk", "loyalty", "win_back"], N)),
        # ties and missing values, which the further keys must settle
        "clv": pa.array(rng.integers(0, 9, N).astype(np.float64), mask=rng.random(N) < 0.3),
        "churn_probability": pa.array(rng.integers(0, 3, N) / 4, mask=rng.random(N) < 0.2),
    }
    schema = pa.schema([field.with_nullable(True) for field in SCORE])
    return pa.table([columns.get(f.name, pa.nulls(N, f.type)) for f in schema], schema=schema)


@pytest.mark.parametrize("size", [1, 7, 100, N])
def test_batch_by_batch(scores: pa.Table, size: int) -> None:
    policy = policies.load("ecommerce")
    whole = summary.most_valuable_at_risk(scores, policy)
    assert len(whole) == summary.TOP
    parts = summary.most_valuable_of(scores.to_batches(max_chunksize=size), policy)
    assert parts.to_pylist() == whole.to_pylist()


def test_a_run_gives_the_columns_asked_for(scores: pa.Table, tmp_path: Path) -> None:
    pq.write_table(scores.slice(0, 300), tmp_path / "part-000000.parquet")
    pq.write_table(scores.slice(300), tmp_path / "part-000001.parquet")
    run = Run("one", 0, tmp_path, N)
    assert pa.Table.from_batches(run.batches()).equals(scores)
    some = pa.Table.from_batches(run.batches(("clv", "customer_id", "of no run yet")))
    assert some.equals(scores.select([n for n in SCORE.names if n in ("clv", "customer_id")]))
