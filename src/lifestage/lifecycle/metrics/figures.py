"""The figures of every instant and period from their sums: one row a group, stage and metric."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from lifestage.lifecycle.metrics.behaviour import ANSWER_METRICS, EVENT_METRICS, TERM_METRICS
from lifestage.lifecycle.metrics.catalogue import METRICS
from lifestage.lifecycle.metrics.channels import value
from lifestage.lifecycle.metrics.durations import Durations
from lifestage.lifecycle.metrics.kaplan_meier import quantile
from lifestage.lifecycle.metrics.levels import MOST_GROUPS, Groups
from lifestage.lifecycle.metrics.moves import Roles
from lifestage.lifecycle.metrics.orders import PLAIN
from lifestage.lifecycle.metrics.sums import Sums, Total
from lifestage.lifecycle.metrics.tables import FIGURES, STAGES, table
from lifestage.localtime import DAY
from lifestage.ragged import Ints

DAYS_A_YEAR = 365.25
OF_STAGES = ("conversion_to_next_stage",)
"""Asked of single stages only."""
OF_EVERYBODY = ("activation_completion",)
"""Of customers who had no stage at the start: asked of all stages together."""
COUNTS = ("survey_count",)
"""The figure is the numerator itself, however few stand behind it."""
WHERE = {
    **dict.fromkeys(EVENT_METRICS, "events"),
    **dict.fromkeys(ANSWER_METRICS, "feedback"),
    **dict.fromkeys(TERM_METRICS, "subscriptions"),
    **dict.fromkeys(("core_feature_use", "activation_completion"), "core"),
    "cross_sell_rate": "categories",
    "plain_lifetime_value": "orders",
    **dict.fromkeys(
        (
            "repeat_buyer_share",
            "first_order_value",
            "repurchase_rate",
            "first_order_conversion",
            "average_order_value",
            "purchase_frequency",
        ),
        "orders",
    ),
}
"""Metric -> the rows that the shop must have; without any, no figure is told, where 0 would be a made-up one."""


class Figures:
    """Sums of every frame (`state`), of every period by the stage at its start (`period`) or end (`arrived`)."""

    def __init__(self, instants: Sequence[int], stages: Sequence[str]) -> None:
        self.instants = instants
        self.stages = stages
        size = MOST_GROUPS * len(stages)
        self.state = [Sums(size) for _ in instants]
        self.period = [Sums(size) for _ in instants[1:]]
        self.arrived = [Sums(size) for _ in instants[1:]]

    def cells(self, group: Ints, stage: Ints) -> Ints:
        """The cell of each customer, -1 for who has no stage."""
        return np.where(stage >= 0, group * len(self.stages) + stage, -1)

    def _of(self, groups: Groups) -> Iterable[tuple[str | None, str | None, Ints]]:
        """Group, stage (None: all) and the cells of both."""
        width = len(self.stages)
        for group, codes in groups:
            base = np.asarray(codes, np.int64) * width
            yield group, None, (base[:, None] + np.arange(width)).reshape(-1)
            for place, stage in enumerate(self.stages):
                yield group, stage, base + place

    def stage_table(self, groups: Groups) -> pa.Table:
        """STAGES."""
        rows = []
        for as_of, sums in zip(self.instants, self.state, strict=True):
            whole = 0
            for group, stage, cells in self._of(groups):
                customers = sums.total("customers", cells).customers
                if stage is None:
                    whole = customers
                    continue
                clv, churn = (sums.total(name, cells) for name in ("lifetime_value", "churn_probability"))
                rows.append(
                    {
                        "as_of": as_of,
                        "group": group,
                        "stage": stage,
                        "customers": customers,
                        "share": customers / whole if whole else None,
                        "clv_total": clv.numerator if clv.customers else None,
                        "clv_mean": value(clv, 1),
                        "clv_customers": clv.customers,
                        "churn_probability_mean": value(churn, 1),
                        "churn_customers": churn.customers,
                    }
                )
        return table(rows, STAGES)

    def table(
        self,
        groups: Groups,
        minimum: int,
        *,
        kinds: Mapping[str, bool],
        roles: Roles,
        stays: Sequence[Mapping[str, Any]],
        first_value: Durations,
    ) -> pa.Table:
        """FIGURES; `kinds` says which rows the shop has (WHERE)."""
        told = {name for name in METRICS if name not in WHERE or kinds.get(WHERE[name])}
        rows = [row for row in self._rows(groups, minimum) if row["metric"] in told]
        if roles.any_lost:
            rows += self._lifetimes(groups, minimum, "plain_lifetime_value" in told)
        newest = self.instants[-1]
        for row in stays:
            stayed = Total(row["completed"], row["stays"], row["stays"])
            key = _key(None, newest, row["group"], row["stage"])
            rows.append(_row(key, "time_in_stage", stayed, row["median_days"]))
        for group, codes in groups:
            n, came, curve = first_value.curve(list(codes))
            median = quantile(curve, 0.5) if n >= minimum else None
            if n and kinds.get("core"):
                rows.append(
                    _row(_key(None, newest, group, None), "time_to_first_value", Total(came, n, n), median)
                )
        return table(rows, FIGURES)

    def _rows(self, groups: Groups, minimum: int) -> Iterable[dict[str, Any]]:
        periods = list(zip(self.instants[:-1], self.instants[1:], strict=True))
        parts: list[tuple[int | None, int, Sums]]
        parts = [(None, end, sums) for end, sums in zip(self.instants, self.state, strict=True)]
        for held in (self.period, self.arrived):
            parts += [(start, end, sums) for (start, end), sums in zip(periods, held, strict=True)]
        for start, end, sums in parts:
            for group, stage, cells in self._of(groups):
                for name in sums.found:
                    if name in (OF_STAGES if stage is None else OF_EVERYBODY):
                        continue
                    total = sums.total(name, cells)
                    if not total.customers and name not in COUNTS:
                        continue
                    figure = value(total, minimum, 100.0 if name == "nps" else 1.0)
                    if name in COUNTS or name == "customers":
                        figure = total.numerator
                    key = _key(start, end, group, stage)
                    yield _row(key, name, total, figure)
                    if name == "lifetime_value":
                        yield _row(key, "lifetime_value_total", total, total.numerator)

    def _lifetimes(self, groups: Groups, minimum: int, plain: bool) -> Iterable[dict[str, Any]]:
        """lifetime and plain_lifetime_value of each group at each frame after the first.

        lifetime = customer-years at risk / customers lost, over all periods so far: the maximum-likelihood mean of an
        exponential lifetime. plain = average order value x orders a buyer and year x lifetime, which for the last
        year's buyers is their spend a buyer x lifetime.
        """
        rows = []
        for group, stage, cells in self._of(groups):
            if stage is not None:
                continue
            years = lost = customers = 0.0
            for k, (start, end) in enumerate(zip(self.instants[:-1], self.instants[1:], strict=True)):
                churn = self.period[k].total("churn_rate", cells)
                years += churn.denominator * (end - start) / DAY / DAYS_A_YEAR
                lost += churn.numerator
                customers = max(customers, churn.customers)
                enough = lost > 0 and customers >= minimum
                lifetime = years / lost if enough else None
                key = _key(None, end, group, None)
                rows.append(_row(key, "lifetime", Total(years, lost, int(customers)), lifetime))
                if plain and lifetime is not None:
                    spent = self.state[k + 1].total(PLAIN, cells)
                    worth = spent._replace(numerator=spent.numerator * lifetime)
                    rows.append(_row(key, "plain_lifetime_value", worth, value(worth, minimum)))
        return rows


def _key(start: int | None, end: int, group: str | None, stage: str | None) -> dict[str, Any]:
    return {"start": start, "end": end, "group": group, "stage": stage}


def _row(key: Mapping[str, Any], metric: str, total: Total, figure: float | None) -> dict[str, Any]:
    return {**key, "metric": metric, **total._asdict(), "value": figure}
