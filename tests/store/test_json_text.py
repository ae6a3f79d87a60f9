"""Lists and structs as the JSON text that a store keeps: what Python's json writes."""

import json

import pyarrow as pa
import pytest

from lifestage.store.batches import flat

WORDS = ["a", 'b"c', "d\\e", "f\ng", "中文 “x”", "\x1f", "\x7f", "\x00", "\u2028", "", "/", "\t", None, "a"]


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        ([[word] for word in WORDS], pa.list_(pa.string())),
        ([WORDS, None, []], pa.list_(pa.string())),
        ([["plain", "words", "alone"]], pa.list_(pa.string())),
        ([], pa.list_(pa.string())),
        (
            [
                [{"name": 'tie "it"', "share": 0.1}, {"name": None, "share": None}],
                [{"name": "x", "share": 1e-7}],
            ],
            pa.list_(pa.struct([("name", pa.string()), ("share", pa.float64())])),
        ),
    ],
)
def test_as_python_writes_it(values: list[object], type_: pa.DataType) -> None:
    batch = pa.record_batch({"signals": pa.array(values, type_)})
    found = flat(batch)["signals"].to_pylist()
    assert found == [
        None if v is None else json.dumps(v, ensure_ascii=False, separators=(",", ":")) for v in values
    ]
