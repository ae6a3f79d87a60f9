"""Made-up customers put right where their columns contradict each other, so that no example is one nobody can be.

What no order means, what a window inside another one means, and the like: of the columns that every shop has.
"""

import re
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from lifestage.lifecycle.checking.plausible_rows import settle_rows

Floats = npt.NDArray[np.float64]
Genes = dict[str, Floats]
"""Column -> a number a customer, NaN = missing; of a text the place of its value, of true and false 1 and 0."""

OF_ORDERS: tuple[str, ...] = (
    *("days_since_last_order", "days_since_first_order", "mean_order_value"),
    *("last_order_value", "max_order_value", "first_order_value", "mean_gap_days"),
    *("std_gap_days", "min_gap_days", "max_gap_days", "last_gap_days", "recency_over_mean_gap"),
    *("recency_over_max_gap", "gap_variation", "order_value_slope"),
    *("last_over_mean_order_value", "p_alive", "expected_orders", "expected_order_value"),
    *("clv", "clv_percentile", "p_order", "recency_percentile", "frequency_percentile"),
    *("monetary_percentile",),
)
"""Missing without an order."""
ALWAYS_WITH_ORDERS: tuple[str, ...] = (
    *("days_since_last_order", "days_since_first_order", "days_since_first_contact"),
    *("mean_order_value", "last_order_value", "p_alive", "expected_orders"),
    *("expected_order_value", "clv", "clv_percentile", "p_order", "recency_percentile"),
    *("frequency_percentile", "monetary_percentile"),
)
"""Never missing with one."""
OF_RHYTHM: tuple[str, ...] = (
    *("mean_gap_days", "std_gap_days", "min_gap_days", "max_gap_days", "last_gap_days"),
    *("recency_over_mean_gap", "recency_over_max_gap", "gap_variation"),
)
"""Missing with orders on one day only."""
_WINDOW = re.compile(r"(.+)_(\d+)d")


def _filled(values: Floats, mask: npt.NDArray[np.bool_], spare: float) -> None:
    values[mask & np.isnan(values)] = spare


def _windows(names: Iterable[str]) -> dict[str, list[tuple[int, str]]]:
    """Stem -> (days, column) of counts over windows, the shortest first."""
    found: dict[str, list[tuple[int, str]]] = {}
    for name in names:
        match = _WINDOW.fullmatch(name)
        if match and not match[1].endswith("_change"):
            found.setdefault(match[1], []).append((int(match[2]), name))
    return {stem: sorted(windows) for stem, windows in found.items()}


def settle(genes: Genes) -> None:
    """Change what contradicts another column, in place; columns that are not there are not asked for."""
    bought = _orders(genes, len(next(iter(genes.values()))))
    _gaps(genes)
    _ages(genes)
    _counts(genes, _windows(genes), bought)
    _chances(genes)
    settle_rows(genes)
    if "days_in_stage" in genes:
        genes["days_in_stage"][np.isnan(genes["previous_stage"])] = np.nan
        _filled(genes["days_in_stage"], ~np.isnan(genes["previous_stage"]), 30.0)


def _orders(genes: Genes, n: int) -> npt.NDArray[np.bool_]:
    """Who has bought, by the first column that tells; what is missing or 0 without an order follows."""
    bought = np.ones(n, bool)
    for name in ("order_count", "purchase_days", "days_since_last_order", "clv_percentile", "clv"):
        if name in genes:
            bought = genes[name] > 0 if name in ("order_count", "purchase_days") else ~np.isnan(genes[name])
            break
    windows = _windows(genes)
    for name in ("order_count", "purchase_days", *(name for _, name in windows.get("orders", []))):
        if name in genes:
            genes[name][~bought] = 0.0
            _filled(genes[name], bought, 1.0)
    if "purchase_days" in genes:
        genes["purchase_days"][bought] = np.maximum(genes["purchase_days"][bought], 1)
        if "order_count" in genes:
            genes["order_count"] = np.maximum(genes["order_count"], genes["purchase_days"])
    for name in OF_ORDERS:
        if name in genes:
            genes[name][~bought] = np.nan
    for name, spare in zip(ALWAYS_WITH_ORDERS, (30, 60, 60, *([0.5] * 99)), strict=False):
        if name in genes:
            _filled(genes[name], bought, spare)
    return bought


def _ages(genes: Genes) -> None:
    """The last order is no longer ago than the first, and that no longer than the first contact."""
    least = None
    for name in ("days_since_last_order", "days_since_first_order", "days_since_first_contact"):
        if name in genes:
            if least is not None:
                genes[name] = np.fmax(genes[name], np.where(np.isnan(genes[name]), np.nan, least))
            least = genes[name] if least is None else np.fmax(least, genes[name])
    first, once = genes.get("days_since_first_order"), genes.get("purchase_days")
    if first is not None and once is not None and "days_since_last_order" in genes:
        genes["days_since_first_order"] = np.where(once == 1, genes["days_since_last_order"], first)


def _counts(genes: Genes, windows: dict[str, list[tuple[int, str]]], bought: npt.NDArray[np.bool_]) -> None:
    for stem, found in windows.items():
        total = genes.get("order_count") if stem == "orders" else None
        last = genes.get("days_since_last_order") if stem == "orders" else None
        below = None
        for days, name in found:
            values = genes[name]
            if last is not None:
                values = np.where(last <= days, np.maximum(values, 1), 0.0)
            if below is not None:
                values = np.fmax(values, np.where(np.isnan(values), np.nan, below))
            if total is not None:
                values = np.minimum(values, np.where(bought, np.maximum(total, 0), 0.0))
            genes[name] = below = values
        for days, name in found if stem == "orders" else ():
            change = f"{stem}_change_{days}d"
            if change in genes:
                before = np.maximum(genes[name] - genes[change], 0)
                if total is not None:
                    before = np.minimum(before, total - genes[name])
                genes[change] = np.where(np.isnan(before), 0.0, genes[name] - before)


def _gaps(genes: Genes) -> None:
    if "purchase_days" in genes:
        rhythm = genes["purchase_days"] >= 2
        for name in OF_RHYTHM:
            if name in genes:
                genes[name][~rhythm] = np.nan
                _filled(genes[name], rhythm, 1.0)
    mean, longest = genes.get("mean_gap_days"), genes.get("max_gap_days")
    if mean is not None and longest is not None:
        genes["max_gap_days"] = np.maximum(mean, longest)
    over_mean, over_max = genes.get("recency_over_mean_gap"), genes.get("recency_over_max_gap")
    last = genes.get("days_since_last_order")
    if over_mean is not None and over_max is not None:
        genes["recency_over_max_gap"] = over_max = np.where(np.isnan(over_mean), np.nan, over_max)
        genes["recency_over_max_gap"] = np.minimum(over_mean, np.nan_to_num(over_max, nan=np.inf))
        genes["recency_over_max_gap"][np.isnan(over_mean)] = np.nan
    if last is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            for ratio, gap in (
                ("recency_over_mean_gap", "mean_gap_days"),
                ("recency_over_max_gap", "max_gap_days"),
            ):
                if ratio in genes:
                    still = genes[ratio] == 0
                    genes["days_since_last_order"][still] = 0.0
                    genes[ratio][(last == 0) & ~np.isnan(genes[ratio])] = 0.0
                    if gap in genes:
                        derived = last / genes[ratio]
                        genes[gap] = np.where(np.isfinite(derived), derived, genes[gap])


def _chances(genes: Genes) -> None:
    eligible = genes.get("eligible")
    if eligible is None:
        return
    eligible[np.isnan(eligible)] = 0.0
    for name in ("churn_probability", "churn_percentile"):
        if name in genes:
            genes[name][eligible == 0] = np.nan
            _filled(genes[name], eligible == 1, 0.5)
