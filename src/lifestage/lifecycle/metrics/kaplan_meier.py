"""How long until something ends, with what has not ended yet counted as long as it was seen."""

from typing import NamedTuple

import numpy as np

from lifestage.ragged import Floats, Ints


class Curve(NamedTuple):
    """The survival function: `survival[i]` = share that lasts longer than `days[i]`, a step down at each."""

    days: Ints
    survival: Floats


def survival(entry: Ints, exit_: Ints, ended: Ints, weight: Ints) -> Curve:
    """The Kaplan-Meier estimate with delayed entry, a step at each day on which something ended.

    One row a kind of stay: at risk at day t where entry < t <= exit_ (entry -1: seen from its beginning), `ended`
    1 where it ended at exit_, 0 where it was last seen running; `weight` stays are alike.
    S(t) = prod over t_i <= t of (1 - d_i / n_i), d_i ended at t_i of n_i at risk: Kaplan and Meier (1958), JASA
    53, eq. (2b); delayed entry as in Klein and Moeschberger (2003), section 4.6.
    """
    days = np.unique(exit_[(ended == 1) & (weight > 0)])
    ends = np.bincount(np.searchsorted(days, exit_[ended == 1]), weight[ended == 1], len(days))

    def at_least(values: Ints) -> Floats:
        """Stays with values >= t at each of the days."""
        order = np.sort(values)
        heavy = np.concatenate([[0.0], np.cumsum(weight[np.argsort(values, kind="stable")])])
        return heavy[-1] - heavy[np.searchsorted(order, days, side="left")]

    at_risk = at_least(exit_) - at_least(entry)
    shares: Floats = np.asarray(1.0 - ends / at_risk, np.float64)
    return Curve(days, shares.cumprod())


def quantile(curve: Curve, share: float) -> float | None:
    """The first day by which `share` of the stays have ended; None where the curve does not come down so far.

    Median: share 0.5.
    """
    # 0.5 reached by products such as 2/3 x 3/4 may miss it by the last bit
    below = np.flatnonzero(curve.survival <= 1.0 - share + 1e-12)
    return float(curve.days[below[0]]) if len(below) else None
