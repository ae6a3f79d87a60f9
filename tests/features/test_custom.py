"""A user's own features: what they see, what is checked."""

from pathlib import Path

import numpy as np
import pytest

from lifestage.errors import InputError
from lifestage.features import CATALOGUE, catalogue, compute, learn
from lifestage.features.custom import own_function
from lifestage.settings import Features
from tests.builders import DAY, make_history, us

T = us("2022-01-01")
ROWS = [
    {"purchases": [(T - 3 * DAY, 2.0), (T + DAY, 9.0)], "feedback": [(T - DAY, "ticket", None, T + DAY)]},
    {},
    {"purchases": [(T - 2 * DAY, 4.0)], "events": [(T - DAY, "view"), (T, "view")], "signed_up_at": T},
]
MODULE = """
import numpy as np

def seen(view):
    # everything that the flat arrays hold, whoever owns it: no later row may be among them
    block = view.purchases
    return {
        "own_latest": np.full(len(view), float(max([*block.t, *view.events.t, *view.feedback.t], default=0))),
    }

def spend(view):
    bought = view.purchases
    total = np.array([bought.amount[s:e].sum() for s, e in zip(bought.starts, bought.ends)])
    return {"own_spend": total, "own_open": view.feedback.counts.astype(np.float64)}

def ranks(view):
    return {"own_rank": np.argsort(np.argsort(view.purchases.counts, kind="stable")).astype(np.float64)}

def taken(view):
    return {"clv": np.zeros(len(view))}

def clash(view):
    return {"order_count": np.zeros(len(view))}

def ints(view):
    return {"own_count": view.purchases.counts}

def infinite(view):
    return {"own_odd": np.full(len(view), np.inf)}

def named(view):
    return {"Own Name": np.zeros(len(view))}

def broken(view):
    return {"own_x": np.zeros(len(view)) / view.nothing}

def nothing(view):
    return {}

def moody(view):
    return {f"own_{len(view)}": np.zeros(len(view))}

number = 3
"""


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_features_of_a_test.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    own_function.cache_clear()


def rule(name: str) -> Features:
    return Features(custom=f"own_features_of_a_test:{name}")


def test_own_features_join_as_the_last_family() -> None:
    history = make_history(ROWS)
    spec = learn([history], T, rule("spend"))
    assert spec.custom_names == ("own_spend", "own_open")
    columns = compute(history.before(T), spec)
    assert list(columns)[-2:] == ["own_spend", "own_open"]
    assert columns["own_spend"].tolist() == [2.0, 0.0, 4.0]
    assert catalogue(spec)["own_spend"].family == "custom"


def test_the_function_sees_nothing_from_the_cutoff_on() -> None:
    view = make_history(ROWS).before(T).alone()
    for rows in (view.purchases, view.events, view.feedback, view.refunds):
        assert (rows.t < T).all()
    assert view.feedback.columns["resolved_at"].null_count == 1
    assert view.profile["signed_up_at"].null_count == 3
    history = make_history(ROWS[2:])
    spec = learn([history], T, rule("seen"))
    assert compute(history.before(T), spec)["own_latest"].tolist() == [float(T - DAY)]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "ranks",
            r"'own_rank' of customer 'c00000' is 1.0 in a block of 3 but 0.0 alone; it must not depend on",
        ),
        ("moody", r"'own_3' of customer .* but absent alone"),
        ("taken", "'clv' is the name of another feature; choose another name"),
        ("clash", "'order_count' is the name of another feature"),
        ("ints", r"'own_count' is int64\[3\]; expected float64\[3\], one a customer"),
        ("infinite", "'own_odd' holds an infinite value; use NaN for missing"),
        ("named", "'Own Name' is no name"),
        ("broken", "failed with AttributeError: .*nothing.*; correct the function"),
        ("nothing", "gave no feature"),
        ("number", "has no function 'number'"),
    ],
)
def test_what_is_wrong_with_a_function_is_said(name: str, message: str) -> None:
    with pytest.raises(InputError, match=f"features.custom 'own_features_of_a_test:{name}': .*{message}"):
        learn([make_history(ROWS)], T, rule(name))


def test_a_module_that_is_not_there_or_a_wrong_form() -> None:
    with pytest.raises(InputError, match="module 'nowhere_at_all' cannot be imported"):
        learn([make_history(ROWS)], T, Features(custom="nowhere_at_all:f"))
    with pytest.raises(InputError, match="'just words': is no module:function"):
        own_function("just words")


def test_other_names_at_scoring_are_refused() -> None:
    spec = learn([make_history(ROWS)], T, rule("spend"))
    other = type(spec)(custom=spec.custom, custom_names=("own_spend",))
    with pytest.raises(InputError, match="gave own_spend, own_open, at training own_spend"):
        compute(make_history(ROWS).before(T), other)
    assert "own_spend" not in CATALOGUE
    assert np.isfinite(compute(make_history(ROWS).before(T), spec)["own_spend"]).all()
