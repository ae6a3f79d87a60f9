"""What a reader of one run's figures has to know: not over yet, customers gone, data changed since."""

from collections.abc import Mapping

from lifestage.churn.report.words import percent
from lifestage.localtime import day_of
from lifestage.matured.past import LeftOut, PastRun
from lifestage.pages import Words

CHANGED = 0.01
"""Share of a run's customers, or of its spend, from which a change of the data since is worth a word."""


def waiting(run: PastRun, end: int, until: int) -> LeftOut:
    """A run none of whose horizons is over."""
    days, zone = run.terms.definition.label_days, run.terms.zone
    return LeftOut(
        run.name,
        run.as_of,
        "waiting",
        f"{run.name}: its {days} days end on {day_of(end, zone)}, and what happened is known up to "
        f"{day_of(until, zone)}",
    )


def of_run(
    run: PastRun,
    zone: str,
    clv_end: int | None,
    customers: Mapping[str, int],
    clv: Mapping[str, float],
    *,
    churn_over: bool = True,
) -> tuple[Words, ...]:
    """The notes of one run; zone: the history's; clv: empty where the CLV horizon is not over."""
    said = []
    terms = run.terms
    if not churn_over:
        said.append(
            Words("Its churn horizon is not over yet: CLV only.", "流失观察期尚未结束，目前仅评估CLV。")
        )
    if clv_end is not None and not clv:
        end = day_of(clv_end, terms.zone)
        said.append(
            Words(
                f"Its {terms.clv_days} days of CLV end on {end}: churn only.",
                f"其{terms.clv_days}天的CLV预测期于{end}结束，目前仅评估流失。",
            )
        )
    if zone != terms.zone:
        said.append(
            Words(
                f"The shop's time zone was {terms.zone} then and is {zone} now; its days are counted by the former.",
                f"当时时区为{terms.zone}，现为{zone}；按当时的时区计算天数。",
            )
        )
    if gone := customers["gone"]:
        said.append(
            Words(
                f"{gone:,} of its {customers['scored']:,} customers are in the history no more (forgotten, merged, or "
                "out of the source) and are left out.",
                f"其{customers['scored']:,}名客户中有{gone:,}名已不在历史数据中（已删除、合并或源数据不再包含），未计入。",
            )
        )
    if (strangers := customers["strangers"]) > CHANGED * customers["scored"]:
        said.append(
            Words(
                f"{strangers:,} customers now have rows before that day whom the run did not know: late rows, or ids "
                "that became one.",
                f"有{strangers:,}名客户现有早于该日的记录，但当时未知：数据补录或身份合并。",
            )
        )
    if (lost := customers["no_longer_eligible"]) and terms.definition.name == "given":
        said.append(
            Words(f"{lost:,} customers have no label of that day.", f"{lost:,}名客户没有该日的标签。")
        )
    elif lost:
        said.append(
            Words(
                f"{lost:,} customers were eligible then and are not by today's history: their rows have changed.",
                f"{lost:,}名客户当时符合条件，按现有历史则不符合：其记录已变更。",
            )
        )
    if clv and clv["buyers"] and clv["spend_actual"] > 0:
        less = 1 - clv["spend_actual_now"] / clv["spend_actual"]
        if less > CHANGED:
            said.append(
                Words(
                    f"Refunds seen after the horizon have since taken back {percent(less, 1)} of its spend; the "
                    "figures are net of refunds seen by the horizon's end.",
                    f"预测期之后的退款又抵减了{percent(less, 1)}的消费；各项数字仅扣除预测期内的退款。",
                )
            )
    return tuple(said)
