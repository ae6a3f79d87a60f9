"""What a rejected row may show: nobody's raw id where ids are hashed, and nothing of the forgotten."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from lifestage.errors import InputError
from lifestage.intake.identities import HIDDEN_FROM
from lifestage.intake.mapping import columns_read, id_columns, readers_of_ids
from lifestage.intake.quarantine import Screen
from lifestage.intake.sources import Raw
from lifestage.privacy import Hasher, Privacy
from lifestage.schemas import CANONICAL
from lifestage.settings import Shop

NOT_KEPT = "(not kept: it may hold an id, and privacy.hash_ids is set)"
_WHOLE = re.compile(r"(-?[0-9]+)\.0+")
_CELL = re.compile(r"""[^,;|\t"'\r\n]+""")

Row = dict[str, str | None]


def plain(value: str) -> str:
    """A raw value as an id: without blanks around it, 17850.0 as 17850."""
    value = value.strip()
    whole = _WHOLE.fullmatch(value)
    return whole[1] if whole else value


def screen_of(shop: Shop, raws: Mapping[str, Raw], privacy: Privacy) -> Screen | None:
    """The screen of a shop's quarantine; None where every row may be kept as it is.

    Raises InputError where ids are hashed and another column would keep one in the clear.
    """
    steps: list[Callable[[str, list[Row | None]], list[Row | None]]] = []
    if privacy.forgotten:
        steps.append(lambda _, rows: _without_forgotten(rows, privacy))
    if privacy.hashed is not None:
        steps.append(_hiding(shop, raws, privacy.hashed))
    if not steps:
        return None

    def screen(name: str, texts: list[str]) -> list[str | None]:
        rows: list[Row | None] = [json.loads(text) for text in texts]
        for step in steps:
            rows = step(name, rows)
        return [None if row is None else json.dumps(row, ensure_ascii=False) for row in rows]

    return screen


def _hiding(
    shop: Shop, raws: Mapping[str, Raw], hashed: Hasher
) -> Callable[[str, list[Row | None]], list[Row | None]]:
    """Of a row what the mapping reads, its ids hashed; of a line that is no row, only what is wrong with it."""
    ids: dict[str, dict[str, bool]] = {}
    kept: dict[str, set[str]] = {}
    for name, source in shop.sources.given.items():
        table = CANONICAL[name]
        if others := readers_of_ids(table, source, raws[name]):
            raise InputError(
                f"sources.{name}.columns.{others[0]}: reads a column that the customer's id is made of, so it would "
                "keep the id that privacy.hash_ids hides; map another column, or leave it out"
            )
        ids[name] = id_columns(table, source, raws[name])
        kept[name] = set(columns_read(table, source, raws[name]))

    def hidden(row: Row | None, name: str) -> Row | None:
        if row is None:
            return None
        if row.keys() == {"line", "problem"} and not kept[name] <= row.keys():
            return {"line": NOT_KEPT, "problem": row["problem"]}
        secret = {column: value for column in ids[name] if (value := row.get(column))}
        masks = {
            value: hashed([plain(value) if ids[name][column] else value])[0]
            for column, value in secret.items()
        }
        return {column: _masked(value, masks) for column, value in row.items() if column in kept[name]}

    return lambda name, rows: [hidden(row, name) for row in rows]


def _masked(value: str | None, masks: Mapping[str, str]) -> str | None:
    if not value or value in masks:
        return masks[value] if value else value
    for raw, mask in masks.items():
        if len(raw) >= HIDDEN_FROM:
            value = value.replace(raw, mask)
    return value


def _without_forgotten(rows: list[Row | None], privacy: Privacy) -> list[Row | None]:
    """None in the place of a row that has a forgotten id anywhere."""
    cells = [_cells(row) for row in rows]
    every = sorted(set().union(*cells))
    gone = {cell for cell, left in zip(every, privacy.are_forgotten(every), strict=True) if left}
    return [None if found & gone else row for row, found in zip(rows, cells, strict=True)]


def _cells(row: Row | None) -> set[str]:
    if row is None:
        return set()
    found = {plain(value) for value in row.values() if value}
    return found | {plain(cell) for cell in _CELL.findall(row["line"] or "")} if "line" in row else found


def with_hashed_ids(report: Mapping[str, Any], hashed: Hasher) -> dict[str, Any]:
    """What the aliases came to, the ids in its examples hashed."""

    def hidden(value: Any) -> Any:
        if isinstance(value, str):
            return hashed([value])[0]
        if isinstance(value, list):
            return [hidden(one) for one in value]
        if isinstance(value, dict):
            return {name: hidden(one) for name, one in value.items()}
        return value

    return {name: hidden(value) if name.endswith("examples") else value for name, value in report.items()}
