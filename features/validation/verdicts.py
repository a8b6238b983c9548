"""What a validation says of each expectation, of the rows that fail one, and of the batch as a whole.

Rows of many batches are judged together, because each question costs something; the results are then divided among the
batches.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal

import polars as pl

Severity = Literal["row", "warning"]

EXAMPLES_KEPT = 5
BATCH = "batch"  # the number of the batch, from 0, in frames of several batches
PLACE = pl.Schema({BATCH: pl.UInt32(), "source_line": pl.Int64()})
FAILURES = pl.Schema(
    {"source_line": pl.Int64(), "expectation": pl.String(), "column": pl.String(), "reason": pl.String()}
)


@dataclass(frozen=True)
class Example:
    """A row that fails an expectation: its line in the file, and the value as text."""

    source_line: int
    value: str


@dataclass(frozen=True)
class ExpectationResult:
    """Counts how many of `rows` fail one expectation.

    Severity `row` sends them to quarantine, `warning` lets them pass.
    """

    table: str
    name: str
    column: str
    says: str
    severity: Severity
    rows: int
    unexpected: int
    examples: tuple[Example, ...] = ()

    @property
    def share(self) -> float:
        """Return the share of unexpected rows in all rows; 0 if there are none."""
        return self.unexpected / self.rows if self.rows else 0.0


@dataclass(frozen=True)
class Finding:
    """The rows of one table that fail one expectation.

    `failing` has PLACE, `column`, `reason` and `value` of each row that fails, ordered by PLACE.
    """

    table: str
    name: str
    column: str
    says: str
    severity: Severity
    failing: pl.DataFrame


@dataclass(frozen=True)
class Verdict:
    """The verdict on rows of a batch.

    `failures` has one row for each line and expectation of severity `row` that it fails, ordered by line. `results` has
    every expectation.
    """

    failures: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=FAILURES))
    results: tuple[ExpectationResult, ...] = ()

    def merge(self, other: "Verdict") -> "Verdict":
        """Merge this verdict with that of another chunk, or of another table of the same chunk; counts add up.

        >>> one = ExpectationResult("declarations", "net_mass_kg_bounds", "net_mass_kg", "0 or more", "row", 10, 1)
        >>> merged = Verdict(results=(one,)).merge(Verdict(results=(one,)))
        >>> [(result.rows, result.unexpected) for result in merged.results]
        [(20, 2)]
        """
        failures = pl.concat([self.failures, other.failures]).sort("source_line", maintain_order=True)
        return Verdict(failures, merge_results([*self.results, *other.results]))

    def summary(self) -> "Verdict":
        """Return the verdict without `failures`: this is kept of each chunk of a file that does not fit into memory."""
        return Verdict(results=self.results)


def failures_of(findings: Sequence[Finding]) -> pl.DataFrame:
    """Return BATCH and FAILURES of all rows that fail a finding of severity `row`, by batch, line and finding."""
    columns = [BATCH, *FAILURES]
    found = [
        finding.failing.select(*PLACE, "column", "reason", expectation=pl.lit(finding.name)).select(columns)
        for finding in findings
        if finding.severity == "row" and finding.failing.height
    ]
    none = pl.DataFrame(schema={**PLACE, **FAILURES}).select(columns)
    return pl.concat([none, *found]).sort(*PLACE, maintain_order=True)


def results_of(findings: Sequence[Finding], rows: Mapping[int, int]) -> dict[int, tuple[ExpectationResult, ...]]:
    """Return the results of `findings` for each batch; `rows` has the number of rows of each batch, by its number."""
    found = [(finding, _by_batch(finding.failing)) for finding in findings]
    return {
        batch: tuple(_result(finding, failing.get(batch), height) for finding, failing in found)
        for batch, height in rows.items()
    }


def _by_batch(rows: pl.DataFrame) -> dict[int, pl.DataFrame]:
    if rows.is_empty():
        return {}
    parts = rows.partition_by(BATCH, as_dict=True, include_key=False, maintain_order=True)
    return {batch: part for (batch,), part in parts.items()}


def _result(finding: Finding, failing: pl.DataFrame | None, rows: int) -> ExpectationResult:
    said = finding.table, finding.name, finding.column, finding.says, finding.severity, rows
    if failing is None:
        return ExpectationResult(*said, 0)
    shown = failing.head(EXAMPLES_KEPT).select("source_line", "value").iter_rows()
    return ExpectationResult(*said, failing.height, tuple(Example(line, value) for line, value in shown))


def merge_results(results: Iterable[ExpectationResult]) -> tuple[ExpectationResult, ...]:
    """Return one result for each expectation, in order of first appearance, with the examples of the lowest lines."""
    merged: dict[tuple[str, str], ExpectationResult] = {}
    for result in results:
        key = (result.table, result.name)
        if key not in merged:
            merged[key] = result
            continue
        before = merged[key]
        examples = sorted([*before.examples, *result.examples], key=lambda example: example.source_line)
        merged[key] = replace(
            before,
            rows=before.rows + result.rows,
            unexpected=before.unexpected + result.unexpected,
            examples=tuple(examples[:EXAMPLES_KEPT]),
        )
    return tuple(merged.values())


@dataclass(frozen=True)
class BatchCheck:
    """An expectation on a whole batch: what was observed, and what is allowed."""

    name: str
    says: str
    observed: str
    allowed: str
    passed: bool
    is_warning: bool = False  # if it fails, the batch is stored all the same

    @property
    def sentence(self) -> str:
        return f"{self.name}: {self.observed}; allowed: {self.allowed}"


@dataclass(frozen=True)
class DayVolume:
    """The rows of one day of a batch, and what was `stored` of that day before.

    `usual` is the median of its weekday, None if there is too little history; a bound is None if it does not apply.
    """

    day: date
    rows: int
    stored: int
    usual: float | None = None
    lowest: float | None = None
    highest: float | None = None

    @property
    def is_quiet(self) -> bool:
        return self.lowest is not None and self.rows < self.lowest

    @property
    def is_busy(self) -> bool:
        return self.highest is not None and self.rows + self.stored > self.highest


@dataclass(frozen=True)
class BatchVerdict:
    """The checks on a whole batch and its rows by day."""

    file: str
    checks: tuple[BatchCheck, ...]
    days: tuple[DayVolume, ...]


class BatchRejected(ValueError):
    """A batch must not be stored. `verdict` is what a validation page shows of it."""

    def __init__(self, sentence: str, verdict: BatchVerdict) -> None:
        super().__init__(sentence)
        self.verdict = verdict
