"""The graded list against a plain loop over customers, and its intervals against the spread of fresh samples."""

from collections.abc import Callable

import numpy as np
import pytest

from lifestage.campaign import Profit
from lifestage.churn.profit.evaluation import GAIN, RISK, evaluate_profit
from lifestage.churn.profit.plots import profit_figure
from lifestage.errors import InputError

TERMS = Profit(contact_cost=1, offer_cost=8, success_rate=0.25)
DAYS = "days_since_last_order"
Sample = tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, np.ndarray]]


def world(n: int, seed: int = 5) -> Sample:
    rng = np.random.default_rng(seed)
    probability = rng.beta(2, 2, n)
    value = rng.gamma(2, 30, n)
    days = np.round(400 * probability * rng.random(n), -1)  # many ties
    return probability, rng.random(n) < probability, value, {DAYS: days}


def earned(rows: list[int], churned: np.ndarray, value: np.ndarray, terms: Profit) -> float:
    total = 0.0
    for row in rows:
        total -= terms.contact_cost
        if churned[row]:
            total += terms.success_rate * (value[row] - terms.offer_cost)
        else:
            total -= terms.stayer_acceptance * terms.offer_cost
    return total


def gain_of(p: float, v: float, terms: Profit) -> float:
    return (
        p * terms.success_rate * (v - terms.offer_cost)
        - (1 - p) * terms.stayer_acceptance * terms.offer_cost
        - terms.contact_cost
    )


@pytest.mark.parametrize("most", [None, 40])
def test_against_a_plain_loop(most: int | None) -> None:
    terms = TERMS.model_copy(update={"max_contacts": most, "stayer_acceptance": 0.7})
    probability, churned, value, rules = world(300)
    found = evaluate_profit(terms, probability, churned, value, rules, repetitions=20)
    gains = [gain_of(p, v, terms) for p, v in zip(probability, value, strict=True)]
    by_gain = sorted(range(300), key=lambda i: (-gains[i], i))
    listed = [i for i in by_gain if gains[i] > 0][:most]
    assert 0 < found.contacts == len(listed) < 300
    assert found.expected == pytest.approx(sum(gains[i] for i in listed))
    assert found.earned.value == pytest.approx(earned(listed, churned, value, terms))
    assert found.everyone == pytest.approx(earned(by_gain, churned, value, terms))
    steps = [earned(by_gain[:k], churned, value, terms) for k in range(301)]
    assert found.best == pytest.approx(max(steps))
    assert steps[found.best_contacts] == pytest.approx(max(steps))
    by_risk = sorted(range(300), key=lambda i: -probability[i])[: len(listed)]
    assert found.leads[RISK].value == pytest.approx(
        found.earned.value - earned(by_risk, churned, value, terms)
    )
    assert found.curve.profit[GAIN] == pytest.approx([steps[int(k)] for k in found.curve.contacted])
    assert found.curve.contacted[[0, -1]].tolist() == [0, 300]


def test_customers_whom_a_rule_cannot_tell_apart_are_drawn_evenly() -> None:
    probability, churned, value, rules = world(300)
    found = evaluate_profit(TERMS, probability, churned, value, rules, repetitions=10)
    rng = np.random.default_rng(1)
    shuffled = [
        sorted(rng.permutation(300).tolist(), key=lambda i: -rules[DAYS][i])[: found.contacts]
        for _ in range(400)
    ]
    mean = np.mean([earned(rows, churned, value, TERMS) for rows in shuffled])
    assert found.leads[DAYS].value == pytest.approx(found.earned.value - mean, abs=5)


@pytest.mark.parametrize("bag", [20_000, 600])
def test_intervals_are_as_wide_as_fresh_samples_differ(monkeypatch: pytest.MonkeyPatch, bag: int) -> None:
    monkeypatch.setattr("lifestage.churn.intervals.BAG", bag)
    n = 1_500
    found = evaluate_profit(TERMS, *world(n, 0), repetitions=200)
    fresh = [evaluate_profit(TERMS, *world(n, seed), repetitions=1) for seed in range(1, 80)]
    for now, others in (
        (found.earned, [e.earned.value for e in fresh]),
        (found.leads[DAYS], [e.leads[DAYS].value for e in fresh]),
    ):
        assert now.low < now.value < now.high
        assert now.high - now.low == pytest.approx(3.92 * float(np.std(others)), rel=0.35)
    assert (found.curve.low <= found.curve.profit[GAIN] + 1e-9).all()
    assert (found.curve.profit[GAIN] <= found.curve.high + 1e-9).all()


def test_true_probabilities_earn_what_they_promise_and_the_seed_decides() -> None:
    sample = world(20_500, 3)
    found = evaluate_profit(TERMS, *sample, repetitions=100)
    assert found.earned.low < found.expected < found.earned.high
    assert found.leads[DAYS].low > 0
    assert found.leads[RISK].low > 0
    assert found.metrics() == evaluate_profit(TERMS, *sample, repetitions=100).metrics()
    assert found.metrics() != evaluate_profit(TERMS, *sample, repetitions=100, seed=8).metrics()


def test_metrics_are_flat_numbers() -> None:
    metrics = evaluate_profit(TERMS, *world(300), repetitions=10).metrics()
    assert {
        "profit/contacts",
        "profit/expected",
        "profit/earned_low",
        "profit/expected_maximum_profit_per_customer",
        f"profit/lead_over/{DAYS}_high",
    } <= set(metrics)
    assert all(isinstance(value, float) and np.isfinite(value) for value in metrics.values())


def test_in_words() -> None:
    probability, churned, value, rules = world(300)
    found = evaluate_profit(TERMS, probability, churned, value, rules, repetitions=10)
    text = found.sentence("EUR")
    lead = found.leads[DAYS]
    assert text.startswith(f"contacting the {found.contacts} of 300 customers expected to pay off would have")
    assert f"{found.earned.value:,.0f} EUR (95 % interval {found.earned.low:,.0f} to" in text
    assert f", {lead.value:+,.0f} against as many by days since last order ({lead.low:+,.0f} to" in text
    one = TERMS.model_copy(update={"max_contacts": 1})
    alone = evaluate_profit(one, probability, churned, value, {}, repetitions=10)
    assert alone.sentence("EUR").startswith("contacting the 1 of 300 customers expected to")
    assert alone.sentence("EUR").endswith("expected)")


def test_an_empty_list_earns_nothing() -> None:
    found = evaluate_profit(TERMS.model_copy(update={"success_rate": 0.0}), *world(300), repetitions=10)
    assert (found.contacts, found.expected, found.best, found.best_contacts) == (0, 0, 0, 0)
    assert (found.earned.value, found.earned.low, found.earned.high) == (0, 0, 0)
    assert found.leads[DAYS].value == 0
    assert found.measures == (0, 0)
    assert found.everyone < 0


def _with(change: Callable[[list], None]) -> list:
    sample = [part.copy() for part in world(50)]
    change(sample)
    return sample


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda s: s[0].__setitem__(3, np.nan),
            "'churn_probability' has to give each of the 50 test customers",
        ),
        (lambda s: s[0].__setitem__(3, 1.5), "churn probability of row 3 is 1.5, expected 0 to 1"),
        (lambda s: s[2].__setitem__(2, np.nan), "value at stake of row 2 is nan"),
        (lambda s: s[2].__setitem__(2, -4), "value at stake of row 2 is -4.0"),
        (lambda s: s[1].fill(True), "all 50 customers churned; both outcomes are needed"),
        (
            lambda s: s.__setitem__(slice(None), [*(part[:0] for part in s[:3]), {}]),
            "all 0 customers stayed; both outcomes are needed",
        ),
        (lambda s: s.__setitem__(2, s[2][1:]), "49 values at stake for 50 customers"),
        (lambda s: s[3].__setitem__(DAYS, s[3][DAYS][1:]), f"'{DAYS}' has to give each of the 50"),
    ],
)
def test_bad_input(change: Callable[[list], None], message: str) -> None:
    with pytest.raises(InputError) as caught:
        evaluate_profit(TERMS, *_with(change), repetitions=1)
    assert message in str(caught.value)


def test_the_figure_shows_the_curves_the_list_and_what_was_expected() -> None:
    found = evaluate_profit(TERMS, *world(300), repetitions=10)
    figure = profit_figure(found, "EUR")
    axes = figure.axes[0]
    lines = {line.get_label(): line for line in axes.get_lines()}
    assert lines["days since last order"].get_ydata().tolist() == found.curve.profit[DAYS].tolist()
    assert lines["expected gain (model and value)"].get_xdata().tolist() == found.curve.contacted.tolist()
    (mark,) = [line for label, line in lines.items() if label.startswith("its list")]
    assert (mark.get_xdata()[0], mark.get_ydata()[0]) == (found.contacts, found.earned.value)
    assert "EUR" in axes.get_ylabel()
