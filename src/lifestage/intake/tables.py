"""Raw tables of a shop's configuration -> canonical tables, numbered by customer, ready to stream as blocks."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from lifestage.intake.blocks import Numbered, stream_blocks
from lifestage.intake.cleaning import clean
from lifestage.intake.engine import DuckDB
from lifestage.intake.numbering import attributes_of, number
from lifestage.intake.orders import sum_lines
from lifestage.intake.staging import Staged, stage
from lifestage.schemas import Table
from lifestage.settings import Shop, Source


@dataclass(frozen=True)
class Intake:
    """A shop's usable rows before `as_of`, held by the embedded engine until `close`."""

    as_of: int
    observed_until: int
    """Labels are complete up to this instant, a local midnight; never later than as_of."""
    first_purchase: int | None
    """None where there is no purchase."""
    first_row: int
    """First instant of the table that defines churn: no cutoff lies before it."""
    timezone: str
    currency: str
    report: dict[str, Any]
    """JSON-able: where each table's rows went, customers, purchases, refunds, span."""
    attributes: dict[str, pa.DataType]
    """Further columns of the customers table: string, double or bool."""
    quarantine: Path
    customers: int
    engine: DuckDB
    numbered: Numbered

    def blocks(self, block_customers: int) -> Iterator[pa.RecordBatch]:
        """Blocks of whole customers in the order of customer_id; schema = HISTORY + attributes."""
        return stream_blocks(self.engine, self.numbered, self.attributes, self.customers, block_customers)

    def close(self) -> None:
        """Free the engine's memory and remove what it spilled to disk. Also done when the object goes."""
        self.engine.close()

    def __enter__(self) -> "Intake":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_tables(shop: Shop, extracted_at: int, as_of: int | None = None) -> Intake:
    """Read, check and link a shop's tables.

    `extracted_at` is the instant of the extraction: rows after it are rejected. `as_of` None = as configured.
    Writes `<output>/quarantine.parquet`. Raises InputError: a file, column or expression at fault, no usable
    purchase, too many rejected rows.
    """
    engine = DuckDB(shop.timezone, shop.output, warehouse=shop.engine if "://" in shop.engine else None)
    try:
        return _open(engine, shop, extracted_at, as_of)
    except BaseException:
        engine.close()
        raise


def _open(engine: DuckDB, shop: Shop, extracted_at: int, as_of: int | None) -> Intake:
    def staged(table: Table, source: Source) -> Staged:
        return stage(engine, table, source, extracted_at)

    cleaned = clean(engine, shop, extracted_at, as_of, stage=staged, sum_lines=sum_lines)
    numbered, figures = number(engine, cleaned.rows, cleaned.span.as_of, cleaned.privacy.hashed)
    for name, table in cleaned.staged.items():
        engine.drop(f"rows_{name}")
        engine.drop(f"merged_{name}")
        engine.drop(f"present_{name}")
        if table.raw.stored:
            engine.drop(f"raw_{name}")
    return Intake(
        **cleaned.facts(shop, figures),
        attributes=attributes_of(numbered.profile),
        quarantine=cleaned.quarantine,
        engine=engine,
        numbered=numbered,
    )
