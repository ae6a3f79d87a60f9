"""Recipe of clv_lifetimes.json: outputs of lifetimes 0.11.3, frozen because the package is archived.

Run `python tests/reference/clv_lifetimes.py`; it uses lifetimes only, nothing of this project.
"""

import itertools
import json
from pathlib import Path

import lifetimes
import numpy as np
import pandas as pd

BASE = Path(lifetimes.__file__).parent / "datasets"
HERE = Path(__file__).parent


def bg_nbd(params: dict[str, float]) -> dict[str, object]:
    """One row per (x, t_x, T, t) of a grid."""
    model = lifetimes.BetaGeoFitter()
    model.params_ = pd.Series(params)
    rows = [
        (x, 0.0 if x == 0 else T * share, T, t)
        for x, share, T, t in itertools.product([0, 1, 2, 7, 30], [0.2, 0.9], [5.0, 38.0, 500.0], [1.0, 52.0])
    ]
    x, t_x, T, t = (np.array(column, float) for column in zip(*rows, strict=True))
    return {
        "params": params,
        "x": x.tolist(),
        "t_x": t_x.tolist(),
        "T": T.tolist(),
        "t": t.tolist(),
        "probability_alive": model.conditional_probability_alive(x, t_x, T).tolist(),
        "expected_purchases": model.conditional_expected_number_of_purchases_up_to_time(
            t, x, t_x, T
        ).tolist(),
    }


def gamma_gamma(params: dict[str, float]) -> dict[str, object]:
    """One row per (x, m) of a grid."""
    model = lifetimes.GammaGammaFitter()
    model.params_ = pd.Series(params)
    x, m = (
        np.array(c, float) for c in zip(*itertools.product([0, 1, 5, 40], [0.5, 35.0, 900.0]), strict=True)
    )
    value = model.conditional_expected_average_profit(x, m)
    return {"params": params, "x": x.tolist(), "m": m.tolist(), "expected_order_value": value.tolist()}


def fits() -> dict[str, object]:
    """Parameters and standard errors of lifetimes' own fits of CDNOW's sample (weeks)."""
    table = pd.read_csv(BASE / "cdnow_customers_summary_with_transactions.csv")
    orders = lifetimes.BetaGeoFitter().fit(table["x"], table["t_x"], table["T"])
    repeat = table[table["x"] > 0]
    spend = lifetimes.GammaGammaFitter().fit(repeat["x"], repeat["zbar"])
    return {
        name: {
            "params": model.params_.to_dict(),
            "standard_errors": model.standard_errors_.to_dict(),
            "negative_log_likelihood": float(model._negative_log_likelihood_),
        }
        for name, model in (("bg_nbd", orders), ("gamma_gamma", spend))
    }


if __name__ == "__main__":
    document = {
        "source": f"lifetimes {lifetimes.__version__}, recipe clv_lifetimes.py",
        "bg_nbd": [
            bg_nbd({"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}),
            bg_nbd({"r": 1.7, "alpha": 30.0, "a": 2.5, "b": 0.6}),
        ],
        "gamma_gamma": gamma_gamma({"p": 6.25, "q": 3.74, "v": 15.44}),
        "fits": fits(),
    }
    (HERE / "clv_lifetimes.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
