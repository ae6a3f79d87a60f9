"""The configuration: valid and invalid YAML as test data, every refusal matched by its text."""

import re
from datetime import date
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from lifestage.errors import InputError
from lifestage.settings import Shop, load, parse

VALID = """\
shop: corner
timezone: America/New_York
currency: USD
sources:
  transactions:
    path: data/orders-*.csv
    columns: {customer_id: Customer, ordered_at: Date, amount: Quantity * UnitPrice}
"""

FULL = """\
shop: corner-2
timezone: Asia/Kathmandu
currency: NPR
as_of: 2025-06-30
observed_until: 2025-06-01
sources:
  transactions:
    path: lines.parquet
    grain: line
    where: Quantity <> 0
    columns: {customer_id: id, ordered_at: at, amount: a, order_id: o}
  customers:
    path: people.csv
    delimiter: ";"
    columns: {customer_id: id, favourite_colour: colour}
intake: {max_reject_share: 0}
churn: {horizon_days: 60, train_cutoffs: 1}
clv: {yearly_discount_rate: 0, margin: 0.4}
scoring: {block_customers: 1, flow_months: 0}
output_dir: out
store: sqlite:///other.db
"""


def change(where: str, value: object) -> str:
    """VALID with one key changed; "a.b" walks down, a value of None takes the key away."""
    document = yaml.safe_load(VALID)
    *path, last = where.split(".")
    inner = document
    for key in path:
        inner = inner.setdefault(key, {})
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return yaml.safe_dump(document)


def refused(tmp_path: Path, text: str) -> str:
    path = tmp_path / "corner.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load(path)
    return str(caught.value)


def test_defaults(tmp_path: Path) -> None:
    path = tmp_path / "corner.yaml"
    path.write_text(VALID)
    shop = load(path)
    assert (shop.as_of, shop.observed_until, shop.policy) == ("data_end", None, "ecommerce")
    assert (shop.churn.horizon_days, shop.clv.horizon_days, shop.intake.max_reject_share) == (90, 365, 0.05)
    assert shop.output == Path("var/corner")
    assert shop.releases == Path("var/corner/releases")
    assert shop.store_url == "sqlite:///var/corner/store.db"
    assert list(shop.sources.given) == ["transactions"]
    assert shop.sources.transactions.columns["amount"] == "Quantity * UnitPrice"


def test_everything_given(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(FULL)
    shop = load(str(tmp_path / "s.yaml"))
    assert (shop.as_of, shop.observed_until) == (date(2025, 6, 30), date(2025, 6, 1))
    assert list(shop.sources.given) == ["transactions", "customers"]
    assert (shop.releases, shop.store_url) == (Path("out/releases"), "sqlite:///other.db")
    with pytest.raises(ValidationError, match="frozen"):
        shop.shop = "other"  # type: ignore[misc]


@pytest.mark.parametrize("day", ["2025-06-30", date(2025, 6, 30)])
def test_a_day_may_be_text(day: object) -> None:
    assert parse(yaml.safe_load(VALID) | {"as_of": day}, "here").as_of == date(2025, 6, 30)


def test_a_dataset_instead_of_a_path() -> None:
    document = yaml.safe_load(VALID)
    del document["sources"]["transactions"]["path"]
    document["sources"]["transactions"]["dataset"] = "cdnow"
    assert isinstance(parse(document, "here"), Shop)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("tmezone", "UTC", "(top): unknown key 'tmezone'; did you mean 'timezone'?"),
        ("zzzzqq", 1, "(top): unknown key 'zzzzqq'; known are: alerts, as_of, churn, clv,"),
        ("{shop}", 1, "unknown key '{shop}'; did you mean 'shop'?"),
        ("churn.horizn_days", 30, "churn: unknown key 'horizn_days'; did you mean 'horizon_days'?"),
        ("sources.transaction", {}, "sources: unknown key 'transaction'; did you mean 'transactions'?"),
        ("sources.transactions.pth", "x", "sources.transactions: unknown key 'pth'; did you mean 'path'?"),
        (
            "timezone",
            "America/NewYork",
            "timezone 'America/NewYork' does not exist; did you mean 'America/New_York'?",
        ),
        ("timezone", "here", "timezone 'here' does not exist; give an IANA name such as Europe/London"),
        ("timezone", 3, "timezone: Input should be a valid string (got 3)"),
        ("currency", "usd", "currency: expected the pattern ^[A-Z]{3}$ (got 'usd')"),
        ("shop", "My Shop", "shop: expected the pattern ^[a-z0-9][a-z0-9_-]{0,62}$ (got 'My Shop')"),
        ("shop", None, "shop: is required"),
        ("sources", None, "sources: is required"),
        ("sources.transactions", None, "sources.transactions: is required"),
        ("as_of", "tomorrow", "as_of: expected data_end, now, a day such as 2025-12-31 (got 'tomorrow')"),
        ("as_of", "2025-13-01", "as_of: expected data_end, now, a day such as 2025-12-31 (got '2025-13-01')"),
        ("as_of", 20250101, "as_of: expected data_end, now, a day"),
        ("observed_until", "now", "observed_until: expected a day such as 2025-12-31 (got 'now')"),
        ("churn.horizon_days", 0, "churn.horizon_days: Input should be greater than or equal to 1 (got 0)"),
        (
            "churn.horizon_days",
            3651,
            "churn.horizon_days: Input should be less than or equal to 3650 (got 3651)",
        ),
        ("churn.horizon_days", "soon", "churn.horizon_days: Input should be a valid integer"),
        ("churn.horizon_days", True, "churn: 'horizon_days' is true (YAML reads yes, no, on and off so)"),
        ("churn", "purchase", "churn: expected a mapping with the keys below it, found something else"),
        (
            "churn.definition",
            "loyalty",
            "churn.definition: Input should be 'purchase', 'activity', 'subscription' or 'given' (got 'loyalty')",
        ),
        (
            "clv.yearly_discount_rate",
            -0.1,
            "clv.yearly_discount_rate: Input should be greater than or equal to 0",
        ),
        ("clv.margin", 0, "clv.margin: Input should be greater than 0 (got 0)"),
        ("clv.margin", 1.5, "clv.margin: Input should be less than or equal to 1 (got 1.5)"),
        (
            "intake.max_reject_share",
            5,
            "intake.max_reject_share: Input should be less than or equal to 1 (got 5)",
        ),
        ("intake.max_reject_share", float("nan"), "intake.max_reject_share: Input should be"),
        ("scoring.block_customers", 0, "scoring.block_customers: Input should be greater than or equal to 1"),
        (
            "sources.transactions.dataset",
            "cdnow",
            "sources.transactions: give exactly one of 'path' (a file or glob)",
        ),
        (
            "sources.transactions.path",
            None,
            "give exactly one of 'path' (a file or glob), 'table' (of the engine) and 'dataset' (cdnow)",
        ),
        (
            "sources.transactions.grain",
            "lines",
            "sources.transactions.grain: Input should be 'order' or 'line'",
        ),
        (
            "sources.transactions.grain",
            "line",
            "transactions: grain 'line' needs the column 'order_id' to sum",
        ),
        (
            "sources.transactions.columns",
            {},
            "sources.transactions.columns: Dictionary should have at least 1 item",
        ),
        (
            "sources.transactions.columns.amount",
            None,
            "transactions: column 'amount' is required: say which of your",
        ),
        (
            "sources.transactions.columns.amonut",
            "x",
            "transactions: unknown column 'amonut'; did you mean 'amount'?",
        ),
        (
            "sources.transactions.columns.amount",
            3,
            "sources.transactions.columns.amount: Input should be a valid",
        ),
        (
            "sources.events",
            {"path": "e.csv", "columns": {"customer_id": "id", "event_type": "type"}},
            "events: column 'occurred_at' is required: say which of your columns it is",
        ),
        (
            "sources.customers",
            {"path": "c.csv", "grain": "line", "columns": {"customer_id": "id"}},
            "customers: 'grain' is for transactions only",
        ),
    ],
)
def test_refusals_name_file_key_and_remedy(tmp_path: Path, key: str, value: object, message: str) -> None:
    text = refused(tmp_path, change(key, value))
    assert message in text
    assert text.startswith(str(tmp_path / "corner.yaml"))
    assert "\n" not in text


def test_every_mistake_has_its_line(tmp_path: Path) -> None:
    text = refused(tmp_path, VALID.replace("USD", "usd") + "clv: {margin: 2, yearly_discount_rate: -1}\n")
    assert len(text.splitlines()) == 3
    assert all(line.startswith(str(tmp_path / "corner.yaml")) for line in text.splitlines())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"expected a YAML mapping with keys such as 'shop' and 'sources'$"),
        ("- shop\n", r"expected a YAML mapping with keys such as 'shop' and 'sources'$"),
        (
            "shop: [a\nb: c",
            r"is not valid YAML \(line 2, column 2\): expected ',' or '\]', but got ':'; a bracket or brace opened further up is not",
        ),
        (VALID + "shop: again\n", r"is not valid YAML \(line 8, column 1\): the key 'shop' stands twice$"),
        (
            "shop: !!python/object/apply:os.getcwd []\n",
            r"is not valid YAML \(line 1, column 7\): could not determine",
        ),
    ],
)
def test_load_refuses_what_is_no_mapping(tmp_path: Path, text: str, message: str) -> None:
    assert re.search(message, refused(tmp_path, text))


def test_load_refuses_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"none\.yaml: cannot be read \(No such file .*give the path of a shop"
    ):
        load(tmp_path / "none.yaml")
    with pytest.raises(InputError, match=r"cannot be read \(Is a directory\)"):
        load(tmp_path)
    (tmp_path / "latin.yaml").write_bytes("shop: Käse".encode("latin-1"))
    with pytest.raises(InputError, match=r"latin\.yaml: is not UTF-8 text; save it as UTF-8"):
        load(tmp_path / "latin.yaml")


@pytest.mark.parametrize(
    "url", ["postgresql://me:hidden@host/shop", "postgres://me@host/shop?password=hidden"]
)
def test_the_password_of_the_store_does_not_belong_into_the_file(tmp_path: Path, url: str) -> None:
    (tmp_path / "s.yaml").write_text(f"{VALID}\nstore: {url}\n")
    with pytest.raises(
        InputError, match=r"store: a password does not belong into a file.*PGPASSWORD"
    ) as caught:
        load(tmp_path / "s.yaml")
    assert "hidden" not in str(caught.value)
    (tmp_path / "s.yaml").write_text(f"{VALID}\nstore: postgresql://me@host:5432/shop\n")
    assert load(tmp_path / "s.yaml").store_url == "postgresql://me@host:5432/shop"
