"""Hindsight, gone releases, damaged folders, horizons that are not over: each is left out with its reason."""

import json
import shutil
from datetime import date, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from lifestage.matured import Backtest, backtest, left_out_sentence, sentences

from .conftest import (
    AS_OF,
    CLV_DAYS,
    UNTIL,
    Shop,
    midnight_us,
    scores,
    write_history,
    write_release,
    write_run,
)


def judged(shop: Shop) -> Backtest:
    return backtest("shop", shop.history, shop.runs, shop.releases)


def reason(found: Backtest, name: str) -> tuple[str, str]:
    (left,) = [left for left in found.left_out if left.name == name]
    return left.kind, left.sentence


def add_run(shop: Shop, day: date, release: str, name: str | None = None) -> Path:
    at = midnight_us(day)
    return write_run(shop.runs, name or f"as-of-{day}", at, release, scores(shop.rows, at, release, seed=1))


def test_a_run_whose_release_is_newer_is_hindsight_and_never_counted(shop: Shop) -> None:
    alone = judged(shop)
    write_release(shop.releases, "r2", AS_OF + timedelta(days=1))
    run = add_run(shop, AS_OF - timedelta(days=30), "r2")
    found = judged(shop)
    assert [r.churn for r in found.rounds] == [r.churn for r in alone.rounds]
    kind, sentence = reason(found, run.name)
    assert kind == "hindsight"
    assert sentence == (
        "as-of-2022-02-08: scored with r2, which knows the data up to 2022-03-10: it had seen what came"
    )
    assert left_out_sentence(found).en == "Left out: 1 hindsight."


def test_a_release_of_a_past_day_with_a_model_trained_later_is_hindsight(shop: Shop) -> None:
    write_release(shop.releases, "old", AS_OF - timedelta(days=60), trained="2022-05-01")
    run = add_run(shop, AS_OF - timedelta(days=30), "old")
    assert reason(judged(shop), run.name)[0] == "hindsight"


def test_a_release_trained_up_to_the_very_day_is_no_hindsight(shop: Shop) -> None:
    write_release(shop.releases, "same", AS_OF - timedelta(days=30), trained=str(AS_OF - timedelta(days=30)))
    run = add_run(shop, AS_OF - timedelta(days=30), "same")
    assert run.name in [r.name for r in judged(shop).rounds]


def test_where_the_release_is_gone_nothing_is_claimed(shop: Shop) -> None:
    shutil.rmtree(shop.releases / "r1")
    found = judged(shop)
    assert not found.rounds
    kind, sentence = reason(found, shop.run.name)
    assert kind == "release_gone"
    assert (
        "its release r1 is gone, so nobody can tell what it had seen and what its horizons were" in sentence
    )
    assert sentences(found)[0].en == "No forecast can be judged yet. Left out: 1 release gone."


def test_an_altered_release_is_not_trusted(shop: Shop) -> None:
    (shop.releases / "r1" / "policy.yaml").write_text("name: other", encoding="utf-8")
    kind, sentence = reason(judged(shop), shop.run.name)
    assert kind == "release_gone"
    assert "its release cannot be trusted" in sentence
    assert "differs from its checksum" in sentence


def test_half_a_run_is_damaged(shop: Shop) -> None:
    sorted(shop.run.glob("part-*.parquet"))[-1].unlink()
    kind, sentence = reason(judged(shop), shop.run.name)
    assert kind == "damaged"
    assert "its run.json says" in sentence
    assert "half copied or altered" in sentence


def test_a_run_without_run_json_and_a_broken_part_are_damaged(shop: Shop) -> None:
    (shop.run / "run.json").unlink()
    assert "has no whole run.json" in reason(judged(shop), shop.run.name)[1]
    run = add_run(shop, AS_OF - timedelta(days=1), "r1")
    (run / "part-000000.parquet").write_bytes(b"no parquet")
    kind, sentence = reason(judged(shop), run.name)
    assert kind == "damaged"
    assert "part-000000.parquet cannot be read" in sentence


def test_a_run_whose_rows_name_another_release_is_damaged(shop: Shop) -> None:
    facts = json.loads((shop.run / "run.json").read_text())
    (shop.run / "run.json").write_text(json.dumps({**facts, "release": "r2"}))
    kind, sentence = reason(judged(shop), shop.run.name)
    assert kind == "damaged"
    assert "its rows name release r1, its run.json r2" in sentence


def test_a_run_out_of_order_is_damaged(shop: Shop) -> None:
    parts = sorted(shop.run.glob("part-*.parquet"))
    first, last = (pq.read_table(part) for part in (parts[0], parts[-1]))
    pq.write_table(last, parts[0])
    pq.write_table(first, parts[-1])
    kind, sentence = reason(judged(shop), shop.run.name)
    assert kind == "damaged"
    assert "not in the order of customer_id" in sentence


def test_a_run_that_lacks_a_column_is_damaged(shop: Shop) -> None:
    for part in shop.run.glob("part-*.parquet"):
        pq.write_table(pq.read_table(part).drop(["p_order"]), part)
    assert "lacks column 'p_order'" in reason(judged(shop), shop.run.name)[1]


def test_a_run_of_before_stages_were_foreseen_is_judged_without_them(shop: Shop) -> None:
    for part in shop.run.glob("part-*.parquet"):
        pq.write_table(pq.read_table(part).drop(["next_stage", "next_stage_at"]), part)
    (one,) = judged(shop).rounds
    assert one.churn["eligible"] > 0
    assert one.ahead == {}


def test_an_empty_run_and_drafts(shop: Shop) -> None:
    write_run(shop.runs, "as-of-2020-01-01", midnight_us(date(2020, 1, 1)), "r1", [])
    (shop.runs / ".as-of-x.deadbeef").mkdir()
    found = judged(shop)
    assert reason(found, "as-of-2020-01-01") == ("empty", "as-of-2020-01-01: nobody was known then")
    assert len(found.left_out) == 1


def test_no_runs_at_all(shop: Shop) -> None:
    shutil.rmtree(shop.runs)
    found = judged(shop)
    assert (list(found.rounds), list(found.left_out)) == ([], [])
    assert sentences(found)[0].en.startswith("No scoring run is kept yet: score first")


@pytest.mark.parametrize(("days", "churn", "clv"), [(29, None, None), (30, True, False), (60, True, True)])
def test_what_is_over_is_judged_and_nothing_else(
    shop: Shop, days: int, churn: bool | None, clv: bool | None
) -> None:
    shop.history = write_history(shop.path, shop.rows, AS_OF + timedelta(days=days))
    found = judged(shop)
    if churn is None:
        kind, sentence = reason(found, shop.run.name)
        assert kind == "waiting"
        assert sentence.endswith("its 30 days end on 2022-04-09, and what happened is known up to 2022-04-08")
        return
    (one,) = found.rounds
    assert dict(one.complete) == {"churn": churn, "clv": clv}
    assert bool(one.churn) == churn
    assert bool(one.clv) == clv
    if not clv:
        assert one.notes[0].en == f"Its {CLV_DAYS} days of CLV end on 2022-05-09: churn only."
        assert {row["orders"] for row in one.stages} == {None}


def test_a_history_of_before_the_run_judges_nothing(shop: Shop) -> None:
    shop.history = write_history(shop.path, shop.rows, AS_OF - timedelta(days=10))
    assert reason(judged(shop), shop.run.name)[0] == "waiting"


def test_clv_shorter_than_churn_is_judged_first(shop: Shop) -> None:
    write_release(shop.releases, "slow", AS_OF, churn={"horizon_days": 365})
    run = add_run(shop, AS_OF, "slow", "slow")
    (one,) = [r for r in judged(shop).rounds if r.name == run.name]
    assert dict(one.complete) == {"churn": False, "clv": True}
    assert one.clv["buyers"] > 0
    assert one.notes[0].en == "Its churn horizon is not over yet: CLV only."


def test_each_run_is_judged_by_its_own_releases_horizon(shop: Shop) -> None:
    write_release(shop.releases, "short", AS_OF, churn={"horizon_days": 7})
    add_run(shop, AS_OF, "short", "short")
    own, short = sorted(judged(shop).rounds, key=lambda r: r.name)
    assert short.terms.definition.horizon_days == 7
    assert short.churn["observed_rate"] > own.churn["observed_rate"]
    assert f"known up to {UNTIL}" not in str(short.notes)
