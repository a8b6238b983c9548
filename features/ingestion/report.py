"""What an ingestion did, batch by batch. This module has types only; `features.ingestion.batches` does the work."""

from collections import Counter
from dataclasses import dataclass

from features.store import BatchRecord
from features.validation import Verdict, verdicts


@dataclass(frozen=True)
class BatchReport:
    """Tells what happened to one batch. A batch that was skipped has only the record of when it was ingested."""

    record: BatchRecord
    is_skipped: bool
    verdict: Verdict
    batch_verdict: verdicts.BatchVerdict | None


@dataclass(frozen=True)
class IngestReport:
    """Tells what happened to every batch, in order. The counts are of lines, in the batches that were not skipped."""

    batches: tuple[BatchReport, ...]

    @property
    def ingested(self) -> tuple[BatchRecord, ...]:
        return tuple(batch.record for batch in self.batches if not batch.is_skipped)

    @property
    def rows_in(self) -> int:
        return sum(record.rows_in for record in self.ingested)

    @property
    def stored(self) -> int:
        return sum(record.stored for record in self.ingested)

    @property
    def quarantined(self) -> int:
        return sum(record.quarantined for record in self.ingested)

    @property
    def known(self) -> int:
        return sum(record.known for record in self.ingested)

    @property
    def in_part(self) -> int:
        """Return how many of the quarantined lines have a part that was stored."""
        return sum(record.in_part for record in self.ingested)

    @property
    def left_out(self) -> int:
        return sum(record.left_out for record in self.ingested)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return sentences on batches that are odd as a whole and were stored all the same."""
        return tuple(
            f"{batch.record.file}: {check.sentence}"
            for batch in self.batches
            if batch.batch_verdict
            for check in batch.batch_verdict.checks
            if check.is_warning and not check.passed
        )

    @property
    def superseded(self) -> int:
        return sum(record.superseded for record in self.ingested)

    @property
    def quarantined_by_reason(self) -> dict[str, int]:
        """Return how many lines were quarantined for each reason, the most frequent first."""
        total: Counter[str] = Counter()
        for record in self.ingested:
            total.update(record.quarantined_by_reason)
        return dict(sorted(total.items(), key=lambda item: (-item[1], item[0])))

    @property
    def verdict(self) -> Verdict:
        """Return the results of every expectation over all batches that were not skipped."""
        merged = Verdict()
        for batch in self.batches:
            merged = merged.merge(batch.verdict)
        return merged


class IngestRejected(verdicts.BatchRejected):
    """A batch was rejected as a whole. Earlier batches are stored (`report`); `rejected` has what was checked."""

    def __init__(self, cause: verdicts.BatchRejected, report: IngestReport, rejected: Verdict) -> None:
        super().__init__(str(cause), cause.verdict)
        self.report = report
        self.rejected = rejected
