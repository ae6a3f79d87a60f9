"""A registered CLV model with covariates: columns of the input become traits, texts as texts."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd

from lifestage.clv.covariates import Covariate
from lifestage.clv.model import ClvModel
from lifestage.clv.summary import Summary
from lifestage.tracking import pyfunc


def test_covariates_are_columns_of_the_input(model: ClvModel, tmp_path: Path) -> None:
    channel = Covariate(
        "channel", (), ("ads", "friend"), ("ads", "friend"), (0, 1, 0, 0), (0.0, 0.7), (0.0, -0.4)
    )
    value = Covariate(
        "first_order_value", (20.0,), (), ("up to 20", "above 20"), (0, 1, 0), (0.0, 0.2), (0.0, 0.1)
    )
    made = replace(model, covariates=(channel, value))
    loaded = pyfunc.FolderModel()
    loaded.load_context(SimpleNamespace(artifacts={"model": str(made.save(tmp_path / "clv", {}))}))
    frame = pd.DataFrame(
        {
            "frequency": [3.0, 3.0, 3.0],
            "recency": [90.0] * 3,
            "T": [120.0] * 3,
            "monetary_value": [50.0] * 3,
            "channel": ["friend", None, "tv"],
            "first_order_value": [35.0, np.nan, 5.0],
        }
    )
    found = loaded.predict(None, frame)
    traits = {
        "channel": np.array(["friend", None, "tv"], object),
        "first_order_value": np.array([35.0, np.nan, 5.0]),
    }
    expected = made.predict(replace(Summary.of([3] * 3, [90] * 3, [120] * 3, [50.0] * 3), traits=traits))
    for name, column in expected.items():
        np.testing.assert_array_equal(found[name].to_numpy(), column)
    assert found["expected_orders"][0] > found["expected_orders"][1] == found["expected_orders"][2]
