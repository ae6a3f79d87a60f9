"""What is said in the reasons of a customer with one order: on what their P(alive) rests."""

from collections.abc import Collection
from functools import cache

from lifestage.clv.families import LABELS
from lifestage.lifecycle.columns import SCORES
from lifestage.lifecycle.plan import Speaker
from lifestage.lifecycle.sentences import sentence

ALIVE_UNTIL_LEFT = "bg_nbd"
"""The one model of the family in which nobody can leave before a second order."""
JUDGED = {
    "en": "one order so far; judged by the silence since: {{p_alive}} likely to be a customer still ({model})",
    "zh": "目前仅一单；据其后的沉默判断，仍是客户的概率为{{p_alive}}（{model}）",
}
UNTOLD = {
    "en": "one order so far: whether they are still a customer cannot be told ({model} takes them for one)",
    "zh": "目前仅一单：无法判断是否仍是客户（{model}视其为客户）",
}


ONE_ORDER_READS = frozenset({"purchase_days", "p_alive"})


def of_one_order(columns: Collection[str], order_model: str | None, language: str) -> tuple[Speaker, ...]:
    """The sentence for customers with one purchase day.

    None without an order model, or where `columns`, which a caller may have chosen, do not tell who they are.
    """
    if order_model is None or not ONE_ORDER_READS.issubset(columns):
        return ()
    return _speakers(order_model, language)


@cache
def _speakers(order_model: str, language: str) -> tuple[Speaker, ...]:
    template = (UNTOLD if order_model == ALIVE_UNTIL_LEFT else JUDGED)[language].format(
        model=LABELS[order_model]
    )
    return (
        Speaker(sentence(template, SCORES, "one order"), '("purchase_days" = 1) IS TRUE', ("purchase_days",)),
    )
