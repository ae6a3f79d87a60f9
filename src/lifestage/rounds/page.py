"""Many rounds as one page."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Undefined

from lifestage.churn.grade import COLUMN
from lifestage.pages import Words, environment
from lifestage.pages.svg import inline_svg
from lifestage.rounds.plots import gains_figure, outcomes_figure, quality_figure
from lifestage.rounds.told import Told

LACKING = "–"
VERDICTS = {
    "first": Words("first", "首个模型"),
    "better": Words("better", "更优"),
    "younger": Words("newer, not worse", "更新且不逊色"),
    "new": Words("cannot be compared", "无法比较"),
    "same": Words("the same", "相同"),
    "kept": Words("held back", "未采用"),
}
STATUS = {
    "": Words("nothing served yet", "尚无在用模型"),
    "steady": Words("steady", "平稳"),
    "warn": Words("look at this", "需要关注"),
    "retrain": Words("train anew", "需要重训"),
}
Json = Mapping[str, Any]


def rounds_page(shop: str, rounds: Sequence[Told], runs: Sequence[Json], sentences: Sequence[str]) -> str:
    """The page as text: rounds in order of time; `runs` and `sentences` as training.backtest tells them."""
    made = environment(__package__, {"percent": _percent, "number": _number})
    figures = {
        "gains": gains_figure(rounds),
        "quality": quality_figure(rounds),
        "outcomes": outcomes_figure(runs),
    }
    return made.get_template("page.html").render(
        shop=shop,
        rounds=rounds,
        runs=runs,
        sentences=sentences,
        svg={name: inline_svg(figure, name) for name, figure in figures.items() if figure is not None},
        verdicts=VERDICTS,
        status=STATUS,
        lead=_lead(rounds),
        measured=[_measured(r) for r in rounds],
    )


def _lead(rounds: Sequence[Told]) -> Words:
    """What happened, counted."""
    promoted, kept = (Counter(k for r in rounds for k in getattr(r, name)) for name in ("promoted", "kept"))
    moved = sum(r.status in ("warn", "retrain") for r in rounds)
    refused, failed = sum(r.refused for r in rounds), sum(bool(r.failed) for r in rounds)
    en = [
        f"{len(rounds)} rounds: of the churn challengers {promoted['churn']} promoted and {kept['churn']} held back",
        *(
            [f"of the CLV challengers {promoted['clv']} and {kept['clv']}"]
            if promoted["clv"] + kept["clv"]
            else []
        ),
        f"the watch over the data had something to say in {moved}",
        *([f"training was refused in {refused}"] if refused else []),
        *([f"{failed} failed"] if failed else []),
    ]
    zh = [
        f"共 {len(rounds)} 轮：流失模型采用 {promoted['churn']} 次、未采用 {kept['churn']} 次",
        *(
            [f"CLV 模型采用 {promoted['clv']} 次、未采用 {kept['clv']} 次"]
            if promoted["clv"] + kept["clv"]
            else []
        ),
        f"数据监测有提示 {moved} 轮",
        *([f"拒绝训练 {refused} 轮"] if refused else []),
        *([f"失败 {failed} 轮"] if failed else []),
    ]
    return Words("; ".join(en) + ".", "；".join(zh) + "。")


def _measured(r: Told) -> str:
    """The churn challenger's figure and the champion's, where they were compared."""
    found = r.verdicts.get("churn", {}).get("figures", {})
    if "measure" not in found:
        return LACKING
    name = COLUMN[found["measure"]]
    own, other = found.get(f"challenger_{name}"), found.get(f"champion_{name}")
    return _number(own) if other is None else f"{_number(own)} : {_number(other)}"


def _number(value: float | Undefined | None, places: int = 3) -> str:
    return (
        LACKING if value is None or isinstance(value, Undefined) else f"{value:,.{places}f}".replace("-", "−")
    )


def _percent(value: float | Undefined | None, places: int = 1) -> str:
    return (
        LACKING
        if value is None or isinstance(value, Undefined)
        else f"{100 * value:.{places}f}\N{NO-BREAK SPACE}%".replace("-", "−")
    )
