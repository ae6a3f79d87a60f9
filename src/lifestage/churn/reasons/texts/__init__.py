"""The speaker of every feature of a model: purchases, behaviour, feedback, profile, subscriptions, a user's own."""

from functools import lru_cache

from lifestage.churn.reasons.sentences import Case, Speaker, case, speaker
from lifestage.churn.reasons.texts import behaviour, customers, habits, orders
from lifestage.churn.reasons.texts.orders import Texts
from lifestage.features import Feature, FeatureSpec, catalogue
from lifestage.features.groups import BTYD, ORDER_WINDOWS
from lifestage.features.habits import PARTS


def _purchases() -> Texts:
    texts: dict[str, tuple[Case, ...]] = {}
    silence = ("days_since_last_order", "recency_over_mean_gap", "mean_gap_days", "min_gap_days")
    texts |= dict.fromkeys(silence, orders.SILENCE)
    texts |= dict.fromkeys(("recency_over_max_gap", "max_gap_days"), orders.LONGEST)
    texts |= {"last_gap_days": orders.LAST_GAP}
    texts |= dict.fromkeys(("std_gap_days", "gap_variation"), orders.REGULARITY)
    texts |= {f"orders_{w}d": orders.orders_in(w) for w in ORDER_WINDOWS}
    texts |= {f"spend_{w}d": orders.spent_in(w) for w in ORDER_WINDOWS}
    texts |= {f"orders_change_{w}d": orders.orders_changed(w) for w in (30, 90)}
    texts |= {f"spend_change_{w}d": orders.spend_changed(w) for w in (30, 90)}
    none = case(orders.NO_ORDER.en, orders.NO_ORDER.zh, "order_count == 0")
    texts |= {
        "order_count": (
            none,
            case("only 1 order so far", "至今仅下过1单", orders.ONE_ORDER),
            case("{order_count:order} so far", "累计下单{order_count:times}"),
        ),
        "purchase_days": (
            none,
            case("has ordered on 1 day only", "仅在1天下过单", "purchase_days == 1"),
            case("orders on {purchase_days:different day} so far", "累计在{purchase_days:n}天下过单"),
        ),
        "spend_total": (none, case("{spend_total:money} spent so far", "累计消费{spend_total:money}")),
        "days_since_first_order": (
            case(
                "first order {days_since_first_order:span} ago",
                "首单在{days_since_first_order:span}前",
            ),
            orders.NO_ORDER,
        ),
        "days_since_first_contact": (
            case("known for {days_since_first_contact:span}", "初次接触在{days_since_first_contact:span}前"),
            case("first contact not known", "初次接触时间未知"),
        ),
        "mean_order_hour": (
            case("orders at about {mean_order_hour:hour} on average", "平均下单时间约{mean_order_hour:hour}"),
            orders.NO_ORDER,
        ),
    }
    texts |= {**orders.ORDER_VALUE, **habits.SEASON, **habits.REFUNDS}
    texts["weekend_share"] = habits.share_of_orders(
        "weekend_share", "at weekends", "在周末下单", "at a weekend", "在周末"
    )
    for part, hour in PARTS.items():
        en, zh = f"between {hour}:00 and {hour + 6}:00", f"在{hour}至{hour + 6}点"
        texts[f"{part}_share"] = habits.share_of_orders(f"{part}_share", en, f"{zh}下单", en, zh)
    weekday = habits.most_in("top_weekday_share", "day of the week", "星期几")
    texts |= dict.fromkeys(("weekday_entropy", "top_weekday_share"), weekday)
    category = habits.most_in("top_category_share", "category", "品类")
    texts |= dict.fromkeys(("category_entropy", "top_category_share"), category)
    texts["top_channel_share"] = habits.most_in("top_channel_share", "sales channel", "渠道")
    for name, noun, en_when, zh_when, zh in (
        ("category_count", "category", " so far", "累计", "个品类"),
        ("category_count_365d", "category", " in the last 365 days", "最近365天", "个品类"),
        ("channel_count", "sales channel", " so far", "累计", "个渠道"),
    ):
        texts[name] = (
            case(f"bought in {{{name}:{noun}}}{en_when}", f"{zh_when}购买涉及{{{name}:n}}{zh}"),
            none,
        )
    unknown = case("no discount known", "没有折扣信息")
    texts["discount_total"] = (
        case("no discounts so far", "至今没有享受过折扣", "discount_total == 0"),
        case("{discount_total:money} of discounts so far", "累计享受折扣{discount_total:money}"),
        unknown,
    )
    texts["discount_share"] = (
        case("no discounts so far", "至今没有享受过折扣", "discount_share == 0"),
        case("discounts of {discount_share:share} of the price", "折扣平均占原价的{discount_share:share}"),
        unknown,
    )
    texts["discounted_order_share"] = (
        case("no order with a discount so far", "至今没有使用过折扣", "discounted_order_share == 0"),
        case(
            "{discounted_order_share:share} of orders with a discount",
            "{discounted_order_share:share}的订单使用了折扣",
        ),
        unknown,
    )
    return texts


def _tenure() -> Texts:
    return {
        "profile_tenure_days": (
            case("signed up {profile_tenure_days:span} ago", "注册已{profile_tenure_days:span}"),
            case("sign-up not known", "注册时间未知"),
        )
    }


@lru_cache(maxsize=8)
def speakers(names: tuple[str, ...], spec: FeatureSpec, currency: str) -> dict[str, Speaker]:
    """Feature -> its speaker, for each of a model's features; money in `currency`.

    A feature without sentences of its own is told by the catalogue's meaning, one that no catalogue lists by
    its name.
    """
    texts: dict[str, tuple[Case, ...]] = {
        **_purchases(),
        **behaviour.behaviour(),
        **customers.feedback(),
        **customers.SUBSCRIPTIONS,
        **_tenure(),
        **behaviour.learnt(spec),
    }
    known = catalogue(spec)
    found: dict[str, Speaker] = {}
    cases: tuple[Case, ...]
    for name in names:
        feature = known.get(name) or Feature(name, "", "", name.replace("_", " "), name)
        levels = feature.levels or ()
        if name.startswith("funnel_step_"):
            levels = ("", *spec.funnel)
        if name.startswith(BTYD):
            cases = orders.SILENCE
        elif feature.family == "profile" and name not in texts:
            cases = customers.attribute(feature)
        elif feature.family == "custom":
            cases = customers.described(feature)
        else:
            cases = texts.get(name) or customers.described(feature)
        found[name] = speaker((*cases, customers.unknown(feature)), currency, levels)
    return found
