"""Weekly tracking against a customer-by-customer loop."""

from dataclasses import replace

import numpy as np
import pytest

from lifestage.clv import bg_nbd
from lifestage.clv.bg_nbd import BetaGeoParams
from lifestage.clv.clock import Clock
from lifestage.clv.compress import compress
from lifestage.clv.covariates import Covariate
from lifestage.clv.daily import daily
from lifestage.clv.model import ClvModel
from lifestage.clv.summary import Summary
from lifestage.clv.weekly import forecast_path, weekly_orders

PARAMS = BetaGeoParams(0.25, 31.0, 0.8, 2.4)
CUTOFF, END = 100, 120


def customers() -> list[list[int]]:
    """Purchase days of customers who came before the cutoff, some after it too."""
    rng = np.random.default_rng(2)
    return [sorted({first, *rng.integers(first, END, 4).tolist()}) for first in range(3, CUTOFF, 2)]


@pytest.mark.parametrize("fast", [False, True])
def test_every_column_equals_a_plain_loop(model: ClvModel, fast: bool) -> None:
    """`fast`: every other customer orders e times as often, by a covariate."""
    people = customers()
    ends = np.cumsum([len(days) for days in people])
    starts = np.concatenate([[0], ends[:-1]])
    days = daily(starts, ends, np.concatenate([np.array(d) for d in people]))
    x, t_x, T = [], [], []
    for bought in people:
        seen = [d for d in bought if d < CUTOFF]
        x.append(len(seen) - 1.0)
        t_x.append(float(seen[-1] - seen[0]))
        T.append(float(CUTOFF - seen[0]))
    channel = np.array(["web" if fast and i % 2 else "ads" for i in range(len(people))], object)
    moved = Covariate("channel", (), ("ads", "web"), ("ads", "web", "other", "missing"), (0, 1, 2, 3))
    moved = replace(moved, rate=(0.0, 1.0, 0.0, 0.0), leaving=(0.0, 0.0, 0.0, 0.0))
    summary = replace(Summary.of(x, t_x, T), cutoff_day=float(CUTOFF), traits={"channel": channel})
    shop = replace(model, orders=PARAMS, clock=Clock(level=1.5), covariates=(moved,) if fast else ())
    mine = [PARAMS._replace(alpha=31.0 / np.e) if who == "web" else PARAMS for who in channel]
    table = weekly_orders(shop, summary, days, END - CUTOFF)
    assert table["days"].tolist() == [6, *[7] * 13, 7, 7, 6]
    assert table["week"].iloc[0] == "1970-01-04"
    assert table.loc[table["after_cutoff"], "week"].iloc[0] == "1970-04-11"
    begin = 3

    def one(params: BetaGeoParams, t: float) -> float:
        nobody = np.zeros(1)
        return float(bg_nbd.expected_purchases(params, max(t, 0.0), nobody, nobody, nobody)[0])

    for row in table.to_dict("records"):
        end = begin + row["days"]
        assert row["actual"] == sum(begin <= d < end for bought in people for d in bought[1:])
        assert row["new_customers"] == sum(begin <= bought[0] < end for bought in people)
        expected = sum(
            one(of, end - p[0]) - one(of, begin - p[0]) for of, p in zip(mine, people, strict=True)
        )
        assert row["expected"] == pytest.approx(expected, abs=1e-3)
        if begin >= CUTOFF:
            foreseen = 0.0
            for t, sign in ((1.5 * (end - CUTOFF), 1), (1.5 * (begin - CUTOFF), -1)):
                for i, of in enumerate(mine):
                    history = (np.array([v[i]]) for v in (x, t_x, T))
                    foreseen += sign * float(bg_nbd.expected_purchases(of, t, *history)[0])
            assert row["forecast"] == pytest.approx(foreseen, rel=1e-9)
        else:
            assert np.isnan(row["forecast"])
        begin = end
    assert begin == END
    last = table.iloc[-1]
    assert last["actual_to_date"] == table["actual"].sum()
    known = table.loc[~table["after_cutoff"], "actual"].sum()
    assert last["forecast_to_date"] == pytest.approx(known + table["forecast"].sum())


def test_the_path_ends_at_the_models_total() -> None:
    histories = compress(np.array([0.0, 2, 2]), np.array([0.0, 10, 30]), np.array([40.0, 40, 40]))
    path = forecast_path(histories, "bg_nbd", PARAMS, np.array([0.0, 90.0]))
    x, t_x, T = histories.frequency, histories.recency, histories.T
    whole = (histories.count * bg_nbd.expected_purchases(PARAMS, 90.0, x, t_x, T)).sum()
    assert path.tolist() == pytest.approx([0.0, whole])


def test_nobody_gives_no_row(model: ClvModel) -> None:
    none = np.zeros(0, np.int64)
    assert weekly_orders(model, Summary.of([], [], []), daily(none, none, none), 20).empty
