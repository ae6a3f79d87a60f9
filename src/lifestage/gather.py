"""A function of blocks of customers, run where the blocks lie: here, or block by block on a cluster.

What comes back from a cluster is Arrow: arrays as they are, the rest of the result's structure as JSON.
"""

import inspect
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import partial, update_wrapper
from importlib import import_module
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np
import pyarrow as pa

from lifestage.history import History
from lifestage.history_file import HistoryFile, read_block

P = ParamSpec("P")
R = TypeVar("R")
OfBlocks = Callable[Concatenate[Iterable[History], P], R]
MANY: Mapping[str, Callable[[Iterable[Any]], Any]] = {"list": list, "tuple": tuple, "set": set}


def where_blocks_lie(join: Callable[[Sequence[R]], R]) -> Callable[[OfBlocks[P, R]], OfBlocks[P, R]]:
    """For a function of blocks at the top of a module: over a cluster's history each block is worked on there, alone.

    `join` makes one result of the blocks' results, in their order: `concatenated` for one row a customer. A result
    is made of arrays, mappings, lists, tuples, sets, numbers, texts and dataclasses of them. An argument
    `progress` stays here and hears of all customers at the end.
    """

    def decorate(function: OfBlocks[P, R]) -> OfBlocks[P, R]:
        def run(blocks: Iterable[History], /, *args: P.args, **kwargs: P.kwargs) -> R:
            if not isinstance(blocks, HistoryFile) or blocks.cluster is None:
                return function(blocks, *args, **kwargs)
            _, *given = inspect.signature(function).bind(blocks, *args, **kwargs).arguments.items()
            named = dict(given)
            progress = named.pop("progress", None)
            work = partial(_far, _named(function), blocks.zone, named)
            found: list[R] = [decoded(table) for table in blocks.cluster.map(work, blocks.places)]
            if progress is not None:
                progress(blocks.customers)
            return join(found)

        update_wrapper(run, function)
        return run

    return decorate


def concatenated(parts: Sequence[R]) -> R:
    """One row per customer of all parts: their arrays joined, within mappings and dataclasses too.

    Everything else is the same in all parts.
    """
    first: Any = parts[0]
    if isinstance(first, np.ndarray):
        joined: Any = np.concatenate(parts)  # type: ignore[arg-type]
    elif isinstance(first, Mapping):
        joined = {key: concatenated([part[key] for part in parts]) for key in first}  # type: ignore[index]
    elif is_dataclass(first) and not isinstance(first, type):
        names = [f.name for f in fields(first)]
        joined = type(first)(
            **{name: concatenated([getattr(part, name) for part in parts]) for name in names}
        )
    else:
        joined = first
    result: R = joined
    return result


def _named(what: Any) -> str:
    return f"{what.__module__}:{what.__qualname__}"


def _found(named: str) -> Any:
    module, _, name = named.partition(":")
    return getattr(import_module(module), name)


def _far(function: str, zone: str, arguments: dict[str, Any], place: tuple[str, int]) -> pa.Table:
    return encoded(_found(function)([read_block(place, zone)], **arguments))


def encoded(result: Any) -> pa.Table:
    """A result as one row; every bit is kept."""
    arrays: list[pa.Array] = []

    def plain(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            array = pa.array(value)
            arrays.append(pa.LargeListArray.from_arrays(pa.array([0, len(array)], pa.int64()), array))
            return {"array": len(arrays) - 1}
        if isinstance(value, Mapping):
            return {"items": [[plain(key), plain(item)] for key, item in value.items()]}
        if isinstance(value, (list, tuple, set)):
            return {"many": type(value).__name__, "of": [plain(item) for item in value]}
        if is_dataclass(value):
            parts = {f.name: plain(getattr(value, f.name)) for f in fields(value)}
            return {"class": _named(type(value)), "fields": parts}
        return {"value": value}

    structure = json.dumps(plain(result))
    return pa.table([pa.array([structure]), *arrays], ["structure", *(str(i) for i in range(len(arrays)))])


def decoded(table: pa.Table) -> Any:
    """Inverse of `encoded`; a mapping comes back as a dict."""

    def whole(value: dict[str, Any]) -> Any:
        if "array" in value:
            column = table.column(str(value["array"])).combine_chunks()
            flat = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
            return flat.flatten().to_numpy(zero_copy_only=False)
        if "items" in value:
            return {whole(key): whole(item) for key, item in value["items"]}
        if "many" in value:
            return MANY[value["many"]](whole(item) for item in value["of"])
        if "class" in value:
            return _found(value["class"])(**{name: whole(part) for name, part in value["fields"].items()})
        return value["value"]

    return whole(json.loads(table.column("structure")[0].as_py()))
