"""Where customers came from, and whether they are worth what they cost: LTV / CAC by acquisition channel."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lifestage.history import Before
from lifestage.lifecycle.metrics.levels import MISSING, MOST_CHANNELS, MOST_GROUPS, Groups, Levels
from lifestage.lifecycle.metrics.orders import bought_so_far
from lifestage.lifecycle.metrics.sums import Part, Sums, Total
from lifestage.ragged import Bools, Floats, Ints

METRICS = {
    "channel_conversion": "channel_conversion",
    "first_order_value": "first_order_value_by_channel",
    "repeat_buyer_share": "repurchase_potential_by_channel",
    "lifetime_value": "lifetime_value_by_channel",
    "value_of_contact": "lead_quality",
    "acquisition_cost": "acquisition_cost",
    "ltv_cac": "ltv_cac",
}
"""Column of the table by channel -> its name in the catalogue."""

VALUED = ("lifetime_value", "value_of_contact", "ltv_cac")


class Channels:
    """Sums by group and channel of the customers of the newest frame."""

    def __init__(self, margin: float) -> None:
        self.margin = margin
        self.levels = Levels("acquisition_channel", MOST_CHANNELS)
        self._valued = False
        self._sums = Sums(MOST_GROUPS * MOST_CHANNELS)

    def add(self, view: Before, group: Ints, clv: Floats, members: Bools) -> None:
        """Add members; clv: NaN where there is none (no order, no model): it counts as 0 to come."""
        self._valued |= bool((members & ~np.isnan(clv)).any())
        channel = self.levels.codes(pc.fill_null(view.profile["acquisition_channel"], MISSING))
        so_far = bought_so_far(view.purchases)
        cost = np.asarray(
            view.profile["acquisition_cost"].cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64
        )
        known = ~np.isnan(cost)
        cost = np.nan_to_num(cost)
        buyer = so_far.orders >= 1
        worth = self.margin * so_far.spend + np.nan_to_num(clv)
        everybody = np.ones(len(view))
        parts = {
            "channel_conversion": Part(buyer, everybody),
            "first_order_value": Part(so_far.first_value, buyer),
            "repeat_buyer_share": Part(so_far.orders >= 2, buyer),
            "lifetime_value": Part(np.where(buyer, worth, 0.0), buyer),
            "value_of_contact": Part(worth, everybody),
            "acquisition_cost": Part(cost, buyer & known, known),
            "ltv_cac": Part(np.where(known, worth, 0.0), cost, known),
        }
        self._sums.add(parts, np.where(members, group * MOST_CHANNELS + channel, -1))

    def rows(self, groups: Groups, minimum: int) -> list[dict[str, Any]]:
        """One row per group, channel and metric of METRICS; channel null: all channels."""
        names = self.levels.names
        channels = [(None, list(range(len(names)))), *((n, [self.levels.places[n]]) for n in sorted(names))]
        whole = np.arange(self._sums.cells)
        told = [name for name in METRICS if self._sums.total(name, whole).customers]
        if not self._valued:  # without predictions no long-term value is told: what was spent is not it
            told = [name for name in told if name not in VALUED]
        found = []
        for group, codes in groups:
            for channel, places in channels:
                cells = np.array([c * MOST_CHANNELS + p for c in codes for p in places], np.int64)
                if not self._sums.total("channel_conversion", cells).customers:
                    continue
                for column in told:
                    total = self._sums.total(column, cells)
                    found.append(
                        {
                            "group": group,
                            "channel": channel,
                            "metric": METRICS[column],
                            "numerator": total.numerator,
                            "denominator": total.denominator,
                            "customers": total.customers,
                            "value": value(total, minimum),
                        }
                    )
        return found


def value(total: Total, minimum: int, scale: float = 1.0) -> float | None:
    """The figure of a cell; None where too few customers stand behind it, or the denominator is 0."""
    if total.customers < max(minimum, 1) or total.denominator == 0:
        return None
    return scale * total.numerator / total.denominator
