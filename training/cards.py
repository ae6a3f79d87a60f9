"""What a registered version says of itself: tags and the model card, from a fitted model."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lifestage.fitting import FittedChurn
    from lifestage.fitting.clv import FittedClv
    from lifestage.settings import Shop

LIMITS = (
    "A forecast for the customers of this shop and its definition of churn, from what the shop's tables tell: "
    "it knows no reason that lies outside them.",
    "It speaks of what will happen if nothing is done, not of what an action would change: training.contact asks for "
    "a control group.",
)


def common_tags(shop: "Shop", kind: str, window: Mapping[str, str]) -> dict[str, Any]:
    """Tags of a version of either kind."""
    return {
        "shop": shop.shop,
        "kind": kind,
        "as_of": window["as_of"],
        "fingerprint": window["fingerprint"],
        "definition": shop.churn.definition,
        "horizon_days": shop.churn.horizon_days if kind == "churn" else shop.clv.horizon_days,
    }


def churn_tags(shop: "Shop", fitted: "FittedChurn", window: Mapping[str, str]) -> dict[str, Any]:
    graded = {"grade": fitted.evaluation.grade, "ships": fitted.champion}
    return {**common_tags(shop, "churn", window), **graded}


def clv_tags(shop: "Shop", fitted: "FittedClv", window: Mapping[str, str]) -> dict[str, Any]:
    return {**common_tags(shop, "clv", window), "order_model": fitted.shipped.order_model}


def _data(window: Mapping[str, str], **more: str) -> dict[str, str]:
    return {
        "from": window["data_from"],
        "as of": window["as_of"],
        "labels complete up to": window["observed_until"],
        "customers": f"{int(window['customers']):,}",
        **{name.replace("_", " "): value for name, value in more.items()},
        "fingerprint": f"`{window['fingerprint'][:16]}`",
    }


def churn_card(
    shop: "Shop", fitted: "FittedChurn", window: Mapping[str, str], cutoffs: Mapping[str, Any]
) -> str:
    """Markdown: what it predicts, its data, its figures with intervals, segments that fail, limits."""
    from lifestage.fitting import definition_of
    from lifestage.summary import METHODS
    from lifestage.tracking.cards import card, churn_figures

    result, segments = fitted.evaluation, fitted.segments
    ships = "" if fitted.champion == "model" else f" What scores is {METHODS[fitted.champion]}, calibrated."
    failing = [
        f"{row.dimension} {row.level}: {row.customers:,} customers, {row.base_rate:.0%} churned, "
        f"{row.mean_probability:.0%} foreseen"
        for row in segments.failing[:10]
    ]
    out_of_time = [] if result.out_of_time else ["Tested on customers drawn at random, not on a later day."]
    return card(
        f"{shop.shop}-churn",
        f"The probability that a customer churns: {definition_of(shop).sentence()}.{ships}",
        _data(window, training_cutoffs=", ".join(cutoffs["evaluation"]), tested_at=cutoffs["test"]),
        churn_figures(result.metrics(), result.rule),
        segments=[segments.sentence()[0], *failing],
        limits=[*out_of_time, *LIMITS],
    )


def clv_card(shop: "Shop", fitted: "FittedClv", window: Mapping[str, str], holdout_from: str) -> str:
    """Markdown: what it predicts, its data, its figures, what was chosen and why, limits."""
    from lifestage.tracking.cards import card, clv_figures

    metrics = fitted.evaluation.metrics()
    return card(
        f"{shop.shop}-clv",
        f"What a buyer's orders within {shop.clv.horizon_days} days are worth in {shop.currency}, discounted by "
        f"{shop.clv.yearly_discount_rate:.0%} a year, times a margin of {shop.clv.margin:g}; with the number of "
        "orders, the spend and the next order's day.",
        _data(window, holdout_from=holdout_from, holdout_days=f"{fitted.evaluation.horizon_days:g}"),
        clv_figures(metrics),
        choices=[*fitted.notes(), *fitted.shipped.notes()],
        limits=LIMITS[:1],
    )
