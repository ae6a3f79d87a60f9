"""Which instants count: the as_of, and how far labels are complete. The table that defines churn settles them."""

from dataclasses import dataclass
from datetime import timedelta

from lifestage.errors import InputError
from lifestage.localtime import day_of, midnight, moment
from lifestage.settings import Shop


@dataclass(frozen=True)
class Scope:
    """Instants (UTC microseconds). `asked` = the as_of was named, not taken from the data or the clock."""

    as_of: int
    observed_until: int
    first_row: int
    """First and last instant of the table that defines churn."""
    last_row: int
    first_purchase: int | None
    """None without a purchase."""
    last_purchase: int | None
    asked: bool


def asked_as_of(shop: Shop, extracted_at: int, as_of: int | None) -> int | None:
    """The as_of as far as it is known before the data are read; None = the end of the data."""
    if as_of is not None:
        return as_of
    if shop.as_of == "data_end":
        return None
    if shop.as_of == "now":
        return midnight(day_of(extracted_at, shop.timezone), shop.timezone)
    return midnight(shop.as_of, shop.timezone)


def data_end(last_row: int, zone: str) -> int:
    """The local midnight after the last row."""
    return midnight(day_of(last_row, zone) + timedelta(days=1), zone)


def observed_until(shop: Shop, last_row: int, as_of: int) -> int:
    """Labels are complete up to here: as configured, else the midnight that begins the last day seen."""
    if shop.observed_until is not None:
        return min(midnight(shop.observed_until, shop.timezone), as_of)
    return midnight(day_of(last_row, shop.timezone), shop.timezone)


NOTHING = {"transactions": "purchase", "events": "event", "subscriptions": "term", "labels": "label"}


def no_row(table: str, origin: str, as_of: int | None, zone: str) -> InputError:
    before = f" before {moment(as_of, zone):%Y-%m-%d %H:%M} {zone}" if as_of is not None else ""
    return InputError(
        f"{table}: {origin} holds no usable {NOTHING[table]}{before}; "
        "check the file, the column mapping, the filter 'where' and as_of"
    )
