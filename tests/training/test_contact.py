"""training.contact as a user runs it, and the graded customers' values at stake on the same shop."""

import argparse
import csv
import re
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest
import yaml

from lifestage import settings
from lifestage.churn.profit.evaluation import evaluate_profit
from lifestage.clv.model import ClvModel
from lifestage.clv.stake import value_at_stake
from lifestage.errors import InputError
from lifestage.fitting import definition_of, folds_of
from lifestage.history_file import HistoryFile
from lifestage.samples import buyers, churn_samples
from lifestage.stakes import current_values, graded_values, silent_days
from lifestage.store import open_store
from training.command import whole
from training.contact import contact

from .conftest import script
from .test_pipeline import scores_of

TERMS = {"contact_cost": 1, "offer_cost": 5, "success_rate": 0.3}


@pytest.fixture
def config(shop_document: dict, tmp_path: Path):
    def write(**profit: object) -> str:
        path = tmp_path / "campaign.yaml"
        path.write_text(
            yaml.safe_dump({**shop_document, **({"profit": profit} if profit else {})}), encoding="utf-8"
        )
        return str(path)

    return write


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_a_list_of_eligible_customers_best_first(shop: Path, config, tmp_path: Path) -> None:
    run = script(shop, "contact", "--config", config(**TERMS))
    assert run.returncode == 0, run.stderr
    rows = rows_of(shop / "var/shop/contacts.csv")
    assert f"contact {len(rows):,} customers of" in run.stdout
    assert f"{len(rows):,} rows written to" in run.stdout
    scored = {row["customer_id"]: row for row in scores_of(shop).to_pylist()}
    gains = [float(row["expected_gain"]) for row in rows]
    assert gains == sorted(gains, reverse=True)
    assert gains[-1] >= 0
    for row in rows:
        score = scored[row["customer_id"]]
        p, v = float(row["churn_probability"]), float(row["value_at_stake"])
        assert score["eligible"]
        assert score["stage"] == row["stage"]
        assert p == pytest.approx(score["churn_probability"], abs=1e-4)
        assert p >= float(row["pays_above"]) - 1e-3
        gain = p * 0.3 * (v - 5) - (1 - p) * 5 - 1
        assert float(row["expected_gain"]) == pytest.approx(gain, abs=0.01 + 2e-4 * (v + 5))
    few = tmp_path / "few.csv"
    run = script(shop, "contact", "--config", config(**TERMS), "--top", "7", "--out", str(few))
    assert run.returncode == 0, run.stderr
    assert rows_of(few) == rows[:7]


def test_one_value_for_all(shop: Path, config, tmp_path: Path) -> None:
    out = tmp_path / "c.csv"
    fixed = config(**TERMS, value=60, max_contacts=30)
    assert script(shop, "contact", "--config", fixed, "--out", str(out)).returncode == 0
    rows = rows_of(out)
    assert len(rows) == 30
    assert {row["value_at_stake"] for row in rows} == {"60.00"}
    risks = [float(row["churn_probability"]) for row in rows]
    assert risks == sorted(risks, reverse=True)


def test_wrong_use_is_told_in_one_sentence(
    shop: Path, config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = script(shop, "contact", "--config", config(**TERMS), "--out", str(tmp_path / "no/such/c.csv"))
    assert nowhere.returncode == 2
    assert re.search(r"^error: --out .*c.csv: cannot be written .*; name a file elsewhere", nowhere.stderr)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"profit: is missing in the config.*contact_cost: 1"):
        contact(settings.load(config()), None, None)
    with pytest.raises(InputError, match=r"run python -m training\.score first"):
        contact(settings.load(config(**TERMS)), None, None)  # there is no shop in this folder


def test_graded_customers_have_a_value_each_from_before_the_cutoff(
    shop: Path, config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shop)
    campaign = settings.load(config(**TERMS))
    file = HistoryFile(campaign.output / "history.parquet")
    rule, cutoff = definition_of(campaign), folds_of(campaign, file).test
    drawn = churn_samples(file, [cutoff], definition=rule)[cutoff]
    sample, summary = drawn.sample, drawn.summary
    probability = np.clip(sample.features["days_since_last_order"] / 365, 0.01, 0.99)
    value = graded_values(campaign, file, cutoff, summary, probability, definition=rule)
    assert value.shape == probability.shape
    assert ((value >= 0) & np.isfinite(value)).all()
    known = buyers(file, cutoff, cutoff, definition=rule)
    model = ClvModel.fit(
        known.summary, horizon_days=365, yearly_discount_rate=0.1, margin=campaign.clv.margin
    )
    alone = [
        value_at_stake(model, known.summary.take(np.array([row])), 90, 1 - probability[i : i + 1])[0]
        for i, row in enumerate(np.flatnonzero(known.eligible)[:50])
    ]
    assert value[:50].tolist() == alone
    days = {"days_since_last_order": sample.features["days_since_last_order"]}
    found = evaluate_profit(campaign.profit, probability, sample.churned, value, days, repetitions=20)
    assert 0 < found.contacts <= len(value)
    one = settings.load(config(**TERMS, value=60))
    assert set(graded_values(one, file, cutoff, summary, probability, definition=rule)) == {60}
    with pytest.raises(InputError, match="profit: is missing in the config"):
        graded_values(settings.load(config()), file, cutoff, summary, probability, definition=rule)


def test_scores_of_another_history_are_refused(shop: Path, config, monkeypatch: pytest.MonkeyPatch) -> None:
    from lifestage import release

    monkeypatch.chdir(shop)
    campaign = settings.load(config(**TERMS))
    file = HistoryFile(campaign.output / "history.parquet")
    scores = scores_of(shop)
    current = open_store(campaign.store_url).current()
    model = release.load(campaign.releases / current["release"]).clv
    rule = definition_of(campaign)
    value = current_values(file, scores, current["as_of"], model, definition=rule)
    unknown = pc.or_(scores["clv"].is_null(), scores["churn_probability"].is_null())
    assert np.isnan(value).tolist() == unknown.to_pylist()
    day = 86_400_000_000
    for table, as_of in ((scores.slice(1), current["as_of"]), (scores, current["as_of"] - 40 * day)):
        with pytest.raises(InputError, match=r"no longer the history .* run python -m training.score"):
            current_values(file, table, as_of, model, definition=rule)


@pytest.mark.parametrize("text", ["0", "-3", "2.5", "few"])
def test_top_is_a_whole_number(text: str) -> None:
    assert whole("customers")("7") == 7
    with pytest.raises(argparse.ArgumentTypeError, match="give a whole number of customers, 1 or more"):
        whole("customers")(text)


@pytest.mark.parametrize(
    ("name", "expected"), [("purchase", 90), ("activity", 365), ("subscription", 365), ("given", 365)]
)
def test_what_leaving_means_for_orders(name: str, expected: float) -> None:
    from lifestage.labels import Definition

    assert silent_days(Definition(name, horizon_days=90), 365.0) == expected
