"""The holdout of a CLV run from a history file: every figure against rows that a plain loop reads."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from lifestage.fitting.clv import FittedClv, fit_clv
from lifestage.fitting.clv_holdout import grade, held_out
from lifestage.fitting.plan import definition_of
from lifestage.history_file import HistoryFile
from lifestage.intake import open_tables, write_history
from lifestage.labels import Definition
from lifestage.localtime import midnight
from lifestage.samples import buyers
from lifestage.settings import Shop, parse
from tests.builders import DAY, make_history, us

START = pd.Timestamp("2022-01-01", tz="UTC")
RULE = Definition("purchase", 60, 100)


def orders(customers: int, days: int) -> pd.DataFrame:
    """Customers who order at a rate of their own until they leave."""
    rng = np.random.default_rng(9)
    rows = []
    for i in range(customers):
        rate, t = rng.gamma(1.5, 1 / 40), rng.uniform(0, days * 0.7)
        end = min(t + rng.exponential(250), days)
        while t < end:
            rows.append(
                (f"c{i:04d}", START + pd.Timedelta(days=t).floor("us"), round(rng.lognormal(3, 0.5), 2))
            )
            t += max(rng.exponential(1 / rate), 0.01)
    return pd.DataFrame(rows, columns=["customer_id", "ordered_at", "amount"])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shop, HistoryFile, FittedClv, pd.DataFrame]:
    folder, frame = tmp_path_factory.mktemp("shop"), orders(400, 600)
    frame.to_parquet(folder / "orders.parquet")
    source = {
        "transactions": {"path": str(folder / "orders.parquet"), "columns": {c: c for c in frame.columns}}
    }
    about = {"horizon_days": 45, "train_cutoffs": 3, "min_history_days": 60}
    shop = parse(
        {"shop": "t", "timezone": "UTC", "currency": "EUR", "sources": source, "churn": about}, "test"
    )
    with open_tables(shop, int(pd.Timestamp("2026-01-01", tz="UTC").value // 1000)) as tables:
        write_history(tables, folder / "history.parquet", 200, None)
    file = HistoryFile(folder / "history.parquet")
    return shop, file, fit_clv(shop, file), frame


def days_of(frame: pd.DataFrame) -> dict[str, list[datetime]]:
    """Distinct purchase days of each customer, ascending."""
    found: dict[str, set[datetime]] = {}
    for who, when in zip(frame["customer_id"], frame["ordered_at"], strict=True):
        found.setdefault(who, set()).add(
            when.to_pydatetime().replace(hour=0, minute=0, second=0, microsecond=0)
        )
    return {who: sorted(days) for who, days in found.items()}


def test_the_same_days_last_year_and_what_came(
    run: tuple[Shop, HistoryFile, FittedClv, pd.DataFrame],
) -> None:
    _, _, fitted, frame = run
    cutoff = datetime.fromtimestamp(fitted.holdout_from / 1e6, UTC)
    people = [days for days in days_of(frame).values() if days[0] < cutoff]
    horizon, year = timedelta(days=45), timedelta(days=365)

    def between(low: datetime) -> int:
        return sum(low <= day < low + horizon for days in people for day in days)

    errors = fitted.evaluation.errors
    assert errors["model_orders"]["total_actual"] == between(cutoff)
    assert errors["last_year_orders"]["total_predicted"] == between(cutoff - year) > 0
    known = frame[frame["customer_id"].isin({w for w, d in days_of(frame).items() if d[0] < cutoff})]
    past = known[(known["ordered_at"] >= cutoff - year) & (known["ordered_at"] < cutoff - year + horizon)]
    assert errors["last_year_spend"]["total_predicted"] == pytest.approx(past["amount"].sum())
    assert {"lifetimes_orders", "lifetimes_spend"} <= set(errors)
    assert set(fitted.evaluation.notes) == {"lifetimes"}


def test_weeks_add_up_to_the_holdout(run: tuple[Shop, HistoryFile, FittedClv, pd.DataFrame]) -> None:
    _, _, fitted, frame = run
    weekly, errors = fitted.evaluation.weekly, fitted.evaluation.errors["model_orders"]
    assert weekly is not None
    after = weekly[weekly["after_cutoff"]]
    assert after["days"].sum() == 45
    assert after["actual"].sum() == errors["total_actual"]
    assert after["forecast"].sum() == pytest.approx(errors["total_predicted"], rel=1e-9)
    cutoff = datetime.fromtimestamp(fitted.holdout_from / 1e6, UTC)
    people = [days for days in days_of(frame).values() if days[0] < cutoff]
    before = sum(day < cutoff for days in people for day in days[1:])
    assert weekly.loc[~weekly["after_cutoff"], "actual"].sum() == before
    assert weekly["new_customers"].sum() == len(people)
    # by maximum likelihood what was seen is expected, all in all
    assert weekly.loc[~weekly["after_cutoff"], "expected"].sum() == pytest.approx(before, rel=0.1)


def test_figures_of_the_run(run: tuple[Shop, HistoryFile, FittedClv, pd.DataFrame]) -> None:
    shop, file, fitted, _ = run
    found = fitted.evaluation
    assert found.order_pit is not None
    assert found.order_pit.central == pytest.approx(0.8, abs=0.06)
    assert found.cohorts["customers"].sum() == found.by_frequency["customers"].sum()
    assert np.isfinite(list(found.metrics().values())).all()
    assert len(fitted.summary) == len(days_of(orders(400, 600)))
    known = held_out(file, fitted.holdout_from, 45, definition=definition_of(shop))
    again = grade(file, fitted.evaluated, known, 45)
    assert again.metrics() == found.metrics()


def test_a_young_shop_has_no_last_year(run: tuple[Shop, HistoryFile, FittedClv, pd.DataFrame]) -> None:
    shop, file, fitted, _ = run
    early = midnight(datetime(2022, 9, 1).date(), "UTC")
    found = grade(file, fitted.evaluated, held_out(file, early, 45, definition=definition_of(shop)), 45)
    assert "last_year_orders" not in found.errors
    assert found.notes["last_year"] == (
        "same days last year: left out, only 242 days before the cutoff were seen"
    )
    assert held_out(file, fitted.holdout_from, 400, definition=definition_of(shop)).earlier is None


def test_days_before_a_cutoff_know_nothing_of_what_follows() -> None:
    cutoff = us("2024-03-01")
    rows = [
        {"purchases": [(cutoff - 365 * DAY, 5.0), (cutoff - 300 * DAY, 7.0), (cutoff - 200 * DAY, 9.0)]},
        {
            "purchases": [(cutoff - 366 * DAY, 4.0), (cutoff - 340 * DAY, 8.0)],
            "refunds": [(cutoff + DAY, 8.0, cutoff - 340 * DAY)],
        },
        {"purchases": [(cutoff, 3.0)]},
    ]
    window = (cutoff - 365 * DAY, cutoff - 275 * DAY)
    found = buyers([make_history(rows)], cutoff, cutoff + 90 * DAY, definition=RULE, earlier=window)
    assert found.earlier is not None
    assert found.earlier.purchase_days.tolist() == [2, 1]
    assert found.earlier.spend.tolist() == [12.0, 8.0]
    with pytest.raises(ValueError, match="must end by it"):
        buyers([make_history(rows)], cutoff, cutoff, definition=RULE, earlier=(window[0], cutoff + 1))
