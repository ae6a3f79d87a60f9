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


@pytest.mark.parametrize(
    ("wrong", "column", "problem"),
    [
        ("days_since_last_order > 1,5", 36, "'1,5' is no number; write a decimal point: 1.5"),
        (
            "days_since_last_order > 1 000",
            36,
            "'1 000' is no number; write a number without spaces: 1000",
        ),
        ("churn_percentile > 90%", 31, "'90%' is no number; write a share: 0.9"),
        ("churn_percentile > 90% AND clv > 3", 31, "'90%' is no number; write a share: 0.9"),
        ("churn_percentile > 2.5 percent", 31, "'2.5 percent' is no number; write a share: 0.025"),
        ("days_since_last_order > 60 days", 36, "'60 days' is no number; write the number alone: 60 (its"),
        ("days_since_last_order > 60天 AND clv > 3", 36, "'60天' is no number; write the number alone: 60"),
        ("clv > 1,000", 18, "'1,000' is no number; write it without commas: 1000"),
        ("(clv > 1,000,000 OR clv < 3)", 19, "'1,000,000' is no number; write it without commas: 1000000"),
        ("tier = ‘vip’", 19, "'‘' is a full-width sign; write a straight quotation mark: '"),
        ("tier = “vip”", 19, "'“' is a full-width sign; write a straight quotation mark: '"),
    ],
)
def test_numbers_and_quotation_marks_are_told_at_their_place(wrong: str, column: int, problem: str) -> None:
    message = told("days_since_last_order > 150", wrong)
    assert f"mine.yaml, line 11, column {column}: stages.silent.enter: {problem}" in message
    assert f"line 11: enter: {wrong}" in message


@pytest.mark.parametrize(
    "fine",
    [
        "order_count IN (1,000)",
        "clv > 1000 % 90",
        "order_count % 2 = 0 AND clv > 3",
        "tier = '90% of 1,000, 60 days'",
        "coalesce(clv, 100) > 5",
    ],
)
def test_what_is_no_slip_reads(fine: str) -> None:
    text = POLICY.replace("days_since_last_order > 150", f'"{fine}"', 1)
    if "tier" in fine:
        with pytest.raises(InputError, match="tier is never '90% of 1,000, 60 days'"):
            parse_text(text, "mine.yaml")
    else:
        parse_text(text, "mine.yaml")


SPOKEN = POLICY.replace(
    "    enter: days",
    '    because:\n      en: "{order_count} orders"\n      zh: "{order_count} 单"\n    enter: days',
)
BRACE = "a text that begins with { needs quotation marks around it"


@pytest.mark.parametrize(
    ("old", "new", "place", "hint"),
    [
        ('en: "{order_count} orders"', 'en: {order_count} orders"', "line 12, column 25", BRACE),
        ('en: "{order_count} orders"', "en: {order_count} orders", "line 12, column 25", BRACE),
        ("{en: Silent,", "{en: {order_count} times,", "line 10, column 32", BRACE),
        (
            'orders"\n',
            "orders\n",
            "line 13, column 12",
            "line 12 may lack its closing quotation mark",
        ),
        (
            "{en: VIP, zh",
            '{en: "VIP, zh',
            "line 12, column 12",
            "line 4 may lack its closing quotation mark",
        ),
        (' 单"\n', " 单\n", "line 15, column 1", "line 13 may lack its closing quotation mark"),
    ],
)
def test_a_missing_quotation_mark_is_not_blamed_on_the_indentation(
    old: str, new: str, place: str, hint: str
) -> None:
    assert old in SPOKEN
    text = SPOKEN.replace(old, new, 1)
    with pytest.raises(InputError) as raised:
        parse_text(text, "mine.yaml")
    assert f"is not valid YAML ({place})" in str(raised.value)
    assert str(raised.value).endswith(f"; {hint}")
    assert "indentation" not in str(raised.value)


@pytest.mark.parametrize(
    ("old", "new", "line", "column"),
    [
        ("enter: order_count = 0", "enter：order_count = 0", 8, 10),
        ("enter: order_count = 0", "enter： order_count = 0", 8, 10),
        ("enter: days", "enter：days", 11, 10),
        ("- name: silent", "- name： silent", 9, 9),
        ("default: prospect", "default： prospect", 2, 8),
    ],
)
def test_a_full_width_colon_is_told_where_it_stands(old: str, new: str, line: int, column: int) -> None:
    message = told(old, new)
    assert message == (
        f"mine.yaml: is not valid YAML (line {line}, column {column}): '：' is a full-width colon; write ':' and a "
        f"space after a key, not '：'\n    line {line}: {POLICY.replace(old, new).splitlines()[line - 1].strip()}"
    )


def test_a_full_width_colon_within_braces_makes_a_wrong_key() -> None:
    message = told("{en: Silent, zh: 沉默}", "{en：Silent, zh: 沉默}")
    assert "unknown key 'en：Silent'; write ':' and a space after a key, not '：'" in message


@pytest.mark.parametrize(("new", "column"), [("{en: VIP sleeping， zh: x}", 42), ("{en: VIP，zh: x}", 33)])
def test_a_full_width_comma_is_told_where_it_stands(new: str, column: int) -> None:
    message = told("{en: VIP, zh: 贵宾}", new)
    assert f"(line 4, column {column}): '，' is a full-width comma; write ','" in message
    assert "bracket" not in message


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "name: silent",
            "name: prospect",
            "mine.yaml, line 9, column 11: stages: the name 'prospect' stands twice, as number 1 and number 2; names",
        ),
        (
            "stages:\n",
            "  - {name: vip, labels: {en: V, zh: V}, min_percentile: 0}\nstages:\n",
            "mine.yaml, line 5, column 12: tiers: the name 'vip' stands twice, as number 1 and number 2; names",
        ),
        (
            "enter: days_since_last_order > 150",
            "enter: [{rule: a, when: clv > 1}, {rule: b, when: clv > 2}, {rule: a, when: clv > 3}]",
            "line 11, column 72: stages.silent: enter: the rule 'a' stands twice, as number 1 and number 3; names",
        ),
        (
            "name: silent",
            "name: VIP sleeping",
            "line 9, column 11: stages.VIP sleeping.name: expected the pattern ^[a-z][a-z0-9_]{0,62}$: small English "
            "letters, digits and _, beginning with a letter (got 'VIP sleeping')",
        ),
        (
            "name: silent",
            "name: 贵宾沉睡",
            "small English letters, digits and _, beginning with a letter (got",
        ),
        (
            "    labels: {en: Silent, zh: 沉默}\n",
            "",
            "line 9, column 5: stages.silent.labels: is required; write labels: {en: ..., zh: ...}",
        ),
        (
            "labels: {en: Silent, zh: 沉默}",
            "labels: Silent",
            "; write labels: {en: ..., zh: ...} (got 'Silent')",
        ),
    ],
)
def test_names_and_labels(old: str, new: str, expected: str) -> None:
    assert expected in told(old, new)


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
