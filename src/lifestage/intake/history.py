"""The history kept as Parquet: one row group a block, what it is about in the schema's metadata."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lifestage.intake.blocks import block_schema
from lifestage.intake.tables import Intake

KEY = b"lifestage"
FACTS = (
    "as_of",
    "observed_until",
    "first_purchase",
    "first_row",
    "timezone",
    "currency",
    "customers",
    "report",
)


def write_history(
    intake: Intake, path: Path, block_customers: int, progress: Callable[[int, int], None] | None
) -> None:
    """One row group per block of `block_customers`; the file appears whole or not at all.

    `progress` is called with customers done and customers in all. The metadata's `fingerprint` is a SHA-256 of
    the content: it does not depend on the order of the raw rows or on the size of blocks.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    schema = block_schema(intake.attributes)
    fingerprint = Fingerprint(schema)
    done = 0
    try:
        with writer_of(part, schema) as writer:
            for block in intake.blocks(block_customers):
                writer.write_batch(block, row_group_size=block.num_rows)
                fingerprint.add(block)
                done += block.num_rows
                if progress is not None:
                    progress(done, intake.customers)
            facts = {name: getattr(intake, name) for name in FACTS}
            facts["fingerprint"] = fingerprint.hexdigest()
            writer.add_key_value_metadata({KEY: json.dumps(facts, ensure_ascii=False).encode()})
        if path.is_dir():  # of another engine
            shutil.rmtree(path)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def writer_of(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """The writer of a history file."""
    # Without the Arrow schema in it, the file's own metadata can be written last, with the fingerprint.
    options = {"compression": "zstd", "compression_level": 1, "store_schema": False}
    return pq.ParquetWriter(path, schema, use_dictionary=_texts(schema), **options)


def _texts(schema: pa.Schema) -> list[str]:
    """Parquet paths of the texts that repeat; a dictionary of instants and amounts would only cost time."""
    plain = [f.name for f in schema if pa.types.is_string(f.type) and f.name != "customer_id"]
    listed = (
        "purchases.category",
        "purchases.channel",
        "events.event_type",
        "feedback.kind",
        "subscriptions.plan",
    )
    return [*plain, *(name.replace(".", ".list.element.") for name in listed)]


class Fingerprint:
    """SHA-256 over columns: each leaf column is one stream of bytes, so where blocks are cut does not show."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema.remove_metadata()
        self._leaves: dict[str, tuple[hashlib._Hash, hashlib._Hash]] = {}

    def add(self, block: pa.RecordBatch) -> None:
        for field, column in zip(block.schema, block.columns, strict=True):
            self._add(field.name, column)

    def hexdigest(self) -> str:
        whole = hashlib.sha256(str(self._schema).encode())
        for name in sorted(self._leaves):
            for leaf in self._leaves[name]:
                whole.update(leaf.digest())
        return whole.hexdigest()

    def _add(self, name: str, column: pa.Array) -> None:
        kind = column.type
        if pa.types.is_list(kind):
            self._bytes(name, pc.list_value_length(column), column)
            column = column.flatten()
            for field, child in zip(column.type, column.flatten(), strict=True):
                self._add(f"{name}.{field.name}", child)
        elif pa.types.is_string(kind):
            self._bytes(f"{name}#", pc.binary_length(column).fill_null(0), column)
            filled = column.fill_null("").cast(pa.large_string())
            self._leaf(name)[0].update(memoryview("".join(filled.to_pylist()).encode()))
        else:
            plain = column.cast(pa.int64()) if pa.types.is_timestamp(kind) else column
            self._bytes(name, plain.fill_null(False if pa.types.is_boolean(kind) else 0), column)

    def _leaf(self, name: str) -> tuple["hashlib._Hash", "hashlib._Hash"]:
        return self._leaves.setdefault(name, (hashlib.sha256(), hashlib.sha256()))

    def _bytes(self, name: str, values: pa.Array, column: pa.Array) -> None:
        content, validity = self._leaf(name)
        content.update(np.ascontiguousarray(values.to_numpy(zero_copy_only=False)).data)
        validity.update(np.ascontiguousarray(column.is_valid().to_numpy(zero_copy_only=False)).data)
