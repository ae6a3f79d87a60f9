"""Alerts as files: each alert in one file, whole, and as a spreadsheet reads it."""

import csv
import io
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from lifestage import settings
from lifestage.alerting import outbox
from lifestage.errors import InputError
from lifestage.store import open_store
from training.alerts import alerts

from .test_delivery import CONFIG
from .test_entries import publish


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> settings.Shop:
    monkeypatch.chdir(tmp_path)
    Path("shop.yaml").write_text(CONFIG % "https://x.example/h", encoding="utf-8")
    return settings.load("shop.yaml")


def rows(path: Path) -> list[dict[str, str]]:
    text = path.read_bytes()
    assert text.startswith(b"\xef\xbb\xbf")
    assert text.count(b"\n") == text.count(b"\r\n")
    return list(csv.DictReader(io.StringIO(text.decode("utf-8-sig"), newline="")))


def test_files_hold_each_alert_once(shop: settings.Shop, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match=r"holds no scores yet; run python -m training\.score first"):
        alerts(shop, "csv", None, False)
    store = open_store(shop.store_url)
    names = ["1234567890123456789", "=1+1", "0042", "张三"]
    publish(store, 1, dict.fromkeys(names, ("new", "")))
    publish(store, 2, dict.fromkeys(names, ("at_risk", "")))
    assert alerts(shop, "csv", None, False)
    (first,) = shop.alerts_folder.glob("*.csv")
    assert first.name.startswith("alerts-1970-01-03-")
    found = rows(first)
    assert [row["customer_id"] for row in found] == ["0042\t", "1234567890123456789\t", "'=1+1", "张三"]
    assert {row["entered_at"] for row in found} == {"1970-01-03"}  # the day in Shanghai
    assert {(row["label_zh"], row["clv"], row["reasons"], row["tier"]) for row in found} == {
        ("流失预警", "12.50", "已96天未下单", "")
    }
    assert alerts(shop, "csv", None, False)
    assert "no new alerts since the last file" in capsys.readouterr().out
    assert list(shop.alerts_folder.glob("*.csv")) == [first]
    publish(store, 3, dict.fromkeys(names[:2], ("new", "")))
    assert alerts(shop, "csv", None, False)
    assert len(list(shop.alerts_folder.glob("*.csv"))) == 2
    # Another destination has had none of them yet.
    assert alerts(shop, "parquet", Path("elsewhere"), False)
    (file,) = Path("elsewhere").glob("*.parquet")
    table = pq.read_table(file)
    assert table.schema.equals(outbox.ALERT)
    assert len(table) == 6
    assert len(set(table["id"].to_pylist())) == 6
    assert table["entered_at"].to_pylist() == sorted(table["entered_at"].to_pylist())
    with pytest.raises(InputError, match="--redeliver: is for --to webhook"):
        alerts(shop, "csv", None, True)


def test_a_file_cut_off_before_it_was_noted_is_written_again_as_it_was(
    shop: settings.Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(shop.store_url)
    publish(store, 1, {"a": ("new", ""), "b": ("new", "")})
    publish(store, 2, {"a": ("at_risk", ""), "b": ("new", "")})

    def cut(*_args: object, **_kwargs: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(outbox, "settle", cut)
        with pytest.raises(KeyboardInterrupt):
            alerts(shop, "csv", None, False)
    (file,) = shop.alerts_folder.glob("*.csv")
    before = file.read_bytes()
    publish(store, 3, {"a": ("at_risk", ""), "b": ("at_risk", "")})
    assert alerts(shop, "csv", None, False)
    assert file.read_bytes() == before
    found = [row for path in shop.alerts_folder.glob("*.csv") for row in rows(path)]
    assert sorted(row["customer_id"] for row in found) == ["a", "b"]
    assert {p.suffix for p in shop.alerts_folder.iterdir() if p.name != ".lock"} == {".csv"}


def test_a_webhook_must_be_configured(shop: settings.Shop) -> None:
    publish(open_store(shop.store_url), 1, {"a": ("new", "")})
    bare = shop.model_copy(update={"alerts": settings.Alerts()})
    with pytest.raises(InputError, match=r"alerts\.webhook: is missing in the config; add alerts: \{webhook"):
        alerts(bare, "webhook", None, False)
    with pytest.raises(InputError, match="LIFESTAGE_WEBHOOK_SECRET is not set"):
        alerts(shop, None, None, False)
