"""Sources and a stand-in for validation, for tests of ingestion: no files to read, no wait for Great Expectations."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from features.reading.csv_dialect import MALFORMED
from features.reading.source import Batch, Chunk
from features.store.store import Store
from features.validation.limits import Limits
from features.validation.verdicts import PLACE, BatchVerdict, Finding
from tests.support.declarations import frame

LIMITS = Limits(max_quarantined_share=1.0, volume_factor=6.0, volume_history_weeks=8, volume_min_rows=20)


@dataclass(frozen=True)
class Line:
    """One source line: the declaration and the outcome it states (None: nothing), and what of it cannot be read.

    `unreadable` names one of the two tables, or "both".
    """

    declaration: Mapping[str, Any] | None = None
    outcome: Mapping[str, Any] | None = None
    unreadable: str | None = None
    malformed: bool = False

    def unreadable_in(self, table: str) -> str | None:
        return "item_value: 'x' is not a number" if self.unreadable in (table, "both") else None


@dataclass(frozen=True)
class MemoryBatch:
    """A batch of lines; the first is line 2, as in a file with a header."""

    name: str
    lines: tuple[Line, ...]
    chunk_lines: int = 3

    @property
    def sha256(self) -> str:
        return hashlib.sha256(repr((self.name, self.lines)).encode()).hexdigest()

    def chunks(self) -> Iterator[Chunk]:
        numbered = list(enumerate(self.lines, start=2))
        for start in range(0, len(numbered), self.chunk_lines):
            yield _chunk(numbered[start : start + self.chunk_lines])


def _chunk(lines: list[tuple[int, Line]]) -> Chunk:
    whole = [(number, line) for number, line in lines if not line.malformed]
    broken = [(number, "???", "the line is broken") for number, line in lines if line.malformed]
    raw = pl.DataFrame(
        {"source_line": [number for number, _ in whole], "what": [repr(line) for _, line in whole]},
        schema={"source_line": pl.Int64, "what": pl.String},
    )
    tables = {
        table: _table(
            table, [(n, given, line.unreadable_in(table)) for n, line in whole if (given := getattr(line, one))]
        )
        for table, one in (("declarations", "declaration"), ("outcomes", "outcome"))
    }
    return Chunk(raw, tables, pl.DataFrame(broken, schema=MALFORMED, orient="row"))


def _table(table: str, rows: list[tuple[int, Mapping[str, Any], str | None]]) -> pl.DataFrame:
    return frame(table, [dict(row) for _, row, _ in rows]).with_columns(
        pl.Series("source_line", [number for number, _, _ in rows], pl.Int64),
        pl.Series("unreadable", [reason for _, _, reason in rows], pl.String),
    )


@dataclass(frozen=True)
class MemorySource:
    """A source that has batches, in their order."""

    found: tuple[MemoryBatch, ...]
    name: str = "memory"

    def batches(self) -> Iterator[Batch]:
        return iter(self.found)


def stand_in_judge(table: str, rows: pl.DataFrame) -> list[Finding]:
    """Refuse unreadable rows and nothing else."""
    failing = rows.filter(pl.col("unreadable").is_not_null()).select(
        *PLACE,
        column=pl.col("unreadable").str.extract(r"^(\w+): "),
        reason=pl.lit("unreadable"),
        value=pl.col("unreadable"),
    )
    return [Finding(table, "readable", "unreadable", "a line that can be read", "row", failing.sort(*PLACE))]


def stand_in_check_batch(
    file: str,
    _rows: int,
    _refused: int,
    _new: Mapping[date, int],
    _stored: Mapping[date, int],
    _limits: Limits,
    _empty: int,
    _overtaken: int | None,
) -> BatchVerdict:
    """Accept every batch."""
    return BatchVerdict(file, (), ())


def tree(root: Path) -> dict[str, str]:
    """Return every file below `root` with the digest of its bytes."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def stored(store: Store, table: str) -> list[dict[str, Any]]:
    return store.scan(table).collect().to_dicts()
