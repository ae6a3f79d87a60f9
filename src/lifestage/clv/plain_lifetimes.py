"""The forecast of plain lifetimes on the same summary, to stand beside ours (extra `train`)."""

import io
import warnings
from contextlib import redirect_stdout
from typing import Any

import numpy as np

from lifestage.clv.baselines import Forecast
from lifestage.clv.summary import Summary
from lifestage.ragged import Bools, Floats

PENALTIES = (0.0, 0.01)
"""lifetimes' penalizer: plain maximum likelihood, and its usual remedy where that does not converge."""
MOST = 50_000
"""Customers on whom it is fitted; of a larger shop so many are drawn."""


def lifetimes_forecast(summary: Summary, horizon_days: float) -> Forecast:
    """lifetimes' BG/NBD and Gamma-Gamma, fitted and asked as its documentation does.

    summary: customers with a purchase only, days. Whatever fails in it is left out and said in the note: nothing is
    raised.
    """
    # it prints its optimiser's report where that fails
    with warnings.catch_warnings(), np.errstate(all="ignore"), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            import lifetimes
        except ImportError:
            return Forecast(note="plain lifetimes: left out, it is not installed (extra `train`)")
        orders, said = _orders(lifetimes, summary, horizon_days)
        if orders is None:
            return Forecast(note=f"plain lifetimes: {said}")
        value, why = _value(lifetimes, summary)
    return Forecast(orders, None if value is None else orders * value, f"plain lifetimes: {said}{why}")


def _drawn(flags: Bools) -> Any:
    """Rows with a flag, so many as a fit takes; the same ones each time."""
    rows = np.flatnonzero(flags)
    return rows if len(rows) <= MOST else np.sort(np.random.default_rng(0).choice(rows, MOST, replace=False))


def _orders(lifetimes: Any, summary: Summary, horizon_days: float) -> tuple[Floats | None, str]:
    rows = _drawn(summary.has_purchase)
    x, t_x, T = summary.frequency, summary.recency, summary.T
    faults = []
    for penalty in PENALTIES:
        try:
            fitter = lifetimes.BetaGeoFitter(penalizer_coef=penalty)
            fitter.fit(x[rows], t_x[rows], T[rows])
            found = fitter.conditional_expected_number_of_purchases_up_to_time(horizon_days, x, t_x, T)
        except Exception as error:
            faults.append(f"with penalizer {penalty:g} the BG/NBD fails ({_said(error)})")
            continue
        orders = np.asarray(found, np.float64)
        if bool(np.isfinite(orders).all()):
            return orders, "; ".join([*faults, f"BG/NBD with penalizer {penalty:g}"])
        bad = int((~np.isfinite(orders)).sum())
        faults.append(f"with penalizer {penalty:g} {bad} of {len(orders)} forecasts are not finite")
    return None, "; ".join(faults)


def _value(lifetimes: Any, summary: Summary) -> tuple[Floats | None, str]:
    x, m = summary.frequency, summary.monetary_value
    rows = _drawn((x > 0) & (m > 0))
    try:
        fitter = lifetimes.GammaGammaFitter(penalizer_coef=0.0)
        fitter.fit(x[rows], m[rows])
        value = np.asarray(fitter.conditional_expected_average_profit(x, m), np.float64)
    except Exception as error:
        return None, f"; its Gamma-Gamma fails ({_said(error)})"
    if not bool(np.isfinite(value).all()):
        return None, f"; {int((~np.isfinite(value)).sum())} of its {len(value)} order values are not finite"
    if bool((value < 0).any()):
        return value, f"; {int((value < 0).sum())} of its {len(value)} order values are below 0"
    return value, ""


def _said(error: Exception) -> str:
    said = " ".join(str(error).split()).split(". ")[0]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
