"""The frame interface for shops without orders; folds of one's own."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import lifestage
from lifestage.errors import InputError
from lifestage.fitting import fit_churn, folds_of
from lifestage.history_file import HistoryFile
from lifestage.intake import open_tables, write_history
from lifestage.localtime import DAY
from lifestage.settings import parse

N = 400


def people() -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(0)
    care = rng.random(N)
    ids = [f"c{i}" for i in range(N)]
    left = rng.random(N) < 0.1 + 0.7 * care
    return pd.DataFrame({"customer_id": ids, "care": care}), pd.DataFrame(
        {"customer_id": ids, "churned": left}
    )


def test_given_labels_and_attributes_alone(tmp_path: Path) -> None:
    customers, labels = people()
    release = lifestage.fit(
        customers=customers, labels=labels, into=tmp_path, churn={"definition": "given"}, as_of="2025-01-01"
    )
    assert release.clv is None
    assert (release.churn.definition, "profile_care" in release.churn.features) == ("given", True)
    scores = lifestage.score(release, customers=customers, as_of="2025-01-01")
    assert scores["eligible"].all()
    assert scores["clv"].isna().all()
    care = customers.set_index("customer_id")["care"].reindex(scores["customer_id"]).to_numpy()
    assert np.corrcoef(care, scores["churn_probability"])[0, 1] > 0.5


def test_an_attribute_that_a_block_does_not_carry_is_missing(tmp_path: Path) -> None:
    customers, labels = people()
    release = lifestage.fit(
        customers=customers, labels=labels, into=tmp_path, churn={"definition": "given"}, as_of="2025-01-01"
    )
    scores = lifestage.score(release, customers=customers[["customer_id"]], as_of="2025-01-01")
    assert scores["churn_probability"].nunique() == 1


def test_scoring_without_any_table_says_what_to_give(tmp_path: Path) -> None:
    customers, labels = people()
    release = lifestage.fit(
        customers=customers, labels=labels, into=tmp_path, churn={"definition": "given"}, as_of="2025-01-01"
    )
    with pytest.raises(InputError, match="score: give transactions, or another table"):
        lifestage.score(release)


def test_training_stops_on_folds_whose_windows_overlap(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    hours = rng.integers(0, 600 * 24, 8 * N)
    ids = [f"c{i % N}" for i in range(len(hours))]
    times = pd.Timestamp("2024-01-01") + pd.to_timedelta(hours, "h")
    rows = {"customer_id": ids, "ordered_at": times, "amount": 5.0}
    pd.DataFrame(rows).to_parquet(tmp_path / "t.parquet")
    columns = {name: name for name in ("customer_id", "ordered_at", "amount")}
    shop = parse(
        {
            "shop": "s", "timezone": "UTC", "currency": "EUR", "output_dir": str(tmp_path / "out"),
            "sources": {"transactions": {"path": str(tmp_path / "t.parquet"), "columns": columns}},
            "churn": {"horizon_days": 60},
        },
        "options",
    )  # fmt: skip
    with open_tables(shop, 4_000_000_000_000_000) as intake:
        write_history(intake, tmp_path / "history.parquet", 1_000, None)
    file = HistoryFile(tmp_path / "history.parquet")
    good = folds_of(shop, file)
    late = replace(good, train=(*good.train, good.train[-1] + DAY))
    with pytest.raises(InputError, match="the model would be graded on labels it has seen"):
        fit_churn(shop, file, folds=late)
    named = shop.model_copy(update={"churn": shop.churn.model_copy(update={"segments": ("region",)})})
    with pytest.raises(
        InputError, match=r"churn\.segments: 'region' is no attribute of the customers; this shop has"
    ):
        fit_churn(named, file)
