"""Which data a run saw, as MLflow's dataset input: where they lie, their window, their fingerprint."""

import json
from collections.abc import Mapping
from typing import Any

import mlflow
from mlflow.entities import Dataset, DatasetInput, InputTag

DIGEST = 36
"""Characters of a digest that MLflow keeps."""


def log_dataset(run_id: str, name: str, sources: Mapping[str, Any], window: Mapping[str, str]) -> None:
    """Record the data of a run. sources: table -> where it lies (no secrets); window: as of training.prepare, with
    `fingerprint`, of which the digest is the beginning."""
    fingerprint = window["fingerprint"]
    dataset = Dataset(
        name=name,
        digest=fingerprint[:DIGEST],
        source_type="lifestage",
        source=json.dumps(sources, ensure_ascii=False),
        profile=json.dumps(dict(window), ensure_ascii=False),
    )
    tags = [InputTag("mlflow.data.context", "training"), *(InputTag(key, str(window[key])) for key in window)]
    mlflow.MlflowClient().log_inputs(run_id, [DatasetInput(dataset, tags)])
