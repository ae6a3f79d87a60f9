"""Input examples: nobody's row, codes stay codes."""

import numpy as np

from lifestage.tracking.example import example


def test_quartiles_are_values_that_occur() -> None:
    rng = np.random.default_rng(1)
    columns = {"code": rng.integers(0, 5, 101).astype(float), "amount": rng.gamma(2, 10, 101)}
    made = example(columns)
    for name, values in columns.items():
        ordered = sorted(values.tolist())
        assert made[name].tolist() == [ordered[25], ordered[50], ordered[75]]


def test_missing_values_and_texts() -> None:
    made = example(
        {"a": np.array([np.nan, 1.0, np.inf]), "none": np.array([np.nan])},
        {"channel": ("ads", "tv"), "x": ()},
    )
    assert made["a"].tolist() == [1.0] * 3
    assert made["none"].isna().all()
    assert made["channel"].tolist() == ["ads"] * 3
    assert made["x"].tolist() == [None] * 3


def test_repeat_and_one_time_buyers_stay_possible() -> None:
    """A quartile of each column apart must not make an impossible history: no orders, but a recency."""
    frequency = np.array([0.0] * 60 + [2.0] * 40)
    recency = np.where(frequency > 0, 30.0, 0.0)
    made = example({"frequency": frequency, "recency": recency})
    assert ((made["frequency"] == 0) == (made["recency"] == 0)).all()
