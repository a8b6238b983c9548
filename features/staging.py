"""The first pass of an ingestion: a batch's lines, read, validated, and set aside on disk chunk by chunk.

What can be stored waits in the working folder, by table; what cannot waits beside it as quarantine rows. Memory holds
one chunk at a time and a small sample of keys, by which the second pass (`features.merging`) cuts its work.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from features import amounts, arrival, contract
from features.arrival import Span
from features.sources import Batch, Chunk
from features.store import QUARANTINE, scan_files
from features.validation import validate
from features.verdict import Verdict

SAMPLE_EVERY = 1_000
WELL_FORMED = "line_is_well_formed"


@dataclass
class Staged:
    """A batch after its first pass, in folder `folder`.

    `lines` are all that were read, `left_out` of which the mapping leaves out. `refused` counts lines of which
    anything was refused, `in_part` has those of which something is left. `refused_by_reason` counts lines by
    expectation and column; `samples` have every thousandth row's `table`, `day` and `id`, the first column of its key;
    `rows` counts by table.
    """

    batch: Batch
    folder: Path
    currency: str | None = None
    lines: int = 0
    left_out: int = 0
    refused: int = 0
    in_part: set[int] = field(default_factory=set)
    refused_by_reason: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    verdict: Verdict = field(default_factory=Verdict)
    samples: list[pl.DataFrame] = field(default_factory=list)
    _parts: int = 0

    def scan(self, table: str) -> pl.LazyFrame:
        """Rows of `table` that passed: the contract's columns, `source_line` and `content`."""
        return scan_files(sorted(self.folder.glob(f"{table}-*.parquet")), staged_schema(table))

    def refuse(self, raw: pl.DataFrame, failures: pl.DataFrame, left: Collection[int]) -> None:
        """Set lines aside for quarantine; `raw` has `source_line` and `row` (JSON) of each line in `failures`.

        `left`: lines of which something is left all the same.
        """
        if failures.is_empty():
            return
        lines = set(failures["source_line"].to_list())
        self.refused += len(lines - self.in_part)  # a part of a line may be refused later than the other
        self.in_part = (self.in_part - lines) | lines.intersection(left)
        for expectation, column, count in _counts(failures):
            self.refused_by_reason[f"{expectation} ({column})" if column else expectation] += count
        by_line = failures.group_by("source_line").agg(
            pl.col("expectation").alias("expectations"), pl.col("reason").alias("reasons")
        )
        rows = by_line.join(raw, on="source_line", how="left").sort("source_line")
        rows = rows.with_columns(source_file=pl.lit(self.batch.name)).select(QUARANTINE.names())
        self._parts += 1
        rows.write_parquet(self.folder / f"refused-{self._parts:09d}.parquet")

    def refused_rows(self) -> Iterator[pl.DataFrame]:
        """Quarantine rows in the order of their discovery."""
        return (pl.read_parquet(path) for path in sorted(self.folder.glob("refused-*.parquet")))


def staged_schema(table: str) -> pl.Schema:
    return pl.Schema({**contract.schema(table), "source_line": pl.Int64(), "content": pl.UInt64()})


def content(table: str) -> pl.Expr:
    """A hash of what a row says: rows of one key with the same hash are copies of each other."""
    return pl.struct(contract.schema(table).names()).hash(1).alias("content")


def stage(batch: Batch, folder: Path, span: Span, currency: str | None, on_lines: Callable[[int], None]) -> Staged:
    """Read and validate `batch` into the empty folder `folder`; `on_lines` hears the lines read so far.

    What it tells is to have happened within `span`, and its amounts are to be in `currency`; where none is given, in
    that of most declarations of its first chunk.
    """
    staged = Staged(batch, folder, currency)
    for number, chunk in enumerate(batch.chunks()):
        _stage_chunk(staged, number, chunk, span)
        on_lines(staged.lines)
    return staged


def lines_as_given(batch: Batch, lines: Collection[int]) -> pl.DataFrame:
    """`source_line` and `row` (JSON) of some lines, found by reading the batch once more."""
    wanted = pl.Series(sorted(lines), dtype=pl.Int64)
    return pl.concat(_rows(chunk.raw.filter(pl.col("source_line").is_in(wanted.implode()))) for chunk in batch.chunks())


def _stage_chunk(staged: Staged, number: int, chunk: Chunk, span: Span) -> None:
    malformed = chunk.malformed.select(
        "source_line", expectation=pl.lit(WELL_FORMED), column=pl.lit(None, pl.String), reason="reason"
    )
    failures, passing = [malformed], {}
    for table, frame in chunk.tables.items():
        verdict = validate(table, frame).merge(arrival.judge(table, frame, span))
        if table == "declarations":
            verdict = verdict.merge(_judge_amounts(staged, frame))
        staged.verdict = staged.verdict.merge(verdict.summary())
        failures.append(verdict.failures)
        # What is refused of a line in one table is none of the other table's matter.
        passing[table] = _passing(table, frame, verdict.failures)
    # A line that gives rows of two tables may fail for one cause in both.
    failed = pl.concat(failures).unique(maintain_order=True)
    raw = chunk.raw.filter(pl.col("source_line").is_in(failed["source_line"].implode()))
    text = chunk.malformed.select("source_line", row=pl.struct(line="text").struct.json_encode())
    left = {line for frame in passing.values() for line in _among(frame, raw["source_line"])}
    staged.refuse(pl.concat([_rows(raw), text]), failed, left)
    staged.lines += chunk.raw.height + chunk.malformed.height + chunk.left_out
    staged.left_out += chunk.left_out
    for table, passed in passing.items():
        if passed.is_empty():
            continue
        # In order of day, so that the second pass can skip what it does not need.
        filing = contract.FILING[table]
        placed = passed.select(*contract.schema(table), "source_line", content(table)).sort(
            filing.placed_by, *filing.key
        )
        placed.write_parquet(staged.folder / f"{table}-{number:06d}.parquet", row_group_size=50_000)
        staged.rows[table] += placed.height
        sample = placed.gather_every(SAMPLE_EVERY)
        staged.samples.append(
            sample.select(table=pl.lit(table), day=pl.col(filing.placed_by).dt.date(), id=filing.key[0])
        )


def _judge_amounts(staged: Staged, declarations: pl.DataFrame) -> Verdict:
    staged.currency = staged.currency or amounts.usual(declarations)
    return amounts.judge(declarations, staged.currency) if staged.currency else Verdict()


def _passing(table: str, frame: pl.DataFrame, failures: pl.DataFrame) -> pl.DataFrame:
    """Rows of `frame` that no failure refuses; of a row where only a value is refused, all but the value."""
    if failures.is_empty():
        return frame
    alone = {f"{field.name}_within_bounds": field.name for field in contract.TABLES[table] if field.is_refused_alone}
    of_value = failures.filter(pl.col("expectation").is_in(alone.keys()))
    of_row = failures.filter(pl.col("expectation").is_in(alone.keys()).not_())["source_line"]
    passing = frame.filter(pl.col("source_line").is_in(of_row.implode()).not_())
    for expectation, column in alone.items():
        lines = of_value.filter(pl.col("expectation") == expectation)["source_line"]
        refused = pl.col("source_line").is_in(lines.implode())
        passing = passing.with_columns(pl.when(refused.not_()).then(column).alias(column))
    return passing


def _among(frame: pl.DataFrame, lines: pl.Series) -> list[int]:
    return frame.filter(pl.col("source_line").is_in(lines.implode()))["source_line"].to_list()


def _counts(failures: pl.DataFrame) -> Iterable[tuple[str, str | None, int]]:
    """Lines by expectation and column."""
    lines = pl.col("source_line").n_unique()
    return failures.group_by("expectation", "column").agg(lines).sort("expectation", "column").iter_rows()


def _rows(raw: pl.DataFrame) -> pl.DataFrame:
    """`source_line` and `row`: the line's columns as text, in JSON."""
    columns = [
        pl.col(name) if dtype.is_nested() else pl.col(name).cast(pl.String)
        for name, dtype in raw.schema.items()
        if name != "source_line"
    ]
    return raw.select("source_line", row=pl.struct(columns).struct.json_encode())
