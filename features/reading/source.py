"""What a source gives: batches in order, each of which is read chunk by chunk, and nothing is dropped.

A source drops nothing: it hands on what it cannot read, with the reason. The sources themselves are in
features/sources.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import polars as pl

from features.reading.csv_dialect import MALFORMED


@dataclass(frozen=True)
class Chunk:
    """Some consecutive lines of a batch.

    `raw` has `source_line` (Int64, the 1-based line in the file; for Parquet the row's number), then the source's own
    columns as it gave them; each well-formed line is one row.
    `tables` maps a contract table to a frame with the table's columns in the contract's types, `source_line`, and
    `unreadable` (String: null, or why the line cannot be read, as "net_mass_kg: 'abc' is not a number"). A line gives
    one row of each of one or more tables, and all of them are about the same declaration.
    `malformed` has `source_line`, `text` (the line as it stands) and `reason`, for lines that have no columns at all.
    `left_out` counts further lines, which the source's user says to leave out.
    Every other line of the file is in `raw` or in `malformed` of one chunk.
    """

    raw: pl.DataFrame
    tables: Mapping[str, pl.DataFrame]
    malformed: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=MALFORMED))
    left_out: int = 0

    @property
    def lines(self) -> int:
        return self.raw.height + self.malformed.height + self.left_out


class Batch(Protocol):
    """One input file. `sha256` identifies its content; `chunks` reads it anew at every call, with the same result."""

    @property
    def name(self) -> str: ...

    @property
    def sha256(self) -> str: ...

    def chunks(self) -> Iterator[Chunk]: ...


class Source(Protocol):
    """Batches in the order in which they are to be ingested: if two say different things, the later counts."""

    @property
    def name(self) -> str: ...

    def batches(self) -> Iterator[Batch]: ...
