"""What the matured runs say, in words: all of them, the newest quarter, value, stages, what is missing."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from lifestage.churn.report.words import percent
from lifestage.localtime import DAY
from lifestage.matured.past import KINDS
from lifestage.matured.rounds import Backtest, Round
from lifestage.matured.stage_figures import ORDER, role_rates
from lifestage.pages import Words

QUARTER_DAYS = 92
LEAST = 30
"""Eligible customers of a role below which its rate is not compared."""
ROLES = {
    "active": Words("customers in active stages", "活跃阶段"),
    "at_risk": Words("customers in stages at risk", "预警阶段"),
    "lost": Words("customers in lost stages", "流失阶段"),
}
NEAR = 0.05
"""Predicted and observed rate this near count as having come true, beside what chance explains."""


def sentences(found: Backtest) -> list[Words]:
    """The headline first."""
    said: list[Words | None] = [_headline(found)]
    churn = [r for r in found.rounds if r.churn.get("eligible")]
    clv = [r for r in found.rounds if r.clv.get("buyers")]
    if churn:
        said += [_level(churn), _quarter(churn), _order(churn), _calibrated(churn)]
    if clv:
        said += [_value(clv), _coverage(clv)]
    said += [*_stages(found.rounds), *_ahead(found.rounds)]
    return [words for words in said if words is not None]


def left_out_sentence(found: Backtest) -> Words | None:
    """How many runs are not judged, by reason."""
    counts = Counter(run.kind for run in found.left_out)
    if not counts:
        return None
    en = ", ".join(f"{n} {KINDS[kind].en}" for kind, n in counts.items())
    zh = "，".join(f"{KINDS[kind].zh}{n}次" for kind, n in counts.items())
    return Words(f"Left out: {en}.", f"未计入：{zh}。")


def recent(rounds: Sequence[Round]) -> list[Round]:
    """Those of the last quarter before the newest of them, it included."""
    return [r for r in rounds if r.as_of > rounds[-1].as_of - QUARTER_DAYS * DAY]


def _headline(found: Backtest) -> Words:
    n = len(found.rounds)
    if not n:
        why = left_out_sentence(found)
        if why is None:
            return Words(
                "No scoring run is kept yet: score first, and come back when the horizon has passed.",
                "尚无评分记录：请先评分，待预测期结束后再来查看。",
            )
        return Words(
            f"No forecast can be judged yet. {why.en}",
            f"目前没有可评估的预测。{why.zh}",
        )
    churn = [r for r in found.rounds if r.churn.get("eligible")]
    if not churn:
        return Words(
            f"{_rounds(n)} can be judged, but nobody's churn.", f"可评估{n}轮评分，但没有可评估的流失预测。"
        )
    near = sum(_near(r) for r in churn)
    horizons = sorted({r.terms.definition.horizon_days for r in churn})
    days = " or ".join(str(h) for h in horizons)
    new = churn[-1]
    return Words(
        f"Of the {_rounds(len(churn))} whose {days} days have passed, {near} came true: the share of customers "
        f"foreseen to leave was within {100 * NEAR:.0f} points of the share that left. The newest, of {new.day}, "
        f"foresaw {percent(new.churn['predicted_rate'])} and {percent(new.churn['observed_rate'])} left.",
        f"在{'或'.join(str(h) for h in horizons)}天已过的{len(churn)}轮预测中，{near}轮应验："
        f"预测流失比例与实际相差不超过{100 * NEAR:.0f}个百分点。"
        f"最近一轮（{new.day}）预测{percent(new.churn['predicted_rate'])}，实际"
        f"{percent(new.churn['observed_rate'])}。",
    )


def _near(one: Round) -> bool:
    return abs(one.churn["rate_error"]) <= max(NEAR, one.churn["rate_chance"])


def _rounds(n: int) -> str:
    return f"{n} round" if n == 1 else f"{n} rounds"


def _level(rounds: Sequence[Round]) -> Words:
    errors = [r.churn["rate_error"] for r in rounds]
    high, low = sum(e > 0 for e in errors), sum(e < 0 for e in errors)
    worst = max(rounds, key=lambda r: abs(r.churn["rate_error"]))
    off = 100 * worst.churn["rate_error"]
    return Words(
        f"Too many leavers were foreseen in {high} of {len(rounds)} rounds, too few in {low}; the level was off most "
        f"on {worst.day}: {off:+.1f} points.",
        f"{len(rounds)}轮中{high}轮高估、{low}轮低估流失；偏差最大的一轮为{worst.day}：{off:+.1f}个百分点。",
    )


def _quarter(rounds: Sequence[Round]) -> Words:
    last = recent(rounds)
    foreseen, left = (sum(r.churn[name] for r in last) for name in ("predicted_churned", "churned"))
    off = f" ({100 * (foreseen / left - 1):+.1f} %)" if left else ""
    return Words(
        f"Last quarter ({_rounds(len(last))} from {last[0].day} on): {foreseen:,.0f} leavers foreseen, {left:,.0f} "
        f"left{off}.",
        f"最近一季（自{last[0].day}起{len(last)}轮）：预测流失{foreseen:,.0f}人次，实际{left:,.0f}人次{off}。",
    )


def _order(rounds: Sequence[Round]) -> Words | None:
    known = [r for r in rounds if "roc_auc" in r.churn]
    if not known:
        return None
    auc, lift = ([r.churn[name] for r in known] for name in ("roc_auc", "lift"))
    new = known[-1]
    ruled = [r for r in known if "rule_roc_auc" in r.churn]
    better = sum(r.churn["roc_auc"] > r.churn["rule_roc_auc"] for r in ruled)
    beside = f" It was better than the days of silence alone in {better} of {len(ruled)}." if ruled else ""
    beside_zh = f"{len(ruled)}轮中有{better}轮优于仅看沉默天数。" if ruled else ""
    return Words(
        f"Who is likelier to leave was told with a ROC-AUC of {min(auc):.2f} to {max(auc):.2f}; of the riskiest tenth "
        f"{percent(new.churn['riskiest_rate'])} left in the newest round, {min(lift):.2f} to {max(lift):.2f} times as "
        f"many as of all.{beside}",
        f"排序能力：ROC-AUC为{min(auc):.2f}至{max(auc):.2f}；最近一轮风险最高的10%中有"
        f"{percent(new.churn['riskiest_rate'])}流失，各轮为全体的{min(lift):.2f}至{max(lift):.2f}倍。{beside_zh}",
    )


def _calibrated(rounds: Sequence[Round]) -> Words:
    ok = sum(r.churn["calibration_error"] <= r.churn["calibration_error_chance"] for r in rounds)
    errors = [r.churn["calibration_error"] for r in rounds]
    return Words(
        f"Calibration error {min(errors):.3f} to {max(errors):.3f}; in {ok} of {len(rounds)} rounds no more than true "
        "probabilities would show by chance.",
        f"校准误差{min(errors):.3f}至{max(errors):.3f}；{len(rounds)}轮中有{ok}轮未超出概率完全准确时的偶然范围。",
    )


def _value(rounds: Sequence[Round]) -> Words:
    last = recent(rounds)
    currency, days = last[-1].terms.currency, last[-1].terms.clv_days

    def total(name: str) -> str:
        foreseen = sum(r.clv[f"{name}_predicted"] for r in last)
        came = sum(r.clv[f"{name}_actual"] for r in last)
        off = f" ({100 * (foreseen / came - 1):+.0f} %)" if came else ""
        return f"{foreseen:,.0f} / {came:,.0f}{off}"

    def rule(name: str) -> str:
        came = sum(r.clv[f"{name}_actual"] for r in last)
        off = sum(r.clv[f"{name}_actual"] * r.clv.get(f"rate_{name}_error_percent", 0.0) for r in last)
        return f"{off / came:+.0f} %" if came else "-"

    better = sum(r.clv["orders_rmse"] < r.clv["rate_orders_rmse"] for r in rounds)
    many = f"{_rounds(len(last))} from {last[0].day} on"
    return Words(
        f"Foreseen / came within {days} days, last quarter ({many}): orders {total('orders')}, spend {total('spend')} "
        f"{currency}, CLV {total('value')} {currency} (orders and spend by everybody's own past rate: "
        f"{rule('orders')}, {rule('spend')}). Each customer's orders were nearer (mean square) than by "
        f"their own past rate in {better} of {_rounds(len(rounds))}.",
        f"{days}天内预测／实际，最近一季（自{last[0].day}起{len(last)}轮）：订单{total('orders')}，"
        f"消费{total('spend')} {currency}，CLV {total('value')} {currency}"
        f"（按客户自身历史频率：订单{rule('orders')}，消费{rule('spend')}）。"
        f"{len(rounds)}轮中有{better}轮的人均订单误差（均方）小于按客户自身历史频率推算。",
    )


def _coverage(rounds: Sequence[Round]) -> Words:
    spend = [100 * r.clv["spend_coverage"] for r in rounds]
    promised = [100 * r.clv["spend_promised"] for r in rounds]
    top = [100 * r.clv["value_top_share"] for r in rounds if "value_top_share" in r.clv]
    best = [100 * r.clv["value_top_share_best"] for r in rounds if "value_top_share" in r.clv]
    held, held_zh = "", ""
    if top:
        held = (
            f" The tenth with the highest CLV brought {_span(top)} % of the value (the best tenth by hindsight "
            f"{_span(best)} %)."
        )
        held_zh = f"CLV最高的10%客户贡献了{_span(top, '至')}%的价值（事后最佳10%为{_span(best, '至')}%）。"
    return Words(
        f"Spend lay within its interval for {_span(spend)} % of the buyers; {_span(promised)} % were promised.{held}",
        f"{_span(spend, '至')}%的买家消费落在预测区间内（应为{_span(promised, '至')}%）。{held_zh}",
    )


def _span(values: Sequence[float], to: str = " to ") -> str:
    low, high = f"{min(values):.0f}", f"{max(values):.0f}"
    return low if low == high else f"{low}{to}{high}"


def _stages(rounds: Sequence[Round]) -> list[Words]:
    rates = [role_rates(r.stages, LEAST) for r in rounds if r.complete["churn"]]
    said = []
    for low, high in pairwise(ORDER):
        both = [(r[low], r[high]) for r in rates if low in r and high in r]
        if both:
            held = sum(less < more for less, more in both)
            less, more = both[-1]
            said.append(
                Words(
                    f"More left of {ROLES[high].en} than of {ROLES[low].en} in {held} of {_rounds(len(both))} (newest: "
                    f"{percent(more)} against {percent(less)}).",
                    f"{len(both)}轮中有{held}轮{ROLES[high].zh}的流失率高于{ROLES[low].zh}（最近一轮{percent(more)}对"
                    f"{percent(less)}）。",
                )
            )
    return said


def _ahead(rounds: Sequence[Round]) -> list[Words]:
    known = [r.ahead for r in rounds if r.ahead.get("foreseen")]
    if not known:
        return []
    foreseen = sum(a["foreseen"] for a in known)
    came = sum(a["foreseen"] * a["foreseen_came"] for a in known)
    others = sum(a["quiet"] - a["foreseen"] for a in known)
    moved = sum((a["quiet"] - a["foreseen"]) * a.get("unforeseen_moved", 0.0) for a in known)
    also = f"; of the quiet others {percent(moved / others)} moved unforeseen" if others else ""
    also_zh = f"；其余安静客户中{percent(moved / others)}未经预见而变动" if others else ""
    return [
        Words(
            f"Of {foreseen:,.0f} changes of stage foreseen for customers who then stayed quiet, "
            f"{percent(came / foreseen)} had come by the next round{also}.",
            f"对之后没有行为的客户预见的{foreseen:,.0f}次阶段变动中，"
            f"到下一轮有{percent(came / foreseen)}应验{also_zh}。",
        )
    ]
