"""Files as people have them: what cannot be read stops with a sentence that says what to mend."""

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lifestage.errors import InputError

ROW = {"cust": "a", "at": "2021-01-01", "amount": "1"}


def source(path: str, **more: object) -> dict[str, dict[str, object]]:
    columns = {"customer_id": "cust", "ordered_at": "at", "amount": "amount"}
    return {"transactions": {"path": path, "columns": columns, **more}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty; its first line must name the columns"),
        ("cust,at,amount\n", "has no rows; give a file with data"),
        ("cust,at,amuont\na,2021-01-01,1\n", "unknown column 'amount'; did you mean 'amuont'"),
        (
            "cust;at;amount\na;2021-01-01;1\n",
            "one column only, 'cust;at;amount', when split at ','; .*probably to ';'",
        ),
    ],
)
def test_a_bad_file_is_named(build, tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(content)
    with pytest.raises(InputError, match=message) as error:
        build.open(source(path.as_posix()))
    assert "orders.csv" in str(error.value)
    assert not list(tmp_path.glob("out/*"))


def test_unreadable_files(build, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"no file '.*none\*\.csv' exists.*correct sources\.transactions\.path"
    ):
        build.open(source((tmp_path / "none*.csv").as_posix()))
    with pytest.raises(InputError, match=r"is a directory; name its files, e\.g\. '.*/\*\.parquet'"):
        build.open(source(tmp_path.as_posix()))
    (tmp_path / "a.xlsx").write_text("x")
    with pytest.raises(InputError, match=r"a\.xlsx' is not read; give a \.csv, \.csv\.gz or \.parquet file"):
        build.open(source((tmp_path / "a.xlsx").as_posix()))
    (tmp_path / "a.parquet").write_text("cust,at,amount\n")
    with pytest.raises(InputError, match=r"a\.parquet' is not a readable Parquet file"):
        build.open(source((tmp_path / "a.parquet").as_posix()))
    (tmp_path / "a.csv").write_bytes("客户,at\n".encode("gbk"))
    with pytest.raises(InputError, match=r"a\.csv' is not UTF-8 text; save it as 'CSV UTF-8'"):
        build.open(source((tmp_path / "a.csv").as_posix()))
    (tmp_path / "b.csv.gz").write_bytes(b"no gzip")
    with pytest.raises(InputError, match=r"b\.csv\.gz' is not a readable CSV file"):
        build.open(source((tmp_path / "b.csv.gz").as_posix()))
    (tmp_path / "c.csv").write_text("cust,at,amount\na,2021-01-01,1\n")
    with pytest.raises(InputError, match=r"delimiter ';;' must be one character"):
        build.open(source((tmp_path / "c.csv").as_posix(), delimiter=";;"))
    with pytest.raises(InputError, match=r"matches both CSV and Parquet files"):
        build.open(source((tmp_path / "[ac].[cp]*").as_posix()))


def test_lines_that_are_no_rows_go_to_quarantine(build, tmp_path: Path, read, quarantined) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes(
        b'\xef\xbb\xbfcust,at,amount\r\na,2021-01-01,1\r\nb,2021-01-01\r\nc,2021-01-01,1,9\r\n"d\r\ne",2021-01-02,"2"\r\n'
        b"f,\xff,3\r\n\r\n"
    )
    intake = build.open(source(path.as_posix()))
    assert list(read(intake)) == ["a", "d\r\ne"]
    assert intake.report["tables"]["transactions"]["rejected"] == {"line that is no CSV row": 3}
    assert intake.report["tables"]["transactions"]["rows_read"] == 5
    assert any("c,2021-01-01,1,9" in row for _, _, row in quarantined(intake))


def test_gzip_delimiter_and_a_glob_of_files_with_columns_in_another_order(
    build, tmp_path: Path, read
) -> None:
    with gzip.open(tmp_path / "x1.csv.gz", "wt") as file:
        file.write("cust|at|amount\na|2021-01-01|1\n")
    (tmp_path / "x2.csv").write_text("amount|more|cust|at\n2|z|a|2021-01-02\n")
    got = read(build.open(source((tmp_path / "x*").as_posix(), delimiter="|")))
    assert [p["amount"] for p in got["a"]["purchases"]] == [1.0, 2.0]


def test_chinese_columns_and_values(build, tmp_path: Path, read) -> None:
    path = tmp_path / "订单.csv"
    path.write_text(
        "客户 编号,下单时间,数量,单价\n张三,2021-01-01 10:00,2,3.5\n李四,2021-01-02 11:00,1,8\n", "utf-8-sig"
    )
    columns = {"customer_id": "客户 编号", "ordered_at": "下单时间", "amount": "数量 * 单价"}
    got = read(
        build.open(
            {
                "transactions": {
                    "path": path.as_posix(),
                    "columns": columns,
                    "where": "\"客户 编号\" <> '王五'",
                }
            },
            timezone="Asia/Shanghai",
        )
    )
    assert {name: row["purchases"][0]["amount"] for name, row in got.items()} == {"张三": 7.0, "李四": 8.0}
    assert got["张三"]["purchases"][0]["t"] == 1_609_466_400_000_000  # 02:00 UTC


def test_a_name_that_holds_a_blank_is_suggested(build, tmp_path: Path) -> None:
    path = tmp_path / "o.csv"
    path.write_text("Customer ID,at,amount\na,2021-01-01,1\n")
    with pytest.raises(
        InputError, match=r"columns\.customer_id .*o\.csv.*did you mean the column 'Customer ID'"
    ):
        build.open({"transactions": {"path": path.as_posix(), "columns": {
            "customer_id": "Customer Id", "ordered_at": "at", "amount": "amount"}}})  # fmt: skip


def test_a_whole_number_is_no_time(build, tmp_path: Path) -> None:
    path = tmp_path / "o.parquet"
    pq.write_table(pa.table({"cust": ["a"], "at": [20210101], "amount": [1]}), path)
    with pytest.raises(
        InputError, match=r"columns\.ordered_at .*is of type BIGINT, which is no time.*strptime"
    ):
        build.open(source(path.as_posix()))


def test_nothing_is_left_behind(build, tmp_path: Path) -> None:
    with build.open({"transactions": [ROW]}) as intake:
        list(intake.blocks(10))
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["quarantine.parquet"]
