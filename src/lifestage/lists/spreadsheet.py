"""Cells of a CSV file as a spreadsheet opens them right: what is text stays text, what is a number stays a number.

A spreadsheet reads each cell of a CSV file as if it had been typed: 1234567890123456789 becomes 1.23457E+18 and loses
its last digits for good, 0042 becomes 42, 3-4 a day in March, and quotation marks do not help. Text that would be
read so gets a tab at its end: the cell is then text, the tab is not seen, and every digit is there. (The other known
means are worse: an apostrophe in front stays visible in a file that is opened, and ="0042" is a formula, which only
some spreadsheets evaluate in a CSV file.) Programs that read the file take the tab off, e.g. with str.strip().
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, tzinfo

_CHANGED = re.compile(
    r"[+-]?[0-9]{12,}"  # shown as 1.23E+11, and beyond 15 digits no longer the same number
    r"|[+-]?0[0-9]+"
    r"|[+-].*[0-9].*"
    r"|[0-9][0-9.,]*e[+-]?[0-9]+"
    r"|[0-9][0-9.,]*[-/:.,年月日时][0-9.,/:\- 年月日时分秒]*(am|pm)?"  # days, times, decimals, thousands
    r"|[.,][0-9]+"
    r"|[0-9.,]+[%$€£¥￥]|[$€£¥￥][0-9.,]+"
    r"|[0-9]+ +[0-9/]+"
    r"|(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[ ./-]?[0-9]+"
    r"|[0-9]+[ ./-]?(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
    r"|true|false",
    re.ASCII | re.IGNORECASE,
)
"""What Excel and LibreOffice read as another thing than what is written; whole numbers of up to 11 digits are safe."""
ROWS = 10_000


_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?", re.ASCII)
_BEGINS_FORMULA = tuple("=+-@＝＋－＠\t\r\n")


def inert(text: str) -> str:
    """Text that no spreadsheet runs: what would begin a formula gets an apostrophe before it; numbers stay.

    An id that is a plain number with a sign is harmless, and must still be found again in the shop's own tables.
    """
    begins = text.startswith(_BEGINS_FORMULA) or text.lstrip().startswith(_BEGINS_FORMULA)
    return f"'{text}" if begins and not _NUMBER.fullmatch(text) else text


def text_cell(text: str) -> str:
    """A text that stays what it is: no formula, no date, no rounded number."""
    safe = inert(text)
    return f"{safe}\t" if safe == text and _CHANGED.fullmatch(text) else safe


def day_cell(moment: datetime | None, zone: tzinfo | None) -> str:
    """The local day as YYYY-MM-DD, which every spreadsheet takes for a date; empty where missing."""
    return "" if moment is None else f"{moment.astimezone(zone):%Y-%m-%d}"


def csv_pieces(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """CSV text in pieces of ROWS rows: commas, lines ended by CR LF as spreadsheets expect."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(header)
    for number, row in enumerate(rows, start=1):
        writer.writerow(row)
        if number % ROWS == 0:
            yield out.getvalue()
            out.seek(0)
            out.truncate()
    yield out.getvalue()
