"""Segments that fail: the same figures for each group of graded customers, and which are worse than chance allows."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from scipy.special import logit
from scipy.stats import norm
from sklearn.metrics import average_precision_score

from lifestage.churn.calibration import platt, shift
from lifestage.churn.metrics import calibration_error, calibration_interval, level_error
from lifestage.churn.served.auc import UNKNOWN, Z95, Auc, auc, promised_auc
from lifestage.churn.served.dimensions import Dimension
from lifestage.ragged import Bools, Floats

SIGNIFICANCE = 0.05
"""Chance that a report on a faultless model names any segment at all."""
MIN_LEVEL_ERROR = 0.02
"""Smaller differences between foreseen and observed share do no harm, however sure: the goal for calibration."""
MIN_AUC_LOSS = 0.05
MIN_PER_CLASS = 20
"""Churners and stayers that an order is judged on."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One row per dimension and level: figures of the model on its graded customers."""

    dimension: str
    level: str
    customers: int
    base_rate: float
    """Share that churned."""
    mean_probability: float
    level_error: float
    """Mean probability - share that churned, with its 95 % interval."""
    level_error_low: float
    level_error_high: float
    roc_auc: float
    """NaN with fewer than MIN_PER_CLASS customers of an outcome."""
    roc_auc_low: float
    roc_auc_high: float
    roc_auc_promised: float
    """What the probabilities, set right on everybody, promise here."""
    pr_auc_rarer: float
    """Average precision of the class that is rarer in training."""
    ece: float
    ece_if_perfect_high: float
    p_level: float
    """Holm-adjusted chance of so large a difference in level from everybody."""
    p_order: float
    """Holm-adjusted chance of so low an ROC-AUC."""
    fails_level: bool
    fails_order: bool

    @property
    def fails(self) -> bool:
        return self.fails_level or self.fails_order


@dataclass(frozen=True, slots=True)
class Segments:
    """The figures of every segment, in the order of the dimensions."""

    rows: tuple[Segment, ...]
    titles: dict[str, tuple[str, str]]
    """Dimension -> its title in English and Chinese."""

    @property
    def failing(self) -> tuple[Segment, ...]:
        """The most customers first."""
        return tuple(sorted((row for row in self.rows if row.fails), key=lambda row: -row.customers))

    def table(self) -> pd.DataFrame:
        """One row per segment."""
        columns = [*Segment.__dataclass_fields__, "fails"]
        return pd.DataFrame([{**asdict(row), "fails": row.fails} for row in self.rows], columns=columns)

    def sentence(self) -> tuple[str, str]:
        """What was found, in English and Chinese."""
        if not self.rows:
            return (
                "There are too few customers, or nothing is known that tells them apart, for figures by segment.",
                "客户太少，或没有可以区分客户的信息，无法按分群评估。",
            )
        if not self.failing:
            return (
                f"None of {len(self.rows)} segments is served worse than the whole by more than chance allows.",
                f"{len(self.rows)}个分群中没有任何一个比整体差到超出偶然范围。",
            )
        named, of = ", ".join(f"{row.dimension} {row.level}" for row in self.failing[:3]), len(self.rows)
        found = len(self.failing)
        more, verb = found - 3, "is" if found == 1 else "are"
        rest, rest_zh = (f" and {more} more", f"，另有{more}个") if more > 0 else ("", "")
        return (
            f"{found} of {of} segments {verb} served worse than the whole by more than chance allows: {named}{rest}.",
            f"{of}个分群中有{found}个比整体差到超出偶然范围：{named}{rest_zh}。",
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of one level: what was found, and its unadjusted chance; NaN where it cannot be judged."""

    level_p: float
    order_p: float
    order: Auc
    promised: float


def evaluate_segments(
    probability: Floats,
    churned: Bools,
    dimensions: Sequence[Dimension],
    *,
    rarer_is_churned: bool,
    seed: int = 7,
) -> Segments:
    """Figures of the model by segment on one graded sample, arrays of shape (n,); both outcomes occur in it.

    A segment is held against the whole, so the probabilities q are first set right on everybody (Cox 1958: the
    log-odds get one intercept and one slope for all). It fails

    - in level, where its churners are more or fewer than the sum of q, by the score test of a term of its own in
      that regression (Rao 1948), two-sided, and its mean probability is off by at least MIN_LEVEL_ERROR and by more
      than that of everybody;
    - in order, where its ROC-AUC is below the one that q promises among these very customers (see
      auc.promised_auc), one-sided with DeLong's error, and by at least MIN_AUC_LOSS. The ROC-AUC of everybody would
      be no measure: customers of one tier are alike, so that any model ranks them worse than customers of all.

    All tests of one report share SIGNIFICANCE by Holm's (1979) rule, which holds for segments that overlap.
    """
    verdicts = judge(probability, churned, dimensions)
    tests = np.array([[v.level_p, v.order_p] for v in verdicts.values()]).reshape(-1, 2)
    adjusted = holm(tests.ravel()).reshape(-1, 2)
    whole = abs(level_error(probability, churned))
    rows = []
    for (name, place), verdict, (p_level, p_order) in zip(verdicts, verdicts.values(), adjusted, strict=True):
        dimension = next(d for d in dimensions if d.name == name)
        mine = dimension.codes == place
        p, y = probability[mine], churned[mine]
        off = p - y
        error = float(off.mean())
        reach = Z95 * float(off.std(ddof=1)) / np.sqrt(len(p))
        rarer = (y, p) if rarer_is_churned else (~y, -p)
        material = abs(error) >= MIN_LEVEL_ERROR and abs(error) > whole
        rows.append(
            Segment(
                dimension=name,
                level=dimension.levels[place],
                customers=len(p),
                base_rate=float(y.mean()),
                mean_probability=float(p.mean()),
                level_error=error,
                level_error_low=error - reach,
                level_error_high=error + reach,
                roc_auc=verdict.order.value,
                roc_auc_low=verdict.order.low,
                roc_auc_high=verdict.order.high,
                roc_auc_promised=verdict.promised,
                pr_auc_rarer=float(average_precision_score(*rarer)) if 0 < y.sum() < len(y) else float("nan"),
                ece=calibration_error(p, y),
                ece_if_perfect_high=calibration_interval(p, seed=seed)[1],
                p_level=float(p_level),
                p_order=float(p_order),
                fails_level=bool(p_level <= SIGNIFICANCE and material),
                fails_order=bool(
                    p_order <= SIGNIFICANCE and verdict.promised - verdict.order.value >= MIN_AUC_LOSS
                ),
            )
        )
    return Segments(tuple(rows), {d.name: (d.title, d.title_zh) for d in dimensions})


def judge(
    probability: Floats, churned: Bools, dimensions: Sequence[Dimension]
) -> dict[tuple[str, int], Verdict]:
    """(dimension, place of the level) -> the two tests of `evaluate_segments`, each on its own."""
    score = logit(np.clip(probability, 1e-12, 1 - 1e-12))
    q = (platt if np.ptp(score) > 0 else shift)(score, churned)(score)
    left, weight = churned - q, q * (1 - q)
    design = np.column_stack([np.ones_like(score), score])
    known = np.linalg.pinv(design.T @ (weight[:, None] * design))
    found = {}
    for dimension in dimensions:
        for place in range(len(dimension.levels)):
            mine = dimension.codes == place
            shared = weight[mine] @ design[mine]
            variance = float(weight[mine].sum() - shared @ known @ shared)
            level_p = float("nan")
            if variance > 1e-9:
                level_p = float(2 * norm.sf(abs(left[mine].sum()) / np.sqrt(variance)))
            order, promised, order_p = UNKNOWN, float("nan"), float("nan")
            if min(np.count_nonzero(churned[mine]), np.count_nonzero(~churned[mine])) >= MIN_PER_CLASS:
                order, promised = (
                    auc(probability[mine], churned[mine]),
                    promised_auc(probability[mine], q[mine]),
                )
                if order.error > 0:
                    order_p = float(norm.cdf((order.value - promised) / order.error))
            found[dimension.name, place] = Verdict(level_p, order_p, order, promised)
    return found


def holm(p: Floats) -> Floats:
    """Chances adjusted for their number, step down (Holm 1979); NaN stays NaN and does not count."""
    adjusted = np.full(len(p), np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted
