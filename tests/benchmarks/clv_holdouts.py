"""The CLV models at every feasible cutoff of real shops, beside plain BG/NBD, naive rules and lifetimes; no times."""

import tempfile
import time
from datetime import timedelta
from pathlib import Path

import numpy as np

from lifestage.fitting import holdout_at
from lifestage.fitting.clv_settling import earlier_forecasts
from lifestage.history_file import HistoryFile
from lifestage.intake import open_tables, write_history
from lifestage.localtime import day_of, midnight
from lifestage.settings import Shop, parse
from tests.benchmarks.churn import Case, cases

MIN_HISTORY_DAYS = 60
PLAIN = {"model": "bg_nbd", "level": False, "season": False}


def measured(case: Case) -> list[tuple[str, dict[str, float]]]:
    """(cutoff, figures) at every feasible one, the newest first."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        about = {"min_history_days": MIN_HISTORY_DAYS}
        shop = parse({**case.document, "churn": about, "output_dir": folder}, "benchmark")
        plain = shop.model_copy(update={"clv": shop.clv.model_copy(update=PLAIN)})
        path = Path(folder) / "history.parquet"
        write_history(
            open_tables(shop, time.time_ns() // 1_000, None), path, shop.scoring.block_customers, None
        )
        file = HistoryFile(path)
        first = day_of(file.facts["first_purchase"], file.zone) + timedelta(days=MIN_HISTORY_DAYS)
        day = day_of(file.facts["observed_until"], file.zone) - timedelta(days=shop.churn.horizon_days)
        while day >= first:
            found.append((str(day), figures(shop, plain, file, midnight(day, file.zone))))
            day -= timedelta(days=case.step_days)
    return found


def figures(shop: Shop, plain: Shop, file: HistoryFile, cutoff: int) -> dict[str, float]:
    """Of ours, of plain BG/NBD, and of whatever the evaluation compares with."""
    earlier = earlier_forecasts(shop, file, cutoff)
    ours, bare = (holdout_at(one, file, cutoff, earlier) for one in (shop, plain))
    result = {f"ours {name}": value for name, value in ours.evaluation.metrics().items()}
    return result | {f"plain {name}": value for name, value in bare.evaluation.metrics().items()}


def run() -> None:
    """Every shop that is there."""
    for case in cases():
        name = case.document["shop"]
        if case.path is not None and not case.path.exists():
            print(f"clv_holdouts, {name}: left out, {case.path.name} is not there (LIFESTAGE_DATA)")
            continue
        found = measured(case)
        print(f"clv_holdouts, {name}: {len(found)} cutoffs, {found[-1][0]} to {found[0][0]}")
        print(f"  {'':18}{'total error %':>14}{'MAE orders':>12}{'MAE spend':>12}{'rank corr.':>12}")
        for label, of in (
            ("ours", "ours model"), ("plain BG/NBD", "plain model"), ("own past rate", "ours naive"),
            ("last year", "ours last_year"), ("lifetimes", "ours lifetimes"),
        ):  # fmt: skip
            columns = ("orders_total_error_percent", "orders_mae", "spend_mae", "orders_spearman")
            values = [
                [abs(each[f"{of}_{column}"]) for _, each in found if f"{of}_{column}" in each]
                for column in columns
            ]
            if all(values):
                means = [float(np.mean(one)) for one in values]
                print(f"  {label:18}{means[0]:>14.1f}{means[1]:>12.4f}{means[2]:>12.2f}{means[3]:>12.3f}")
        for key in sorted({k for _, each in found for k in each if "pit" in k or "coverage" in k}):
            if key.startswith("ours "):
                print(f"  {key[5:]:44}{float(np.mean([each[key] for _, each in found if key in each])):.3f}")
        errors = ", ".join(
            f"{day} {each['ours model_orders_total_error_percent']:+.0f} "
            f"({each['plain model_orders_total_error_percent']:+.0f})"
            for day, each in found
        )
        print(f"  error of all orders in %, ours (plain): {errors}", flush=True)


if __name__ == "__main__":
    run()
