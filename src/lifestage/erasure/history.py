"""People taken out of a history: the blocks of the others stay as they are, bit for bit.

Counts and fingerprint become those of a history that never had them; the accounts of the raw tables stay what the
intake found.
"""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lifestage.erasure.drafts import replaced
from lifestage.erasure.needles import Needles
from lifestage.erasure.removal import positions
from lifestage.errors import InputError
from lifestage.history_file import FACTS, KEY, HistoryFile
from lifestage.intake.blocks import block_schema
from lifestage.intake.history import Fingerprint, writer_of
from lifestage.schemas import HISTORY

EXAMPLES = ("examples", "conflict_examples", "cycle_examples")


def from_history(path: Path, needles: Needles) -> int:
    """Number of customers taken out of a history, a file or a folder of parts."""
    file = HistoryFile(path)
    facts = file.facts
    holding = [part for part in file.files if len(positions(_ids(part), needles))]
    if not holding and int(facts["customers"]) == file.customers and not named(facts, needles):
        return 0
    before = file.customers
    if path.is_dir():
        for part in holding:
            if len(positions(_ids(part), needles)) == pq.read_metadata(part).num_rows:
                part.unlink()
            else:
                _write(part, needles, None)
        parts = HistoryFile(path).files
        if not parts:
            raise InputError(f"{path}: held nobody else; delete it, there is nothing left to score")
        schema = _schema(parts[0])
        figures, fingerprint = Counter[str](), Fingerprint(schema)
        for part in parts:
            for block in _blocks(part, schema, Needles(frozenset())):
                figures.update(_figures(block))
                fingerprint.add(block)
        text = json.dumps(_facts(facts, needles, figures, fingerprint.hexdigest()), ensure_ascii=False)
        with replaced(path / FACTS) as draft:
            draft.write_text(text, encoding="utf-8")
        return before - figures["customers"]
    return before - _write(path, needles, facts)


def named(facts: dict[str, Any], needles: Needles) -> bool:
    """Whether an example of the aliases names one of the people."""
    found = facts["report"].get("identities", {})
    return any(_names(example) & needles.ids for key in EXAMPLES for example in found.get(key, ()))


def _write(path: Path, needles: Needles, facts: dict[str, Any] | None) -> int:
    """The file without the people, with `facts` in it where they belong there; how many customers it has then."""
    schema = _schema(path)
    figures, fingerprint = Counter[str](), Fingerprint(schema)
    with replaced(path) as draft, writer_of(draft, schema) as writer:
        for block in _blocks(path, schema, needles):
            writer.write_batch(block, row_group_size=block.num_rows)
            figures.update(_figures(block))
            fingerprint.add(block)
        if facts is not None:
            told = _facts(facts, needles, figures, fingerprint.hexdigest())
            writer.add_key_value_metadata({KEY: json.dumps(told, ensure_ascii=False).encode()})
    return figures["customers"]


def _schema(path: Path) -> pa.Schema:
    """That of the blocks; a file without the Arrow schema in it names its lists' elements otherwise."""
    read = pq.read_schema(path)
    return block_schema({field.name: field.type for field in read if field.name not in HISTORY.names})


def _blocks(path: Path, schema: pa.Schema, needles: Needles) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group)
            if len(positions(table["customer_id"], needles)):
                hit = pc.is_in(table["customer_id"], value_set=pa.array(sorted(needles.ids), pa.string()))
                table = table.filter(pc.invert(hit))
            if len(table):
                yield table.cast(schema).combine_chunks().to_batches()[0]


def _figures(block: pa.RecordBatch) -> dict[str, int]:
    bought = pc.list_value_length(block["purchases"]).to_numpy(zero_copy_only=False)
    back = block["refunds"].flatten()
    return {
        "customers": block.num_rows,
        "buyers": int((bought > 0).sum()),
        "purchases": int(bought.sum()),
        "refunds": len(back),
        "refunds_linked": len(back) - back.field("order_at").null_count,
    }


def _facts(
    facts: dict[str, Any], needles: Needles, figures: Counter[str], fingerprint: str
) -> dict[str, Any]:
    report = dict(facts["report"])
    report |= {name: figures[name] for name in figures if name in report}
    if "identities" in report:
        told = dict(report["identities"])
        for key in EXAMPLES:
            told[key] = [example for example in told.get(key, ()) if not _names(example) & needles.ids]
        report["identities"] = told
    return {**facts, "customers": figures["customers"], "report": report, "fingerprint": fingerprint}


def _names(example: Any) -> set[str]:
    if isinstance(example, str):
        return {example}
    inner = example.values() if isinstance(example, dict) else example
    return set().union(*(_names(one) for one in inner))


def _ids(path: Path) -> pa.ChunkedArray:
    return pq.read_table(path, columns=["customer_id"])["customer_id"]
