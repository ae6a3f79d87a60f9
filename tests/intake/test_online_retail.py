"""A real shop file with the example configuration (skipped where the file is not at hand)."""

import os
from datetime import date
from pathlib import Path

import pytest

from lifestage import settings
from lifestage.intake import open_tables
from lifestage.localtime import midnight

ROOT = Path(__file__).parents[2]
DATA = (
    Path(os.environ.get("LIFESTAGE_DATA", ROOT.parent / "shared" / "data"))
    / "online_retail"
    / "transactions.parquet"
)


@pytest.mark.skipif(not DATA.exists(), reason="online_retail is not in LIFESTAGE_DATA")
def test_online_retail_with_the_example_configuration(tmp_path: Path) -> None:
    shop = settings.load(ROOT / "configs" / "online_retail.yaml")
    source = shop.sources.transactions.model_copy(update={"path": DATA.as_posix()})
    sources = shop.sources.model_copy(update={"transactions": source})
    shop = shop.model_copy(update={"sources": sources, "output_dir": tmp_path.as_posix()})
    with open_tables(shop, 2_000_000_000_000_000) as intake:
        table = intake.report["tables"]["transactions"]
        assert (table["rows_read"], table["filtered"], table["kept"]) == (541_909, 135_080, 406_829)
        assert table["rejected"] == {}
        assert intake.customers == 4372
        # 22,190 invoices name a customer, and each is one order
        assert intake.report["purchases"] + intake.report["refunds"] == 22_190
        assert intake.as_of == midnight(date(2011, 12, 10), "Europe/London")
