"""Reads a sheet of a workbook (Excel, OpenDocument): cells are text, days are ISO 8601, rows keep their numbers."""

from collections.abc import Collection, Iterator
from pathlib import Path

import polars as pl

from features.reading.csv_dialect import Lines, ReadError, header_names
from features.reading.packing import size_unpacked

CHUNK_LINES = 100_000
MOST_BYTES = 2 << 30  # a workbook is read as a whole


def read_workbook(
    path: Path, required: Collection[str], name: str, header_line: int = 1, sheet: str | None = None
) -> Iterator[Lines]:
    """Yield the rows below the header of `sheet`, or of the only sheet. Blank rows at the end are ignored."""
    cells = _cells(path, name, sheet)
    where = f"{name} line {header_line}"
    if cells.height < header_line:
        raise ReadError(f"{where}: the sheet ends before it; expected a header")
    given = [str(value or "") for value in cells.row(header_line - 1)]
    header = header_names(where, given, required)
    rows = cells.slice(header_line).rename(dict(zip(cells.columns, header, strict=True)))
    missing = sorted(set(required) - set(header))
    if missing:
        raise ReadError(f"{where}: column {', '.join(map(repr, missing))} missing; the sheet has {', '.join(header)}")
    if rows.width:
        is_blank = rows.select(pl.all_horizontal(pl.all().str.strip_chars().replace("", None).is_null())).to_series()
        filled = is_blank.not_().arg_true()
        rows = rows.head(int(filled[-1]) + 1 if len(filled) else 0)
    numbered = rows.with_row_index("source_line", header_line + 1).with_columns(pl.col("source_line").cast(pl.Int64))
    for start in range(0, numbered.height, CHUNK_LINES):
        yield Lines(numbered.slice(start, CHUNK_LINES).with_columns(pl.col(pl.String).replace("", None)))


def _cells(path: Path, name: str, sheet: str | None) -> pl.DataFrame:
    import fastexcel  # imported here, because only workbooks need it

    try:
        size = size_unpacked(path)
        if size > MOST_BYTES:
            raise ReadError(f"{name}: the workbook unpacks to {size:,} bytes; above {MOST_BYTES:,}, save it as CSV")
        book = fastexcel.read_excel(path)
        names = book.sheet_names
        if sheet is None and len(names) != 1:
            raise ReadError(f"{name}: the workbook has {len(names)} sheets; name one: sheet = ... ({', '.join(names)})")
        if sheet is not None and sheet not in names:
            raise ReadError(f"{name}: there is no sheet {sheet!r}; the workbook has {', '.join(names)}")
        loaded = book.load_sheet(sheet or 0, header_row=None, skip_rows=0, dtypes="string")
        return pl.DataFrame(loaded)
    except (fastexcel.FastExcelError, OSError) as error:
        what = str(error).splitlines()[0]
        raise ReadError(f"{name}: a workbook that cannot be read ({what}); save it as CSV") from error
