"""GET /v1/model: what a release says of itself, and no place on this machine."""

import json
from types import SimpleNamespace
from typing import Any

from lifestage import settings
from lifestage.errors import InputError
from lifestage.store import open_store
from serving import state
from serving.model import model
from serving.model_answers import ModelResponse
from serving.reload import Failure, Status

NOW = 1_700_000_000_000_000


def test_a_release_is_described(made: Any) -> None:
    shop = settings.load(made.config)
    loaded = state.current(shop, open_store(shop.store_url), made.release)
    status = Status(NOW, NOW - 1_000_000, Failure("tiny-2", "tiny-2/policy.yaml: is damaged", NOW))
    found = model(loaded, status, NOW)
    ModelResponse.model_validate(found, strict=False)
    assert set(found) == set(ModelResponse.model_fields)
    assert (found["release"], found["shop"], found["currency"]) == ("tiny-1", "tiny", "EUR")
    assert found["timezone"] == "Europe/Berlin"
    assert found["churn"]["horizon_days"] == 60.0
    assert found["churn"]["features"] == len(made.release.churn.features)
    assert found["clv"]["horizon_days"] == 180.0
    assert found["policy"]["stages"][0].keys() == {"name", "en", "zh"}
    assert [stage["name"] for stage in found["policy"]["stages"]] == [
        s.name for s in made.release.policy.stages
    ]
    assert found["scores"]["run"] == made.run.name
    assert found["scores"]["customers"] == len(made.scores)
    assert found["age_days"] == (NOW - made.release.manifest["as_of"]) / 86_400e6
    assert found["reload"]["failed"] == {
        "release": "tiny-2",
        "error": "tiny-2/policy.yaml: is damaged",
        "at": "2023-11-14T22:13:20Z",
    }
    assert found["versions"].keys() == found["running_versions"].keys()
    assert str(made.config.parent) not in json.dumps(found)


def test_a_store_that_is_away_is_told_and_hides_its_place(made: Any) -> None:
    shop = settings.load(made.config)
    loaded = state.current(shop, open_store(shop.store_url), made.release)

    def current() -> None:
        raise InputError(f"{shop.output.resolve()}/scores.db: cannot be opened")

    away: Any = SimpleNamespace(current=current)
    found = model(state.State(loaded.shop, loaded.release, away, loaded.origin), None, NOW)
    assert found["scores"] == {
        "run": None,
        "as_of": None,
        "customers": None,
        "release": None,
        "why": "scores.db: cannot be opened",
    }
    assert found["reload"] is None
