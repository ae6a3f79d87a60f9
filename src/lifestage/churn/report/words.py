"""What the report of a churn run says in sentences, in English and Chinese: grade, trust, profit, warnings, terms."""

from collections.abc import Sequence

from lifestage.churn.evaluation import BASE_RATE, MODEL, Evaluation
from lifestage.churn.grade import MEANING
from lifestage.churn.model import ChurnModel
from lifestage.churn.plots import LABELS
from lifestage.churn.profit.evaluation import ProfitEvaluation
from lifestage.churn.served.segments import Segment, Segments
from lifestage.pages import Words

LABELS_ZH = {
    MODEL: "流失模型",
    "days_since_last_order": "距最近一单天数",
    "bg_nbd_expected_orders": "BG/NBD预期订单数",
    "days_since_last_event": "距最近一次活动天数",
    "days_subscribed": "订阅天数",
    "logistic_rfm": "RFM逻辑回归",
    BASE_RATE: "平均流失率",
}
USE = {
    "A": Words("Use its order and its probabilities for campaigns.", "可按其排序和概率开展营销活动。"),
    "B": Words(
        "Use its order for campaigns; the gain over the plain rule is real, but modest or matched by a baseline.",
        "可按其排序开展营销活动；相对简单规则的提升真实存在，但幅度有限，或有基线与之相当。",
    ),
    "C": Words(
        "Treat the order of customers as a rule of thumb, and test before spending on it.",
        "客户排序仅供参考，投入预算之前请先小范围测试。",
    ),
}
ORDER_ONLY = Words(
    "Use its order for campaigns; its probabilities were off, see the warnings.",
    "可按其排序开展营销活动；概率数值有偏差，请见警告。",
)
FEW_CUSTOMERS, FEW_PER_CLASS = 500, 50
"""Graded customers, and those of the rarer outcome, below which figures move a lot from one run to the next."""


def percent(value: float, places: int = 0) -> str:
    """A share as a reader sees it, never broken before the sign."""
    return f"{100 * value:.{places}f}\N{NO-BREAK SPACE}%"


def label(method: str) -> Words:
    """What a reader calls a method."""
    return Words(LABELS.get(method, method), LABELS_ZH.get(method, method))


def churned_means(definition: str, horizon_days: int, active_within_days: int) -> Words:
    """The shop's definition of churn, and of whom it is asked."""
    h, a = horizon_days, active_within_days
    return {
        "purchase": Words(
            f"no order within {h} days, of customers who ordered in the {a} days before",
            f"此前{a}天内下过单的客户在之后{h}天内没有订单",
        ),
        "activity": Words(
            f"no activity within {h} days, of customers active in the {a} days before",
            f"此前{a}天内活跃的客户在之后{h}天内没有活动",
        ),
        "subscription": Words(
            f"the subscription ends within {h} days and is not renewed", f"订阅在{h}天内到期且未续订"
        ),
        "given": Words(
            f"as the shop's own labels say, {h} days ahead", f"以店铺自己的标签为准，提前{h}天预测"
        ),
    }[definition]


def use(evaluation: Evaluation) -> Words:
    """What the grade means for who acts on it."""
    own = evaluation.figures[MODEL]
    off = own["ece"] > own["ece_if_perfect_high"]
    return ORDER_ONLY if off and evaluation.grade != "C" else USE[evaluation.grade]


def verdict(evaluation: Evaluation, champion: str) -> Words:
    """The grade in one sentence, and who scores."""
    en, zh = MEANING[evaluation.grade]
    rule = label(evaluation.rule)
    said = Words(
        f"Grade {evaluation.grade}: the model is {en} (plain rule: {rule.en}).",
        f"等级{evaluation.grade}：模型{zh}（简单规则：{rule.zh}）。",
    )
    if champion == MODEL:
        return said
    best = label(champion)
    return Words(
        f"{said.en} {_capital(best.en)}, calibrated, scores in its place.",
        f"{said.zh}改由校准后的{best.zh}评分。",
    )


def hits(evaluation: Evaluation, method: str) -> float:
    """Share that churned of the tenth that a method called riskiest."""
    return evaluation.figures[method]["lift_top_decile"] * evaluation.base_rate


def found(evaluation: Evaluation) -> Words:
    """What the order is worth, in customers."""
    rule, n = label(evaluation.rule), len(evaluation.churned)
    own, plain = (100 * evaluation.figures[method]["roc_auc"] for method in (MODEL, evaluation.rule))
    base = percent(evaluation.base_rate)
    return Words(
        f"On {n:,} customers whose outcome it had not seen ({base} churned): of one who left and one who stayed, the "
        f"model names the one who left {own:.0f} times in 100, {rule.en} {plain:.0f} times; a coin 50.",
        f"在结果未知的{n:,}名客户中（{base}流失）：从一名流失客户与一名留存客户中，模型100次有{own:.0f}次认出流失者，"
        f"{rule.zh}为{plain:.0f}次，抛硬币为50次。",
    )


def calibration(evaluation: Evaluation) -> Words:
    """Whether the probabilities were true, and if not, in what way."""
    own, n = evaluation.figures[MODEL], len(evaluation.churned)
    error, most = own["ece"], own["ece_if_perfect_high"]
    if error <= most:
        return Words(
            f"The probabilities were true as far as {n:,} customers can tell.",
            f"就{n:,}名客户所能判断，预测概率是准确的。",
        )
    level = own["ece_level"]
    foreseen, happened = percent(evaluation.base_rate + level, 1), percent(evaluation.base_rate, 1)
    said = Words(
        f"{foreseen} were foreseen to churn, {happened} did; calibration error {error:.3f}, of true probabilities at "
        f"most {most:.3f}.",
        f"预测流失{foreseen}，实际流失{happened}；校准误差{error:.3f}，概率准确时最多{most:.3f}。",
    )
    way = ("high", "高") if level > 0 else ("low", "低")
    if own["ece_shape"] <= most:
        return Words(
            f"{said.en} The level was off, about alike at all risks: the probabilities are too {way[0]}, which does "
            "not touch the order.",
            f"{said.zh}整体水平有偏差，各风险段大致相同：概率整体偏{way[1]}，不影响排序。",
        )
    return Words(
        f"{said.en} Use the order; take the probabilities themselves with caution.",
        f"{said.zh}可使用排序，概率数值请谨慎使用。",
    )


def profit_words(profit: ProfitEvaluation, currency: str) -> Words:
    """What the list would have earned."""
    e = profit.earned
    en = profit.sentence(currency)
    return Words(
        f"{_capital(en)}; contacting everybody {profit.everyone:,.0f} {currency}.",
        f"联系预计划算的{profit.contacts:,}名客户（共{profit.customers:,}名）本可带来{e.value:,.0f} {currency}"
        f"（95 % 区间{e.low:,.0f}至{e.high:,.0f}，事前预计{profit.expected:,.0f}）；"
        f"联系所有人则为{profit.everyone:,.0f} {currency}。",
    )


def failing_words(segment: Segment) -> Words:
    """In what way a segment is served worse than the rest."""
    en, zh = [], []
    if segment.fails_level:
        way = ("high", "高") if segment.level_error > 0 else ("low", "低")
        foreseen, happened = percent(segment.mean_probability), percent(segment.base_rate)
        en.append(f"{foreseen} foreseen, {happened} churned: probabilities too {way[0]} here")
        zh.append(f"预测{foreseen}，实际流失{happened}：此处概率偏{way[1]}")
    if segment.fails_order:
        en.append(
            f"ROC-AUC {segment.roc_auc:.2f} where {segment.roc_auc_promised:.2f} was to be expected: do not rely on "
            "the order here"
        )
        zh.append(f"ROC-AUC为{segment.roc_auc:.2f}，预期{segment.roc_auc_promised:.2f}：此处排序不可靠")
    return Words("; ".join(en), "；".join(zh))


def warnings_of(
    evaluation: Evaluation,
    champion: str,
    segments: Segments,
    profit: ProfitEvaluation | None,
    fallbacks: Sequence[Words] = (),
) -> list[Words]:
    """What to know before the figures are used, the gravest first."""
    said: list[Words] = []
    n, churned = len(evaluation.churned), int(evaluation.churned.sum())
    if not evaluation.out_of_time:
        said.append(
            Words(
                "Not graded out of time: the labels carry no dates, so customers were split at random. Expect less on "
                "a later day.",
                "未按时间划分评估：标签没有日期，客户为随机划分。之后日期的实际表现会低于此处。",
            )
        )
    if champion != MODEL:
        best = label(champion)
        said.append(
            Words(
                f"A baseline scores: the model was not proven better, so {best.en}, calibrated, ships in its place.",
                f"由基线评分：模型未被证明更好，因此改用校准后的{best.zh}。",
            )
        )
    own = evaluation.figures[MODEL]
    if own["ece"] > own["ece_if_perfect_high"]:
        said.append(calibration(evaluation))
    if n < FEW_CUSTOMERS or min(churned, n - churned) < FEW_PER_CLASS:
        said.append(
            Words(
                f"Few customers: {n:,} graded, {churned:,} of whom churned. The next run may differ a lot.",
                f"客户较少：评估{n:,}名，其中{churned:,}名流失。下次运行时各项数值可能有较大变化。",
            )
        )
    for method, lead in evaluation.differences.items():
        worse = [
            name
            for name, key in (("ROC-AUC", "roc_auc"), ("average precision", "average_precision"))
            if lead[key].high < 0
        ]
        if worse:
            better = label(method)
            said.append(
                Words(
                    f"{_capital(better.en)} is significantly better in {' and '.join(worse)}.",
                    f"{better.zh}的{'、'.join(worse).replace('average precision', '平均精确率')}显著更好。",
                )
            )
    if segments.failing:
        said.append(Words(*segments.sentence()))
    if profit is not None and not profit.earned.low <= profit.expected <= profit.earned.high:
        said.append(
            Words(
                f"The list was expected to earn {profit.expected:,.0f}, and would have earned "
                f"{profit.earned.value:,.0f}: plan with the latter.",
                f"名单事前预计收益{profit.expected:,.0f}，实际本可为{profit.earned.value:,.0f}：请以后者为准。",
            )
        )
    return said + list(fallbacks)


def fallbacks_of(model: ChurnModel, champion: str) -> list[Words]:
    """What a run had to do without: an order model, or trees that beat the linear base."""
    said = []
    if model.definition == "purchase" and model.orders is None:
        said.append(
            Words(
                "The data allow no BG/NBD order model, so the model goes by its features alone.",
                "数据不足以拟合BG/NBD订单模型，模型仅依据特征。",
            )
        )
    if champion == MODEL and model.booster is None:
        said.append(
            Words(
                "No tree improved on the logistic regression that the model begins with, so that alone scores.",
                "没有任何树优于作为起点的逻辑回归，因此仅由逻辑回归评分。",
            )
        )
    return said


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
