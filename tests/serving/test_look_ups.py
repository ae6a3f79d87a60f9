"""Stored scores as the running service gives them: one, many, by stage; and where the store is away."""

import json
import logging
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest

from lifestage.schemas import SCORE
from lifestage.settings import load
from lifestage.store import Store, open_store
from serving import answers
from serving.customers import stored, stored_many
from serving.problems import ProblemError
from serving.stages import stages
from serving.state import State
from tests.serving.test_service import plain, same_bits

STRANGE = (
    "%",
    "a%00",
    "%ED%A0%80",
    "%F0%9F%98%80",
    "' OR '1'='1",
    "x" * 20_000,
    "../../etc/passwd",
    "%2e%2e",
    "?a=b",
)


def batch(served: Any, ids: Any) -> Any:
    return served.client.post("/v1/customers:batchGet", json={"customer_ids": ids})


# --- one -------------------------------------------------------------------------------------------------------


def test_an_answer_says_where_it_comes_from(served: Any, made: Any) -> None:
    name = max(made.scores, key=lambda n: made.scores[n]["clv"] or 0)
    answer = served.client.get(f"/v1/customers/{name}")
    body = answer.json()
    answers.CustomerResponse.model_validate(body)
    assert list(body) == [
        *("as_of", "release", "churn_horizon_days", "clv_horizon_days", "currency", "run", "policy"),
        *("score", "stage_history"),
    ]
    assert body["run"] == made.run.name
    assert body["policy"] == made.scores[name]["policy"]
    assert body["score"]["next_order_at"]
    assert body["score"]["reasons"]
    assert same_bits(body["score"], plain(made.scores[name]))


def test_every_column_of_a_score_is_documented() -> None:
    assert set(answers.Score.model_fields) == set(SCORE.names)


@pytest.mark.parametrize("name", STRANGE)
def test_a_strange_id_is_unknown(served: Any, name: str) -> None:
    answer = served.client.get(f"/v1/customers/{name if name.startswith('%') else quote(name, safe='')}")
    assert answer.status_code in (400, 404)
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.content) < 2_000


# --- many ------------------------------------------------------------------------------------------------------


def test_many_are_each_as_alone(served: Any, made: Any) -> None:
    names = random.Random(4).sample(sorted(made.scores), 60)
    answer = batch(served, [*names[:30], "nobody", *names[30:], names[0], "张三"])
    assert answer.status_code == 200
    body = answer.json()
    answers.BatchGetResponse.model_validate(body)
    assert [entry["customer_id"] for entry in body["customers"]] == names
    assert body["unknown"] == ["nobody", "张三"]
    for entry in body["customers"][::10]:
        alone = served.client.get(f"/v1/customers/{entry['customer_id']}").json()
        assert same_bits(
            {n: alone[n] for n in ("score", "stage_history")},
            {n: entry[n] for n in ("score", "stage_history")},
        )
        facts = {n: v for n, v in body.items() if n not in ("customers", "unknown")}
        assert facts == {n: v for n, v in alone.items() if n not in ("score", "stage_history")}


def test_a_thousand_at_once_and_nobody(served: Any, made: Any) -> None:
    names = sorted(made.scores)
    ids = [*names, *(f"x{i}" for i in range(1_000 - len(names)))]
    body = batch(served, ids).json()
    assert [entry["customer_id"] for entry in body["customers"]] == names
    assert len(body["unknown"]) == 1_000 - len(names)
    nobody = batch(served, ["nobody"]).json()
    assert (nobody["customers"], nobody["unknown"], nobody["run"]) == ([], ["nobody"], made.run.name)
    assert nobody["as_of"] == body["as_of"]


@pytest.mark.parametrize(
    ("ids", "path"),
    [
        ([], "customer_ids"),
        ([str(i) for i in range(1_001)], "customer_ids"),
        ("c0001", "customer_ids"),
        ([1], "customer_ids[0]"),
        (["a", ""], "customer_ids[1]"),
        (["a" * 257], "customer_ids[0]"),
        (None, "customer_ids"),
    ],
)
def test_a_bad_request_says_where(served: Any, ids: Any, path: str) -> None:
    answer = batch(served, ids)
    assert answer.status_code == 400
    assert answer.json()["path"] == path
    assert batch(served, ["c"]).status_code == 200


def test_half_a_surrogate_pair_is_no_text(served: Any) -> None:
    answer = served.client.post("/v1/customers:batchGet", content=b'{"customer_ids": ["\\ud800"]}')
    assert answer.status_code == 400


# --- by stage --------------------------------------------------------------------------------------------------


def test_stages_add_the_batch_up(served: Any, made: Any) -> None:
    body = served.client.get("/v1/stages").json()
    answers.StagesResponse.model_validate(body)
    rows = list(made.scores.values())
    assert body["customers"] == len(rows)
    assert {share["stage"] for share in body["stages"]} == {row["stage"] for row in rows}
    for share in body["stages"]:
        own = [row for row in rows if row["stage"] == share["stage"]]
        assert share["customers"] == len(own)
        assert share["share"] == len(own) / len(rows)
        assert share["clv"] == pytest.approx(sum(row["clv"] for row in own if row["clv"] is not None))
        leaving = [row["churn_probability"] for row in own if row["eligible"]]
        assert share["eligible"] == len(leaving)
        mean = sum(leaving) / len(leaving) if leaving else None
        assert share["churn_probability"] == pytest.approx(mean)
        assert share["label"]["en"]
        tiers = {tier["tier"]: tier["customers"] for tier in share["tiers"]}
        assert tiers == {t: sum(row["tier"] == t for row in own) for t in {row["tier"] for row in own}}
    assert served.client.get("/v1/stages").json() == body


def test_other_methods_are_told_so(served: Any) -> None:
    for method, path in (
        ("POST", "/v1/stages"),
        ("GET", "/v1/customers:batchGet"),
        ("DELETE", "/v1/customers/a"),
    ):
        answer = served.client.request(method, path)
        assert answer.status_code == 405
        assert answer.headers["allow"]


# --- the store away --------------------------------------------------------------------------------------------


def state_with(made: Any, store: Store) -> State:
    return State(load(made.config), made.release, store)


def test_a_damaged_store_is_503_in_a_sentence(
    made: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "store.db").write_bytes(b"no store" * 1_000)
    state = state_with(made, open_store(f"sqlite:///{tmp_path / 'store.db'}"))
    body = json.dumps({"customer_ids": ["secret-id"]}).encode()
    asked = (lambda: stored(state, "secret-id"), lambda: stored_many(state, body), lambda: stages(state))
    with caplog.at_level(logging.WARNING):
        for ask in asked:
            with pytest.raises(ProblemError, match="the stored scores cannot be read just now") as caught:
                ask()
            assert caught.value.status == 503
            assert caught.value.kind == "store-away"
            assert str(tmp_path) not in caught.value.detail  # where it lies is for the log
    assert "is no score store or is damaged" in caplog.text
    assert "secret-id" not in caplog.text


def test_without_scores_it_is_503(made: Any, tmp_path: Path) -> None:
    state = state_with(made, open_store(f"sqlite:///{tmp_path / 'none.db'}"))
    for ask in (
        lambda: stored(state, "a"),
        lambda: stored_many(state, b'{"customer_ids":["a"]}'),
        lambda: stages(state),
    ):
        with pytest.raises(
            ProblemError, match=r"no scores are stored yet; run python -m training.score"
        ) as caught:
            ask()
        assert (caught.value.status, caught.value.kind) == (503, "no-scores")


def test_scores_of_another_release_come_without_its_horizons(made: Any) -> None:
    state = state_with(made, open_store(load(made.config).store_url))
    other = SimpleNamespace(
        shop=state.shop,
        store=state.store,
        release=made.release,
        facts={**state.facts, "release": "newer"},
    )
    answer = json.loads(stored(other, next(iter(made.scores))))  # type: ignore[arg-type]
    assert answer["release"] == "tiny-1"
    assert answer["churn_horizon_days"] is None
