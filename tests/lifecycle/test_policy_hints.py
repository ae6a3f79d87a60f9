"""Mistakes of people who know no SQL: each message shows the line and what to write."""

from importlib.resources import files

import pytest

from lifestage.errors import InputError
from lifestage.lifecycle.checking.hints import explained
from lifestage.lifecycle.policy import parse_text

POLICY = """\
name: mine
default: prospect
tiers:
  - {name: vip, labels: {en: VIP, zh: 贵宾}, min_percentile: 0}
stages:
  - name: prospect
    labels: {en: Prospect, zh: 潜在客户}
    enter: order_count = 0
  - name: silent
    labels: {en: Silent, zh: 沉默}
    enter: days_since_last_order > 150
"""


def told(old: str, new: str) -> str:
    assert old in POLICY
    text = POLICY.replace(old, new, 1)
    with pytest.raises(InputError) as raised:
        parse_text(text, "mine.yaml")
    return explained(str(raised.value), text)


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("days_since_last_order > 1,5", "write a decimal point, e.g. 1.5 instead of 1,5"),
        ("days_since_last_order > 1 000", "write a number without spaces"),
        ("churn_probability > 70%", "write a share, e.g. 0.7 instead of 70%"),
        ("days_since_last_order => 150", "the equals sign last"),
        ("days_since_last_order is more than 150", "write > or >= for 'more than'"),
        ("0 < order_count < 5", "0 < order_count AND order_count < 5"),
        ("days_since_last_order > '150 days'", "without quotation marks and without its unit"),
        ("tier = vip", "put it in single quotation marks: 'vip'"),
        ('tier = "vip"', "put it in single quotation marks: 'vip'"),
        ("stage = 'prospect'", "the one before is previous_stage"),
        ("days_since_last_order ≥ 150", "write plain signs: >= instead of ≥"),
        ("3", "write a condition, e.g. order_count > 0"),
    ],
)
def test_the_usual_slips(wrong: str, hint: str) -> None:
    message = told("days_since_last_order > 150", wrong)
    assert f"line 11: enter: {wrong}" in message
    assert f"hint: {hint}" in message or hint in message.split("hint:")[1]


def test_an_unknown_column_does_not_list_sixty_names() -> None:
    message = told("days_since_last_order > 150", "tier = xyzzy")
    assert "'python -m training.policy columns' lists all" in message
    assert "known are" not in message
    assert "did you mean 'days_since_last_order'" in told("days_since_last_order >", "day_since_last_order >")


def test_broken_yaml_shows_its_line() -> None:
    message = told("    enter: days", "   enter: days")
    assert "line 11: enter: days_since_last_order > 150" in message
    assert "hint:" not in message


def test_a_message_without_a_place_stays_as_it_is() -> None:
    assert (
        explained("p.yaml: is not UTF-8 text; save it as UTF-8", "x")
        == "p.yaml: is not UTF-8 text; save it as UTF-8"
    )


def test_every_preset_reads_without_a_word() -> None:
    for entry in files("lifestage.lifecycle").joinpath("presets").iterdir():
        if entry.name.endswith(".yaml"):
            parse_text(entry.read_bytes(), entry.name)
