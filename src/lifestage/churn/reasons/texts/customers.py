"""What each feature of feedback, profile, subscriptions and a user's own tells, in English and Chinese."""

from lifestage.churn.reasons.sentences import Case, case, literal
from lifestage.churn.reasons.texts.behaviour import counted
from lifestage.churn.reasons.texts.orders import Texts
from lifestage.features import Feature
from lifestage.features.groups import ATTRIBUTES_ZH


def feedback() -> Texts:
    texts: dict[str, tuple[Case, ...]] = {
        "feedback_count": counted(
            "feedback_count", None, "answer or case", ("no feedback", "没有反馈"), ("反馈", "次")
        ),
        "days_since_last_feedback": (
            case(
                "last feedback {days_since_last_feedback:days} ago",
                "最近一次反馈在{days_since_last_feedback:days}前",
            ),
            case("no feedback so far", "至今没有反馈"),
        ),
    }
    scores = {
        "nps": ("NPS", "NPS", 10),
        "csat": ("satisfaction", "满意度", 5),
        "review": ("review", "评价", 5),
    }
    for kind, (en, zh, of) in scores.items():
        none = case(f"no {en} score so far", f"至今没有{zh}评分")
        last = (
            case(
                f"last {en} score {{{kind}_last:n}} of {of}", f"最近一次{zh}评分{{{kind}_last:n}}（满分{of}）"
            ),
            none,
        )
        texts[f"{kind}_last"] = last
        texts[f"{kind}_mean"] = (
            case(
                f"{en} score {{{kind}_mean:n}} of {of} on average", f"{zh}平均{{{kind}_mean:n}}分（满分{of}）"
            ),
            none,
        )
        texts[f"{kind}_count"] = (
            case(none.en, none.zh, f"{kind}_count == 0"),
            case(f"{{{kind}_count:{en} score}} so far", f"累计{zh}评分{{{kind}_count:times}}"),
        )
    texts["nps_detractor"] = texts["nps_last"]
    for many, one, zh in (("tickets", "ticket", "工单"), ("complaints", "complaint", "投诉")):
        for w in (30, 90, 365):
            name = f"{many}_{w}d"
            texts[name] = (
                case(f"no {many} in the last {w} days", f"最近{w}天没有{zh}", f"{name} == 0"),
                case(f"{{{name}:{one}}} in the last {w} days", f"最近{w}天{zh}{{{name}:times}}"),
            )
        texts[f"{many}_open"] = (
            case(f"no open {many}", f"没有未解决的{zh}", f"{many}_open == 0"),
            case(f"{{{many}_open:open {one}}}", f"有{{{many}_open:n}}个未解决的{zh}"),
        )
        age = f"days_since_last_{one}"
        texts[age] = (
            case(f"last {one} {{{age}:days}} ago", f"最近一次{zh}在{{{age}:days}}前"),
            case(f"no {many} so far", f"从未有{zh}"),
        )
    none_solved = case("no ticket or complaint resolved so far", "至今没有已解决的工单或投诉")
    return texts | {
        "oldest_open_days": (
            case("a case open for {oldest_open_days:days}", "有问题已{oldest_open_days:days}未解决"),
            case("no open case", "没有未解决的问题"),
        ),
        "mean_resolution_days": (
            case(
                "cases resolved in {mean_resolution_days:days} on average",
                "问题平均{mean_resolution_days:days}解决",
            ),
            none_solved,
        ),
        "last_resolution_days": (
            case(
                "last case resolved in {last_resolution_days:days}",
                "最近一次问题用{last_resolution_days:days}解决",
            ),
            none_solved,
        ),
    }


NO_TERM = case("no subscription so far", "尚无订阅")
SUBSCRIPTIONS: Texts = {
    "days_subscribed": (
        case("subscriber for {days_subscribed:span}", "已订阅{days_subscribed:span}"),
        NO_TERM,
    ),
    "days_in_term": (
        case("current term began {days_in_term:days} ago", "当前订阅期已{days_in_term:days}"),
        NO_TERM,
    ),
    "term_count": (
        case("no subscription so far", "尚无订阅", "term_count == 0"),
        case("{term_count:subscription term} so far", "累计订阅{term_count:n}期"),
    ),
    "monthly_price": (
        case("pays {monthly_price:money} a month", "月费{monthly_price:money}"),
        case("monthly price not known", "月费未知"),
    ),
    "days_since_last_end": (
        case(
            "a subscription ended {days_since_last_end:days} ago",
            "上次订阅在{days_since_last_end:days}前结束",
        ),
        case("no subscription has ended so far", "尚无订阅结束"),
    ),
}


def attribute(feature: Feature) -> tuple[Case, ...]:
    """A profile column: its level, yes or no, an amount or a number."""
    en = literal(feature.name.removeprefix("profile_").replace("_", " "))
    zh = ATTRIBUTES_ZH.get(feature.name, en)
    unknown = case(f"{en}: not known", f"{zh}：未知")
    if feature.unit == "flag":
        return (
            case(f"{en}: yes", f"{zh}：是", f"{feature.name} == 1"),
            case(f"{en}: no", f"{zh}：否", f"{feature.name} == 0"),
            unknown,
        )
    kind = "level" if feature.categorical else "money" if feature.unit == "currency" else "n"
    return (case(f"{en}: {{{feature.name}:{kind}}}", f"{zh}：{{{feature.name}:{kind}}}"), unknown)


def described(feature: Feature) -> tuple[Case, ...]:
    """Any other feature, a user's own among them: what the catalogue says and its value."""
    en, zh = literal(feature.meaning), literal(feature.meaning_zh)
    kind = {"days": "days", "currency": "money", "ratio": "share"}.get(feature.unit, "n")
    return (
        case(f"{en}: {{{feature.name}:{kind}}}", f"{zh}：{{{feature.name}:{kind}}}"),
        unknown(feature),
    )


def unknown(feature: Feature) -> Case:
    """For whom nothing else can be said."""
    return case(f"{literal(feature.meaning)}: not known", f"{literal(feature.meaning_zh)}：未知")
