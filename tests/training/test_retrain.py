"""The weekly round: its order, what it keeps, how it goes on after a crash, and what refusals leave untouched."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from lifestage import release, settings
from lifestage.errors import InputError
from lifestage.store import open_store
from training import retrain as rounds_of_one
from training.retrain import refusal, retrain
from training.round_state import load

ORDER = [
    "check the data",
    "watch the data",
    "what came true",
    "train?",
    "train the CLV model",
    "train the churn model",
    "gate",
    "promote",
    "score and stage",
    "report",
]
KEPT = {"promote": False, "verdict": "kept", "reasons": ["It is worse."], "figures": {}, "champion": "1"}
STEADY = {"status": "steady", "findings": [], "figures": {}}


@pytest.fixture
def config(served: Path, monkeypatch: pytest.MonkeyPatch) -> settings.Shop:
    """A shop of which a release serves already."""
    monkeypatch.chdir(served)
    return settings.load("shop.yaml")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The long steps, each replaced by a note that it was done."""
    done: list[str] = []

    def noted(name: str, result: Any) -> Callable[..., Any]:
        def step(*_args: Any, **_keywords: Any) -> Any:
            done.append(name)
            return result() if callable(result) else result

        return step

    monkeypatch.setattr("training.drift.drift", noted("drift", STEADY))
    monkeypatch.setattr("training.backtest.backtest", noted("backtest", {"runs": [], "sentences": []}))
    monkeypatch.setattr("training.train_clv.train", noted("clv", {"version": "7", "metrics": {}}))
    monkeypatch.setattr(
        "training.train_churn.train", noted("churn", {"version": "8", "grade": "A", "metrics": {}})
    )
    verdicts = {"churn": KEPT | {"challenger": "8"}, "clv": KEPT | {"challenger": "7"}}
    monkeypatch.setattr("training.gate.gate", noted("gate", verdicts))
    monkeypatch.setattr(rounds_of_one, "_reported", noted("report", {}))
    return done


def test_a_round_has_its_order_and_keeps_every_result(config: settings.Shop, calls: list[str]) -> None:
    before = release.current(config.releases)
    made = retrain(config, None)
    assert list(made.steps) == ORDER
    assert calls == ["drift", "backtest", "clv", "churn", "gate", "report"]
    kept = json.loads((config.output / "rounds/2026-01-01/round.json").read_text("utf-8"))
    assert kept["finished"]
    assert kept["steps"]["train the churn model"]["result"]["version"] == "8"
    assert kept["steps"]["promote"]["result"] == {"release": before.name, "changed": False}
    assert release.current(config.releases) == before
    scored = made.result("score and stage")
    assert scored["customers"] == sum(scored["stages"].values())
    assert scored["release"] == before.name
    assert "It is worse." in (config.output / "rounds.html").read_text("utf-8")


def test_a_finished_round_is_done_again_only_when_asked_or_changed(
    config: settings.Shop, calls: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    retrain(config, None)
    done = len(calls)
    retrain(config, None)
    assert len(calls) == done
    assert "the round as of 2026-01-01 is done; nothing has changed since" in capsys.readouterr().out
    retrain(config, None, again=True)
    assert len(calls) == 2 * done
    churn = config.churn.model_copy(update={"seed": 9})
    retrain(config.model_copy(update={"churn": churn}), None)
    assert len(calls) == 3 * done


@pytest.mark.parametrize("at", ["training.train_churn.train", "training.gate.gate", "training.score.score"])
def test_a_killed_round_goes_on_where_it_was(
    config: settings.Shop, calls: list[str], monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    def killed(*_args: Any, **_keywords: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(at, killed)
        with pytest.raises(KeyboardInterrupt):
            retrain(config, None)
    before = list(calls)
    made = retrain(config, None)
    assert list(made.steps) == ORDER
    once = [name for name in calls if calls.count(name) == 1]
    assert once == calls == ["drift", "backtest", "clv", "churn", "gate", "report"]
    assert calls[: len(before)] == before


def test_where_training_is_refused_the_release_that_serves_scores(
    config: settings.Shop, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_args: Any, **_keywords: Any) -> None:
        raise InputError("the data are not ready to train on")

    monkeypatch.setattr("training.train_churn.train", refused)
    made = retrain(config, None)
    assert refusal(made) == "the data are not ready to train on"
    assert made.result("gate") == {"skipped": "the data are not ready to train on"}
    assert made.result("score and stage")["customers"] > 0
    assert "gate" not in calls
    page = (config.output / "rounds.html").read_text("utf-8")
    assert "not trained" in page
    assert "the data are not ready to train on" in page


def test_a_round_that_was_not_trained_is_trained_when_asked_again(
    config: settings.Shop, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    retrain(config, None, when_needed=True)
    assert "churn" not in calls
    retrain(config, None, when_needed=True)  # nothing new
    assert calls == ["drift", "backtest", "report"]

    def refused(*_args: Any, **_keywords: Any) -> None:
        raise InputError("too few customers")

    with monkeypatch.context() as unready:
        unready.setattr("training.train_churn.train", refused)
        assert refusal(retrain(config, None)) == "too few customers"
    made = retrain(config, None)
    assert refusal(made) is None
    assert calls == ["drift", "backtest", "report", "clv", "report", "clv", "churn", "gate", "report"]


def test_the_first_round_fails_where_nothing_could_score(
    config: settings.Shop, calls: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refused(*_args: Any, **_keywords: Any) -> None:
        raise InputError("the data are not ready to train on")

    monkeypatch.setattr("training.train_clv.train", refused)
    new = config.model_copy(update={"output_dir": str(tmp_path / "new")})
    with pytest.raises(InputError, match="the data are not ready to train on"):
        retrain(new, None)
    kept = load(tmp_path / "new/rounds/2026-01-01/round.json")
    assert kept is not None
    assert kept.failed == "train the CLV model: the data are not ready to train on"
    assert kept.finished is None
    assert "drift" not in calls  # nothing served


@pytest.mark.parametrize(
    ("status", "days", "trains"), [("steady", 30, False), ("warn", 30, False), ("retrain", 30, True)]
)
def test_when_needed_trains_where_the_data_have_moved(
    config: settings.Shop,
    calls: list[str],
    monkeypatch: pytest.MonkeyPatch,
    status: str,
    days: int,
    trains: bool,
) -> None:
    monkeypatch.setattr("training.drift.drift", lambda *_: STEADY | {"status": status})
    monitoring = config.monitoring.model_copy(update={"retrain_after_days": days})
    made = retrain(config.model_copy(update={"monitoring": monitoring}), None, when_needed=True)
    assert ("churn" in calls) == trains
    assert made.result("score and stage")["customers"] > 0
    assert ("skipped" in made.result("train the churn model")) != trains
    assert refusal(made) is None


def test_a_watch_that_cannot_tell_stops_no_round(
    config: settings.Shop, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def untold(*_args: Any) -> None:
        raise InputError("the release's reference tells of another spec")

    monkeypatch.setattr("training.drift.drift", untold)
    made = retrain(config, None)
    assert made.result("watch the data") == {"untold": "the release's reference tells of another spec"}
    assert calls[-1] == "report"


@pytest.mark.parametrize(("observed", "trains"), [(0.44, False), (0.34, True)])
def test_when_needed_trains_where_forecasts_have_not_come_true(
    config: settings.Shop,
    calls: list[str],
    monkeypatch: pytest.MonkeyPatch,
    observed: float,
    trains: bool,
) -> None:
    churn = {
        "predicted_rate": 0.4,
        "observed_rate": observed,
        "rate_error": 0.4 - observed,
        "rate_chance": 0.01,
    }
    run = {
        "as_of": "2025-09-01",
        "release": "r",
        "complete": {"churn": True, "clv": False},
        "figures": {"churn": churn, "clv": {}},
    }
    monkeypatch.setattr("training.backtest.backtest", lambda *_: {"runs": [run], "sentences": []})
    made = retrain(config, None, when_needed=True)
    assert ("churn" in calls) == trains
    told = "what was foreseen has not come: as of 2025-09-01 40% were to leave, and 34% left"
    assert (made.result("train?").get("reason") == told) == trains


def test_when_needed_trains_what_is_old(
    config: settings.Shop, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a day 40 days after the release was trained."""
    manifest = rounds_of_one._serving(config)
    assert manifest is not None
    older = {**manifest, "as_of": manifest["as_of"] - 40 * 86_400_000_000}
    monkeypatch.setattr(rounds_of_one, "_serving", lambda _: older)
    retrain(config, None, when_needed=True)
    assert "churn" in calls


def test_a_round_of_a_past_day_is_refused_where_it_would_replace_a_newer_release(
    config: settings.Shop, calls: list[str]
) -> None:
    with pytest.raises(InputError, match=r"the current release .* is newer"):
        retrain(config, date(2025, 9, 1))
    assert calls == []


def test_a_release_that_serves_since_scores_everybody_anew(
    config: settings.Shop, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    retrain(config, None)
    manifest = rounds_of_one._serving(config)
    assert manifest is not None
    monkeypatch.setattr(rounds_of_one, "_serving", lambda _: {**manifest, "name": "taken-back"})
    done, published = len(calls), open_store(config.store_url).current()
    made = retrain(config, None)
    assert calls[done:] == ["report"]
    assert made.finished
    now = open_store(config.store_url).current()
    assert published is not None
    assert now is not None
    assert now["run"] == published["run"]


def test_a_damaged_release_is_told_before_anything_is_done(config: settings.Shop, calls: list[str]) -> None:
    manifest = release.current(config.releases) / "manifest.json"
    manifest.write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match=r"what serves is damaged: .*training.promote"):
        retrain(config, None)
    assert calls == []


@pytest.mark.usefixtures("calls")
def test_only_the_first_score_stages_past_months(config: settings.Shop) -> None:
    flow = open_store(config.store_url).flow()
    retrain(config, None)
    again = open_store(config.store_url).flow()
    assert again == flow
