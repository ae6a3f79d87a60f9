"""Model cards: a registered version's description in Markdown, short enough to be read."""

from collections.abc import Mapping, Sequence

from lifestage.churn.grade import GRADES, MEANING

Figure = tuple[str, str]
"""What, and its value with its interval."""


def card(
    title: str, predicts: str, data: Mapping[str, str], figures: Sequence[Figure], **parts: Sequence[str]
) -> str:
    """A Markdown page: title, what it predicts, a table of its data, one of its figures, then one list a part.

    A part's name is its heading (`_` reads as a blank); an empty part is left out.
    """
    lines = [f"# {title}", "", predicts, "", "| data | |", "|---|---|"]
    lines += [f"| {name} | {_cell(value)} |" for name, value in data.items()]
    lines += ["", "| on customers whose outcome it had not seen | |", "|---|---|"]
    lines += [f"| {name} | {_cell(value)} |" for name, value in figures]
    for name, said in parts.items():
        if said:
            lines += ["", f"**{name.replace('_', ' ').capitalize()}**", "", *(f"- {one}" for one in said)]
    return "\n".join(lines) + "\n"


def _cell(value: str) -> str:
    return value.replace("|", "\\|").replace("\n", " ")


def churn_figures(metrics: Mapping[str, float], rule: str) -> list[Figure]:
    """Of the metrics of a churn evaluation; `rule`: the plain one that the grade is against."""
    by_auc = bool(metrics.get("grade_by_roc_auc", 0.0))
    lead = f"lead_over/{rule}/{'roc_auc' if by_auc else 'average_precision'}"
    letter = GRADES[int(metrics["grade"])]
    return [
        ("customers", f"{metrics['n']:,.0f}, {metrics['base_rate']:.1%} churned"),
        ("grade", f"{letter}: {MEANING[letter][0]}"),
        ("ROC-AUC", f"{metrics['roc_auc']:.3f}"),
        ("average precision of the rarer outcome", f"{metrics['pr_auc_rarer']:.3f}"),
        (
            f"lead over {rule}",
            f"{metrics[lead]:+.3f} (95 % interval {metrics[f'{lead}_low']:+.3f} to {metrics[f'{lead}_high']:+.3f})",
        ),
        (
            "calibration error",
            f"{metrics['ece']:.3f} (95 % interval {metrics['ece_low']:.3f} to {metrics['ece_high']:.3f}; of true "
            f"probabilities up to {metrics['ece_if_perfect_high']:.3f})",
        ),
    ]


def clv_figures(metrics: Mapping[str, float]) -> list[Figure]:
    """Of the metrics of a CLV evaluation, as far as they are there."""
    found = []
    for of in ("orders", "spend"):
        if f"model_{of}_total_error_percent" in metrics:
            foreseen, came, off = (
                metrics[f"model_{of}_{name}"]
                for name in ("total_predicted", "total_actual", "total_error_percent")
            )
            found.append((f"total {of}", f"{foreseen:,.0f} expected, {came:,.0f} came ({off:+.1f} %)"))
        naive = metrics.get(f"naive_{of}_mae")
        beside = "" if naive is None else f" (own past rate: {naive:,.3f})"
        found.append((f"mean absolute error a customer, {of}", f"{metrics[f'model_{of}_mae']:,.3f}{beside}"))
    if "model_spend_coverage_80" in metrics:
        found.append(
            (
                "spend within its 80 % interval",
                f"{metrics['model_spend_coverage_80']:.1%} (expected "
                f"{metrics['model_spend_coverage_80_expected']:.1%})",
            )
        )
    return found
