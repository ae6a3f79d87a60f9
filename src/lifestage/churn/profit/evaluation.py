"""What contacting would have earned on the graded customers: the model's list beside lists by plain rules."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lifestage.campaign import Profit
from lifestage.churn.intervals import REPETITIONS, Interval, bootstrap
from lifestage.churn.profit.gain import best_list, check_value, expected_gain, most_contacts, realised_gain
from lifestage.churn.profit.measures import PublishedMeasures, published_measures
from lifestage.errors import InputError
from lifestage.ragged import Bools, Floats, Ints

GAIN = "expected_gain"
RISK = "churn_probability"
POINTS = 201


@dataclass(frozen=True, slots=True)
class ProfitCurve:
    """Profit against number contacted, each ordering's best first; currency."""

    contacted: Floats
    """0 to all of the graded customers, POINTS numbers at most."""
    profit: Mapping[str, Floats]
    """Ordering (GAIN, RISK, the rules) -> profit of its first so many."""
    low: Floats
    """Of GAIN: the pointwise 95 % interval."""
    high: Floats


@dataclass(frozen=True, slots=True)
class ProfitEvaluation:
    """One graded test sample under one campaign's terms; currency, of the whole sample unless said otherwise.

    "Would have earned": who churned is known, whether the offer works is the assumed success rate, and what is lost
    with a churner is the value at stake. The same for every ordering.
    """

    customers: int
    contacts: int
    """Customers on the model's list: expected gain above 0, within max_contacts and budget."""
    expected: float
    """What the list was expected to earn; beside `earned` it tells whether probabilities are true where it matters."""
    earned: Interval
    """What the list would have earned."""
    leads: Mapping[str, Interval]
    """RISK or rule -> the list's profit minus that of as many customers picked by it; ties share evenly."""
    everyone: float
    """What contacting all of them would have earned."""
    best: float
    """The highest point of the list's own curve, known only afterwards."""
    best_contacts: int
    measures: PublishedMeasures
    """With the mean value at stake for everyone."""
    mean_value: float
    curve: ProfitCurve

    def sentence(self, currency: str) -> str:
        """What the list would have earned, beside as many customers by the first plain rule."""
        said = (
            f"contacting the {self.contacts:,} of {self.customers:,} customers expected to pay off would have earned "
            f"{self.earned.value:,.0f} {currency} (95 % interval {self.earned.low:,.0f} to {self.earned.high:,.0f}; "
            f"{self.expected:,.0f} expected)"
        )
        rule = next((name for name in self.leads if name != RISK), None)
        if rule is None or self.contacts == 0:
            return said
        lead = self.leads[rule]
        return (
            f"{said}, {lead.value:+,.0f} against as many by {rule.replace('_', ' ')} "
            f"({lead.low:+,.0f} to {lead.high:+,.0f})"
        )

    def metrics(self) -> dict[str, float]:
        """Flat figures, all beginning with `profit/`."""
        flat = {
            "contacts": float(self.contacts),
            "expected": self.expected,
            "earned": self.earned.value,
            "earned_low": self.earned.low,
            "earned_high": self.earned.high,
            "everyone": self.everyone,
            "best": self.best,
            "best_contacts": float(self.best_contacts),
            "mean_value_at_stake": self.mean_value,
            "maximum_profit_per_customer": self.measures.maximum_profit,
            "expected_maximum_profit_per_customer": self.measures.expected_maximum_profit,
        }
        for name, lead in self.leads.items():
            at = f"lead_over/{name}"
            flat |= {at: lead.value, f"{at}_low": lead.low, f"{at}_high": lead.high}
        return {f"profit/{name}": value for name, value in flat.items()}


def evaluate_profit(
    terms: Profit,
    probability: Floats,
    churned: Bools,
    value: Floats,
    rules: Mapping[str, Floats],
    *,
    seed: int = 7,
    repetitions: int = REPETITIONS,
) -> ProfitEvaluation:
    """Grade a list by profit on the test sample, arrays of shape (n,).

    probability: the model's, of churn. value: at stake with each customer at the test cutoff, currency, from data
    before it. rules: name -> score, higher = contacted sooner (as Evaluation.scores has them).

    Intervals: customers drawn with replacement, all orderings weighed on the same draws; above BAG customers each draw
    of n is from a random bag of BAG, its deviation put on the figure of all (Kleiner, Talwalkar, Sarkar & Jordan
    2014, one bag).

    Raises InputError for a probability outside [0, 1], a missing or negative value, wrong lengths, one class only.
    """
    n = len(churned)
    for name, score in {RISK: probability, **rules}.items():
        if len(score) != n or np.isnan(score).any():
            raise InputError(f"'{name}' has to give each of the {n} test customers a number to rank by")
    check_value(value, n)
    measures = published_measures(probability, churned, float(value.mean()) if n else 0.0, terms)
    gain = expected_gain(probability, value, terms)
    earned = realised_gain(churned, value, terms)
    scores = {GAIN: gain, RISK: probability, **rules}
    listed = best_list(gain, terms)
    grid = np.unique(np.linspace(0, n, POINTS).round())
    everybody = np.ones(n)
    graded = _Graded.of(scores, earned, np.arange(n), terms)
    found = graded.figures(everybody, grid)
    low, high = _spread(scores, earned, terms, grid, (seed, repetitions))
    intervals = [Interval(*map(float, f)) for f in zip(found, found + low, found + high, strict=True)]
    own = np.concatenate([[0.0], np.cumsum(earned[np.argsort(-gain, kind="stable")])])
    begins = len(scores)
    return ProfitEvaluation(
        customers=n,
        contacts=len(listed),
        expected=float(gain[listed].sum()),
        earned=intervals[0],
        leads=dict(zip(list(scores)[1:], intervals[1:begins], strict=True)),
        everyone=float(earned.sum()),
        best=float(own.max()),
        best_contacts=int(own.argmax()),
        measures=measures,
        mean_value=float(value.mean()),
        curve=ProfitCurve(
            grid,
            {
                name: ordering.profit(everybody, grid)
                for name, ordering in zip(scores, graded.orderings, strict=True)
            },
            (found + low)[begins:],
            (found + high)[begins:],
        ),
    )


class _Ordering:
    """One score's customers, best first; profit of the first k under weights costs one pass."""

    def __init__(self, score: Floats, earned: Floats) -> None:
        self.order = np.argsort(-score, kind="stable")
        ordered = score[self.order]
        self.starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        self.earned = earned[self.order]

    def profit(self, weight: Floats, k: Floats) -> Floats:
        """Of the first k: whole groups of equal scores, and of the one that k cuts its even share."""
        w = weight[self.order]
        contacted = np.cumsum(np.add.reduceat(w, self.starts))
        earned = np.cumsum(np.add.reduceat(w * self.earned, self.starts))
        return np.interp(k, np.concatenate([[0.0], contacted]), np.concatenate([[0.0], earned]))


@dataclass(frozen=True, slots=True)
class _Graded:
    """Orderings of the same customers, the list's own first, and which of them pay."""

    orderings: list[_Ordering]
    pays: Bools
    most: int | None

    @classmethod
    def of(cls, scores: Mapping[str, Floats], earned: Floats, rows: Ints, terms: Profit) -> "_Graded":
        orderings = [_Ordering(score[rows], earned[rows]) for score in scores.values()]
        return cls(orderings, scores[GAIN][rows] > 0, most_contacts(terms))

    def contacts(self, weight: Floats) -> float:
        """How many the list holds when each customer counts `weight` times."""
        wanted = float(weight @ self.pays)
        return wanted if self.most is None else min(wanted, self.most)

    def figures(self, weight: Floats, grid: Floats) -> Floats:
        """Profit of the list, its lead over as many of each other ordering, its curve; shape (orderings + grid,)."""
        k = np.array([self.contacts(weight)])
        first = self.orderings[0].profit(weight, np.append(k, grid))
        others = [ordering.profit(weight, k)[0] for ordering in self.orderings[1:]]
        return np.concatenate([first[:1], first[0] - np.array(others), first[1:]])


def _spread(
    scores: Mapping[str, Floats], earned: Floats, terms: Profit, grid: Floats, draws: tuple[int, int]
) -> tuple[Floats, Floats]:
    """The 2.5 and 97.5 % points of `figures` drawn, minus those found. draws: seed, repetitions."""
    n, (seed, repetitions) = len(earned), draws
    rng = np.random.default_rng(seed)
    bag, draws_of_bag = bootstrap(n, rng, repetitions)
    graded = _Graded.of(scores, earned, bag, terms)
    drawn = np.array([graded.figures(weight, grid) for weight in draws_of_bag])
    drawn -= graded.figures(np.full(len(bag), n / len(bag)), grid)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    return low, high
