"""Policies: what may be written, and how mistakes are named."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from lifestage.errors import InputError
from lifestage.lifecycle.policy import load, parse, parse_text, presets

GOOD = """
name: mine
default: b
signals:
  - {name: quiet, labels: {en: q, zh: q}, high: days_since_last_order > 9}
risk:
  - {name: high, labels: {en: h, zh: h}, when: signal_quiet}
tiers:
  - {name: top, labels: {en: t, zh: t}, min_percentile: 0.5}
  - {name: rest, labels: {en: r, zh: r}, min_percentile: 0}
stages:
  - {name: a, labels: {en: A, zh: 甲}, enter: order_count > 1, because: {en: "{order_count}", zh: "{order_count}"}}
  - {name: b, labels: {en: B, zh: 乙}, enter: "true", metrics: [m], actions: [{name: x, en: X, zh: 叉}, y]}
"""


def refusal(text: str) -> str:
    with pytest.raises(InputError) as error:
        parse_text(text, "mine.yaml")
    return str(error.value)


def test_a_policy_keeps_order_names_and_text() -> None:
    policy = parse_text(GOOD, "mine.yaml")
    assert [stage.name for stage in policy.stages] == ["a", "b"]
    assert [(rule.rule, rule.when) for rule in policy.stage("b").enter] == [("enter", "true")]
    assert [action.zh for action in policy.stage("b").actions] == ["叉", "y"]
    assert policy.source == GOOD
    with pytest.raises(KeyError):
        policy.stage("c")


def test_a_document_without_text_writes_its_own() -> None:
    document = yaml.safe_load(GOOD)
    policy = parse(document, "mine.yaml")
    assert yaml.safe_load(policy.source) == document
    assert parse_text(policy.source, "again").stages == policy.stages


def test_a_wrong_expression_of_a_document_without_text_is_told() -> None:
    document = yaml.safe_load(GOOD.replace("enter: order_count > 1", "enter: order_cuont > 1"))
    with pytest.raises(InputError, match="did you mean 'order_count'"):
        parse(document, "mine.yaml")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "default: b",
            "default: c",
            "mine.yaml, line 3, column 10: default: 'c' is no stage; choose one of a, b",
        ),
        ("default: b\n", "", "mine.yaml, line 2, column 1: default: is required"),
        ("default: b", "defalt: b", "unknown key 'defalt'; did you mean 'default'?"),
        (
            "name: b,",
            "name: a,",
            "stages: the name 'a' stands twice, as number 1 and number 2; names must differ",
        ),
        ("name: b,", "name: new,", "stages: 'new' means 'not seen before' in the flow; choose another name"),
        ("name: b,", "name: B b,", "stages.B b.name: expected the pattern"),
        ('enter: "true"', 'entr: "true"', "stages.b: unknown key 'entr'; did you mean 'enter'?"),
        ("0.5}", "1.5}", "tiers.top.min_percentile: Input should be less than or equal to 1 (got 1.5)"),
        (
            "0.5}",
            "0}",
            "tiers: min_percentile reads [0.0, 0.0]; order tiers from the highest down, the last one at 0",
        ),
        ("min_percentile: 0}", "min_percentile: 0.1}", "the last one at 0"),
        (
            ", high: days_since_last_order > 9",
            "",
            "signals.quiet: has no condition; give one for at least one of",
        ),
        (
            "order_count > 1",
            "order_cnt > 1",
            "mine.yaml, line 12, column 46: stages.a.enter: unknown column 'order_cnt'; "
            "did you mean 'order_count'?",
        ),
        (
            "order_count > 1",
            "order_count",
            "stages.a.enter: gives a value of type DOUBLE, expected true or false",
        ),
        ("order_count > 1", "lower(order_count) = 'x'", "stages.a.enter: cannot be evaluated: "),
        (
            "order_count > 1",
            "sum(order_count) > 1",
            "stages.a.enter: the aggregate 'sum' is not allowed",
        ),
        ("order_count > 1", "tier = 'tops'", "stages.a.enter: tier is never 'tops'; did you mean 'top'?"),
        (
            "order_count > 1",
            "\"risk IN ('high', 'low')\"",
            "stages.a.enter: risk is never 'low'; known are: high",
        ),
        (
            "order_count > 1",
            "\"'champion' = segment\"",
            "segment is never 'champion'; did you mean 'champions'?",
        ),
        ("order_count > 1", "signal_quit", "unknown column 'signal_quit'; did you mean 'signal_quiet'?"),
        ("order_count > 1", "next_order_at > 1", "unknown column 'next_order_at'"),
        (
            "when: signal_quiet",
            "when: risk = 'high'",
            "risk.high.when: unknown column 'risk'",
        ),
        (
            "> 9}",
            "> 9 AND signal_quiet}",
            "mine.yaml, line 5, column 79: signals.quiet.high: unknown column 'signal_quiet'",
        ),
        (
            'en: "{order_count}"',
            'en: "{order_cont}"',
            "stages.a.because.en: unknown place '{order_cont}'; did you mean '{order_count}'?",
        ),
        ('en: "{order_count}"', 'en: "{order_count.__class__}"', "unknown place '{order_count.__class__}'"),
        ('en: "{order_count}"', 'en: "{order_count!r:>9}"', "unknown place '{order_count!r:>9}'"),
        ('en: "{order_count}"', 'en: "{0}"', "unknown place '{0}'; name a published column"),
        ('en: "{order_count}"', 'en: "{order_count"', "has a brace without its pair; write {column}"),
        ("default: b", "default: b\ndefault: a", "the key 'default' stands twice"),
        (
            'enter: "true"',
            "enter: yes",
            "stages.b: 'enter' is true (YAML reads yes, no, on and off so); put a text in",
        ),
        ("default: b", "default: [b", "mine.yaml: is not valid YAML"),
        ("default: b", "default: b\nsource: x", "unknown key 'source'"),
    ],
)
def test_mistakes_are_named(old: str, new: str, expected: str) -> None:
    assert old in GOOD
    assert expected in refusal(GOOD.replace(old, new, 1))


@pytest.mark.parametrize("text", ["", "[]", "just words"])
def test_only_a_mapping_is_a_policy(text: str) -> None:
    assert refusal(text) == "mine.yaml: expected a YAML mapping with keys such as 'name' and 'stages'"


def test_load_reads_presets_and_files(tmp_path: Path) -> None:
    assert "ecommerce" in presets()
    for name in presets():
        assert load(name).name == name
    path = tmp_path / "mine.yaml"
    path.write_bytes(GOOD.encode())
    assert load(path).source.encode() == path.read_bytes()


def test_load_says_what_is_wrong_with_the_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"policy 'ecomerce': cannot be read .* presets: .*ecommerce"):
        load("ecomerce")
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"name: \xe9")
    with pytest.raises(InputError, match="is not UTF-8 text; save it as UTF-8"):
        load(path)


def _texts(value: Any) -> list[dict[str, Any]]:
    found = [value] if isinstance(value, dict) else []
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return found + [text for child in children for text in _texts(child)]


@pytest.mark.parametrize("name", ["ecommerce"])
def test_presets_speak_both_languages(name: str) -> None:
    for texts in _texts(yaml.safe_load(load(name).source)):
        if "en" in texts or "zh" in texts:
            assert texts["en"].isascii()
            assert any("\u4e00" <= letter <= "\u9fff" for letter in texts["zh"])


def test_the_example_policy_is_right() -> None:
    path = Path(__file__).parents[2] / "configs" / "policies" / "example.yaml"
    assert load(path).default == "prospect"


def test_a_policy_reads_the_features_of_its_release_only() -> None:
    from tests.features.families import SPEC

    text = GOOD.replace("order_count > 1,", "event_view_30d > 1 AND profile_city = 'Rome',")
    policy = parse_text(text, "mine.yaml", SPEC)
    assert {"event_view_30d", "profile_city"} <= set(policy.given)
    assert str(policy.given["profile_city"].type) == "string"
    with pytest.raises(InputError, match="event_view_30d"):
        parse_text(text, "mine.yaml")
    with pytest.raises(InputError, match=r"event_veiw_30d.*did you mean 'event_view_30d'"):
        parse_text(text.replace("event_view", "event_veiw"), "mine.yaml", SPEC)
