"""CDNOW as it comes inside lifetimes, read as files: `lifetimes.datasets` needs a package setuptools dropped."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lifestage.clv.bg_nbd import BetaGeoParams
from lifestage.clv.gamma_gamma import GammaGammaParams
from lifestage.clv.model import ClvModel
from lifestage.clv.summary import Summary

REFERENCE = Path(__file__).parents[1] / "reference"


def _lifetimes_data(name: str) -> Path:
    spec = find_spec("lifetimes")
    assert spec is not None and spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0]) / "datasets" / name


@pytest.fixture(scope="session")
def cdnow_sample() -> Summary:
    """2,357 customers, in weeks."""
    path = _lifetimes_data("cdnow_customers_summary_with_transactions.csv")
    _, x, t_x, T, m = np.loadtxt(path, delimiter=",", skiprows=1).T
    return Summary.of(x, t_x, T, m)


@pytest.fixture(scope="session")
def cdnow_log() -> list[tuple[int, int, float]]:
    """(customer, day number, amount) of the 1/10 sample, ordered by customer and time."""
    rows = np.loadtxt(_lifetimes_data("CDNOW_sample.txt"), usecols=(1, 2, 4))
    days = [np.datetime64(f"{d:.0f}"[:4] + "-" + f"{d:.0f}"[4:6] + "-" + f"{d:.0f}"[6:]) for d in rows[:, 1]]
    numbers = np.array(days, "datetime64[D]").astype(np.int64)
    return sorted(zip(rows[:, 0].astype(int).tolist(), numbers.tolist(), rows[:, 2].tolist(), strict=True))


@pytest.fixture(scope="session")
def published() -> dict[str, Any]:
    return json.loads((REFERENCE / "clv_published.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def lifetimes_says() -> dict[str, Any]:
    return json.loads((REFERENCE / "clv_lifetimes.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def lifetimes_says_of_pareto() -> dict[str, Any]:
    return json.loads((REFERENCE / "pareto_lifetimes.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def model() -> ClvModel:
    """A model in days with CDNOW-like parameters."""
    return ClvModel(
        "bg_nbd",
        BetaGeoParams(0.25, 31.0, 0.8, 2.4),
        GammaGammaParams(6.25, 3.74, 15.44),
        365.0,
        0.1,
        0.4,
        {
            "orders": dict.fromkeys(BetaGeoParams._fields),
            "gamma_gamma": dict.fromkeys(GammaGammaParams._fields),
        },
        {"orders": {}, "gamma_gamma": {}},
    )


@pytest.fixture(scope="session")
def crowd() -> Summary:
    """3,000 made-up histories in days, every tenth customer without a purchase."""
    rng = np.random.default_rng(5)
    n = 3_000
    x = np.where(rng.random(n) < 0.5, 0, rng.geometric(0.2, n)).astype(float)
    T = rng.integers(60, 500, n).astype(float)
    t_x = np.where(x > 0, np.ceil(T * rng.random(n)), 0.0)
    m = np.where(x > 0, rng.gamma(2.0, 20.0, n), 0.0)
    has = np.arange(n) % 10 != 3
    columns = [np.where(has, c, np.nan) for c in (x, t_x, T, m)]
    return Summary(columns[0], columns[1], columns[2], columns[3], has)
