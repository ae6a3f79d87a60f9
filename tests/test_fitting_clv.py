"""The CLV run from a history file: what is graded saw nothing of its holdout; choice, level, season and covariates."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lifestage.errors import InputError
from lifestage.fitting import fit_clv
from lifestage.history_file import HistoryFile
from lifestage.intake import open_tables, write_history
from lifestage.settings import Shop, parse

START = pd.Timestamp("2023-01-01", tz="UTC")


def orders(customers: int, seed: int, days: int = 700, *, seasonal: bool = False) -> pd.DataFrame:
    """Customers who come over the whole time; friends order twice as often as those of ads."""
    rng = np.random.default_rng(seed)
    month = (START + pd.to_timedelta(np.arange(days), "D")).month.to_numpy()
    lived = np.concatenate([[0.0], np.cumsum(np.where(month >= 11, 2.0, 0.8) if seasonal else np.ones(days))])
    rows = []
    for i in range(customers):
        friend = i % 3 == 0
        rate, p = rng.gamma(1.2, 1 / 50) * (2 if friend else 1), rng.beta(0.8, 4.0)
        now = lived[int(rng.integers(0, days - 5))]
        while now < lived[-1]:
            day = np.interp(now, lived, np.arange(days + 1))
            rows.append((f"c{i:05d}", START + pd.Timedelta(days=float(day)), round(rng.lognormal(3, 0.4), 2),
                         "friend" if friend else "ads"))  # fmt: skip
            if rng.random() < p:
                break
            now += rng.exponential(1 / max(rate, 1e-9))
    return pd.DataFrame(rows, columns=["customer_id", "ordered_at", "amount", "how"])


def shop_of(folder: Path, frame: pd.DataFrame, **clv: Any) -> tuple[Shop, HistoryFile]:
    frame.drop(columns="how").to_parquet(folder / "orders.parquet")
    frame.groupby("customer_id", as_index=False)["how"].first().to_parquet(folder / "customers.parquet")
    named = {name: name for name in ("customer_id", "ordered_at", "amount")}
    sources = {
        "transactions": {"path": str(folder / "orders.parquet"), "columns": named},
        "customers": {
            "path": str(folder / "customers.parquet"),
            "columns": {"customer_id": "customer_id", "acquisition_channel": "how"},
        },
    }
    document = {"shop": "t", "timezone": "UTC", "currency": "EUR", "sources": sources, "clv": clv,
                "churn": {"horizon_days": 60, "train_cutoffs": 3, "min_history_days": 90}}  # fmt: skip
    shop = parse(document, "test")
    with open_tables(shop, int(pd.Timestamp("2026-01-01", tz="UTC").value // 1000)) as tables:
        write_history(tables, folder / "history.parquet", 500, None)
    return shop, HistoryFile(folder / "history.parquet")


def test_what_is_graded_saw_nothing_of_its_holdout(tmp_path: Path) -> None:
    """Other orders from the holdout's cutoff on: the graded model keeps every parameter, the shipped one does not."""
    frame = orders(1_200, 2)
    shop, file = shop_of(tmp_path, frame)
    first = fit_clv(shop, file)
    later = frame["ordered_at"] >= pd.Timestamp(first.holdout_from, unit="us", tz="UTC")
    dropped = later & frame["customer_id"].str[-1].isin(["0", "1", "2"])
    (tmp_path / "other").mkdir()
    other = frame.assign(amount=frame["amount"].where(~later, 3 * frame["amount"]))[~dropped]
    second = fit_clv(*shop_of(tmp_path / "other", other))
    assert first.holdout_from == second.holdout_from
    assert first.choice["evaluated"] == second.choice["evaluated"]
    one, two = (fitted.evaluation.errors for fitted in (first, second))
    for what in ("model_orders", "model_spend"):
        assert one[what]["total_predicted"] == two[what]["total_predicted"]
        assert one[what]["total_actual"] != two[what]["total_actual"]
    assert first.shipped != second.shipped


def test_choice_and_level_are_told(tmp_path: Path) -> None:
    fitted = fit_clv(*shop_of(tmp_path, orders(1_200, 3)))
    assert json.loads(json.dumps(fitted.choice)) == fitted.choice
    told = fitted.notes()
    assert "holdouts best" in told[0]
    assert told[1].startswith(
        "season: 700 days were seen, and a season asks for two full years; what the calendar"
    )
    assert "earlier forecasts of all orders were off by" in told[2]
    ranked = fitted.choice["shipped"]["holdout"]
    score = ranked["holdout_log_likelihood"]
    assert score[fitted.shipped.order_model] >= max(score.values()) - 2


def test_a_configured_model_is_taken_and_switches_switch(tmp_path: Path) -> None:
    fitted = fit_clv(*shop_of(tmp_path, orders(900, 4), model="mbg_nbd", season=False, level=False))
    assert fitted.shipped.order_model == "mbg_nbd"
    assert fitted.notes() == [
        "mbg_nbd: as configured",
        "season: switched off",
        "level: switched off",
        "values are for 365 days, and forecasts were tested over 60",
    ]
    assert fitted.shipped.clock.level == 1


def test_covariates_come_from_the_customers_table(tmp_path: Path) -> None:
    names = ["acquisition_channel", "first_order_value"]
    shop, file = shop_of(tmp_path, orders(2_500, 5), covariates=names, model="bg_nbd", level=False)
    fitted = fit_clv(shop, file)
    assert fitted.shipped.covariate_names == ("acquisition_channel",)
    (channel,) = fitted.shipped.covariates
    effect = dict(zip(channel.levels, np.exp(channel.rate), strict=True))
    assert effect["ads"] == 1
    assert effect["friend"] == pytest.approx(2, rel=0.3)
    wrong = shop.model_copy(update={"clv": shop.clv.model_copy(update={"covariates": ("colour",)})})
    with pytest.raises(
        InputError, match=r"clv.covariates: 'colour' is no text or number known of each customer"
    ):
        fit_clv(wrong, file)


def test_a_season_is_found_from_a_long_enough_history(tmp_path: Path) -> None:
    frame = orders(2_000, 6, days=800, seasonal=True)
    fitted = fit_clv(*shop_of(tmp_path, frame, model="bg_nbd", level=False))
    season = fitted.shipped.clock.season
    assert len(season) == 12
    assert min(season[10:]) > 1.4 * max(season[1:9])
    assert "the years agree on" in fitted.notes()[1]
    assert fitted.choice["shipped"]["season"]["factors"] == list(season)


def test_of_a_giant_shop_all_histories_and_some_customers_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, file = shop_of(tmp_path, orders(1_500, 7), model="mbg_nbd", level=False)
    whole = fit_clv(shop, file)
    monkeypatch.setattr("lifestage.fitting.clv.MOST", 500)
    some = fit_clv(shop, file)
    assert some.shipped.orders == whole.shipped.orders  # compressed, all of them
    assert some.shipped.gamma_gamma != whole.shipped.gamma_gamma
    assert len(some.summary) == pytest.approx(len(whole.summary) / 3, rel=0.2)
    one, all_ = (fitted.evaluation.errors["model_orders"] for fitted in (some, whole))
    assert one["total_actual"] == pytest.approx(all_["total_actual"] / 3, rel=0.35)
    assert one["mae"] == pytest.approx(all_["mae"], rel=0.25)
