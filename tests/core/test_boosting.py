"""churn.settings of the configuration: what may be set, and what it comes to in LightGBM."""

from typing import Any

import pytest

from lifestage.boosting import Boosting
from lifestage.documents import validate
from lifestage.errors import InputError


def test_parameters_take_effect_and_nothing_else_is_touched() -> None:
    assert Boosting().parameters() == {}
    assert Boosting(num_leaves=8, bagging_fraction=1).parameters() == {"num_leaves": 8, "bagging_fraction": 1}
    assert Boosting(bagging_fraction=0.5).parameters() == {"bagging_fraction": 0.5, "bagging_freq": 1}
    assert Boosting(min_data_in_leaf=50).parameters() == {
        "min_data_in_leaf": 50,
        "min_sum_hessian_in_leaf": 5,
    }


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("objective", "l2", "unknown key 'objective'"),
        ("scale_pos_weight", 3, "unknown key 'scale_pos_weight'"),
        ("num_leafs", 8, "did you mean 'num_leaves'"),
        ("num_leaves", 1, "greater than or equal to 2"),
        ("learning_rate", 0, "greater than 0"),
        ("feature_fraction", 1.2, "less than or equal to 1"),
        ("lambda_l2", -1, "greater than or equal to 0"),
        ("lambda_l2", float("nan"), "got nan"),
        ("min_data_in_leaf", 2.5, "integer"),
        ("bagging_fraction", True, "'bagging_fraction' is true"),
    ],
)
def test_what_would_bend_probabilities_or_is_out_of_range_is_refused(key: str, value: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        validate(Boosting, {key: value}, "shop.yaml")
