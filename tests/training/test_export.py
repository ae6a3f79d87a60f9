"""training.export as a user runs it."""

import csv
import re
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest

from lifestage import settings
from lifestage.errors import InputError
from training.export import export

from .conftest import CUSTOMERS, ROOT, script
from .test_pipeline import scores_of


def rows_of(path: Path) -> list[dict[str, str]]:
    raw = path.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    assert raw.count(b"\n") == raw.count(b"\r\n")
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_a_list_ordered_by_value_at_stake(shop: Path, tmp_path: Path) -> None:
    where = "tier IN ('gold', 'platinum') AND churn_probability > 0.05"
    out = tmp_path / "list.csv"
    run = script(shop, "export", "--config", "shop.yaml", "--where", where, "--out", str(out))
    assert run.returncode == 0, run.stderr
    rows = rows_of(out)
    expected = {
        row["customer_id"]
        for row in scores_of(shop).to_pylist()
        if row["tier"] in ("gold", "platinum") and (row["churn_probability"] or 0) > 0.05
    }
    assert expected
    assert {row["Customer"].strip() for row in rows} == expected
    stakes = [float(next(v for k, v in row.items() if k.startswith("Value at stake"))) for row in rows]
    assert stakes == sorted(stakes, reverse=True)
    assert re.search(rf"{len(rows)} of 1,200 customers match\n", run.stdout)
    few = tmp_path / "few.csv"
    words = ("--top", "3", "--language", "zh", "--columns", "customer_id,stage,tier,value_at_stake")
    run = script(shop, "export", "--config", "shop.yaml", "--where", where, "--out", str(few), *words)
    assert run.returncode == 0, run.stderr
    assert "of them the 3 with most at stake" in run.stdout
    best = rows_of(few)
    assert [row["客户"] for row in best] == [row["Customer"] for row in rows[:3]]
    assert {row["价值等级"] for row in best} <= {"黄金（前5%）", "铂金（前1%）"} or all(best)


@pytest.fixture
def unlocked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock of the shared shop would be held until this process ends."""
    monkeypatch.setattr("training.export.hold", lambda _folder: None)


@pytest.mark.usefixtures("unlocked")
def test_everybody_and_nobody(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(shop)
    config = settings.load("shop.yaml")
    everybody = rows_of(export(config, None, out=tmp_path / "all.csv") or tmp_path)
    assert len(everybody) == 1_200
    there = scores_of(shop)["churn_probability"].is_valid().to_pylist()  # who has left has nothing to lose
    stakes = [next(v for k, v in row.items() if k.startswith("Value at stake")) for row in everybody]
    assert all(stakes[: sum(there)])
    assert not any(stakes[sum(there) :])
    capsys.readouterr()
    assert export(config, "clv > 1e15", out=tmp_path / "none.csv") is None
    assert not (tmp_path / "none.csv").exists()
    assert "no customer of 1,200 matches" in capsys.readouterr().out
    before = (tmp_path / "all.csv").read_bytes()
    assert export(config, "clv > 1e15", out=tmp_path / "all.csv") is None
    assert "is not written; the earlier list there is left as it is" in capsys.readouterr().out
    with pytest.raises(InputError, match=r"always between 0 and 1; write a share, .* so nobody can match"):
        export(config, "churn_probability > 50", out=tmp_path / "all.csv")
    assert (tmp_path / "all.csv").read_bytes() == before


@pytest.mark.usefixtures("unlocked")
def test_a_condition_on_features_reads_the_history(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shop)
    config = settings.load("shop.yaml")
    orders = pq.read_table("data/shop/transactions.parquet").to_pylist()
    as_of = scores_of(shop)["as_of"][0].as_py()
    last: dict[str, datetime] = {}
    for order in orders:
        at = order["ordered_at"]
        at = at if at.tzinfo else at.replace(tzinfo=ZoneInfo(config.timezone))
        if order["amount"] > 0 and at < as_of:
            last[order["customer_id"]] = max(at, last.get(order["customer_id"], at))
    expected = {c for c, at in last.items() if as_of - at > timedelta(days=60)}
    assert 0 < len(expected) < CUSTOMERS
    made = export(config, "days_since_last_order > 60", out=tmp_path / "silent.csv")
    assert made is not None
    found = {row["Customer"].strip() for row in rows_of(made)}
    refunded = {order["customer_id"] for order in orders if order["amount"] < 0}  # an order may be undone
    assert found - refunded == expected - refunded
    assert len(expected - refunded) > 100
    terms = export(config, "plan IS NULL AND stage = 'at_risk'", out=tmp_path / "terms.csv")
    assert terms is not None


def test_help_names_a_section_that_exists(shop: Path) -> None:
    told = script(shop, "export", "--help").stdout
    (section,) = re.findall(r'README, "([^"]+)"', told)
    assert f"\n## {section}\n" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.usefixtures("unlocked")
def test_wrong_use_is_told_in_one_sentence(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zero = script(shop, "export", "--config", "shop.yaml", "--top", "0")
    assert zero.returncode == 2
    assert "'0': give a whole number of customers, 1 or more" in zero.stderr
    monkeypatch.chdir(shop)
    config = settings.load("shop.yaml")
    with pytest.raises(InputError, match=r"--where: at line 1, column 1 .*did you mean 'stage'\?"):
        export(config, "stag = 'at_risk'")
    with pytest.raises(
        InputError, match=r"unknown column 'xyzzy'; 'python -m training.policy columns' lists all$"
    ):
        export(config, "xyzzy > 3")
    with pytest.raises(InputError, match=r"--columns: unknown column 'tiers'; did you mean 'tier'\?"):
        export(config, None, columns=("tiers",))
    with pytest.raises(InputError, match=r"--out .*x.csv: cannot be written \(.*\); name a place elsewhere"):
        export(config, None, out=tmp_path / "no" / "x.csv")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"holds no scores yet; run python -m training\.score first"):
        export(config, None)
