"""What a marketer reads, in both languages: every feature, every customer, no place left open."""

import math
import re

import numpy as np
import pytest

from lifestage.churn.reasons.sentences import (
    case,
    count,
    days,
    literal,
    money,
    number,
    percent,
    span,
    speaker,
)
from lifestage.churn.reasons.texts import speakers
from lifestage.features import Attribute, FeatureSpec, catalogue, names
from lifestage.features.groups import GROUPS, groups_of, label
from tests.features.families import SPEC

ODD = FeatureSpec(
    behaviour=True,
    event_types=("50% {off}", "加购", "a%sb"),
    attributes=(Attribute("size {cm} %", "number"), Attribute("城市", "text", ("上海%s", "{x}"))),
    custom="mine:compute",
    custom_names=("basket_luck",),
)
TERMS = ("days_subscribed", "days_in_term", "term_count", "monthly_price", "days_since_last_end")
BTYD = ("btyd_p_no_order", "btyd_expected_orders")
nan = math.nan


def told(
    values: dict[str, float], feature: str, spec: FeatureSpec = SPEC, currency: str = "EUR"
) -> list[str]:
    columns = {name: np.array([value]) for name, value in values.items()}
    own = (*names(spec), *TERMS, *BTYD)
    en, zh = speakers(own, spec, currency)[feature].tell(columns, np.array([0]))
    return [en[0], zh[0]]


RHYTHM = {
    "days_since_last_order": 96.2,
    "mean_gap_days": 31.0,
    "purchase_days": 6.0,
    "order_count": 6.0,
    "recency_over_mean_gap": 3.1,
    "max_gap_days": 80.0,
    "recency_over_max_gap": 1.2,
}


@pytest.mark.parametrize(
    ("feature", "values", "en", "zh"),
    [
        (
            "days_since_last_order",
            RHYTHM,
            "no order for 96 days; usually every 31 days",
            "已96天未下单，平时约每31天一次",
        ),
        (
            "mean_gap_days",
            {**RHYTHM, "days_since_last_order": 1.4, "recency_over_mean_gap": 0.05},
            "last order 1 day ago; usually every 31 days",
            "最近一单在1天前，平时约每31天一次",
        ),
        (
            "recency_over_max_gap",
            RHYTHM,
            "no order for 96 days; the longest pause before was 80 days",
            "已96天未下单，此前最长间隔80天",
        ),
        (
            "days_since_last_order",
            {"days_since_last_order": 40.0, "order_count": 1.0, "purchase_days": 1.0, "mean_gap_days": nan},
            "no second order yet; the first was 40 days ago",
            "首单在40天前，之后未再下单",
        ),
        (
            "btyd_p_no_order",
            RHYTHM,
            "no order for 96 days; usually every 31 days",
            "已96天未下单，平时约每31天一次",
        ),
        (
            "orders_90d",
            {"orders_90d": 1.0, "order_count": 20.0, "days_since_first_order": 450.0},
            "1 order in the last 90 days; 4 on average",
            "最近90天下单1次，平时约4次",
        ),
        (
            "orders_90d",
            {"orders_90d": 2.0, "order_count": 2.0, "days_since_first_order": 100.0},
            "2 orders in the last 90 days",
            "最近90天下单2次",
        ),
        (
            "spend_30d",
            {"spend_30d": 0.0, "spend_total": 1200.0, "days_since_first_order": 600.0},
            "nothing spent in the last 30 days; EUR 60 on average",
            "最近30天没有消费，平时约60欧元",
        ),
        (
            "orders_change_30d",
            {"orders_change_30d": -1.0, "orders_30d": 2.0},
            "1 fewer order in the last 30 days than in the 30 before",
            "最近30天下单比前30天少1次",
        ),
        (
            "days_since_last_event",
            {"days_since_last_event": 30.0, "inactive_over_max": 2.0, "max_inactive_days": 15.0},
            "no activity for 30 days; the longest pause before was 15 days",
            "已30天没有任何行为，此前最长间隔15天",
        ),
        (
            "event_add_to_list_30d",
            {"event_add_to_list_30d": 1.0},
            "'Add to list!' once in the last 30 days",
            "最近30天“Add to list!”1次",
        ),
        ("days_since_event_cart", {"days_since_event_cart": nan}, "no 'cart' so far", "从未有“cart”"),
        (
            "funnel_step_30d",
            {"funnel_step_30d": 2.0},
            "furthest step towards an order in the last 30 days: cart",
            "最近30天在购买漏斗中最远到达“cart”",
        ),
        (
            "nps_detractor",
            {"nps_detractor": 1.0, "nps_last": 3.0},
            "last NPS score 3 of 10",
            "最近一次NPS评分3（满分10）",
        ),
        ("tickets_open", {"tickets_open": 2.0}, "2 open tickets", "有2个未解决的工单"),
        ("complaints_90d", {"complaints_90d": 0.0}, "no complaints in the last 90 days", "最近90天没有投诉"),
        ("profile_city", {"profile_city": 1.0}, "city: Köln", "city：Köln"),
        ("profile_city", {"profile_city": 2.0}, "city: other", "city：其他"),
        ("profile_vip", {"profile_vip": 0.0}, "vip: no", "vip：否"),
        ("profile_age", {"profile_age": nan}, "age: not known", "age：未知"),
        (
            "profile_acquisition_channel",
            {"profile_acquisition_channel": 0.0},
            "acquisition channel: ads",
            "获客渠道：ads",
        ),
        ("profile_tenure_days", {"profile_tenure_days": 800.0}, "signed up 2.2 years ago", "注册已2.2年"),
        ("category_count", {"category_count": 3.0}, "bought in 3 categories so far", "累计购买涉及3个品类"),
        (
            "weekend_share",
            {"weekend_share": 0.4, "order_count": 5.0},
            "40% of orders at weekends",
            "40%的订单在周末",
        ),
        ("monthly_price", {"monthly_price": 9.9}, "pays EUR 9.90 a month", "月费9.90欧元"),
    ],
)
def test_sentences(feature: str, values: dict[str, float], en: str, zh: str) -> None:
    assert told(values, feature) == [en, zh]


@pytest.mark.parametrize("spec", [SPEC, ODD], ids=["every family", "odd names"])
def test_every_feature_has_sentences_whatever_the_values(spec: FeatureSpec) -> None:
    own = (*names(spec), *TERMS, *BTYD, "something_new")
    rng = np.random.default_rng(1)
    n = 300
    columns = {}
    for name in own:
        feature = catalogue(spec).get(name)
        top = len(feature.levels) if feature and feature.levels else 4
        values = rng.integers(0, top, n) + (0.0 if feature and feature.levels else rng.choice([0.0, 0.3], n))
        if name.endswith("_share"):
            values = values / 4
        if "change" in name or "slope" in name:
            values = values - 2
        if name.startswith("funnel_step"):
            values = np.floor(np.minimum(values, len(spec.funnel)))
        columns[name] = np.where(rng.random(n) < 0.3, np.nan, values)
    columns = {name: np.append(values, np.nan) for name, values in columns.items()}
    found = speakers(own, spec, "CNY")
    assert list(found) == list(own)
    shop_texts = re.compile(r"50% \{off\}|a%sb|size cm|上海%s|\{x\}")
    for name, one in found.items():
        for language, texts in zip(("en", "zh"), one.tell(columns, np.arange(n + 1)), strict=True):
            for text in texts:
                plain = shop_texts.sub("", text)
                assert text and not re.search(r"[{}\0]|%s|%%|nan|None|-0\b", plain), (name, text)
                if language == "zh" and name != "something_new":
                    assert re.search(r"[\u4e00-\u9fff]|：", text), (name, text)
                if language == "en":
                    assert not re.search(
                        r"\b1 (days|orders|events|visits|times|months|categories)\b", text
                    ), text


def test_texts_of_the_shop_are_told_as_they_are() -> None:
    assert (
        told({"event_50_off_7d": 2.0}, "event_50_off_7d", ODD)[0] == "'50% {off}' 2 times in the last 7 days"
    )
    assert told({"days_since_event_n2": 3.0}, "days_since_event_n2", ODD)[1] == "最近一次“加购”在3天前"
    assert told({"profile_n2": 0.0}, "profile_n2", ODD)[0].endswith(": 上海%s")
    assert told({"basket_luck": 1.25}, "basket_luck", ODD) == [
        "'basket_luck' of mine:compute: 1.2",
        "mine:compute 自定义特征“basket_luck”：1.2",
    ]


def test_every_feature_has_a_group_and_every_group_a_name() -> None:
    for spec in (SPEC, ODD):
        for name, feature in catalogue(spec).items():
            assert feature.group, name
            assert all(label(feature.group, spec))
    listed = [name for _, _, members in GROUPS.values() for name in members]
    assert len(listed) == len(set(listed))
    known = {*names(SPEC), *TERMS}
    assert set(listed) <= known, set(listed) - known
    families = {
        f.name for f in catalogue(SPEC).values() if f.family in ("purchases", "behaviour", "feedback")
    }
    alone = {name for name in families if catalogue(SPEC)[name].group == name}
    assert not alone
    assert groups_of(("btyd_p_no_order", "x"), SPEC) == {"btyd_p_no_order": "rhythm", "x": "x"}
    assert (
        catalogue(SPEC)["event_view_30d"].group
        == catalogue(SPEC)["days_since_event_view"].group
        == "event_view"
    )
    assert label("event_add_to_list", SPEC) == ("events 'Add to list!'", "“Add to list!”行为")


def test_the_first_case_that_fits_is_told_and_a_missing_value_fits_none() -> None:
    one = speaker(
        (case("few {x:n}", "少{x:n}", "x < 3"), case("{y:day} and {x:n}", "{y:days}"), case("nothing", "无")),
        "EUR",
    )
    columns = {"x": np.array([1.0, 5.0, 5.0, nan]), "y": np.array([nan, 1.0, nan, 2.0])}
    en, zh = one.tell(columns, np.arange(4))
    assert en == ["few 1", "1 day and 5", "nothing", "nothing"]
    assert zh == ["少1", "1天", "无", "无"]
    assert one.tell(columns, np.array([3, 0]))[0] == ["nothing", "few 1"]


def test_numbers_read_as_people_write_them() -> None:
    assert [number(x) for x in (0, -0.04, 1.0, 1.04, 1.25, 9.96, 12.4, 1234.5, -3.5)] == [
        "0", "0", "1", "1", "1.2", "10", "12", "1,234", "-3.5",
    ]  # fmt: skip
    assert [days(x) for x in (0.2, 0.6, 1.4, 1.6, 1500.0)] == [
        "less than a day",
        "1 day",
        "1 day",
        "2 days",
        "1,500 days",
    ]
    assert [span(x) for x in (30.0, 100.0, 729.0, 731.0)] == ["30 days", "3 months", "24 months", "2 years"]
    assert [percent(x) for x in (0.0, 0.004, 0.5, 0.997, 1.0)] == [
        "0%",
        "under 1%",
        "50%",
        "over 99%",
        "100%",
    ]
    assert [count(x, "category") for x in (0, 1, 2)] == ["no categories", "1 category", "2 categories"]
    assert money(9.9, "USD", "en") == "USD 9.90" and money(1234.5, "CNY", "zh") == "1,234元"
    assert money(30, "SEK", "zh") == "SEK 30"
    assert literal("a{b}") == "a{{b}}"
