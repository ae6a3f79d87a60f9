"""lifetimes' broken functions, mended: against plain loops, on its own fitters and on ours."""

from collections.abc import Callable, Iterator
from typing import Any

import lifetimes
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from lifestage.clv import lifetimes_plots as mended
from lifestage.clv.fitters import BetaGeoFitter
from lifestage.errors import InputError

Log = list[tuple[int, int, float]]


@pytest.fixture(scope="module")
def frame(cdnow_log: Log) -> pd.DataFrame:
    who, day, amount = zip(*cdnow_log, strict=True)
    when = pd.to_datetime(np.array(day, "datetime64[D]"))
    return pd.DataFrame({"id": who, "when": when, "amount": amount})


@pytest.fixture(scope="module")
def summary(frame: pd.DataFrame) -> pd.DataFrame:
    return mended.summary_data_from_transaction_data(frame, "id", "when", observation_period_end="1997-09-30")


@pytest.fixture(scope="module", params=[BetaGeoFitter, lifetimes.BetaGeoFitter])
def fitter(request: pytest.FixtureRequest, summary: pd.DataFrame) -> Any:
    return request.param().fit(summary["frequency"], summary["recency"], summary["T"])


@pytest.fixture(autouse=True)
def no_window() -> Iterator[None]:
    from matplotlib import pyplot

    with mpl.rc_context({"backend": "Agg"}):
        yield
        pyplot.close("all")


def number(day: str) -> int:
    return int(np.datetime64(day).astype(int))


@pytest.mark.parametrize("amounts", [None, "amount"])
def test_calibration_and_holdout_equal_a_plain_loop(
    frame: pd.DataFrame, cdnow_log: Log, amounts: str | None
) -> None:
    found = mended.calibration_and_holdout_data(
        frame, "id", "when", "1997-09-30", "1998-03-31", monetary_value_col=amounts
    )
    cutoff, end = number("1997-09-30"), number("1998-03-31")
    assert len(found) == len({who for who, day, _ in cdnow_log if day <= cutoff})
    assert (found["duration_holdout"] == end - cutoff).all()
    columns = ["frequency_cal", "recency_cal", "T_cal", "frequency_holdout", "duration_holdout"]
    more = ["monetary_value_cal", "monetary_value_holdout"] if amounts else []
    assert sorted(found.columns) == sorted([*columns, *more])
    rows: dict[int, list[tuple[int, float]]] = {}
    for who, day, amount in cdnow_log:
        rows.setdefault(who, []).append((day, amount))
    for who in found.index[::50]:
        row = found.loc[who]
        before = sorted({day for day, _ in rows[who] if day <= cutoff})
        after = [(day, amount) for day, amount in rows[who] if cutoff < day <= end]
        assert row["frequency_cal"] == len(before) - 1
        assert row["recency_cal"] == before[-1] - before[0]
        assert row["T_cal"] == cutoff - before[0]
        assert row["frequency_holdout"] == len({day for day, _ in after})
        if amounts:
            mean = sum(amount for _, amount in after) / len(after) if after else 0.0
            assert row["monetary_value_holdout"] == pytest.approx(mean)


def test_texts_as_dates_weeks_and_an_open_end(frame: pd.DataFrame) -> None:
    texts = frame.assign(when=frame["when"].dt.strftime("%d.%m.%Y"))
    found = mended.calibration_and_holdout_data(
        texts, "id", "when", "30.09.1997", freq="W", datetime_format="%d.%m.%Y"
    )
    end = frame["when"].max()
    assert found["duration_holdout"].iloc[0] == (end.to_period("W") - pd.Period("1997-09-30", "W")).n
    one = found.index[found["frequency_holdout"].argmax()]
    later = frame[(frame["id"] == one) & (frame["when"] > "1997-09-30")]
    assert found.loc[one, "frequency_holdout"] == len({f"{d:%G-%V}" for d in later["when"]})


def test_what_lifetimes_still_can_is_the_same(frame: pd.DataFrame) -> None:
    given = (frame, "id", "when", "1997-09-30")
    theirs = lifetimes.utils.calibration_and_holdout_data(*given, monetary_value_col="amount")
    ours = mended.calibration_and_holdout_data(*given, monetary_value_col="amount")
    pd.testing.assert_frame_equal(ours, theirs, check_dtype=False)


def test_an_empty_holdout_is_refused(frame: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="choose an earlier calibration_period_end"):
        mended.calibration_and_holdout_data(frame, "id", "when", "2001-01-01")


def busiest(frame: pd.DataFrame) -> pd.DataFrame:
    counts = frame["id"].value_counts()
    return frame[frame["id"] == counts.index[5]].iloc[::-1]  # the order of rows does not matter


def test_the_alive_path_equals_a_loop_over_days(fitter: Any, frame: pd.DataFrame) -> None:
    rows = busiest(frame)
    path = mended.calculate_alive_path(fitter, rows, "when", 600)
    bought = sorted({int(t.to_datetime64().astype("datetime64[D]").astype(int)) for t in rows["when"]})
    assert len(path) == 601
    for age in range(0, 601, 23):
        seen = [day - bought[0] for day in bought if day - bought[0] <= age]
        expected = fitter.conditional_probability_alive(len(seen) - 1, seen[-1], age)
        assert path[age] == pytest.approx(float(np.squeeze(expected)))
    assert len(mended.calculate_alive_path(fitter, rows, "when", 1)) == bought[-1] - bought[0] + 1


def test_the_history_of_a_customer(fitter: Any, frame: pd.DataFrame) -> None:
    rows = busiest(frame)
    axes = mended.plot_history_alive(fitter, 600, rows, "when", color="black")
    path = mended.calculate_alive_path(fitter, rows, "when", 600)
    (line,) = axes.get_lines()
    assert line.get_ydata().tolist() == path.tolist()
    assert line.get_color() == "black"
    assert len(axes.collections[0].get_segments()) == rows["when"].nunique()
    later = mended.plot_history_alive(fitter, 600, rows, "when", start_date="1997-12-01")
    assert mpl.dates.num2date(later.get_xlim()[0]).date().isoformat() == "1997-12-01"


def test_expected_repeat_purchases(fitter: Any) -> None:
    axes = mended.plot_expected_repeat_purchases(fitter, label="all", color="green")
    inside, beyond = axes.get_lines()
    oldest = fitter.data["T"].max()
    assert inside.get_xdata()[-1] == beyond.get_xdata()[0] == oldest
    expected = fitter.expected_number_of_purchases_up_to_time(1.5 * oldest)
    assert beyond.get_ydata()[-1] == pytest.approx(float(expected))
    assert (inside.get_linestyle(), beyond.get_linestyle()) == ("-", "--")
    assert inside.get_color() == beyond.get_color() == "green"


@pytest.mark.parametrize("dated", [False, True])
def test_tracking(fitter: Any, frame: pd.DataFrame, cdnow_log: Log, dated: bool) -> None:
    given = (fitter, frame, "when", "id", 300, 270)
    axes = mended.plot_cumulative_transactions(*given, set_index_date=dated)
    actual, predicted, mark = axes.get_lines()
    first: dict[int, int] = {}
    for who, day, _ in cdnow_log:
        first.setdefault(who, day)
    start = min(first.values())
    repeats = {(who, day) for who, day, _ in cdnow_log if day > first[who]}
    assert actual.get_ydata()[250] == sum(day - start <= 250 for _, day in repeats)
    expected = sum(
        float(np.squeeze(fitter.expected_number_of_purchases_up_to_time(float(start + 251 - day))))
        for day in first.values()
        if day < start + 251
    )
    assert predicted.get_ydata()[250] == pytest.approx(expected)
    place = mark.get_xdata()[0]
    assert place == (pd.Timestamp(start + 270, unit="D") if dated else 270)
    assert axes.get_xlabel() == ("date" if dated else "day")
    from matplotlib import pyplot

    pyplot.figure()
    steps = mended.plot_incremental_transactions(*given, set_index_date=dated).get_lines()[0].get_ydata()
    np.testing.assert_allclose(steps[1:], np.diff(actual.get_ydata()))


def test_the_rest_is_passed_on(fitter: Any, frame: pd.DataFrame) -> None:
    from matplotlib import pyplot

    held = mended.calibration_and_holdout_data(frame, "id", "when", "1997-09-30")
    calls: list[Callable[[], Any]] = [
        lambda: mended.plot_period_transactions(fitter),
        lambda: mended.plot_frequency_recency_matrix(fitter),
        lambda: mended.plot_probability_alive_matrix(fitter),
        lambda: mended.plot_calibration_purchases_vs_holdout_purchases(fitter, held),
        lambda: mended.plot_transaction_rate_heterogeneity(fitter),
        lambda: mended.plot_dropout_rate_heterogeneity(fitter),
    ]
    for call in calls:
        pyplot.figure()
        assert call().figure is not None
