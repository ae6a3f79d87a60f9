"""Every family against its plain-Python oracle, the catalogue of a spec, and hard cases."""

import math
import re
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifestage.errors import InputError
from lifestage.features import (
    PLAIN,
    Attribute,
    FeatureSpec,
    behaviour,
    catalogue,
    categorical,
    compute,
    names,
)
from lifestage.features.spec import slugs
from lifestage.history import History
from tests.builders import DAY, INSTANTS, ZONES, full_customers, make_history, us
from tests.features import oracle, oracle_behaviour, oracle_feedback, oracle_habits
from tests.features.families import FUNNEL, LEVELS, SPEC, TYPES

MINUTE = 60_000_000
T = us("2022-01-01")


def habits(row: dict[str, Any], cutoff: int, zone: str) -> dict[str, float]:
    """The habits oracle on the occasions that the first oracle keeps."""
    known = [p for p in row.get("purchases", []) if p[0] < cutoff]
    cents = [(t, round(amount * 100)) for t, amount, *_ in known]
    refunds = [(t, round(a * 100), order) for t, a, order in row.get("refunds", [])]
    left = oracle.take_back(cents, refunds, cutoff)
    kept = [
        (t, net, category, channel, None if discount is None else round(discount * 100))
        for (t, _, category, channel, discount), (_, gross), net in zip(known, cents, left, strict=True)
        if net > 0 or gross == 0
    ]
    return oracle_habits.features(kept, cutoff, zone)


def expected(row: dict[str, Any], cutoff: int, zone: str) -> dict[str, float]:
    return {
        **habits(row, cutoff, zone),
        **oracle_behaviour.features(row.get("events", []), cutoff, zone, TYPES, FUNNEL),
        **oracle_feedback.features(row.get("feedback", []), cutoff),
        **oracle_feedback.profile(row, cutoff, LEVELS),
    }


def one(
    row: dict[str, Any], cutoff: int = T, spec: FeatureSpec = SPEC, zone: str = "UTC"
) -> dict[str, float]:
    columns = compute(make_history([row], zone).before(cutoff), spec)
    return {name: float(values[0]) for name, values in columns.items()}


@settings(max_examples=120, deadline=None)
@given(rows=st.lists(full_customers(), min_size=1, max_size=4), cutoff=INSTANTS, zone=ZONES)
def test_every_family_equals_plain_python(rows: list[dict[str, Any]], cutoff: int, zone: str) -> None:
    columns = compute(make_history(rows, zone).before(cutoff), SPEC)
    assert list(columns) == names(SPEC)
    for i, row in enumerate(rows):
        wanted = expected(row, cutoff, zone)
        first = set(compute(make_history([row], zone).before(cutoff))) - set(wanted)
        assert set(wanted) | first == set(columns)
        for name, value in wanted.items():
            got = float(columns[name][i])
            assert got == pytest.approx(value, rel=1e-9, abs=1e-9, nan_ok=True), (name, i)
    for name, values in columns.items():
        assert values.dtype == np.float64 and not np.isinf(values).any(), name


def test_a_customer_without_a_single_row_has_zeros_and_missing_values() -> None:
    values = one({})
    zero = {name for name, value in values.items() if value == 0}
    assert {"event_count", "events_30d", "tickets_open", "category_count", "funnel_step_30d"} <= zero
    for name, value in values.items():
        assert value == 0 or math.isnan(value), name
    assert math.isnan(values["days_since_last_event"]) and math.isnan(values["nps_detractor"])


def test_unknown_types_and_levels_count_in_totals_and_as_other() -> None:
    row = {"events": [(T - DAY, "teleport"), (T - 2 * DAY, "view")], "city": "Atlantis", "vip": True}
    values = one(row)
    assert (values["event_count"], values["events_7d"], values["event_type_count"]) == (2, 2, 1)
    assert sum(values[f"event_{part}_30d"] for part in TYPES.values()) == 1
    assert values["profile_city"] == len(LEVELS["city"])
    assert catalogue(SPEC)["profile_city"].levels == ("Rome", "Köln", "other")
    assert values["profile_vip"] == 1
    assert math.isnan(one({"city": None, "age": 1.0})["profile_city"])


def test_sessions_are_ids_else_pauses_of_more_than_half_an_hour() -> None:
    at = T - DAY
    ids = [(at, "view", "a"), (at + DAY // 2, "view", "b"), (at + DAY // 2 + 1, "view", "a")]
    assert one({"events": ids})["session_count"] == 2
    pauses = [(at, "view"), (at + 30 * MINUTE, "view"), (at + 60 * MINUTE + 1, "view")]
    assert one({"events": pauses})["session_count"] == 2
    assert one({"events": sorted([*ids, *pauses], key=lambda e: e[0])})["session_count"] == 4
    # one session over the edge of a window lies in it, as its last event does
    edge = [(T - 7 * DAY - 1, "view", "a"), (T - 7 * DAY, "view", "a")]
    assert one({"events": edge})["sessions_7d"] == 1


def test_a_resolution_from_the_cutoff_on_is_not_known() -> None:
    opened = T - 10 * DAY
    before, at = ({"feedback": [(opened, "ticket", None, when)]} for when in (T - 1, T))
    assert one(before)["tickets_open"] == 0
    assert one(before)["mean_resolution_days"] == pytest.approx(10)
    assert one(at)["tickets_open"] == 1
    assert math.isnan(one(at)["mean_resolution_days"])
    assert one(at)["oldest_open_days"] == 10


def test_the_funnel_tells_the_furthest_step_of_the_window() -> None:
    row = {"events": [(T - 60 * DAY, "pay"), (T - 5 * DAY, "cart"), (T - DAY, "view")]}
    values = one(row)
    assert (values["funnel_step_30d"], values["funnel_step_90d"]) == (2, 3)


def test_ten_years_and_a_lonely_outlier_are_fine() -> None:
    row = {
        "purchases": [(T - 3_650 * DAY, 5.0, "art", None, 1e9), (T - DAY, 7.0, "art", None, None)],
        "events": [(T - 3_650 * DAY, "view"), (T - DAY, "view")],
        "signed_up_at": us("1951-01-01"),
    }
    values = one(row)
    assert values["max_inactive_days"] == 3_649
    assert values["days_since_first_event"] == 3_650
    assert values["category_entropy"] == 0
    assert all(not math.isinf(value) for value in values.values())


def test_a_bot_with_a_million_events_costs_its_neighbours_nothing() -> None:
    n = 1_000_000
    t = pa.array(np.sort(np.random.default_rng(1).integers(T - 300 * DAY, T, n)))
    kinds = pa.array(["view", "cart", "never learnt"]).take(pa.array(np.arange(n) % 3))
    sessions = pa.array([f"s{i}" for i in range(1_000)]).take(pa.array(np.arange(n) // 1_000))
    human = [(T - 3 * DAY, "view", None), (T - DAY, "cart", "x")]
    table = make_history([{"events": human}, {"events": human}])._table
    struct = table.column("events").type.value_type
    flat = table.column("events").combine_chunks().values
    bot = pa.StructArray.from_arrays([t.cast(struct.field("t").type), kinds, sessions], fields=list(struct))
    values = pa.concat_arrays([flat[:2], bot, flat[2:]])
    lists = pa.ListArray.from_arrays(pa.array([0, 2, n + 2, n + 4], pa.int32()), values)
    three = make_history([{}, {}, {}])._table
    block = History(three.set_column(three.schema.get_field_index("events"), "events", lists), "UTC")
    columns = compute(block.before(T), SPEC)
    alone = compute(make_history([{"events": human}]).before(T), SPEC)
    for name, column in columns.items():
        for i in (0, 2):
            assert column[i : i + 1].tobytes() == alone[name].tobytes(), name
    assert columns["event_count"][1] == n
    assert columns["session_count"][1] == 1_000
    assert columns["event_type_count"][1] == 2


# --- the catalogue and the spec ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n in names(SPEC) if n not in catalogue(PLAIN)])
def test_every_feature_is_described(name: str) -> None:
    feature = catalogue(SPEC)[name]
    assert feature.name == name and feature.family in {"purchases", "behaviour", "feedback", "profile"}
    assert len(feature.meaning) > 10 and re.search(r"[一-鿿]", feature.meaning_zh)
    assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
    days = re.search(r"_(\d+)d$", name)
    if days:
        wanted = int(days[1]) * (2 if "_change_" in name else 1)
        assert feature.window_days == wanted and days[1] in feature.meaning
    assert feature.as_given == (feature.family == "profile" and name != "profile_tenure_days")


def test_meanings_of_a_whole_catalogue_are_distinct() -> None:
    for part in ("meaning", "meaning_zh"):
        found = [getattr(f, part) for f in catalogue(SPEC).values()]
        assert len(set(found)) == len(found)
    assert categorical(SPEC) == ("profile_acquisition_channel", "profile_city")
    assert categorical(PLAIN) == ()
    assert list(catalogue(SPEC))[: len(names())] == names()  # what every shop has comes first


def test_a_spec_is_json_and_back() -> None:
    assert FeatureSpec.from_json(SPEC.to_json(), "x") == SPEC
    assert FeatureSpec.from_json(PLAIN.to_json(), "x") == PLAIN
    for broken in (b"{}", b"[]", b"nothing", SPEC.to_json().replace(b'"behaviour"', b'"behavior"')):
        with pytest.raises(InputError, match=r"m/features.json: is no list of features .* train again"):
            FeatureSpec.from_json(broken, "m/features.json")


def test_slugs_are_names_that_differ() -> None:
    found = slugs(["Add to cart", "add-to-cart", "加购", "view", "!!"])
    assert found == {
        "Add to cart": "add_to_cart",
        "add-to-cart": "add_to_cart_n2",
        "加购": "n3",
        "view": "view",
        "!!": "n5",
    }


def test_event_types_that_would_take_another_feature_s_name() -> None:
    assert slugs(["types", "view", "view_change"]) == {
        "types": "types_n1",
        "view": "view",
        "view_change": "view_change_n3",
    }
    spec = FeatureSpec(behaviour=True, event_types=("types", "view", "view change"))
    count = len([*behaviour.describe(spec)])
    assert len(set(names(spec)) - set(names(PLAIN))) == count


def test_a_profile_column_of_another_type_is_refused_and_one_that_is_gone_is_missing() -> None:
    spec = FeatureSpec(attributes=(Attribute("age", "text", ("old",)), Attribute("gone", "number")))
    with pytest.raises(InputError, match="column 'age' is of type double, but the model was trained on"):
        one({"age": 3.0}, spec=spec)
    assert math.isnan(one({}, spec=spec)["profile_gone"])
