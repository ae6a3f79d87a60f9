"""The catalogue of metrics: both languages, and every metric that a preset names."""

import re

import pytest

from lifestage.lifecycle import policy
from lifestage.lifecycle.metrics import METRICS
from lifestage.lifecycle.metrics.channels import METRICS as BY_CHANNEL
from lifestage.lifecycle.metrics.periods import evenly

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


def test_a_stub_before_the_newest_run_is_left_out() -> None:
    assert evenly([0, 30, 60, 90, 92]) == [0, 30, 60, 92]
    assert evenly([92, 0, 60, 30, 90]) == [0, 30, 60, 92]
    assert evenly([0, 30, 60, 75]) == [0, 30, 60, 75]
    assert evenly([0, 30, 60, 74]) == [0, 30, 74]
    assert evenly([5, 7]) == [5, 7]
    assert evenly([5]) == [5]
