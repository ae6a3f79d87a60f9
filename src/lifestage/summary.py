"""What a marketer reads after a scoring run: stages, value, risk, whom to look after first, the flow. Text tables."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from unicodedata import east_asian_width

import pyarrow as pa
import pyarrow.compute as pc

from lifestage.churn.grade import GRADES, MEANING
from lifestage.lifecycle.policy import Policy
from lifestage.localtime import DAY, moment

TOP = 10
OTHER_POLICY = "(another policy)"


def _width(text: str) -> int:
    """Columns a terminal gives to `text`: Chinese characters take two."""
    return sum(2 if east_asian_width(c) in "WF" else 1 for c in text)


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]], left: Collection[int] = (0,)) -> str:
    """Aligned columns; those of number `left` to the left, the others to the right."""
    table = [list(header), *(list(row) for row in rows)]
    widths = [max(_width(row[i]) for row in table) for i in range(len(header))]

    def line(row: Sequence[str]) -> str:
        cells = []
        for i, cell in enumerate(row):
            gap = " " * (widths[i] - _width(cell))
            cells.append(cell + gap if i in left else gap + cell)
        return "  " + "  ".join(cells).rstrip()

    return "\n".join(
        [line(table[0]), "  " + "-" * (sum(widths) + 2 * (len(widths) - 1)), *map(line, table[1:])]
    )


def _money(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


COUNTED = ("customer_id", "stage", "clv", "churn_probability", "next_stage", "next_stage_at")
"""Columns of a score behind the figures by stage."""
NAMED = ("customer_id", "tier", "stage", "stage_since", "risk", "clv", "churn_probability", "reasons")
"""Columns of a score that are shown of the most valuable at risk."""


def by_stage(scores: pa.Table) -> list[dict[str, Any]]:
    """One row per stage present: customers, total and mean clv, mean churn probability of the eligible."""
    grouped = scores.group_by("stage").aggregate(
        [("customer_id", "count"), ("clv", "sum"), ("clv", "mean"), ("churn_probability", "mean")]
    )
    rows: list[dict[str, Any]] = grouped.to_pylist()
    return rows


def stages_text(scores: pa.Table, policy: Policy, currency: str) -> str:
    """Customers, value and churn risk per stage, in the policy's order."""
    found = {row["stage"]: row for row in by_stage(scores)}
    rows = []
    for stage in policy.stages:
        row = found.get(stage.name)
        if row is None:
            rows.append([f"{stage.name} {stage.labels.zh}", "0", "0%", "0", "-", "-"])
            continue
        rows.append(
            [
                f"{stage.name} {stage.labels.zh}",
                f"{row['customer_id_count']:,}",
                _share(row["customer_id_count"] / len(scores)),
                _money(row["clv_sum"]),
                _money(row["clv_mean"]),
                _share(row["churn_probability_mean"]),
            ]
        )
    header = ["stage", "customers", "share", f"value, {currency}", "value each", "churn risk"]
    return text_table(header, rows)


def most_valuable_at_risk(scores: pa.Table, policy: Policy, top: int = TOP) -> pa.Table:
    """The `top` customers at risk with the highest clv, highest first; without it, of the highest risk.

    At risk = in a stage of role at_risk; under a policy without one, of risk high.
    """
    staged = [stage.name for stage in policy.stages if stage.role == "at_risk"]
    at_risk = scores.filter(
        pc.is_in(scores["stage"], pa.array(staged)) if staged else pc.equal(scores["risk"], "high")
    )
    keys = [("clv", "descending"), ("churn_probability", "descending"), ("customer_id", "ascending")]
    order = pc.sort_indices(at_risk, sort_keys=keys)
    return at_risk.take(order[:top])


def most_valuable_of(batches: Iterable[pa.RecordBatch], policy: Policy, top: int = TOP) -> pa.Table:
    """`most_valuable_at_risk` of batches of scores, one held at a time."""
    found: pa.Table | None = None
    for batch in batches:
        part = pa.Table.from_batches([batch])
        seen = part if found is None else pa.concat_tables([found, part])
        found = most_valuable_at_risk(seen, policy, top).combine_chunks()
    if found is None:
        raise ValueError("a run of scores has one batch at least")
    return found


def at_risk_text(scores: pa.Table, policy: Policy, currency: str, zone: str) -> str:
    """The most valuable customers at risk and why: what each is worth, how likely to leave, since when."""
    local = moment(0, zone).tzinfo
    rows = [
        [
            row["customer_id"],
            row["tier"] or "-",
            _money(row["clv"]),
            _share(row["churn_probability"]),
            "-" if row["stage_since"] is None else f"{row['stage_since'].astimezone(local):%Y-%m-%d}",
            short("; ".join(row["reasons"] or []) or "-"),
        ]
        for row in most_valuable_at_risk(scores, policy).to_pylist()
    ]
    if not rows:
        return "  nobody is at risk"
    header = ["customer", "tier", f"value, {currency}", "churn risk", "since", "why"]
    return text_table(header, rows, left=(0, 1, 5))


def about_to_text(scores: pa.Table, policy: Policy, as_of: int, currency: str, days: int = 30) -> str:
    """Who is about to become what if nothing happens: moves foreseen within so many days, by stage of now and then."""
    end = pa.scalar(as_of + days * DAY, pa.int64()).cast(scores.schema.field("next_stage_at").type)
    soon = scores.filter(pc.less_equal(scores["next_stage_at"], end))
    if not len(soon):
        return f"  nobody's stage is foreseen to change within {days} days"
    grouped = soon.group_by(["stage", "next_stage"]).aggregate([("customer_id", "count"), ("clv", "sum")])
    place = {stage.name: i for i, stage in enumerate(policy.stages)}
    rows = sorted(grouped.to_pylist(), key=lambda r: (place[r["next_stage"]], place[r["stage"]]))
    table = [[r["stage"], r["next_stage"], f"{r['customer_id_count']:,}", _money(r["clv_sum"])] for r in rows]
    return text_table(["now", f"within {days} days", "customers", f"value, {currency}"], table, left=(0, 1))


def short(text: str, width: int = 70) -> str:
    """The text, or its beginning and an ellipsis in `width` characters."""
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"


METHODS = {
    "": "Lifestage model",
    "days_since_last_order": "days since last order",
    "bg_nbd_expected_orders": "BG/NBD expected orders",
    "days_since_last_event": "days since last event",
    "days_subscribed": "days subscribed",
    "logistic_rfm": "logistic regression on RFM",
    "base_rate": "base rate",
}
"""Prefix of a grade's metric -> what a reader calls the method."""


def grade_text(metrics: Mapping[str, float]) -> str:
    """The model beside the plain rules on customers and months it had not seen, from the logged metrics."""
    rows = []
    for prefix, label in METHODS.items():
        name = f"{prefix}/" if prefix else ""
        if f"{name}roc_auc" not in metrics:
            continue
        hit = metrics[f"{name}lift_top_decile"] * metrics["base_rate"]
        rows.append(
            [
                label,
                f"{metrics[f'{name}roc_auc']:.3f}",
                f"{metrics[f'{name}pr_auc_rarer']:.3f}",
                f"{hit:.0%}",
                f"{metrics[f'{name}ece']:.3f}",
            ]
        )
    header = [
        "ranking by",
        "ROC-AUC",
        "PR-AUC of rarer class",
        "churners in riskiest 10 %",
        "calibration error",
    ]
    table = text_table(header, rows)
    how = "not seen in training"
    if not metrics.get("out_of_time", 1.0):
        how = "drawn at random (NOT out of time: the labels carry no dates, so expect less on a later day)"
    said = f"{table}\n  {metrics['n']:,.0f} customers {how}, {metrics['base_rate']:.0%} of whom churned."
    rule = next(r for r in METHODS if r and f"lead_over/{r}/roc_auc" in metrics)
    lead = f"lead_over/{rule}/roc_auc"
    low, high = metrics[f"{lead}_low"], metrics[f"{lead}_high"]
    letter = GRADES[int(metrics["grade"])]
    en, zh = MEANING[letter]
    by_auc = bool(metrics.get("grade_by_roc_auc", 0.0))
    measure = "ROC-AUC" if by_auc else "average precision of the rarer class"
    graded = f"lead_over/{rule}/{'roc_auc' if by_auc else 'average_precision'}"
    verdict = "better than" if low > 0 else "worse than" if high < 0 else "not distinguishable from"
    return (
        f"{said} The model is {verdict} {METHODS[rule]}:\n"
        f"  ROC-AUC {metrics[lead]:+.3f} (95 % interval {low:+.3f} to {high:+.3f}).\n"
        f"  {_calibration_text(metrics)}\n"
        f"  Grade {letter}, by {measure} ({metrics[graded]:+.3f}, {metrics[f'{graded}_low']:+.3f} to "
        f"{metrics[f'{graded}_high']:+.3f}): {en} ({zh})."
    )


def _calibration_text(metrics: Mapping[str, float]) -> str:
    """Whether the probabilities were true, and if not, whether their level or their order of size was off."""
    error, most = metrics["ece"], metrics["ece_if_perfect_high"]
    if error <= most:
        return f"The probabilities were true as far as {metrics['n']:,.0f} customers can tell."
    level = metrics["ece_level"]
    said = f"Calibration error {error:.3f}, of true probabilities at most {most:.3f}"
    if metrics["ece_shape"] <= most:
        way = "fewer" if level > 0 else "more"
        return (
            f"{said}:\n  {100 * abs(level):.1f} points {way} of the customers churned than foreseen, about alike at "
            "all risks: the level was off."
        )
    return f"{said} ({metrics['ece_shape']:.3f} after the level is set right)."


def flow_text(flow: pa.Table, policy: Policy, zone: str) -> str:
    """Customers per stage at each date staged so far, one line a date. `flow` as of store.flow.

    A last column counts those in stages of another policy, which staged that date.
    """
    names = [stage.name for stage in policy.stages]
    counts: dict[Any, dict[str, int]] = {}
    for row in flow.to_pylist():
        at = counts.setdefault(row["as_of"], {})
        place = row["stage"] if row["stage"] in names else OTHER_POLICY
        at[place] = at.get(place, 0) + row["customers"]
    if any(OTHER_POLICY in found for found in counts.values()):
        names.append(OTHER_POLICY)
    local = moment(0, zone).tzinfo
    rows = [
        [f"{at.astimezone(local):%Y-%m-%d}", *(f"{found.get(name, 0):,}" for name in names)]
        for at, found in sorted(counts.items())
    ]
    return text_table(["as of", *names], rows)


def moves_text(flow: pa.Table) -> str:
    """The moves from one stage to another over all the dates staged so far, the most frequent first."""
    moves: dict[tuple[str, str], int] = {}
    for row in flow.to_pylist():
        before, after = row["previous_stage"], row["stage"]
        if before is not None and before != after:
            moves[before, after] = moves.get((before, after), 0) + row["customers"]
    if not moves:
        return "  nobody has moved yet"
    most = sorted(moves.items(), key=lambda move: (-move[1], move[0]))[:TOP]
    return text_table(
        ["from", "to", "customers moved"], [[a, b, f"{n:,}"] for (a, b), n in most], left=(0, 1)
    )
