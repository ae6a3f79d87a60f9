"""A raw table's columns read as ours: the one place that spells out engine-specific SQL.

Each of our columns becomes SQL of its canonical type over theirs, NULL where the value does not read, and a
`<column>_given` flag that tells an absent value from a bad one.
"""

import re
from collections.abc import Mapping
from difflib import get_close_matches

import duckdb
import ibis.expr.types as ir
from sqlglot import exp

from lifestage.errors import InputError
from lifestage.expressions import parse_expression, referenced, to_sql
from lifestage.intake.engine import DuckDB, quoted
from lifestage.intake.numbers import is_number, typed
from lifestage.intake.sources import Raw
from lifestage.schemas import CANONICAL, HISTORY, INSTANT, Table
from lifestage.settings import Source

_BLANK = r"[\s\x{00A0}\x{3000}\x{FEFF}]+"
_TIMES = ("DATE", "TIMESTAMP")
_IDS = frozenset({"customer_id", "order_id", "session_id"})


def read_as_ours(engine: DuckDB, table: Table, source: Source, raw: Raw) -> ir.Table:
    """One row per raw row, lazily: our columns, their `_given` flags, `passes` (the filter) and `row`.

    Instants are int64 UTC microseconds; `row` is the raw row as JSON text, computed only where it is used.
    Raises InputError for a column that does not exist, or an expression that cannot be read.
    """
    fields: dict[str, str] = {}
    for column, written in source.columns.items():
        place = f"sources.{table.name}.columns.{column} (file {raw.origin})"
        tree = _tree(written, raw, place)
        value = f"TRY({to_sql(tree)})"
        kind = _described(engine, raw, value, place)
        fields[column] = _value(table, column, value, kind, place)
        fields[f"{column}_given"] = _given(tree, raw.types)
        if table.instant == column and source.grain == "line":
            fields["local_day"] = (
                f"date_diff('day', DATE '1970-01-01', CAST({_instant(value, kind)} AS DATE))"
            )
    fields["passes"] = "true"
    if source.where is not None:
        place = f"sources.{table.name}.where (file {raw.origin})"
        condition = f"TRY({to_sql(_tree(source.where, raw, place))})"
        if (kind := _described(engine, raw, condition, place)) != "BOOLEAN":
            raise InputError(f"{place}: is of type {kind}; write a condition, e.g. \"status = 'paid'\"")
        fields["passes"] = f"coalesce({condition}, false)"
    theirs = ", ".join(f"{quoted(name)} := CAST({quoted(name)} AS VARCHAR)" for name in raw.types)
    fields["row"] = f"CAST(to_json(struct_pack({theirs})) AS VARCHAR)"
    listed = ", ".join(f"{sql} AS {quoted(name)}" for name, sql in fields.items())
    return engine.view(f"read_{table.name}", f"SELECT {listed} FROM {quoted(raw.relation)}")


def columns_read(table: Table, source: Source, raw: Raw) -> list[str]:
    """Their columns that the mapping and the filter read, in the table's order; at least one."""
    written = [*source.columns.values(), *([] if source.where is None else [source.where])]
    place = f"sources.{table.name} (file {raw.origin})"
    names = {name for text in written for name in referenced(_tree(text, raw, place))}
    return [name for name in raw.types if name in names] or list(raw.types)[:1]


def id_columns(table: Table, source: Source, raw: Raw) -> dict[str, bool]:
    """Their columns that customer_id and alias read; True = as it stands, False = within an expression."""
    place = f"sources.{table.name} (file {raw.origin})"
    found: dict[str, bool] = {}
    for column in ("customer_id", "alias"):
        if written := source.columns.get(column):
            tree = _tree(written, raw, place)
            found |= {name: isinstance(tree, exp.Column) for name in referenced(tree)}
    return found


def readers_of_ids(table: Table, source: Source, raw: Raw) -> list[str]:
    """Our columns, besides the ids themselves, that read a column which an id reads, too."""
    place = f"sources.{table.name} (file {raw.origin})"
    ids = id_columns(table, source, raw).keys()
    others = {name: text for name, text in source.columns.items() if name not in ("customer_id", "alias")}
    return [name for name, text in others.items() if referenced(_tree(text, raw, place)) & ids]


def attributes(table: Table, source: Source) -> list[str]:
    """The columns of `customers` that are not canonical: attributes of the shop's own."""
    extra = [column for column in source.columns if column not in table.names]
    for column in extra:
        if column in HISTORY.names or column in {c for t in CANONICAL.values() for c in t.names}:
            raise InputError(f"sources.{table.name}.columns.{column}: the name is taken; choose another name")
    return extra


def _tree(written: str, raw: Raw, place: str) -> exp.Expression:
    """A mapping's value: exactly one of their columns, else a checked expression over them."""
    if written in raw.types:
        return exp.column(exp.to_identifier(written, quoted=True))
    try:
        return typed(parse_expression(written, raw.types.keys(), place), raw.types)
    except InputError as error:
        close = get_close_matches(written, raw.types, n=1, cutoff=0.75)
        if not close or close[0] in str(error):
            raise
        raise InputError(f"{error}; or did you mean the column '{close[0]}'?") from None


def _described(engine: DuckDB, raw: Raw, sql: str, place: str) -> str:
    try:
        return engine.types(f"SELECT {sql} AS value FROM {quoted(raw.relation)}")["value"]
    except duckdb.Error as error:
        reason = re.sub(r"\s+", " ", str(error).split("LINE ")[0]).strip()
        raise InputError(f"{place}: does not fit the types of the columns: {reason}") from None


def _given(tree: exp.Expression, types: Mapping[str, str]) -> str:
    """None of the columns that an expression reads is blank."""
    flags = []
    for name in sorted(referenced(tree)):
        column = quoted(name)
        filled = f" AND trim({column}) <> ''" if types[name] == "VARCHAR" else ""
        flags.append(f"({column} IS NOT NULL{filled})")
    return " AND ".join(flags) or "true"


def _value(table: Table, column: str, value: str, kind: str, place: str) -> str:
    if column not in table.names:
        return _attribute(value, kind)
    ours = table[column].type
    if ours == INSTANT:
        if kind != "VARCHAR" and not kind.startswith(_TIMES):
            advice = (
                "write e.g. to_timestamp(column) for seconds, epoch_ms(column) for milliseconds since 1970"
            )
            if is_number(kind):
                advice += ", or strptime(CAST(column AS VARCHAR), '%Y%m%d') for a number like 20240131"
            raise InputError(f"{place}: is of type {kind}, which is no time; {advice}")
        return f"epoch_us({_instant(value, kind)})"
    if ours == "bool":
        return _truth(value, kind)
    if ours == "double":
        if kind != "VARCHAR" and not is_number(kind):
            raise InputError(f"{place}: is of type {kind}, which is no number; map a column of numbers")
        number = f"TRY_CAST({value} AS DOUBLE)"
        return f"CASE WHEN {number} = 0 THEN 0::DOUBLE ELSE {number} END"  # no negative zero
    return _id(value, kind) if column in _IDS or table[column].name == "alias" else _text(value)


def _instant(value: str, kind: str) -> str:
    """TIMESTAMPTZ; the session's timezone reads what is naive, DuckDB takes the later of two instants."""
    if kind == "VARCHAR":
        return f"TRY_CAST(trim({value}) AS TIMESTAMPTZ)"
    if kind.startswith("TIMESTAMP_"):
        return f"TRY_CAST(CAST({value} AS TIMESTAMP) AS TIMESTAMPTZ)"
    return f"TRY_CAST({value} AS TIMESTAMPTZ)"


def _text(value: str) -> str:
    return f"nullif(regexp_replace(CAST({value} AS VARCHAR), '^{_BLANK}|{_BLANK}$', '', 'g'), '')"


def _id(value: str, kind: str) -> str:
    """An id as text; the number 17850.0, which is how tools export ids with gaps, is '17850'."""
    if kind in ("DOUBLE", "FLOAT"):
        whole = f"CAST(TRY_CAST({value} AS HUGEINT) AS VARCHAR)"
        plain = f"nullif(nullif(CAST({value} AS VARCHAR), 'nan'), 'inf')"
        return f"CASE WHEN {value} = trunc({value}) AND abs({value}) < 1e18 THEN {whole} ELSE {plain} END"
    if kind.startswith("DECIMAL"):
        return rf"regexp_replace(CAST({value} AS VARCHAR), '\.0+$', '')"
    stripped = _text(value)
    if kind == "VARCHAR":
        plain = rf"regexp_replace({stripped}, '^(-?[0-9]+)\.0+$', '\1')"
        return f"CASE WHEN contains({value}, '.0') THEN {plain} ELSE {stripped} END"
    return stripped


def _truth(value: str, kind: str) -> str:
    """true/false, yes/no or 1/0 in any spelling; NULL for anything else."""
    if kind == "BOOLEAN":
        return value
    word = f"lower(trim(CAST({value} AS VARCHAR)))"
    yes, no = "'true', 't', 'yes', 'y', '1', '1.0'", "'false', 'f', 'no', 'n', '0', '0.0'"
    return f"CASE WHEN {word} IN ({yes}) THEN true WHEN {word} IN ({no}) THEN false END"


def _attribute(value: str, kind: str) -> str:
    """Numbers as double, booleans as they are, everything else as text."""
    if kind == "BOOLEAN":
        return value
    if is_number(kind):
        return f"CASE WHEN isnan(TRY_CAST({value} AS DOUBLE)) THEN NULL ELSE TRY_CAST({value} AS DOUBLE) END"
    return _text(value)
