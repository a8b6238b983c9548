r"""CSV files that people open in a spreadsheet, which could take a text for a formula.

Declared texts come from outside, and a spreadsheet computes a cell that begins with `=`, `+`, `-` or `@`: it may hold a
link that sends the row away, or a command. So an apostrophe goes before such a text; the rest of the file is as it is.
In countries where semicolons separate lists, a spreadsheet cuts texts there, so what follows a `;` inside a text counts
as a beginning too. Numbers and dates are left alone: a number `-5` stays a number.

The files begin with a byte order mark: without it many spreadsheets take UTF-8 for the alphabet of their country.

Not here: tables for programs, which are Parquet or JSON. models/network_page/static/cell.js does the same in the
browser.
"""

import re
from collections.abc import Callable
from pathlib import Path

import polars as pl

# These are written so that Python, Rust (Polars) and JavaScript read them alike.
BREAKS = r";\t\r\n"  # a spreadsheet may begin a new cell here
# A spreadsheet may drop these before it looks at a cell: blanks, quotes, invisible characters.
LEADS = r" \"'\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\xa0\xad\u1680\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeff"
# A formula begins with one of these; characters that Unicode calls compatible with one, such as full width, count too.
STARTS = r"=+\-@\t\r\n\u207a\u207c\u208a\u208c\u2a75\u2a76\ufb29\ufe62\ufe63\ufe66\ufe6b\uff0b\uff0d\uff1d\uff20"

_BEGINS = rf"(?:^|[{BREAKS}])[{LEADS}]*[{STARTS}]"
_WAS_DEFUSED = rf"(?:^|[{BREAKS}])'[{LEADS}]*[{STARTS}]"
_BEFORE = re.compile(rf"(?:^|(?<=[{BREAKS}]))(?=[{LEADS}]*[{STARTS}])")
_AGAIN = re.compile(rf"(?:^|(?<=[{BREAKS}]))'(?=[{LEADS}]*[{STARTS}])")


def write(path: Path, frame: pl.DataFrame, is_marked: bool = True) -> None:
    """Write `frame` as CSV so that no spreadsheet computes any of its texts; `read` gives the texts back.

    `is_marked` adds the byte order mark, which a program may take for a part of the first column's name.
    """
    texts = frame.select(pl.col(pl.String), pl.col(pl.Categorical, pl.Enum).cast(pl.String))
    frame.with_columns(_changed(text, _BEGINS, defused) for text in texts).write_csv(path, include_bom=is_marked)


def read(path: Path) -> pl.DataFrame:
    """Return the cells of a file that `write` wrote, all as text and as they were; null if there was nothing."""
    cells = pl.read_csv(path, infer_schema=False)
    return cells.with_columns(_changed(cell, _WAS_DEFUSED, restored) for cell in cells)


def defused(text: str) -> str:
    """Return the text with an apostrophe before whatever a spreadsheet could take for a formula.

    >>> defused("=HYPERLINK(A1)"), defused("Smith; =A1"), defused("'=A1"), defused("O'Neill - Sons")
    ("'=HYPERLINK(A1)", "Smith;' =A1", "''=A1", "O'Neill - Sons")
    """
    return _BEFORE.sub("'", text)


def restored(text: str) -> str:
    """Return the text as it was before `defused`.

    >>> restored("'=HYPERLINK(A1)"), restored("'quoted'")
    ('=HYPERLINK(A1)', "'quoted'")
    """
    return _AGAIN.sub("", text)


def _changed(column: pl.Series, where: str, change: Callable[[str], str]) -> pl.Series:
    affected = column.str.contains(where)
    if not affected.any():
        return column
    rows = zip(column, affected, strict=True)
    return pl.Series(column.name, [change(text) if is_affected else text for text, is_affected in rows], pl.String)
