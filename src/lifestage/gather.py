"""A function of blocks of customers, run where the blocks lie: here, or block by block on a cluster.

What comes back from a cluster is Arrow: arrays as they are, the rest of the result's structure as JSON.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import partial, update_wrapper
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np
import pyarrow as pa

from lifestage.history import History
from lifestage.history_file import HistoryFile, read_block

P = ParamSpec("P")
R = TypeVar("R")


def where_blocks_lie(
    join: Callable[[list[R]], R], *classes: type
) -> Callable[
    [Callable[Concatenate[Iterable[History], P], R]], Callable[Concatenate[Iterable[History], P], R]
]:
    """For a function of blocks: over a cluster's history each block is worked on there, alone.

    `join` makes one result of the blocks' results, in their order; `classes` are the dataclasses in a result.
    """

    def decorate(
        function: Callable[Concatenate[Iterable[History], P], R],
    ) -> Callable[Concatenate[Iterable[History], P], R]:
        def run(blocks: Iterable[History], /, *args: P.args, **kwargs: P.kwargs) -> R:
            if not isinstance(blocks, HistoryFile) or blocks.cluster is None:
                return function(blocks, *args, **kwargs)
            progress: Any = kwargs.pop("progress", None)
            work = partial(_far, _Far(function.__module__, function.__name__), blocks.zone, args, kwargs)
            known = {kind.__name__: kind for kind in classes}
            found: list[R] = [decoded(table, known) for table in blocks.cluster.map(work, blocks.places)]
            if progress is not None:
                progress(blocks.customers)
            return join(found)

        update_wrapper(run, function)
        return run

    return decorate


@dataclass(frozen=True)
class _Far:
    """A decorated function by its name, so that nothing but the name travels."""

    module: str
    name: str

    def find(self) -> Callable[..., Any]:
        import importlib

        found: Callable[..., Any] = getattr(importlib.import_module(self.module), self.name)
        return found


def _far(
    function: _Far, zone: str, args: tuple[Any, ...], kwargs: dict[str, Any], place: tuple[str, int]
) -> pa.Table:
    return encoded(function.find()([read_block(place, zone)], *args, **kwargs))


def encoded(result: Any) -> pa.Table:
    """Arrays, mappings and dataclasses of them, numbers and texts as one row; every bit is kept."""
    arrays: list[pa.Array] = []

    def plain(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            array = pa.array(value)
            arrays.append(pa.LargeListArray.from_arrays(pa.array([0, len(array)], pa.int64()), array))
            return {"array": len(arrays) - 1}
        if isinstance(value, Mapping):
            return {"items": [[plain(key), plain(item)] for key, item in value.items()]}
        if is_dataclass(value):
            return {
                "class": type(value).__name__,
                "fields": {f.name: plain(getattr(value, f.name)) for f in fields(value)},
            }
        return {"value": value}

    structure = json.dumps(plain(result))
    return pa.table([pa.array([structure]), *arrays], ["structure", *(str(i) for i in range(len(arrays)))])


def decoded(table: pa.Table, classes: Mapping[str, type]) -> Any:
    """Inverse of `encoded`."""

    def whole(value: dict[str, Any]) -> Any:
        if "array" in value:
            column = table.column(str(value["array"])).combine_chunks()
            flat = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
            return flat.flatten().to_numpy(zero_copy_only=False)
        if "items" in value:
            return {whole(key): whole(item) for key, item in value["items"]}
        if "class" in value:
            return classes[value["class"]](**{name: whole(v) for name, v in value["fields"].items()})
        return value["value"]

    return whole(json.loads(table.column("structure")[0].as_py()))
