"""The store's Parquet files: which columns they have, how they are read, and how they are written.

tests/unit/features/store/test_store.py tests this.
"""

import hashlib
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from features import contract

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

CURRENT = tuple(contract.TABLES)
SUPERSEDED = tuple(f"{table}_superseded" for table in CURRENT)
ORIGIN = pl.Schema({"source_file": pl.String(), "source_line": pl.Int64()})
QUARANTINE = pl.Schema(
    {
        "source_file": pl.String(),
        "source_line": pl.Int64(),
        "expectations": pl.List(pl.String()),
        "reasons": pl.List(pl.String()),
        "row": pl.String(),
    }
)
ROW_GROUP_ROWS = 131_072
BUFFER_BYTES = 1 << 20


@dataclass(frozen=True)
class PartitionFile:
    """One live file of a table's day."""

    digest: str
    rows: int


@cache
def schema(table: str) -> pl.Schema:
    """Return the columns of a stored table: the contract's, then those that tell where the row came from.

    >>> schema("outcomes_superseded").names()[-2:]
    ['source_file', 'source_line']
    >>> schema("seizures")
    Traceback (most recent call last):
    ...
    ValueError: table 'seizures' is not stored; allowed: declarations, outcomes, truth, register, ...
    """
    if table not in (*CURRENT, *SUPERSEDED):
        raise ValueError(f"table {table!r} is not stored; allowed: {', '.join((*CURRENT, *SUPERSEDED))}")
    return pl.Schema({**contract.schema(table.removesuffix("_superseded")), **ORIGIN})


def scan_files(files: list[Path], expected: pl.Schema) -> pl.LazyFrame:
    """Scan Parquet files one after the other; an empty frame with the same columns if there are none."""
    if not files:
        return pl.LazyFrame(schema=expected)
    return pl.scan_parquet(files, schema=expected, hive_partitioning=False)


def write_parquet(path: Path, tables: Iterable[pa.Table], expected: pa.Schema) -> PartitionFile:
    """Write `tables` one after the other; how they were cut does not show in the bytes. The file is not flushed."""
    rows = 0
    with (
        path.open("wb", buffering=0) as plain,
        _Hashed(plain) as hashed,
        pa.output_stream(hashed, buffer_size=BUFFER_BYTES) as file,  # the writer itself writes column by column
        pq.ParquetWriter(file, expected, compression="lz4") as writer,
    ):
        for group in _row_groups(tables):
            writer.write_table(group, ROW_GROUP_ROWS)
            rows += group.num_rows
        if not rows:
            writer.write_table(expected.empty_table())
    return PartitionFile(hashed.digest.hexdigest()[:12], rows)


def _row_groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Yield `tables` as tables of ROW_GROUP_ROWS rows, of which the last may have fewer; no table is empty."""
    pending: pa.Table | None = None
    for table in tables:
        pending = table if pending is None else pa.concat_tables([pending, table])
        while pending.num_rows >= ROW_GROUP_ROWS:
            yield _in_one(pending.slice(0, ROW_GROUP_ROWS))
            pending = pending.slice(ROW_GROUP_ROWS)
    if pending is not None and pending.num_rows:
        yield _in_one(pending)


def _in_one(table: pa.Table) -> pa.Table:
    return table if table.column(0).num_chunks == 1 else table.combine_chunks()


class _Hashed(io.RawIOBase):
    """A file whose content goes into `digest` as it is written, which saves reading it afterwards."""

    def __init__(self, file: io.FileIO) -> None:
        self.digest = hashlib.sha256()
        self._file = file

    def writable(self) -> bool:
        return True

    def write(self, data: "ReadableBuffer") -> int:
        self.digest.update(data)
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) :]  # fewer bytes if the disk is nearly full: the next call fails
        return memoryview(data).nbytes


def write_refused(path: Path, rows: Iterable[pl.DataFrame]) -> None:
    """Write a batch's refused lines, with the columns of QUARANTINE. They count once they are committed."""
    path.parent.mkdir(exist_ok=True)
    write_parquet(path, (part.to_arrow() for part in rows), _arrow_schema(QUARANTINE))


@cache
def arrow_schema_of(table: str) -> pa.Schema:
    """Return the columns of a stored table, as Arrow names their types."""
    return _arrow_schema(schema(table))


def _arrow_schema(columns: pl.Schema) -> pa.Schema:
    return pl.DataFrame(schema=columns).to_arrow().schema
