"""Reasons of the churn probability: for whom the release wants them, the same in batch, service and store."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lifestage.churn.reasons.merging import merge
from lifestage.churn.reasons.strongest import model_contributions
from lifestage.decision import decide_block
from lifestage.features import compute
from lifestage.release import Release
from lifestage.scoring import clv_summary, model_features
from lifestage.settings import Reasons


def scored(made: Any, rule: Reasons, rows: slice = slice(None)) -> list[dict[str, Any]]:
    block = made.history.block(0)
    release = replace(made.release, reasons=rule)
    return decide_block(block, made.run.as_of, release).to_pylist()[rows]


def test_only_the_riskiest_and_the_most_valuable_get_reasons(made: Any) -> None:
    rows = scored(made, made.release.reasons)
    asked = [
        r["eligible"] and (r["churn_percentile"] >= 0.7 or (r["clv_percentile"] or 0) >= 0.8) for r in rows
    ]
    assert 20 < sum(asked) < len(rows) - 20
    assert not all(r["eligible"] for r in rows)
    assert [r["churn_reasons"] is not None for r in rows] == asked
    for row in rows:
        for reason in row["churn_reasons"] or ():
            assert reason["en"] and reason["zh"] and reason["direction"] in ("raises", "lowers")
        assert 0 < len(row["churn_reasons"] or [0]) <= 3


def test_a_customers_reasons_do_not_hang_on_the_rule_for_others(made: Any) -> None:
    everybody = scored(made, Reasons(top=3, highest_risk_share=1))
    some = scored(made, made.release.reasons)
    assert [r["churn_reasons"] is None for r in everybody] == [not r["eligible"] for r in everybody]
    for wide, narrow in zip(everybody, some, strict=True):
        assert narrow["churn_reasons"] in (None, wide["churn_reasons"])
    assert all(r["churn_reasons"] is None for r in scored(made, Reasons(top=0)))
    none = scored(made, Reasons(highest_risk_share=0, highest_value_share=0))
    assert all(r["churn_reasons"] is None for r in none)


def test_reasons_explain_the_trees_of_the_release(made: Any) -> None:
    """The strongest reasons' contributions are sums over columns that add up to the trees' own score."""
    churn, block = made.release.churn, made.history.block(0)
    view = block.before(made.run.as_of)
    features = model_features(view, compute(view, churn.spec), churn, clv_summary(view))
    rows = np.column_stack([features[name] for name in churn.features])
    contributed = model_contributions(churn, rows)
    raw = churn.score({name: features[name] for name in churn.features})
    np.testing.assert_allclose(contributed.sum(axis=1), raw, atol=1e-9)
    merge(contributed[:, :-1], features, churn.features, churn.spec)
    np.testing.assert_allclose(contributed.sum(axis=1), raw, atol=1e-9)


def test_service_store_and_batch_give_the_same_reasons(served: Any, made: Any) -> None:
    told = [name for name, row in sorted(made.scores.items()) if row["churn_reasons"]]
    assert len(told) > 50
    for name in told[:25]:
        request = {"as_of": made.as_of, "customers": [made.record(name)]}
        online = served.client.post("/v1/score", json=request).json()["scores"][0]["churn_reasons"]
        assert online == made.scores[name]["churn_reasons"]
        stored = served.client.get(f"/v1/customers/{name}").json()["score"]["churn_reasons"]
        assert stored == online


def test_a_release_that_says_nothing_gives_no_reasons() -> None:
    assert Release.__dataclass_fields__["reasons"].default.top == 0


@pytest.mark.parametrize("wrong", [{"top": 21}, {"highest_risk_share": 1.5}, {"highest_value_share": -0.1}])
def test_rules_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Reasons(**wrong)
