"""Which features a shop gets, and that nothing from the cutoff on decides it."""

from typing import Any

import pytest

from lifestage.errors import InputError
from lifestage.features import PLAIN, Attribute, FeatureSpec, learn
from lifestage.settings import Features
from tests.builders import DAY, make_history, us

T = us("2022-01-01")


def a_shop() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for i in range(100):
        events = [(T - DAY - k, "view") for k in range(3)] + [(T - 2 * DAY, "pay")]
        if i < 2:
            events.append((T - 3 * DAY, "rare"))
        rows.append(
            {
                "purchases": [(T - 9 * DAY, 5.0, "art" if i else None)],
                "events": events,
                "city": "Rome" if i < 60 else "Köln" if i < 99 else "Ulm",
                "acquisition_channel": "ads",
                "age": None if i else 40.0,
                "signed_up_at": T - 10 * DAY,
            }
        )
    return rows


def test_families_types_and_levels_are_learnt() -> None:
    rule = Features(min_event_type_share=0.01, min_level_share=0.05, funnel=("view", "pay"))
    spec = learn([make_history(a_shop())], T, rule)
    assert spec == FeatureSpec(
        order_columns=("category",),
        behaviour=True,
        event_types=("view", "pay"),
        funnel=("view", "pay"),
        attributes=(
            Attribute("acquisition_channel", "text", ("ads",)),
            Attribute("city", "text", ("Rome", "Köln")),
            Attribute("age", "number"),
        ),
        tenure=True,
    )
    most = learn([make_history(a_shop())], T, Features(max_event_types=1, max_levels=1))
    assert most.event_types == ("view",)
    assert most.attributes[1].levels == ("Rome",)


def test_blocks_do_not_matter() -> None:
    rows, rule = a_shop(), Features()
    whole = learn([make_history(rows)], T, rule)
    assert learn([make_history(rows[:7]), make_history(rows[7:8]), make_history(rows[8:])], T, rule) == whole


def test_bare_transactions_have_the_plain_features() -> None:
    rows = [{"purchases": [(T - DAY, 3.0)]}, {}]
    assert learn([make_history(rows)], T, Features(funnel=("view",))) == PLAIN


def test_rows_from_the_cutoff_on_decide_nothing() -> None:
    rows = [{"purchases": [(T - DAY, 3.0), (T, 1.0, "art", "web", 2.0)]}, {"purchases": [(T - DAY, 1.0)]}]
    rows[0] |= {"events": [(T, "view")], "feedback": [(T, "nps", 3.0)], "signed_up_at": T}
    late = {"purchases": [(T + DAY, 3.0)], "city": "Rome"}  # not known before the cutoff
    assert learn([make_history([*rows, late])], T, Features()) == PLAIN


def test_a_column_of_names_is_left_out() -> None:
    rows = [{"purchases": [(T - DAY, 3.0)], "city": f"name {i}"} for i in range(1_000)]
    assert learn([make_history(rows)], T, Features()).attributes == ()


def test_a_funnel_step_that_never_occurs_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"features.funnel: no event is of type 'chekout'; the types found are view"
    ):
        learn([make_history(a_shop())], T, Features(funnel=("view", "chekout")))
