"""Seen or new customers, at the same or a later time: does the model learn customers by heart, or does time move on?"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, log_loss

from lifestage.churn.dataset import Sample
from lifestage.churn.metrics import calibration_error, calibration_interval
from lifestage.churn.served.auc import Z95, Auc, auc
from lifestage.churn.training import MIN_PER_CLASS, MIN_ROWS, Fit, refit
from lifestage.ragged import Bools, Floats

FOLD = 5
"""One customer in so many is held out."""
MAX_ROWS = 100_000
"""Of the diagnostic fit: so many tell, and cost seconds."""
FEW = 100
"""Customers below which a part is shown without being spoken of."""

Who = Literal["seen", "new"]
When = Literal["same", "later"]
PARTS: tuple[tuple[When, Who], ...] = (("same", "seen"), ("same", "new"), ("later", "seen"), ("later", "new"))


@dataclass(frozen=True, slots=True)
class Part:
    """Figures on one of the four; NaN where there is one outcome only, or nobody."""

    when: When
    who: Who
    customers: int
    base_rate: float
    roc_auc: Auc
    pr_auc_rarer: float
    log_loss: float
    ece: float
    ece_if_perfect_high: float


@dataclass(frozen=True, slots=True)
class FourWay:
    """The four parts, those first that the model was trained on."""

    parts: tuple[Part, ...]

    def part(self, when: When, who: Who) -> Part:
        return next(part for part in self.parts if (part.when, part.who) == (when, who))

    def table(self) -> pd.DataFrame:
        """One row per part."""
        return pd.DataFrame(
            [
                {
                    "time": part.when,
                    "customers": part.who,
                    "n": part.customers,
                    "base_rate": part.base_rate,
                    "roc_auc": part.roc_auc.value,
                    "roc_auc_low": part.roc_auc.low,
                    "roc_auc_high": part.roc_auc.high,
                    "pr_auc_rarer": part.pr_auc_rarer,
                    "log_loss": part.log_loss,
                    "ece": part.ece,
                    "ece_if_perfect_high": part.ece_if_perfect_high,
                }
                for part in self.parts
            ]
        )

    def metrics(self) -> dict[str, float]:
        """Flat figures, all beginning with `four_way/`."""
        return {
            f"four_way/{part.when}_{part.who}/{name}": value
            for part in self.parts
            for name, value in (
                ("n", float(part.customers)),
                ("roc_auc", part.roc_auc.value),
                ("ece", part.ece),
            )
        }

    def sentence(self) -> tuple[str, str]:
        """What the four say of memory, time and newcomers, in English and Chinese."""
        seen, held_out = self.part("same", "seen"), self.part("same", "new")
        later, arrived = self.part("later", "seen"), self.part("later", "new")
        comparisons = (
            (
                held_out,
                seen,
                "customers kept out of training",
                "those trained on, at the same time",
                "未参与训练的客户",
                "同期参与训练的客户",
            ),
            (
                later,
                held_out,
                "customers seen before",
                "unseen ones at training time, a horizon later",
                "已见过的客户一个预测期之后",
                "训练时期的未见客户",
            ),
            (
                arrived,
                later,
                "customers new since training",
                "seen ones of the same day",
                "训练之后新增的客户",
                "同日已见过的客户",
            ),
        )
        said, said_zh = [], []
        for one, other, who, whom, who_zh, whom_zh in comparisons:
            if not _both(one, other):
                continue
            how, how_zh = _compared(one, other)
            figures = f"ROC-AUC {one.roc_auc.value:.3f}, {other.roc_auc.value:.3f}"
            said.append(f"{who} are ranked {how} {whom} ({figures})")
            said_zh.append(f"{who_zh}的排序效果{how_zh.format(whom_zh)}（{figures}）")
        if later.customers and not _both(arrived, later):
            said.append(
                f"too few customers ({arrived.customers:,}) are new since training to be judged apart"
            )
            said_zh.append(f"训练之后新增的客户太少（{arrived.customers:,}人），无法单独评估")
        if not said:
            return "There are too few customers to tell.", "客户太少，无法判断。"
        text = "; ".join(said)
        return f"{text[0].upper()}{text[1:]}.", "；".join(said_zh) + "。"


def four_way(
    evaluated: Fit,
    graded: Sample,
    test: Sample,
    probability: Floats,
    *,
    rarer_is_churned: bool,
    out_of_time: bool = True,
    seed: int = 7,
    max_rows: int = MAX_ROWS,
) -> FourWay:
    """The evaluation fit's figures, parted by whether a customer was in its rows and whether the time was.

    Later: the rows of `test`, of `probability` (the evaluation fit's), a customer seen where its key is in `graded`,
    the evaluation fit's rows. Same: its newest cutoff. Seen are there the rows it was fitted on, new one customer in
    FOLD by a hash, for which a diagnostic fit without any row of theirs is made: the same settings and number of
    trees, on `max_rows` rows at most, whole customers drawn by hash. Of folds that are not `out_of_time` nothing is
    later, and the test customers are the new ones of the same time. After the four-way split of nubank's fklearn
    (space and time).
    """
    newest = graded.take(graded.cutoff == graded.cutoff.max())
    of: dict[tuple[When, Who], tuple[Floats, Bools]] = {
        ("same", "seen"): (evaluated.model.predict(newest.features, num_threads=0), newest.churned)
    }
    if not out_of_time:
        of["same", "new"] = (probability, test.churned)
    else:
        of["same", "new"] = _held_out(evaluated, graded, newest, max_rows, seed)
        if graded.customer is not None and test.customer is not None:
            known = np.isin(test.customer, graded.customer)
            of["later", "seen"] = (probability[known], test.churned[known])
            of["later", "new"] = (probability[~known], test.churned[~known])
    nobody = (np.empty(0), np.empty(0, np.bool_))
    return FourWay(
        tuple(
            _part(when, who, *of.get((when, who), nobody), rarer_is_churned=rarer_is_churned, seed=seed)
            for when, who in PARTS
        )
    )


def _held_out(
    evaluated: Fit, graded: Sample, newest: Sample, max_rows: int, seed: int
) -> tuple[Floats, Bools]:
    """Probability and outcome of the customers that the diagnostic fit was made without."""
    if graded.customer is None or newest.customer is None:
        return np.empty(0), np.empty(0, np.bool_)
    # The high bits decide who is drawn from a large shop (see samples), so the low ones decide here.
    kept = graded.customer % np.uint64(FOLD) != 0
    drawn = graded.customer // np.uint64(FOLD) % np.uint64(1_000) < np.uint64(
        max(int(1_000 * min(1.0, max_rows / max(int(kept.sum()), 1))), 1)
    )
    train = replace(graded.take(kept & drawn), categorical=graded.categorical)
    churned = int(train.churned.sum())
    apart = newest.take(newest.customer % np.uint64(FOLD) == 0)
    if len(train) < MIN_ROWS or min(churned, len(train) - churned) < MIN_PER_CLASS or not len(apart):
        return np.empty(0), np.empty(0, np.bool_)
    again = refit(evaluated, train, seed=seed, name="evaluation", orders=evaluated.model.orders)
    return again.model.predict(apart.features, num_threads=0), apart.churned


def _part(
    when: When, who: Who, probability: Floats, churned: Bools, *, rarer_is_churned: bool, seed: int
) -> Part:
    n, nan = len(churned), float("nan")
    if n == 0 or churned.all() or not churned.any():
        return Part(when, who, n, float(churned.mean()) if n else nan, Auc(nan, nan), *[nan] * 4)
    rarer = (churned, probability) if rarer_is_churned else (~churned, -probability)
    return Part(
        when=when,
        who=who,
        customers=n,
        base_rate=float(churned.mean()),
        roc_auc=auc(probability, churned),
        pr_auc_rarer=float(average_precision_score(*rarer)),
        log_loss=float(log_loss(churned, probability)),
        ece=calibration_error(probability, churned),
        ece_if_perfect_high=calibration_interval(probability, seed=seed)[1],
    )


def _both(one: Part, other: Part) -> bool:
    return all(part.customers >= FEW and np.isfinite(part.roc_auc.error) for part in (one, other))


def _compared(one: Part, other: Part) -> tuple[str, str]:
    """The order of `one` beside that of `other` in words; they are other customers, so the errors of both add."""
    gap = one.roc_auc.value - other.roc_auc.value
    if abs(gap) <= Z95 * float(np.hypot(one.roc_auc.error, other.roc_auc.error)):
        return "about as well as", "与{}相当"
    return ("better than", "优于{}") if gap > 0 else ("worse than", "差于{}")
