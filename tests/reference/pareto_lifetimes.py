"""Recipe of pareto_lifetimes.json: outputs of lifetimes 0.11.3's ParetoNBDFitter, frozen as the package is archived.

Run `python tests/reference/pareto_lifetimes.py`; it uses lifetimes only, nothing of this project. The grid stays
where lifetimes' closed forms do not cancel (they return NaN or few digits for many orders).
"""

import itertools
import json
from pathlib import Path

import lifetimes
import numpy as np
import pandas as pd

BASE = Path(lifetimes.__file__).parent / "datasets"
HERE = Path(__file__).parent


def predictions(params: dict[str, float]) -> dict[str, object]:
    """One entry per (x, t_x, T, t) of a grid."""
    model = lifetimes.ParetoNBDFitter()
    model.params_ = pd.Series(params)
    rows = [
        (x, 0.0 if x == 0 else T * share, T, t)
        for x, share, T, t in itertools.product([0, 1, 2, 7], [0.4, 0.9], [5.0, 38.0, 200.0], [1.0, 52.0])
    ]
    x, t_x, T, t = (np.array(column, float) for column in zip(*rows, strict=True))
    exactly = [
        [
            float(model.conditional_probability_of_n_purchases_up_to_time(n, ahead, *history))
            for *history, ahead in rows
        ]
        for n in range(4)
    ]
    return {
        "params": params,
        "x": x.tolist(),
        "t_x": t_x.tolist(),
        "T": T.tolist(),
        "t": t.tolist(),
        "log_likelihood": model._conditional_log_likelihood(tuple(params.values()), x, t_x, T).tolist(),
        "probability_alive": model.conditional_probability_alive(x, t_x, T).tolist(),
        "expected_purchases": model.conditional_expected_number_of_purchases_up_to_time(
            t, x, t_x, T
        ).tolist(),
        "probability_of_n": exactly,
    }


def fit() -> dict[str, object]:
    """lifetimes' own fit of CDNOW's sample (weeks), from the best of five starts."""
    np.random.seed(0)
    table = pd.read_csv(BASE / "cdnow_customers_summary_with_transactions.csv")
    model = lifetimes.ParetoNBDFitter().fit(
        table["x"], table["t_x"], table["T"], iterative_fitting=5, tol=1e-9, maxiter=5000
    )
    return {
        "params": model.params_.to_dict(),
        "negative_log_likelihood": float(model._negative_log_likelihood_),
    }


if __name__ == "__main__":
    document = {
        "source": f"lifetimes {lifetimes.__version__}, recipe pareto_lifetimes.py",
        "predictions": [
            predictions({"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}),
            predictions({"r": 1.7, "alpha": 30.0, "s": 2.5, "beta": 12.0}),
        ],
        "fit": fit(),
    }
    (HERE / "pareto_lifetimes.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
