"""The `profit` section of a shop: no figure is made up, and nonsense is refused by name."""

import pytest
import yaml

from lifestage.errors import InputError
from lifestage.settings import Shop, parse

ORDERS = """\
shop: corner
timezone: Europe/Berlin
currency: EUR
sources:
  transactions: {path: o.csv, columns: {customer_id: c, ordered_at: t, amount: a}}
"""
MEMBERS = """\
shop: club
timezone: Europe/Berlin
currency: EUR
churn: {definition: subscription}
sources:
  subscriptions: {path: s.csv, columns: {customer_id: c, started_at: t}}
"""
TERMS = {"contact_cost": 1, "offer_cost": 10, "success_rate": 0.2}


def shop(text: str, **profit: object) -> Shop:
    return parse(yaml.safe_load(text) | {"profit": profit}, "here")


def test_there_is_no_campaign_unless_it_is_given() -> None:
    assert parse(yaml.safe_load(ORDERS), "here").profit is None


def test_defaults() -> None:
    terms = shop(ORDERS, **TERMS).profit
    assert terms is not None
    assert (terms.contact_cost, terms.offer_cost, terms.success_rate) == (1, 10, 0.2)
    assert (terms.value, terms.stayer_acceptance, terms.success_evidence) == ("clv", 1, 20)
    assert terms.max_contacts is terms.budget is None


@pytest.mark.parametrize("key", sorted(TERMS))
def test_each_cost_and_the_success_rate_are_required(key: str) -> None:
    with pytest.raises(InputError, match=f"profit.{key}: is required"):
        shop(ORDERS, **{k: v for k, v in TERMS.items() if k != key})


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("contact_cost", -1, "profit.contact_cost: Input should be greater than or equal to 0"),
        ("contact_cost", float("inf"), "profit.contact_cost: Input should be a finite number"),
        ("offer_cost", -0.5, "profit.offer_cost: Input should be greater than or equal to 0"),
        ("offer_cost", float("nan"), "profit.offer_cost: Input should be"),
        ("success_rate", 1.2, "profit.success_rate: Input should be less than or equal to 1"),
        ("success_rate", -0.1, "profit.success_rate: Input should be greater than or equal to 0"),
        ("success_rate", True, "'success_rate' is true"),
        ("stayer_acceptance", 2, "profit.stayer_acceptance: Input should be less than or equal to 1"),
        ("success_evidence", 0, "profit.success_evidence: Input should be greater than or equal to 1"),
        ("value", 0, "profit.value: expected clv, or an amount above 0"),
        ("value", "margin", "profit.value: expected clv, or an amount above 0"),
        ("value", float("nan"), "profit.value: expected clv, or an amount above 0"),
        ("max_contacts", 0, "profit.max_contacts: Input should be greater than or equal to 1"),
        ("budget", 0, "profit.budget: Input should be greater than 0"),
        ("sucess_rate", 0.1, "unknown key 'sucess_rate'; did you mean 'success_rate'?"),
    ],
)
def test_nonsense_is_refused(key: str, value: object, message: str) -> None:
    with pytest.raises(InputError) as caught:
        shop(ORDERS, **{**TERMS, key: value})
    assert message in str(caught.value)


def test_a_shop_without_orders_has_to_name_the_value() -> None:
    with pytest.raises(InputError, match=r"profit.value: clv needs orders .* e.g. value: 120"):
        shop(MEMBERS, **TERMS)
    terms = shop(MEMBERS, **TERMS, value=120).profit
    assert terms is not None
    assert terms.value == 120
