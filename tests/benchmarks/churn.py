"""The churn model beside its baselines at every feasible test cutoff of real shops; accuracy, not time."""

import os
import tempfile
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from lifestage.churn.evaluation import MODEL, Evaluation
from lifestage.errors import InputError
from lifestage.fitting import fit_churn
from lifestage.folds import make_folds
from lifestage.history_file import HistoryFile
from lifestage.intake import open_tables, write_history
from lifestage.localtime import day_of, midnight
from lifestage.settings import parse

DATA = Path(os.environ.get("LIFESTAGE_DATA", Path(__file__).parents[3] / "shared" / "data"))
MIN_HISTORY_DAYS = 45
"""Half the default: so that a shop of one year has more than one cutoff to be judged at."""


@dataclass(frozen=True)
class Case:
    """A shop and how often it is graded."""

    document: dict[str, Any]
    step_days: int
    path: Path | None = None


def cases() -> list[Case]:
    """CDNOW, and the real shops whose files are there."""
    columns = {"customer_id": "customer_id", "amount": "dollar_value"}
    cdnow = {
        "shop": "cdnow",
        "timezone": "America/New_York",
        "currency": "USD",
        "sources": {
            "transactions": {
                "dataset": "cdnow",
                "columns": {**columns, "ordered_at": "strptime(date, '%Y%m%d')"},
            }
        },
    }
    retail_path, afisha_path = (
        DATA / "online_retail" / "transactions.parquet",
        DATA / "afisha" / "orders.parquet",
    )
    retail = {
        "shop": "online_retail",
        "timezone": "Europe/London",
        "currency": "GBP",
        "sources": {
            "transactions": {
                "path": str(retail_path),
                "grain": "line",
                "where": "CustomerID IS NOT NULL AND CustomerID <> 0",
                "columns": {
                    "customer_id": "CustomerID",
                    "ordered_at": "InvoiceDate",
                    "amount": "Quantity * UnitPrice",
                    "order_id": "InvoiceNo",
                },
            }
        },
    }
    afisha = {
        "shop": "afisha",
        "timezone": "Europe/Moscow",
        "currency": "RUB",
        "sources": {
            "transactions": {
                "path": str(afisha_path),
                "columns": {"customer_id": "uid", "ordered_at": "buy_ts", "amount": "revenue"},
            }
        },
    }
    return [Case(cdnow, 30), Case(retail, 15, retail_path), Case(afisha, 15, afisha_path)]


def graded(case: Case) -> list[tuple[str, Evaluation]]:
    """(test day, evaluation) at every feasible cutoff, the newest first."""
    about = {"min_history_days": MIN_HISTORY_DAYS}
    found = []
    with tempfile.TemporaryDirectory() as folder:
        shop = parse({**case.document, "churn": about, "output_dir": folder}, "benchmark")
        path = Path(folder) / "history.parquet"
        write_history(
            open_tables(shop, time.time_ns() // 1_000, None), path, shop.scoring.block_customers, None
        )
        file = HistoryFile(path)
        first, end = file.facts["first_row"], day_of(file.facts["observed_until"], file.zone)
        while True:
            try:
                folds = make_folds(
                    first,
                    midnight(end, file.zone),
                    zone=file.zone,
                    horizon_days=shop.churn.horizon_days,
                    train_cutoffs=shop.churn.train_cutoffs,
                    step_days=shop.churn.step_days,
                    min_history_days=MIN_HISTORY_DAYS,
                )
            except InputError:
                return found
            fitted = fit_churn(shop, file, folds=folds)
            found.append((str(day_of(folds.test, file.zone)), fitted.evaluation))
            end -= timedelta(days=case.step_days)


def show(name: str, found: list[tuple[str, Evaluation]]) -> None:
    """One line a method: means over the cutoffs, the model's mean lead with its 95 % interval."""
    days = [day for day, _ in found]
    print(f"churn, {name}: {len(days)} test cutoffs, {days[-1]} to {days[0]}")
    print(f"  {'':24}{'AUC':>7}{'AP rarer':>10}{'ECE':>7}{'shape':>7}{'true':>7}   lead in AUC, in AP (95 %)")
    for method in found[0][1].figures:
        mean = {
            key: float(np.mean([e.figures[method][key] for _, e in found]))
            for key in ("roc_auc", "pr_auc_rarer", "ece", "ece_shape", "ece_if_perfect_high")
        }
        said = f"  {method:24}" + "".join(
            f"{value:{width}.3f}" for value, width in zip(mean.values(), (7, 10, 7, 7, 7), strict=True)
        )
        if method != MODEL:
            for measure in ("roc_auc", "average_precision"):
                leads = [e.differences[method][measure] for _, e in found]
                # The cutoffs share customers; taken as one sample each, as if they went up and down together.
                value, low, high = (
                    float(np.mean([getattr(lead, part) for lead in leads]))
                    for part in ("value", "low", "high")
                )
                said += f"   {value:+.3f} ({low:+.3f} to {high:+.3f})"
        print(said, flush=True)
    print("  " + ", ".join(f"{day}: grade {e.grade}, ECE {e.figures[MODEL]['ece']:.3f}" for day, e in found))


def run() -> None:
    """Every shop that is there."""
    for case in cases():
        name = case.document["shop"]
        if case.path is not None and not case.path.exists():
            print(f"churn, {name}: left out, {case.path.name} is not there (LIFESTAGE_DATA)")
            continue
        show(name, graded(case))
