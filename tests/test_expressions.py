"""Expressions: what may be written means in DuckDB what was written; everything else is refused with its place."""

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifestage.errors import InputError
from lifestage.expressions import FUNCTIONS, MAX_CHARACTERS, parse_expression, referenced, to_sql

COLUMNS = ["Quantity", "UnitPrice", "Unit Price", "下单金额", "date", "left", 'quo"te', "a.b", "now"]


def sql(text: str, columns: list[str] = COLUMNS) -> str:
    return to_sql(parse_expression(text, columns, "shop.yaml: amount"))


def refusal(text: str, columns: list[str] = COLUMNS) -> str:
    with pytest.raises(InputError) as error:
        parse_expression(text, columns, "shop.yaml: amount")
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Quantity * UnitPrice", '"Quantity" * "UnitPrice"'),
        ("quantity*UNITPRICE", '"Quantity" * "UnitPrice"'),
        ('"unit price" + 1', '"Unit Price" + 1'),
        ("下单金额 / 100", '"下单金额" / 100'),
        ('"quo""te"', '"quo""te"'),
        ('"a.b"', '"a.b"'),
        ("date", '"date"'),
        ("left > 3", '"left" > 3'),
        ("now", '"now"'),
        ("'it''s -- no /* comment */; here'", "'it''s -- no /* comment */; here'"),
        ("  \n Quantity \t", '"Quantity"'),
    ],
)
def test_columns_are_spelled_right_and_quoted(text: str, expected: str) -> None:
    assert sql(text) == expected


def test_referenced_columns() -> None:
    tree = parse_expression("CASE WHEN quantity > 0 THEN unitprice END", COLUMNS, "x")
    assert referenced(tree) == {"Quantity", "UnitPrice"}


def test_exact_spelling_wins_over_case() -> None:
    assert sql("id", ["ID", "id"]) == '"id"'
    assert "'Id' may be any of ID, id" in refusal("Id", ["ID", "id"])


MEANINGS = [
    *(
        "-2^2",
        "2**3**2",
        "not 1=2 and 3=3",
        "'a'||1+1",
        "7//2*2",
        "-7//2",
        "-7%4",
        "mod(7,4)*2",
        "1-(2-3)",
        "10/4",
    ),
    *(
        "2 between 1 and 3 and true",
        "not 2 in (1,2)",
        "1=1 is not null",
        "null is not distinct from null",
        "5 % 3",
    ),
    *(
        "log(8)",
        "ln(2)",
        "exp(1)",
        "sqrt(2)",
        "power(2,0.5)",
        "round(-2.567,2)",
        "floor(-1.5)",
        "ceiling(1.2)",
    ),
    *(
        "abs(-3)",
        "sign(-3)",
        "greatest(1,null,3)",
        "least(null,2)",
        "coalesce(null,2)",
        "ifnull(null,2)",
        "nullif(2,2)",
    ),
    *(
        "if(null,1,2)",
        "case 2 when 1 then 'x' when 2 then 'y' end",
        "trim('  a ')",
        "trim(both 'x' from 'xxaxx')",
    ),
    *(
        "'\\'",
        "'a\nb'",
        "length('é')",
        "upper('straße')",
        "left('hello',-2)",
        "right('hello',2)",
        "substr('hello',2)",
    ),
    *("replace('aXa','X','''')", "concat('a',null,1)", "split_part('a-b','-',2)", "starts_with('abc','ab')"),
    *(
        "'ABC' ilike '%b%'",
        "'a%c' like 'a!%c' escape '!'",
        "strpos('abc','c')",
        "regexp_extract('a12b','([0-9]+)b',1)",
    ),
    *("strptime('03.02.2020','%d.%m.%Y')", "try_strptime('x','%d.%m.%Y')", "make_date(2020,1,2)"),
    *("date_diff('day', date '2020-01-01', date '2020-03-01')", "date_trunc('month', date '2020-01-15')"),
    *("cast('1.5' as decimal(10,2)) * 2", "try_cast('x' as double)", "'2020-01-31'::date + interval 1 month"),
    *(
        "timestamp '2020-01-01 00:00:00' - interval '36 hours'",
        "extract(dow from date '2020-01-15')",
        "epoch_ms(1000)",
    ),
    *("1e3 + 1_000", "not true is null", "7 = 7.0", "'10' < '9'"),
]


@pytest.mark.parametrize("text", MEANINGS)
def test_canonical_sql_means_what_was_written(text: str) -> None:
    with duckdb.connect() as con:
        written = con.execute(f"SELECT CAST(({text}) AS VARCHAR)").fetchone()
        canonical = con.execute(f"SELECT CAST(({sql(text, [])}) AS VARCHAR)").fetchone()
    assert canonical == written
    assert sql(sql(text, []), []) == sql(text, [])


NUMBERS = st.one_of(st.integers(0, 9).map(str), st.just("NULL"), st.just("a"), st.just("b"))


def _numeric(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(children, st.sampled_from(["+", "-", "*", "/", "%", "//"]), children).map(" ".join),
        children.map(lambda c: f"({c})"),
        children.map(lambda c: f"- {c}"),
        st.tuples(children, children).map(lambda t: f"coalesce({t[0]}, {t[1]})"),
    )


ARITHMETIC = st.recursive(NUMBERS, _numeric, max_leaves=6)
COMPARISON = st.tuples(ARITHMETIC, st.sampled_from(["<", "<=", "=", "<>", ">"]), ARITHMETIC).map(" ".join)


def _logical(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(children, st.sampled_from(["AND", "OR"]), children).map(" ".join),
        children.map(lambda c: f"NOT {c}"),
        children.map(lambda c: f"({c}) IS NOT TRUE"),
    )


@settings(max_examples=150, deadline=None)
@given(st.recursive(COMPARISON, _logical, max_leaves=5))
def test_random_conditions_mean_what_was_written(text: str) -> None:
    with duckdb.connect() as con:
        con.execute("CREATE TABLE t (a DOUBLE, b INTEGER)")
        con.execute("INSERT INTO t VALUES (1.5, 2), (NULL, 0), (-3, NULL), (0, 7)")
        try:
            written = con.execute(f"SELECT ({text}) FROM t").fetchall()
        except duckdb.Error:
            return
        assert con.execute(f"SELECT ({sql(text, ['a', 'b'])}) FROM t").fetchall() == written


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Quantty * 2",
            "shop.yaml: amount: at line 1, column 1 of the expression: unknown column 'Quantty'; did you mean 'Quantity'?",
        ),
        (
            "1 +\n  Foo",
            "shop.yaml: amount: at line 2, column 3 of the expression: unknown column 'Foo'; known are: ",
        ),
        (
            "1 + read_csv('x')",
            "at line 1, column 5 of the expression: function 'read_csv' is not allowed; allowed are: abs, ",
        ),
        ("subsring(date, 1)", "function 'subsring' is not allowed; did you mean 'substring'?"),
        (
            "sum(Quantity)",
            "at line 1, column 1 of the expression: the aggregate 'sum' is not allowed; an expression reads the columns of",
        ),
        ("sum(Quantity) OVER ()", "a window function is not allowed"),
        (
            "Quantity; DROP TABLE x",
            "at line 1, column 9 of the expression: ';' is not allowed; write one expression only",
        ),
        (
            "Quantity -- all",
            "at line 1, column 10 of the expression: comments are not allowed inside an expression; remove '-- all'",
        ),
        ("/* x */ Quantity", "at line 1, column 1 of the expression: comments are not allowed"),
        ("Quantity /* x */ + 1", "at line 1, column 10 of the expression: comments are not allowed"),
        ("Quantity # 1", "does not read as one SQL expression"),
        (
            "Quantity AS x",
            "at line 1, column 10 of the expression: does not read as one SQL expression at 'AS'; correct it there",
        ),
        ("Quantity, UnitPrice", "does not read as one SQL expression at ','"),
        ("Quantity FROM t", "does not read as one SQL expression at 'FROM'"),
        ("abs(Quantity", "does not read as one SQL expression"),
        ("'open", "has a quotation mark that is never closed; close it"),
        ("(SELECT 1)", "a subquery is not allowed"),
        ("Quantity IN (SELECT 1)", "IN takes a list in parentheses here"),
        ("EXISTS (SELECT 1)", "a subquery is not allowed"),
        ("*", "'*' is not allowed; name one column"),
        ("COLUMNS('.*')", "'*' is not allowed; name one column"),
        ("$1", "parameter '$1' is not allowed; write the value itself"),
        ("?", "parameter '?' is not allowed"),
        ("t.Quantity", "'t.Quantity' is no plain column; write the column's name alone"),
        ("Quantity::INTEGER[]", "type INT[] is not allowed; use BOOLEAN"),
        ("Quantity::regclass", "type regclass is not allowed"),
        ("[1, 2]", "lists and structs are not allowed"),
        ("date_diff('dya', date, date)", "'DYA' is no unit of time; use e.g. day"),
        ("  ", "expected a SQL expression, got '  '"),
        ("\x00", "holds a NUL character"),
        ("1 +" * 5000 + "1", f"has 15001 characters, at most {MAX_CHARACTERS}; make it shorter"),
    ],
)
def test_refusals_say_where_and_what_to_do(text: str, expected: str) -> None:
    assert expected in refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "read_csv_auto('/etc/passwd')",
            "read_parquet('x')",
            "read_text('x')",
            "glob('*')",
            "getenv('HOME')",
        ),
        *(
            "\"getenv\"('HOME')",
            "main.getenv('HOME')",
            "system.main.read_text('x')",
            "current_setting('threads')",
        ),
        *("random()", "uuid()", "gen_random_uuid()", "now()", "today()", "current_date", "current_timestamp"),
        *(
            "CURRENT_TIME",
            "localtimestamp",
            "get_current_time()",
            "transaction_timestamp()",
            "age(date)",
            "pi()",
        ),
        *(
            "ATTACH 'x'",
            "PRAGMA version",
            "INSTALL httpfs",
            "LOAD httpfs",
            "COPY t TO 'x'",
            "SET threads = 1",
        ),
        *(
            "CREATE TABLE t (i INT)",
            "SELECT 1",
            "FROM t",
            "VALUES (1)",
            "WITH x AS (SELECT 1) SELECT 1",
            "DESCRIBE t",
        ),
        *(
            "(FROM t)",
            "(VALUES (1))",
            "1 = ANY(SELECT 1)",
            "1 = ALL(SELECT 1)",
            "ARRAY(SELECT 1)",
            "1 IN (FROM t)",
        ),
        *(
            "query('SELECT 1')",
            "query_table('t')",
            "nextval('s')",
            "currval('s')",
            "txid_current()",
            "error('x')",
        ),
        *(
            "count(*)",
            "list(Quantity)",
            "first(Quantity)",
            "any_value(Quantity)",
            "count(*) FILTER (WHERE true)",
        ),
        *(
            "row_number() OVER ()",
            "lag(Quantity) OVER (ORDER BY date)",
            "unnest([1])",
            "generate_series(1, 9)",
        ),
        *(
            "list_transform([1], x -> x)",
            "list_transform([1], lambda x: x)",
            "{'a': 1}",
            "MAP {'a': 1}",
            "date['x']",
        ),
        *(
            "date.x",
            "date.upper()",
            "Quantity.abs()",
            "date -> '$.x'",
            "date ->> 'x'",
            "x'ff'",
            "e'\\n'",
            "$$a$$",
        ),
        *("repeat('a', 1000000000)", "lpad('a', 1000000000, 'b')", "range(1000000000)", "format('{}', 1)"),
        *(
            "Quantity COLLATE nocase",
            "getvariable('x')",
            "abs(DISTINCT Quantity)",
            "abs(*)",
            "* EXCLUDE (date)",
        ),
        *(
            "Quantity UNION SELECT 1",
            "Quantity ORDER BY 1",
            "Quantity LIMIT 1",
            "(Quantity, date)",
            "ROW(1, 2)",
        ),
        *(
            "TRY(ln(0))",
            "try_cast(date AS JSON)",
            "cast(date AS ENUM('a'))",
            "cast(1 AS x.y)",
            "rowid",
            '"rowid"',
        ),
        *(
            "Quantity\u00a0;\u00a0DROP TABLE t",
            "1) OR (1=1",
            "1); DROP TABLE t; --",
            '"x" FROM "y"',
            "'' || (SELECT '')",
        ),
        *(
            "CASE WHEN (SELECT true) THEN 1 END",
            "coalesce((FROM t), 1)",
            "DEFAULT",
            "@@version",
            ":name",
            "%(name)s",
        ),
    ],
)
def test_nothing_else_gets_through(text: str) -> None:
    assert refusal(text).startswith("shop.yaml: amount")


@pytest.mark.parametrize(
    "deep", ["(" * 900 + "1" + ")" * 900, "NOT " * 900 + "true", "- " * 900 + "1", "1+" * 900 + "1"]
)
def test_nesting_is_bounded(deep: str) -> None:
    assert "nested" in refusal(deep)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_accepted_or_refused_in_one_way(text: str) -> None:
    try:
        tree = parse_expression(text, COLUMNS, "x")
    except InputError as error:
        assert str(error).startswith("x")
    else:
        assert to_sql(tree)


def test_every_named_function_exists_in_duckdb() -> None:
    special = {"case", "cast", "try_cast", "coalesce", "nullif", "ifnull", "if", "extract"}
    with duckdb.connect() as con:
        known = {row[0] for row in con.execute("SELECT function_name FROM duckdb_functions()").fetchall()}
    assert set(FUNCTIONS) - special <= known
