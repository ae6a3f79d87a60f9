"""What is counted of a block of scores; the oracle counts row by row."""

import random
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from lifestage.features.spec import Attribute, FeatureSpec
from lifestage.online import history_from_records
from serving import metrics
from serving.metrics import STAGES, now_lines, observe_batch, observe_scores, unknown_categories
from serving.origin import Origin
from serving.state import State


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"lifestage_{name}", labels) or 0.0


def table(churn: list[float | None], stages: list[str | None]) -> pa.Table:
    return pa.table(
        {"churn_probability": pa.array(churn, pa.float64()), "stage": pa.array(stages, pa.string())}
    )


@pytest.mark.parametrize("size", [1, 7, 1_000])
def test_the_distribution_of_scores_is_that_of_single_ones(size: int) -> None:
    draw = random.Random(size)
    churn = [draw.choice([None, 0.0, 0.1, 0.3, 1.0, draw.random()]) for _ in range(size)]
    stages = [draw.choice([None, "growth", "loyalty"]) for _ in range(size)]
    metrics.instruments()
    bounds = [*(str(i / 10) for i in range(1, 11)), "+Inf"]
    before = {le: value("churn_probability_bucket", le=le) for le in bounds}
    total, count = value("churn_probability_sum"), value("churn_probability_count")
    scored, growth = value("customers_scored_total"), value("staged_total", stage="growth")
    nowhere = value("staged_total", stage="none")
    observe_scores(table(churn, stages))
    known = [p for p in churn if p is not None]
    for le in bounds:
        assert value("churn_probability_bucket", le=le) - before[le] == sum(p <= float(le) for p in known)
    assert value("churn_probability_sum") - total == pytest.approx(sum(known), abs=1e-9)
    assert value("churn_probability_count") - count == len(known)
    assert value("customers_scored_total") - scored == size
    assert value("staged_total", stage="growth") - growth == stages.count("growth")
    assert value("staged_total", stage="none") - nowhere == stages.count(None)


def test_the_names_of_stages_are_bounded() -> None:
    made = metrics.instruments()
    kept = set(made.stages)
    try:
        for i in range(STAGES + 50):
            observe_scores(table([0.5], [f"stage{i}"]))
        assert len(made.stages) == STAGES
        assert value("staged_total", stage="other") >= 50
        assert value("staged_total", stage=f"stage{STAGES + 49}") == 0
    finally:
        made.stages.clear()
        made.stages.update(kept)


def test_batches_are_counted_by_customers_and_requests() -> None:
    metrics.instruments()
    before = value("batch_customers_sum"), value("batch_requests_sum")
    observe_batch(40, 3)
    assert value("batch_customers_sum") - before[0] == 40
    assert value("batch_requests_sum") - before[1] == 3


@pytest.mark.parametrize("size", [1, 50, 500])
def test_unknown_categories_are_counted(size: int) -> None:
    draw = random.Random(size)
    spec = FeatureSpec(
        attributes=(
            Attribute("city", "text", ("Köln", "Rome")),
            Attribute("acquisition_channel", "text", ("ads",)),
            Attribute("age", "number"),
            Attribute("absent", "text", ("x",)),
        )
    )
    records: list[dict[str, Any]] = [
        {
            "customer_id": str(i),
            "acquisition_channel": draw.choice([None, "ads"]),
            "attributes": {"city": draw.choice([None, "Rome", "Ulm", "Ghent"]), "age": 3.0},
        }
        for i in range(size)
    ]
    types = {"city": pa.string(), "age": pa.float64()}
    history = history_from_records(records, "UTC", types)
    wrong = sum(record["attributes"]["city"] in ("Ulm", "Ghent") for record in records)
    assert unknown_categories(history, spec) == ({"city": wrong} if wrong else {})


def test_what_holds_now_is_read_by_prometheus() -> None:
    policy = SimpleNamespace(label='od"d\\ v1')
    release: Any = SimpleNamespace(name="r\n1", policy=policy, manifest={"as_of": 0})
    nothing: Any = None
    state = State(nothing, release, nothing, Origin(published_at=1_000_000))
    text = now_lines(state, 2_000_000, 3_000_000, failing=True, store=False)
    found = {
        sample.name: sample for family in text_string_to_metric_families(text) for sample in family.samples
    }
    assert found["lifestage_release_info"].labels == {"release": "r\n1", "policy": 'od"d\\ v1'}
    assert found["lifestage_release_loaded_timestamp_seconds"].value == 2.0
    assert found["lifestage_release_checked_timestamp_seconds"].value == 3.0
    assert found["lifestage_release_refused"].value == 1
    assert found["lifestage_store_up"].value == 0
    age = found["lifestage_model_age_seconds"].value - found["lifestage_release_age_seconds"].value
    assert age == pytest.approx(1.0, abs=0.1)
