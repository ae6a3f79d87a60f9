"""Rounds of the past: which days, that nothing that serves is touched, and that a failure stops only its round."""

from datetime import date
from pathlib import Path

import pytest

from lifestage import settings
from lifestage.errors import InputError
from training import rounds as many
from training.round_state import Round, rounds_of
from training.rounds import feasible_from, rehearsal, rounds, starts


def test_months_and_weeks_begin_where_the_calendar_says() -> None:
    assert starts(date(2025, 1, 2), date(2025, 4, 1), "month") == [
        date(2025, 2, 1),
        date(2025, 3, 1),
        date(2025, 4, 1),
    ]
    assert starts(date(2025, 1, 1), date(2025, 1, 20), "week") == [
        date(2025, 1, 6),
        date(2025, 1, 13),
        date(2025, 1, 20),
    ]
    assert starts(date(2025, 1, 2), date(2025, 1, 31), "month") == []


@pytest.fixture
def config(served: Path, monkeypatch: pytest.MonkeyPatch) -> settings.Shop:
    monkeypatch.chdir(served)
    return settings.load("shop.yaml")


def test_the_first_round_has_a_history_to_train_on(config: settings.Shop) -> None:
    """90 days before the first cutoff and three horizons of 90 days, from 2023-01-01 on."""
    start = 1_672_502_400_000_000  # 2023-01-01 in Shanghai
    assert feasible_from(config, start) == date(2023, 12, 27)


def test_a_rehearsal_has_places_of_its_own(config: settings.Shop, tmp_path: Path) -> None:
    made = rehearsal(
        config.model_copy(update={"store": "sqlite:///x.db", "release_dir": "y"}), tmp_path / "out"
    )
    for place in (made.output, made.releases):
        assert place.is_relative_to(tmp_path / "out")
    assert made.store_url == f"sqlite:///{tmp_path / 'out/store.db'}"
    assert made.tracking_uri == f"sqlite:///{tmp_path / 'out/mlflow.db'}"


def test_a_failed_round_is_told_and_the_next_goes_on(
    config: settings.Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[date] = []

    def retrain(shop: settings.Shop, as_of: date, *, accept: bool) -> Round:  # noqa: ARG001
        asked.append(as_of)
        if as_of.month == 11:
            raise InputError("the shop was closed")
        made = Round(shop.output / f"rounds/{as_of}/round.json", shop.shop, str(as_of), "", 0)
        made.done("score and stage", 1.0, {"customers": 12})
        return made

    monkeypatch.setattr("training.retrain.retrain", retrain)
    monkeypatch.setattr(
        "training.backtest.backtest", lambda *_: {"runs": [], "sentences": ["All came true."]}
    )
    made = rehearsal(config, tmp_path / "out")
    done = rounds(made, date(2025, 10, 2), None, "month")
    assert asked == [date(2025, 11, 1), date(2025, 12, 1), date(2026, 1, 1)]
    assert [r.as_of for r in done] == ["2025-12-01", "2026-01-01"]
    assert "2025-11-01  FAILED: the shop was closed" in capsys.readouterr().out
    assert [r.failed for r in rounds_of(made)] == ["the shop was closed", None, None]
    page = (tmp_path / "out/rounds.html").read_text("utf-8")
    assert "the shop was closed" in page
    assert "All came true." in page


def test_days_without_enough_history_are_refused(config: settings.Shop, tmp_path: Path) -> None:
    made = rehearsal(config, tmp_path / "out")
    with pytest.raises(
        InputError, match=r"no month begins between .* and 2023-05-01: the history allows rounds from"
    ):
        rounds(made, None, date(2023, 5, 1), "month")
    assert many.failed_line("x") == "FAILED: x"
