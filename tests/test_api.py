"""lifestage.fit, score, stage: frames in, frames out, the same numbers as underneath."""

from pathlib import Path

import pandas as pd
import pytest

import lifestage
from lifestage import release as releases
from lifestage.decision import decide_block
from lifestage.errors import InputError
from lifestage.online import history_from_records
from lifestage.release import Release
from lifestage.schemas import SCORE


def test_one_complete_row_a_customer(release: Release, orders: pd.DataFrame) -> None:
    scores = lifestage.score(release, orders)
    assert list(scores.columns) == SCORE.names
    assert sorted(scores["customer_id"]) == sorted(orders["customer_id"].unique())
    assert scores["stage"].isin([stage.name for stage in release.policy.stages]).all()
    assert (scores["churn_probability"].notna() == scores["eligible"]).all()


def test_the_release_is_on_disk_and_current(release: Release, orders: pd.DataFrame, tmp_path: Path) -> None:
    lifestage.fit(
        orders,
        into=tmp_path,
        timezone="Asia/Shanghai",
        currency="CNY",
        churn={"horizon_days": 60, "train_cutoffs": 2},
    )
    again = releases.load(releases.current(tmp_path))
    first, second = (lifestage.score(r, orders).drop(columns="release") for r in (release, again))
    pd.testing.assert_frame_equal(first, second, check_exact=True)


def test_the_churn_model_alone_is_the_release_s(release: Release, orders: pd.DataFrame) -> None:
    fitted = lifestage.fit_churn(
        orders,
        timezone="Asia/Shanghai",
        currency="CNY",
        churn={"horizon_days": 60, "train_cutoffs": 2},
        profit={"contact_cost": 1, "offer_cost": 5, "success_rate": 0.1},
    )
    assert fitted.evaluation.metrics() == pytest.approx(release.manifest["metrics"]["shop-churn"])
    assert fitted.shipped.model.features == release.churn.features
    assert fitted.profit is not None
    assert fitted.profit.customers == len(fitted.evaluation.churned) == len(fitted.test)


def test_score_equals_the_service_s_way_bit_for_bit(release: Release, orders: pd.DataFrame) -> None:
    scores = lifestage.score(release, orders, as_of="2024-11-01").set_index("customer_id")
    as_of = int(pd.Timestamp("2024-11-01", tz="Asia/Shanghai").timestamp()) * 1_000_000
    for customer in ("客户000", "客户040", "客户399"):
        rows = orders[orders["customer_id"] == customer]
        purchases = [
            {"ordered_at": r.ordered_at.isoformat(), "amount": r.amount, "order_id": r.order_id}
            for r in rows.itertuples()
        ]
        history = history_from_records([{"customer_id": customer, "purchases": purchases}], "Asia/Shanghai")
        alone = decide_block(history, as_of, release).to_pandas().set_index("customer_id")
        pd.testing.assert_frame_equal(alone, scores.loc[[customer]], check_exact=True)


def test_later_rows_change_no_score(release: Release, orders: pd.DataFrame) -> None:
    earlier = orders[orders["ordered_at"] < "2024-06-01"]
    whole = lifestage.score(release, orders, as_of="2024-06-01")
    cut = lifestage.score(release, earlier, as_of="2024-06-01")
    pd.testing.assert_frame_equal(whole, cut, check_exact=True)


def test_stage_repeats_what_score_decided(release: Release, orders: pd.DataFrame) -> None:
    scores = lifestage.score(release, orders, as_of="2024-11-01", with_features=True)
    staged = lifestage.stage(release, scores, "2024-11-01")
    for column in ("stage", "tier", "segment", "risk"):
        pd.testing.assert_series_equal(staged[column], scores[column])


def test_previous_stages_are_remembered(release: Release, orders: pd.DataFrame) -> None:
    before = lifestage.score(release, orders, as_of="2024-08-01")
    after = lifestage.score(release, orders, as_of="2024-11-01", previous=before)
    both = before.merge(after, on="customer_id", suffixes=("_before", ""))
    assert (both["previous_stage"] == both["stage_before"]).all()
    stayed = both["stage"] == both["stage_before"]
    assert stayed.any()
    assert not stayed.all()
    assert (both.loc[stayed, "stage_since"] == both.loc[stayed, "stage_since_before"]).all()
    assert (both.loc[~stayed, "stage_since"] == both.loc[~stayed, "as_of"]).all()


def test_bad_frames_are_refused_by_name(release: Release, orders: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match="transactions: the frame has no column 'amount'; rename yours to it"
    ):
        lifestage.fit(orders.drop(columns="amount"), into=tmp_path)
    with pytest.raises(InputError, match="unknown key 'chrun'; did you mean 'churn'"):
        lifestage.fit(orders, into=tmp_path, chrun={})
    with pytest.raises(InputError, match="'soon' is not a date; write it as YYYY-MM-DD"):
        lifestage.score(release, orders, as_of="soon")
    with pytest.raises(InputError, match="unknown column 'clvv'; did you mean 'clv'"):
        lifestage.stage(release, pd.DataFrame({"customer_id": ["a"], "clvv": [1.0]}), "2024-01-01")
    with pytest.raises(InputError, match="is missing, but a condition reads it"):
        lifestage.stage(release, pd.DataFrame({"customer_id": ["a"], "clv": [1.0]}), "2024-01-01")
    with pytest.raises(InputError, match="previous: column 'stage_since' is missing"):
        lifestage.score(release, orders, previous=pd.DataFrame({"customer_id": ["a"], "stage": ["growth"]}))
    assert not list(tmp_path.iterdir())
