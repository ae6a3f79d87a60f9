"""lifetimes' plots and summaries that work on today's pandas and matplotlib (extra `train`).

Names and arguments are lifetimes' own, so that a notebook runs with its import changed; those that still work are
passed on as they are, the broken ones are written anew:

    calibration_and_holdout_data      without amounts: "No objects to concatenate"
    calculate_alive_path              asks for an argument of fillna that is gone
    plot_history_alive                sums dates
    plot_expected_repeat_purchases    asks matplotlib for a colour cycle that is gone
    plot_cumulative_transactions, plot_incremental_transactions     fail with set_index_date

They take lifetimes' fitters and ours (fitters.py) alike, and draw with pyplot as lifetimes does; pictures of a
ClvModel, without a window, are in `plots`.
"""

from typing import Any

import numpy as np
import pandas as pd
from lifetimes.plotting import (
    plot_calibration_purchases_vs_holdout_purchases,
    plot_dropout_rate_heterogeneity,
    plot_frequency_recency_matrix,
    plot_period_transactions,
    plot_probability_alive_matrix,
    plot_transaction_rate_heterogeneity,
)
from lifetimes.utils import expected_cumulative_transactions, summary_data_from_transaction_data

from lifestage.errors import InputError

__all__ = [
    "calculate_alive_path",
    "calibration_and_holdout_data",
    "expected_cumulative_transactions",
    "plot_calibration_purchases_vs_holdout_purchases",
    "plot_cumulative_transactions",
    "plot_dropout_rate_heterogeneity",
    "plot_expected_repeat_purchases",
    "plot_frequency_recency_matrix",
    "plot_history_alive",
    "plot_incremental_transactions",
    "plot_period_transactions",
    "plot_probability_alive_matrix",
    "plot_transaction_rate_heterogeneity",
    "summary_data_from_transaction_data",
]


def calibration_and_holdout_data(  # noqa: PLR0917  lifetimes' own signature
    transactions: pd.DataFrame,
    customer_id_col: str,
    datetime_col: str,
    calibration_period_end: Any,
    observation_period_end: Any = None,
    freq: str = "D",
    freq_multiplier: int = 1,
    datetime_format: str | None = None,
    monetary_value_col: str | None = None,
    include_first_transaction: bool = False,
) -> pd.DataFrame:
    """One row per customer of the calibration period: its summary (columns `..._cal`) and what followed.

    The calibration period ends with the instant `calibration_period_end`, the holdout with
    `observation_period_end` (the last transaction where None). frequency_holdout: periods of `freq` with a
    transaction; monetary_value_holdout: mean amount of a transaction, 0 without one; duration_holdout: periods /
    freq_multiplier. Raises InputError (a ValueError) where nothing lies in the holdout.
    """
    amounts = [monetary_value_col] if monetary_value_col else []
    rows = transactions[[customer_id_col, datetime_col, *amounts]].copy()
    rows[datetime_col] = pd.to_datetime(rows[datetime_col], format=datetime_format)
    cutoff = pd.to_datetime(calibration_period_end, format=datetime_format)
    end = rows[datetime_col].max()
    if observation_period_end is not None:
        end = pd.to_datetime(observation_period_end, format=datetime_format)
    found = summary_data_from_transaction_data(
        rows[rows[datetime_col] <= cutoff],
        customer_id_col,
        datetime_col,
        monetary_value_col=monetary_value_col,
        observation_period_end=cutoff,
        freq=freq,
        freq_multiplier=freq_multiplier,
        include_first_transaction=include_first_transaction,
    ).add_suffix("_cal")
    later = rows[(rows[datetime_col] > cutoff) & (rows[datetime_col] <= end)]
    if later.empty:
        raise InputError(
            f"no transaction lies after calibration_period_end ({cutoff}) and up to observation_period_end ({end}); "
            "choose an earlier calibration_period_end"
        )
    periods = later[datetime_col].dt.to_period(freq)
    counts = periods.groupby(later[customer_id_col]).nunique()
    found["frequency_holdout"] = counts.reindex(found.index).fillna(0.0).astype(float)
    if monetary_value_col:
        means = later.groupby(customer_id_col)[monetary_value_col].mean()
        found["monetary_value_holdout"] = means.reindex(found.index).fillna(0.0).astype(float)
    found["duration_holdout"] = (end.to_period(freq) - cutoff.to_period(freq)).n / freq_multiplier
    return found


def calculate_alive_path(
    model: Any, transactions: pd.DataFrame, datetime_col: str, t: int, freq: str = "D"
) -> "pd.Series[float]":
    """P(alive) of one customer at each age 0 .. t (or to the last purchase, if later), in periods of `freq`.

    transactions: of that customer alone. At an age everything bought within its period is known.
    """
    bought = _purchases(transactions, datetime_col, freq).to_numpy() > 0
    bought = np.concatenate([bought, np.zeros(max(t + 1 - len(bought), 0), np.bool_)])
    age = np.arange(len(bought))
    frequency = np.cumsum(bought) - 1
    recency = np.maximum.accumulate(np.where(bought, age, 0))
    alive = model.conditional_probability_alive(*(v.astype(np.float64) for v in (frequency, recency, age)))
    return pd.Series(np.asarray(alive, np.float64))


def _purchases(transactions: pd.DataFrame, datetime_col: str, freq: str) -> "pd.Series[int]":
    """Transactions in each period from the first to the last."""
    times = pd.DatetimeIndex(pd.to_datetime(transactions[datetime_col]))
    return pd.Series(1, index=times).sort_index().resample(freq).sum()


def plot_history_alive(  # noqa: PLR0917  lifetimes' own signature
    model: Any,
    t: int,
    transactions: pd.DataFrame,
    datetime_col: str,
    freq: str = "D",
    start_date: Any = None,
    ax: Any = None,
    **kwargs: Any,
) -> Any:
    """P(alive) of one customer over time, with dashed lines where they bought; returns the axes.

    t: periods from the first purchase on. start_date: where the picture begins. kwargs: of the line.
    """
    axes = _axes(ax)
    path = calculate_alive_path(model, transactions, datetime_col, t, freq)
    counts = _purchases(transactions, datetime_col, freq)
    dates = pd.date_range(counts.index[0], periods=len(path), freq=freq)
    axes.plot(dates, path.to_numpy(), **{"label": "P_alive", **kwargs})
    axes.vlines(
        counts.index[counts > 0],
        0,
        1,
        colors="#D55E00",
        linewidths=0.8,
        linestyles="dashed",
        label="purchases",
    )
    begin = dates[0] if start_date is None else pd.Timestamp(start_date)
    axes.set(xlim=(begin, dates[-1]), ylim=(0, 1), yticks=np.arange(0, 1.1, 0.1))
    axes.set(ylabel="P_alive", title="History of P_alive")
    axes.legend(loc="lower left")
    axes.tick_params(axis="x", labelrotation=30)
    return axes


def plot_expected_repeat_purchases(
    model: Any,
    title: str = "Expected Number of Repeat Purchases per Customer",
    xlabel: str = "Time Since First Purchase",
    ax: Any = None,
    label: str | None = None,
    **kwargs: Any,
) -> Any:
    """Expected repeat purchases of a new customer, dashed beyond the largest T of the fit; returns the axes."""
    axes, oldest = _axes(ax), float(model.data["T"].max())
    color = kwargs.pop("c", None) or kwargs.pop("color", None)
    for low, high, style in ((0.0, oldest, "-"), (oldest, 1.5 * oldest, "--")):
        times = np.linspace(low, high, 100)
        options = {"ls": style, **kwargs} if style == "-" else {**kwargs, "ls": style}
        orders = model.expected_number_of_purchases_up_to_time(times)
        (line,) = axes.plot(times, orders, color=color, label=label if style == "-" else None, **options)
        color = line.get_color()
    axes.set(title=title, xlabel=xlabel)
    if label is not None:
        axes.legend(loc="lower right")
    return axes


def plot_cumulative_transactions(  # noqa: PLR0917  lifetimes' own signature
    model: Any,
    transactions: pd.DataFrame,
    datetime_col: str,
    customer_id_col: str,
    t: int,
    t_cal: int,
    datetime_format: str | None = None,
    freq: str = "D",
    set_index_date: bool = False,
    title: str = "Tracking Cumulative Transactions",
    xlabel: str = "day",
    ylabel: str = "Cumulative Transactions",
    ax: Any = None,
    **kwargs: Any,
) -> Any:
    """Repeat transactions to date, actual and predicted, with a line where calibration ends; returns the axes."""
    given = (model, transactions, datetime_col, customer_id_col, t)
    frame = _tracked(*given, datetime_format=datetime_format, freq=freq, set_index_date=set_index_date)
    return _tracking(frame, t_cal, _axes(ax), {"title": title, "xlabel": xlabel, "ylabel": ylabel}, kwargs)


def plot_incremental_transactions(  # noqa: PLR0917  lifetimes' own signature
    model: Any,
    transactions: pd.DataFrame,
    datetime_col: str,
    customer_id_col: str,
    t: int,
    t_cal: int,
    datetime_format: str | None = None,
    freq: str = "D",
    set_index_date: bool = False,
    title: str = "Tracking Daily Transactions",
    xlabel: str = "day",
    ylabel: str = "Transactions",
    ax: Any = None,
    **kwargs: Any,
) -> Any:
    """Repeat transactions a period, actual and predicted, with a line where calibration ends; returns the axes."""
    given = (model, transactions, datetime_col, customer_id_col, t)
    frame = _tracked(*given, datetime_format=datetime_format, freq=freq, set_index_date=set_index_date)
    about = {"title": title, "xlabel": xlabel, "ylabel": ylabel}
    return _tracking(frame.diff(), t_cal, _axes(ax), about, kwargs)


def _tracked(*given: Any, **options: Any) -> pd.DataFrame:
    frame: pd.DataFrame = expected_cumulative_transactions(*given, **options)
    if isinstance(frame.index, pd.PeriodIndex):
        frame.index = frame.index.to_timestamp()
    return frame


def _tracking(frame: pd.DataFrame, t_cal: int, axes: Any, about: dict[str, str], kwargs: Any) -> Any:
    dated = isinstance(frame.index, pd.DatetimeIndex)
    for column in frame:
        axes.plot(frame.index, frame[column], label=column, **kwargs)
    axes.axvline(frame.index[int(t_cal)] if dated else t_cal, color="#D55E00", linestyle="--")
    axes.set(**{**about, **({"xlabel": "date"} if dated else {})})
    axes.legend()
    if dated:
        axes.tick_params(axis="x", labelrotation=30)
    return axes


def _axes(ax: Any) -> Any:
    if ax is not None:
        return ax
    from matplotlib import pyplot

    return pyplot.subplot(111)
