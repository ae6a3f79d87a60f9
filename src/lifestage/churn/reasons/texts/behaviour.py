"""What each feature of behaviour tells, in English and Chinese."""

from lifestage.churn.reasons.sentences import Case, case, literal
from lifestage.churn.reasons.texts.orders import Texts
from lifestage.features import FeatureSpec
from lifestage.features.spec import slugs

NO_EVENT = case("no activity so far", "尚无任何行为记录")


def counted(
    what: str, w: int | None, noun: str, zero: tuple[str, str], zh: tuple[str, str]
) -> tuple[Case, ...]:
    """How many in the last `w` days (None: so far), beside the customer's own average where there is one.

    `zero`: "no visits" and its Chinese; `zh`: what stands before and after the number.
    """
    name = f"{what}_{w}d" if w else what
    en_when, zh_when = (f" in the last {w} days", f"最近{w}天") if w else (" so far", "累计")
    plain = (
        case(zero[0] + en_when, (zh_when if w else "至今") + zero[1], f"{name} == 0"),
        case(f"{{{name}:{noun}}}{en_when}", f"{zh_when}{zh[0]}{{{name}:n}}{zh[1]}"),
    )
    if w is None:
        return plain
    usual = f"usual_{what}_{w}d"
    return (
        case(
            f"{zero[0]}{en_when}; {{{usual}:n}} on average",
            f"{zh_when}{zero[1]}，平时约{{{usual}:n}}{zh[1]}",
            f"{name} == 0",
            f"{usual} >= 0.5",
        ),
        case(
            f"{{{name}:{noun}}}{en_when}; {{{usual}:n}} on average",
            f"{zh_when}{zh[0]}{{{name}:n}}{zh[1]}，平时约{{{usual}:n}}{zh[1]}",
            f"{usual} >= 0.5",
            f"{name} > 0",
        ),
        *plain,
    )


def changed(name: str, w: int, recent: str, en: str, zh: tuple[str, str]) -> tuple[Case, ...]:
    """More or fewer than in the window before; `recent` is the count in the newer window."""
    return (
        case(
            f"{{{name}:abs fewer {en}}} in the last {w} days than in the {w} before",
            f"最近{w}天{zh[0]}比前{w}天少{{{name}:abs n}}{zh[1]}",
            f"{name} < 0",
        ),
        case(
            f"{{{name}:abs more {en}}} in the last {w} days than in the {w} before",
            f"最近{w}天{zh[0]}比前{w}天多{{{name}:abs n}}{zh[1]}",
            f"{name} > 0",
        ),
        case(f"no activity in the last {2 * w} days", f"最近{2 * w}天没有任何行为", f"{recent} == 0"),
        case(f"as active in the last {w} days as in the {w} before", f"最近{w}天与前{w}天一样活跃"),
    )


INACTIVE = (
    case(
        "no activity for {days_since_last_event:days}; the longest pause before was {max_inactive_days:days}",
        "已{days_since_last_event:days}没有任何行为，此前最长间隔{max_inactive_days:days}",
        "inactive_over_max > 1",
    ),
    case(
        "last active {days_since_last_event:days} ago; usually {mean_inactive_days:every}",
        "最近一次活跃在{days_since_last_event:days}前，平时约{mean_inactive_days:every}活跃一次",
    ),
    case("last active {days_since_last_event:days} ago", "最近一次活跃在{days_since_last_event:days}前"),
    NO_EVENT,
)


def behaviour() -> Texts:
    kinds = {
        "events": ("activity", ("no activity", "没有任何行为"), ("有", "次行为")),
        "active_days": ("active day", ("no active days", "没有活跃"), ("活跃", "天")),
        "sessions": ("visit", ("no visits", "没有访问"), ("访问", "次")),
    }
    texts: dict[str, tuple[Case, ...]] = {}
    for what, (noun, zero, zh) in kinds.items():
        total = {"events": "event_count", "sessions": "session_count"}.get(what, what)
        texts[total] = counted(total, None, noun, zero, zh)
        for w in (7, 30, 90, 365):
            texts[f"{what}_{w}d"] = counted(what, w, noun, zero, zh)
    for w in (30, 90):
        for what in ("events", "active_days"):
            noun, _, zh = kinds[what]
            name = f"{what}_change_{w}d"
            texts[name] = changed(name, w, f"{what}_{w}d", noun, ("行为", "次") if what == "events" else zh)
        texts[f"funnel_step_{w}d"] = (
            case(
                f"no step towards an order in the last {w} days",
                f"最近{w}天没有购买意向行为",
                f"funnel_step_{w}d == 0",
            ),
            case(
                f"furthest step towards an order in the last {w} days: {{funnel_step_{w}d:level}}",
                f"最近{w}天在购买漏斗中最远到达“{{funnel_step_{w}d:level}}”",
            ),
        )
    types = (("event_type_count", " so far", "累计"), ("event_types_90d", " in the last 90 days", "最近90天"))
    for name, en, zh_ in types:
        texts[name] = (
            case(f"{{{name}:kind}} of activity{en}", f"{zh_}有{{{name}:n}}种行为"),
            NO_EVENT,
        )
    for name in ("days_since_last_event", "mean_inactive_days", "max_inactive_days", "inactive_over_max"):
        texts[name] = INACTIVE
    return texts | {
        "events_per_session": (
            case("{events_per_session:activity} a visit", "每次访问平均{events_per_session:n}次行为"),
            NO_EVENT,
        ),
        "inactive_streaks_365d": (
            case(
                "never away for two weeks in the last year",
                "最近一年没有超过两周的沉默",
                "inactive_streaks_365d == 0",
            ),
            case(
                "away for two weeks or more {inactive_streaks_365d:times} in the last year",
                "最近一年有{inactive_streaks_365d:times}超过两周的沉默",
            ),
        ),
        "days_since_first_event": (
            case("first seen {days_since_first_event:span} ago", "首次活跃在{days_since_first_event:span}前"),
            NO_EVENT,
        ),
    }


def learnt(spec: FeatureSpec) -> Texts:
    """The columns of each event type that has its own."""
    texts: dict[str, tuple[Case, ...]] = {}
    for kind, slug in slugs(spec.event_types).items():
        own = literal(kind)
        for w in (7, 30, 90):
            name = f"event_{slug}_{w}d"
            texts[name] = (
                case(f"no '{own}' in the last {w} days", f"最近{w}天没有“{own}”", f"{name} == 0"),
                case(f"'{own}' {{{name}:times}} in the last {w} days", f"最近{w}天“{own}”{{{name}:times}}"),
            )
        name = f"event_{slug}_change_30d"
        texts[name] = (
            case(
                f"'{own}' less often in the last 30 days than in the 30 before, by {{{name}:abs n}}",
                f"最近30天“{own}”比前30天少{{{name}:abs n}}次",
                f"{name} < 0",
            ),
            case(
                f"'{own}' more often in the last 30 days than in the 30 before, by {{{name}:abs n}}",
                f"最近30天“{own}”比前30天多{{{name}:abs n}}次",
                f"{name} > 0",
            ),
            case(f"no '{own}' in the last 60 days", f"最近60天没有“{own}”", f"event_{slug}_30d == 0"),
            case(
                f"'{own}' as often in the last 30 days as in the 30 before",
                f"最近30天“{own}”次数与前30天持平",
            ),
        )
        name = f"days_since_event_{slug}"
        texts[name] = (
            case(f"last '{own}' {{{name}:days}} ago", f"最近一次“{own}”在{{{name}:days}}前"),
            case(f"no '{own}' so far", f"从未有“{own}”"),
        )
    return texts
