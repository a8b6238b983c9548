"""Reads files in chunks, with exact source lines: memory is bounded by the chunk, and no line is dropped.

Values stay as the file has them (in CSV as text, with empty fields null); `features.reading.conform` brings them to the
contract. A fault of the file as a whole (delimiter, header, truncation) raises `ReadError`. A fault of one line makes
that line `malformed`, with the reason, and costs no other line.
"""

import hashlib
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from features.reading.csv_blocks import blocks
from features.reading.csv_dialect import Dialect, Lines, ReadError, header_names, read_header
from features.reading.json_lines import read_json_lines
from features.reading.objects import SCHEME, StoredObject, find
from features.reading.packing import Kind, kind_of, unpacked
from features.reading.workbook import read_workbook

__all__ = [
    "CHUNK_LINES",
    "Dialect",
    "InputFile",
    "Layout",
    "Lines",
    "ReadError",
    "address",
    "check_readable",
    "expand",
    "here",
    "read_any",
    "read_csv",
    "read_parquet",
]

CHUNK_LINES = 200_000
CSV = Dialect()
_WHAT: dict[Kind, str] = {
    "json": "JSON lines",
    "parquet": "Parquet",
    "workbook": "a workbook (Excel)",
    "gzip": "compressed by gzip",
    "zip": "a zip archive",
}


@dataclass(frozen=True)
class Layout:
    """Tells where in a file its table is.

    `header_line` is the line of the header, `columns` the names of the columns if a CSV file has no header, and `sheet`
    the sheet of a workbook.
    """

    header_line: int = 1
    columns: Sequence[str] | None = None
    sheet: str | None = None


def read_csv(
    path: Path,
    required: Collection[str],
    dialect: Dialect = CSV,
    name: str | None = None,
    layout: Layout = Layout(),
) -> Iterator[Lines]:
    """Yield the lines of a CSV file below its header, in chunks; ReadError if the header lacks a `required` column.

    Errors call the file `name`, or without it by its name in its folder.
    """
    name = name or path.name
    kind = kind_of(path, name)
    if kind != "csv":
        raise ReadError(f"{name}: the file is no CSV but {_WHAT[kind]}; a mapping of the source 'files' can read it")
    with path.open("rb") as file:
        if layout.columns is None:
            header = read_header(name, file, dialect, required, layout.header_line)
            first = layout.header_line + 1
        else:
            header, first = header_names(f"{name}, columns of the mapping", layout.columns, required), 1
            if file.read(3) != b"\xef\xbb\xbf":
                file.seek(0)
        _require(f"{name} line {layout.header_line}", header, required)
        for block in blocks(name, file, header, dialect, first):
            yield from _sliced(block)


def read_any(
    path: Path,
    required: Collection[str],
    dialect: Dialect,
    name: str,
    layout: Layout = Layout(),
) -> Iterator[Lines]:
    """Yield the lines of a file: CSV, Parquet, JSON lines or a workbook, packed or not, as its first bytes tell."""
    with unpacked(path, name) as (inner, kind):
        if kind == "parquet":
            yield from read_parquet(inner, required, name)
        elif kind == "json":
            yield from read_json_lines(inner, required, name)
        elif kind == "workbook":
            yield from read_workbook(inner, required, name, layout.header_line, layout.sheet)
        else:
            yield from read_csv(inner, required, dialect, name, layout)


def read_parquet(path: Path, required: Collection[str], name: str | None = None) -> Iterator[Lines]:
    """Yield the rows of a Parquet file, in chunks; `source_line` is the row's number, from 1. `name`: see read_csv."""
    name = name or path.name
    if path.stat().st_size == 0:
        raise ReadError(f"{name}: the file is empty (0 bytes)")
    try:
        with pq.ParquetFile(path, pre_buffer=False) as file:
            names = header_names(name, file.schema_arrow.names, required)
            _require(name, names, required)
            line = 1
            for batch in file.iter_batches(CHUNK_LINES):
                frame = pl.DataFrame(pa.Table.from_batches([batch]).rename_columns(names))
                yield Lines(
                    frame.with_row_index("source_line", line).with_columns(pl.col("source_line").cast(pl.Int64))
                )
                line += batch.num_rows
    except (pa.ArrowInvalid, OSError) as error:
        raise ReadError(
            f"{name}: not a whole Parquet file, truncated or still being written? ({str(error).splitlines()[0]})"
        ) from error


def _require(where: str, header: Sequence[str], required: Collection[str]) -> None:
    missing = sorted(set(required) - set(header))
    if missing:
        raise ReadError(f"{where}: column {', '.join(map(repr, missing))} missing; the file has {', '.join(header)}")


def _sliced(lines: Lines) -> Iterator[Lines]:
    yield Lines(lines.frame.head(CHUNK_LINES), lines.malformed)
    for start in range(CHUNK_LINES, lines.frame.height, CHUNK_LINES):
        yield Lines(lines.frame.slice(start, CHUNK_LINES))


@dataclass(frozen=True)
class InputFile:
    """An input file: its path here, its address if it lies elsewhere, and the SHA-256 of its bytes."""

    path: Path
    address: str | None = field(default=None, kw_only=True)

    @property
    def name(self) -> str:
        return self.address or self.path.name

    @property
    def sha256(self) -> str:
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def here(file: Path | StoredObject) -> AbstractContextManager[Path]:
    """Give the path to read the file from: its own, or that of an object's copy, which exists until the block ends."""
    return file.downloaded() if isinstance(file, StoredObject) else nullcontext(file)


def address(file: Path | StoredObject) -> str | None:
    """Return the address of an object; None for a file."""
    return file.address if isinstance(file, StoredObject) else None


def expand(inputs: Sequence[str]) -> tuple[Path | StoredObject, ...]:
    """Return the files and objects named by paths, s3:// addresses or globs, ordered by base name, then path.

    >>> expand(["/nowhere/*.csv"])
    Traceback (most recent call last):
    ...
    ValueError: no file matches '/nowhere/*.csv'
    """
    found: set[Path] = set()
    objects: set[StoredObject] = set()
    for text in inputs:
        if text.startswith(SCHEME):
            matching_objects = find(text)
            if not matching_objects:
                raise ValueError(f"no object matches {text!r}")
            objects.update(matching_objects)
            continue
        path = Path(text)
        if path.is_dir():
            raise ValueError(f"{text!r} is a folder; name its files, as in '{path / '*.csv'}'")
        # A name that exists is no pattern, whatever brackets it has.
        matching = [path] if path.exists() else Path(path.anchor).glob(str(path.relative_to(path.anchor)))
        files = {match for match in matching if match.is_file()}
        if not files:
            raise ValueError(f"no file matches {text!r}")
        found |= files
    check_readable(found)
    return tuple(sorted([*found, *objects], key=lambda file: (file.name, address(file) or str(file))))


def check_readable(paths: Iterable[Path]) -> None:
    """Raise ReadError if this user may not read one of `paths`: before the first is ingested, not in the middle."""
    for path in sorted(paths):
        if not os.access(path, os.R_OK):
            raise ReadError(f"{path}: this user may not read the file")
