"""What may become champion, and what a promotion may not replace."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lifestage import bundle, release, settings
from lifestage.errors import InputError
from lifestage.tracking import Version
from training import promote as promoting
from training.promote import refuse_older, worth_promoting

DAY = 86_400_000_000


class Registry:
    """A tracker that knows the grades of some aliases and versions."""

    def __init__(self, grades: Mapping[str, float | None]) -> None:
        self.grades = grades
        self.asked: list[tuple[str, str]] = []

    def version(self, model: str, wanted: str) -> Version:
        self.asked.append((model, wanted))
        if wanted not in self.grades:
            raise InputError(f"{model}: has no version '{wanted}'")
        grade = self.grades[wanted]
        return Version(model, f"{wanted}-number", "run", {} if grade is None else {"grade": grade})


@pytest.fixture
def config(shop: Path, monkeypatch: pytest.MonkeyPatch) -> settings.Shop:
    monkeypatch.chdir(shop)
    return settings.load("shop.yaml")


A, B, C = 2.0, 1.0, 0.0


@pytest.mark.parametrize(
    ("champion", "challenger", "kept"),
    [
        (B, C, True),
        (A, C, True),
        (None, C, True),
        (C, C, False),
        (B, B, False),
        (A, B, False),
        (B, None, False),
    ],
)
def test_grade_c_does_not_replace_a_better_champion(
    config: settings.Shop,
    capsys: pytest.CaptureFixture[str],
    champion: float | None,
    challenger: float | None,
    kept: bool,
) -> None:
    registry: Any = Registry({"champion": champion, "challenger": challenger, "7": C})
    assert worth_promoting(registry, config, "challenger") == ("champion" if kept else "challenger")
    said = capsys.readouterr().out
    assert ("has grade C and does not replace version champion-number" in said) == kept
    assert worth_promoting(registry, config, "7") == "7"  # asked for by its number


def test_grade_c_is_better_than_nothing(config: settings.Shop) -> None:
    registry: Any = Registry({"challenger": C})
    assert worth_promoting(registry, config, "challenger") == "challenger"


def test_a_held_back_churn_model_holds_back_its_clv_model(
    config: settings.Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped right after the versions are chosen."""
    registry = Registry({"champion": B, "challenger": C})
    asked: list[tuple[str, str]] = registry.asked
    stopped = RuntimeError("far enough")

    def halt(*_: Any) -> None:
        raise stopped

    monkeypatch.setattr("lifestage.tracking.Tracker", lambda _uri: registry)
    monkeypatch.setattr(Registry, "download", halt, raising=False)
    with pytest.raises(RuntimeError, match="far enough"):
        promoting.promote(config, None, "challenger", "challenger")
    assert asked[-2:] == [("shop-churn", "champion"), ("shop-clv", "champion")]


def test_data_that_end_earlier_do_not_replace_a_newer_release(config: settings.Shop) -> None:
    now = int(bundle.read(release.current(config.releases), "release")["as_of"])
    refuse_older(config, now)
    with pytest.raises(InputError, match=r"the current release .* is newer.*--replace-newer"):
        refuse_older(config, now - DAY)
