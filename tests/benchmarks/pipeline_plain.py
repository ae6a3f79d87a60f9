"""What a data scientist writes with pandas, LightGBM and lifetimes: purchases in Parquet to a table of staged scores.

One training cutoff a horizon before the end and the scoring cutoff, a LightGBM classifier stopped early on a fifth of
the customers, BG/NBD and Gamma-Gamma, twelve months of value, a few rules for the stage, one SQLite table. Customers
become numbers and rows are sorted once; all is vectorised. Lines "[n/m] what" mark the steps for benchmarks.pipeline.
"""

import sqlite3
import sys
from contextlib import closing

import lightgbm as lgb
import numpy as np
import pandas as pd
from lifetimes import BetaGeoFitter, GammaGammaFitter

HORIZON = pd.Timedelta(days=90)
ACTIVE_DAYS = 365
MONTHLY_RATE = 1.10 ** (1 / 12) - 1
WINDOWS = (7, 14, 30, 60, 90, 180, 365)


def read(path: str) -> tuple[pd.DataFrame, pd.Index]:
    """Purchases by customer (a number) and time; the customers' ids."""
    frame = pd.read_parquet(path)
    frame["customer"], ids = pd.factorize(frame.pop("customer_id"), sort=True)
    return frame.sort_values(["customer", "ordered_at"], ignore_index=True), ids


def features(frame: pd.DataFrame, cutoff: pd.Timestamp) -> pd.DataFrame:
    """One row per customer with a purchase before the cutoff."""
    seen = frame[frame["ordered_at"] < cutoff]
    seen = seen.assign(
        age=(cutoff - seen["ordered_at"]) / pd.Timedelta(days=1),
        day=(seen["ordered_at"].dt.tz_localize(None).astype("int64") // 86_400_000_000),
    )
    by = seen.groupby("customer")
    amount = by["amount"].agg(["count", "sum", "mean", "max", "first", "last"])
    found = {f"amount_{name}": column for name, column in amount.items()}
    found |= {"since_last": by["age"].min(), "since_first": by["age"].max()}
    for days in WINDOWS:
        recent = seen[seen["age"] <= days].groupby("customer")["amount"]
        found |= {f"orders_{days}": recent.size(), f"spend_{days}": recent.sum()}
    for days in (30, 90):
        before = seen[(seen["age"] > days) & (seen["age"] <= 2 * days)].groupby("customer")["amount"]
        found |= {f"orders_before_{days}": before.size(), f"spend_before_{days}": before.sum()}
    per_day = seen.groupby(["customer", "day"], as_index=False)["amount"].sum()
    gaps = per_day.groupby("customer")["day"].diff().groupby(per_day["customer"])
    found |= {
        f"gap_{name}": column for name, column in gaps.agg(["mean", "std", "min", "max", "last"]).items()
    }
    seen = seen.assign(weekend=seen["ordered_at"].dt.dayofweek >= 5, hour=seen["ordered_at"].dt.hour)
    found |= dict(seen.groupby("customer")[["weekend", "hour"]].mean().items())
    # The summary of lifetimes, in local days: repeat purchase days, their mean spend.
    days = per_day.groupby("customer")["day"].agg(["count", "min", "max"])
    today = cutoff.tz_localize(None).value // 86_400_000_000_000
    repeat = per_day[per_day.duplicated("customer")].groupby("customer")["amount"].mean()
    found |= {"frequency": days["count"] - 1, "recency": days["max"] - days["min"], "T": today - days["min"]}
    found |= {"monetary_value": repeat}
    table = pd.DataFrame(found)
    counted = [name for name in table if name.startswith(("orders_", "spend_"))]
    table[[*counted, "monetary_value"]] = table[[*counted, "monetary_value"]].fillna(0.0)
    return table


def main(source: str, target: str) -> None:
    print("[1/7] read and sort", flush=True)
    frame, ids = read(source)
    end = frame["ordered_at"].max().normalize() + pd.Timedelta(days=1)

    print("[2/7] features and labels at the training cutoff", flush=True)
    cutoff = end - HORIZON
    train = features(frame, cutoff)
    train = train[train["since_last"] <= ACTIVE_DAYS]
    bought = frame.loc[frame["ordered_at"] >= cutoff, "customer"].unique()
    churned = ~train.index.isin(bought)

    print("[3/7] features of today", flush=True)
    now = features(frame, end)

    print("[4/7] churn model", flush=True)
    held = np.random.default_rng(7).random(len(train)) < 0.2
    model = lgb.LGBMClassifier(n_estimators=500, learning_rate=0.05, num_leaves=31, verbose=-1)
    model.fit(
        train[~held],
        churned[~held],
        eval_set=[(train[held], churned[held])],
        callbacks=[lgb.early_stopping(25, verbose=False)],
    )
    active = now["since_last"] <= ACTIVE_DAYS
    probability = pd.Series(np.nan, now.index)
    probability[active] = model.predict_proba(now[active])[:, 1]

    print("[5/7] BG/NBD and Gamma-Gamma", flush=True)
    orders = BetaGeoFitter(penalizer_coef=0.0).fit(now["frequency"], now["recency"], now["T"])
    again = now[now["monetary_value"] > 0]
    spend = GammaGammaFitter(penalizer_coef=0.0).fit(again["frequency"], again["monetary_value"])

    print("[6/7] value and stages", flush=True)
    summary = [now[name] for name in ("frequency", "recency", "T")]
    alive = orders.conditional_probability_alive(*summary)
    expected = orders.conditional_expected_number_of_purchases_up_to_time(365, *summary)
    value = spend.customer_lifetime_value(
        orders, *summary, now["monetary_value"], time=12, discount_rate=MONTHLY_RATE, freq="D"
    )
    silent = now["since_last"]
    stage = np.select(
        [
            silent > 365,
            silent > 180,
            probability > 0.7,
            now["amount_count"] == 1,
            value > value.quantile(0.9),
        ],
        ["lost", "lapsing", "at risk", "new", "champion"],
        "active",
    )
    scores = pd.DataFrame(
        {
            "customer_id": ids[now.index],
            "as_of": str(end),
            "churn_probability": probability,
            "p_alive": alive,
            "expected_orders": expected,
            "clv": value,
            "clv_percentile": value.rank(pct=True),
            "stage": stage,
        }
    )

    print("[7/7] store", flush=True)
    with closing(sqlite3.connect(target)) as store:
        scores.to_sql("scores", store, if_exists="replace", index=False)
        store.execute("CREATE UNIQUE INDEX scores_customer ON scores (customer_id)")
        store.commit()
    print(
        f"{len(scores):,} customers, {model.best_iteration_} trees, {orders.params_.round(3).to_dict()}",
        flush=True,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
