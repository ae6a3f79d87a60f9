"""Which instants count: the as_of, and how far labels are complete."""

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
    first_purchase: int
    last_purchase: int
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


def data_end(last_purchase: int, zone: str) -> int:
    """The local midnight after the last purchase."""
    return midnight(day_of(last_purchase, zone) + timedelta(days=1), zone)


def observed_until(shop: Shop, last_purchase: int, as_of: int) -> int:
    """Labels are complete up to here: as configured, else the midnight that begins the last day seen."""
    if shop.observed_until is not None:
        return min(midnight(shop.observed_until, shop.timezone), as_of)
    return midnight(day_of(last_purchase, shop.timezone), shop.timezone)


def of_purchases(
    shop: Shop, first: int | None, last: int | None, as_of: int | None, *, asked: bool
) -> Scope | None:
    """The instants that the first and the last purchase settle; None where there is none."""
    if first is None or last is None:
        return None
    if as_of is None:
        as_of = data_end(last, shop.timezone)
    return Scope(as_of, observed_until(shop, last, as_of), first, last, asked)


def no_purchase(origin: str, as_of: int | None, zone: str) -> InputError:
    before = f" before {moment(as_of, zone):%Y-%m-%d %H:%M} {zone}" if as_of is not None else ""
    return InputError(
        f"transactions: {origin} holds no usable purchase{before}; "
        "check the file, the column mapping, the filter 'where' and as_of"
    )
