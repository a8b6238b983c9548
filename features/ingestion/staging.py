"""The first pass of an ingestion: lines of batches are validated and set aside on disk.

What can be stored waits in the working folder, by table; the rest waits beside it as quarantine rows. Small batches are
validated together. Of a large one, memory holds one chunk at a time and a small sample of keys, by which the second
pass (`features.ingestion.merging`) cuts its work.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from features import contract
from features.reading import Batch, Chunk
from features.store import parquet
from features.validation import BATCH, FAILURES, PLACE, Verdict, amounts, arrival, judge, verdicts

SAMPLE_EVERY = 1_000
WELL_FORMED = "line_is_well_formed"


@dataclass
class Staged:
    """Tells what the first pass says of one batch, which has this `number` in its group.

    `lines` counts all lines that were read, and `left_out` those that the mapping leaves out. `refused` counts lines of
    which anything was refused, and `in_part` has those of which something is left. `refused_by_reason` counts lines by
    expectation and column. `is_put_back` says that its file said this before, and something else since. `raw` has the
    lines as the source gave them, if the batch has one chunk.
    """

    batch: Batch
    sha256: str
    number: int
    is_put_back: bool
    raw: pl.DataFrame | None = None
    lines: int = 0
    left_out: int = 0
    refused: int = 0
    in_part: set[int] = field(default_factory=set)
    refused_by_reason: Counter[str] = field(default_factory=Counter)
    verdict: Verdict = field(default_factory=Verdict)
    _refused: list[Path] = field(default_factory=list)

    def refuse(self, raw: pl.DataFrame, failures: pl.DataFrame, left: Collection[int], folder: Path) -> None:
        """Set lines aside for quarantine; `raw` has `source_line` and `row` (JSON) of each line in `failures`.

        `left` has the lines of which something is left all the same.
        """
        lines = set(failures["source_line"].to_list())
        self.refused += len(lines - self.in_part)  # a part of a line may be refused later than the other
        self.in_part = (self.in_part - lines) | lines.intersection(left)
        for expectation, column, count in _counts(failures):
            self.refused_by_reason[f"{expectation} ({column})" if column else expectation] += count
        by_line = failures.group_by("source_line").agg(
            pl.col("expectation").alias("expectations"), pl.col("reason").alias("reasons")
        )
        rows = by_line.join(raw, on="source_line", how="left").sort("source_line")
        rows = rows.with_columns(source_file=pl.lit(self.batch.name)).select(parquet.QUARANTINE.names())
        self._refused.append(folder / f"refused-{self.number:06d}-{len(self._refused):06d}.parquet")
        rows.write_parquet(self._refused[-1])

    def refused_rows(self) -> Iterator[pl.DataFrame]:
        """Yield quarantine rows in the order in which they were found."""
        return (pl.read_parquet(path) for path in self._refused)

    def lines_as_given(self, lines: pl.Series) -> pl.DataFrame:
        """Return `source_line` and `row` (JSON) of some lines; a batch of several chunks is read once more for that."""
        wanted = pl.col("source_line").is_in(lines.unique().sort().implode())
        raw = (chunk.raw for chunk in self.batch.chunks()) if self.raw is None else iter([self.raw])
        return pl.concat(_rows(each.filter(wanted)) for each in raw)


@dataclass
class Group:
    """Batches that are brought in together, after their first pass, in folder `folder`.

    What they tell must have happened within `span`, and their amounts must be in `currency`. If none is given, it is
    that of most declarations of the first chunk that has any, which belongs to batch `currency_from`. `rows` counts
    rows by table; `samples` have `table`, `day` and `id` (the first column of the key) of every thousandth row.
    """

    folder: Path
    span: arrival.Span
    currency: str | None
    batches: list[Staged] = field(default_factory=list)
    currency_from: int | None = None
    rows: Counter[str] = field(default_factory=Counter)
    samples: list[pl.DataFrame] = field(default_factory=list)
    _parts: int = 0

    def scan(self, table: str) -> pl.LazyFrame:
        """Scan the rows of `table` that passed: the contract's columns, PLACE of validation.verdict, and `content`."""
        return parquet.scan_files(sorted(self.folder.glob(f"{table}-*.parquet")), staged_schema(table))

    def add(self, chunks: Sequence[tuple[Staged, Chunk]]) -> None:
        """Validate chunks, one for each batch, all at once, and set their lines aside."""
        failures = [_malformed(chunks)]
        passing: dict[str, pl.DataFrame] = {}
        for table in dict.fromkeys(table for _, chunk in chunks for table in chunk.tables):
            rows = _together(table, chunks)
            findings = judge(table, rows) + arrival.judge(table, rows, self.span)
            if table == "declarations":
                self._take_currency(rows)
                findings += [amounts.judge(rows, self.currency)] if self.currency else []
            _tell(table, chunks, findings)
            failures.append(verdicts.failures_of(findings))
            # A row that is refused in one table says nothing about the line's row in the other table.
            passing[table] = _passing(table, rows, failures[-1])
        # A line that gives rows of two tables may fail for one cause in both.
        failed = pl.concat(failures).unique(maintain_order=True)
        failed_of = dict(iter(failed.group_by(BATCH, maintain_order=True)))
        left = pl.concat([failed.clear().select(*PLACE), *(rows.select(*PLACE) for rows in passing.values())])
        left = left.join(failed, on=[*PLACE], how="semi")
        for staged, chunk in chunks:
            staged.lines += chunk.lines
            staged.left_out += chunk.left_out
            if (refused := failed_of.get((staged.number,))) is not None:
                raw = chunk.raw.filter(pl.col("source_line").is_in(refused["source_line"].implode()))
                text = chunk.malformed.select("source_line", row=pl.struct(line="text").struct.json_encode())
                still = left.filter(pl.col(BATCH) == staged.number)["source_line"].to_list()
                staged.refuse(pl.concat([_rows(raw), text]), refused.select(*FAILURES), still, self.folder)
        for table, rows in passing.items():
            self._set_aside(table, rows)
        self._parts += 1

    def _take_currency(self, declarations: pl.DataFrame) -> None:
        if self.currency is None and declarations.height:
            self.currency_from = declarations[BATCH][0]
            self.currency = amounts.usual(declarations.filter(pl.col(BATCH) == self.currency_from))

    def _set_aside(self, table: str, rows: pl.DataFrame) -> None:
        if rows.is_empty():
            return
        # The rows are in order of day, so that the second pass can skip what it does not need.
        filing = contract.FILING[table]
        placed = rows.select(*contract.schema(table), *PLACE, content(table)).sort(filing.placed_by, *filing.key)
        placed.write_parquet(self.folder / f"{table}-{self._parts:06d}.parquet", row_group_size=50_000)
        self.rows[table] += placed.height
        sample = placed.gather_every(SAMPLE_EVERY)
        self.samples.append(
            sample.select(table=pl.lit(table), day=pl.col(filing.placed_by).dt.date(), id=filing.key[0])
        )


def staged_schema(table: str) -> pl.Schema:
    return pl.Schema({**contract.schema(table), **PLACE, "content": pl.UInt64()})


def content(table: str) -> pl.Expr:
    """Return a hash of a row's content: rows of one key with the same hash are copies of each other."""
    return pl.struct(contract.schema(table).names()).hash(1).alias("content")


def _malformed(chunks: Sequence[tuple[Staged, Chunk]]) -> pl.DataFrame:
    """Return BATCH and FAILURES of lines that have no columns at all."""
    return pl.concat(
        chunk.malformed.select(
            pl.lit(staged.number, pl.UInt32).alias(BATCH),
            "source_line",
            expectation=pl.lit(WELL_FORMED),
            column=pl.lit(None, pl.String),
            reason="reason",
        )
        for staged, chunk in chunks
    )


def _together(table: str, chunks: Sequence[tuple[Staged, Chunk]]) -> pl.DataFrame:
    """Return the rows of `table` of all chunks: the contract's columns, PLACE and `unreadable`."""
    columns = [*contract.schema(table), "source_line", "unreadable"]
    return pl.concat(
        chunk.tables[table].select(pl.lit(staged.number, pl.UInt32).alias(BATCH), *columns)
        for staged, chunk in chunks
        if table in chunk.tables
    )


def _tell(table: str, chunks: Sequence[tuple[Staged, Chunk]], findings: Sequence[verdicts.Finding]) -> None:
    """Add to the verdict of each batch the results on its rows of `table`, without the lines."""
    told = {staged.number: chunk.tables[table].height for staged, chunk in chunks if table in chunk.tables}
    found = verdicts.results_of(findings, told)
    for staged, _ in chunks:
        results = [*staged.verdict.results, *found.get(staged.number, ())]
        staged.verdict = Verdict(results=verdicts.merge_results(results))


def _passing(table: str, rows: pl.DataFrame, failures: pl.DataFrame) -> pl.DataFrame:
    """Return the `rows` that no failure refuses; if only a value of a row is refused, the row stays without it."""
    if failures.is_empty():
        return rows
    alone = {f"{field.name}_within_bounds": field.name for field in contract.TABLES[table] if field.is_refused_alone}
    of_value = pl.col("expectation").is_in(alone.keys())
    passing = rows.join(failures.filter(~of_value), on=[*PLACE], how="anti", maintain_order="left")
    for expectation, column in alone.items():
        refused = failures.filter(expectation=expectation).select(*PLACE, is_refused=True).unique()
        passing = passing.join(refused, on=[*PLACE], how="left", maintain_order="left")
        passing = passing.with_columns(pl.when(pl.col("is_refused").is_null()).then(column).alias(column))
        passing = passing.drop("is_refused")
    return passing


def _counts(failures: pl.DataFrame) -> Iterable[tuple[str, str | None, int]]:
    """Return how many lines failed, by expectation and column."""
    lines = pl.col("source_line").n_unique()
    return failures.group_by("expectation", "column").agg(lines).sort("expectation", "column").iter_rows()


def _rows(raw: pl.DataFrame) -> pl.DataFrame:
    """Return `source_line` and `row`: the line's columns as text, in JSON."""
    columns = [
        pl.col(name) if dtype.is_nested() else pl.col(name).cast(pl.String)
        for name, dtype in raw.schema.items()
        if name != "source_line"
    ]
    return raw.select("source_line", row=pl.struct(columns).struct.json_encode())
