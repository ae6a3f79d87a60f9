"""The catalogue of metrics: both languages, and every metric that a preset names."""

import re

import pytest

from lifestage.lifecycle import policy
from lifestage.lifecycle.metrics import METRICS
from lifestage.lifecycle.metrics.channels import METRICS as BY_CHANNEL
from lifestage.lifecycle.metrics.periods import spaced
from lifestage.localtime import DAY

CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_told_in_both_languages(name: str) -> None:
    metric = METRICS[name]
    assert metric.en
    assert metric.zh
    assert metric.unit
    assert not CHINESE.search(metric.en + metric.meaning + metric.needs)
    assert CHINESE.search(metric.meaning_zh)
    assert bool(metric.needs) == bool(metric.needs_zh) == (not metric.measured)


@pytest.mark.parametrize("preset", policy.presets())
def test_every_metric_of_a_preset_is_known(preset: str) -> None:
    named = {item.name for stage in policy.load(preset).stages for item in stage.metrics}
    assert named <= set(METRICS)


def test_metrics_by_channel_are_in_the_catalogue() -> None:
    assert set(BY_CHANNEL.values()) <= set(METRICS)


def test_periods_are_counted_back_from_the_newest_run() -> None:
    def days(*numbers: float, apart: float = 28) -> list[float]:
        return [t / DAY for t in spaced([round(n * DAY) for n in numbers], apart)]

    assert days(0, 31, 59, 90, 92) == [0, 31, 59, 92]  # a newest run two days after a month's beginning
    assert days(92, 0, 59, 31, 90) == [0, 31, 59, 92]
    assert days(*range(61)) == [4, 32, 60]  # nightly
    assert days(0, 27.96) == [0, 27.96]  # a month with a clock change
    assert days(0, 27) == [27]
    assert days(0, 7, 14, 15, apart=7) == [0, 7, 15]
    assert days(5) == [5]
    assert days() == []
