"""Ingestion: a source's batches into a store, one commit a batch.

A batch that was ingested before (same content, same mapping) is skipped, unless its file said something else since:
whoever puts a file back as it was withdraws a correction, which is a correction too. Of any other, every line is
stored, quarantined with its reasons, known already, or left out because its mapping says so; that these add up to the
lines read is checked before the commit. A batch without lines is a delivery as any other: a night without declarations.
A process that dies anywhere leaves the store as it was before the batch, and the next run takes the batch up again.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import takewhile

import polars as pl

from features import amounts, arrival
from features.arrival import Span
from features.csv_dialect import ReadError
from features.merging import Merged, merge
from features.partitions import ConservationError, write_days
from features.sources import Batch, Source
from features.staging import stage
from features.store import QUARANTINE, STAGING, BatchRecord, Store, write_parquet
from features.validation import check_batch
from features.verdict import BatchRejected, BatchVerdict, Limits, Verdict

__all__ = ["BatchReport", "ConservationError", "IngestRejected", "IngestReport", "Limits", "ingest"]

Progress = Callable[[str, int], None]


@dataclass(frozen=True)
class BatchReport:
    """What happened to one batch. A batch that was skipped has only the record of when it was ingested."""

    record: BatchRecord
    is_skipped: bool
    verdict: Verdict
    batch_verdict: BatchVerdict | None


@dataclass(frozen=True)
class IngestReport:
    """What happened to every batch, in order. The counts are of the batches that were not skipped, in lines."""

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
        """How many of the quarantined lines have a part that was stored."""
        return sum(record.in_part for record in self.ingested)

    @property
    def left_out(self) -> int:
        return sum(record.left_out for record in self.ingested)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences on batches that are odd as a whole and were stored all the same."""
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
        """Lines by reason, the most frequent first."""
        total: dict[str, int] = {}
        for record in self.ingested:
            for reason, lines in record.quarantined_by_reason.items():
                total[reason] = total.get(reason, 0) + lines
        return dict(sorted(total.items(), key=lambda item: (-item[1], item[0])))

    @property
    def verdict(self) -> Verdict:
        """Every expectation over all batches that were not skipped."""
        merged = Verdict()
        for batch in self.batches:
            merged = merged.merge(batch.verdict)
        return merged


class IngestRejected(BatchRejected):
    """A batch was rejected as a whole. Earlier batches are stored; `report` has them, `rejected` what was checked."""

    def __init__(self, cause: BatchRejected, report: IngestReport, rejected: Verdict) -> None:
        super().__init__(str(cause), cause.verdict)
        self.report = report
        self.rejected = rejected


def ingest(
    source: Source,
    store: Store,
    limits: Limits,
    on_progress: Progress | None = None,
    on_batch: Callable[[BatchReport], None] | None = None,
    arrived_on: date | None = None,
    world: Mapping[str, int | str] | None = None,
) -> IngestReport:
    """Bring every batch of `source` into `store`; `on_progress(file, lines read so far)`.

    `on_batch(report)` is called for each batch just before its commit: what it keeps of a batch is there whenever the
    batch is, and after a crash in between it is called for that batch again.

    `arrived_on`: the day on which the batches reached customs, today if None; nothing they tell happened after it.
    `world`: what the batches are simulated by, which the store keeps; see features/worlds.py.

    Raises ReadError (a file cannot be read), IngestRejected (a batch fails as a whole), StoreError (another process
    writes here) and ConservationError; of the batch at hand nothing is then stored.
    """
    reports: list[BatchReport] = []
    span = Span(limits.first_day, arrived_on or arrival.today())
    with store.locked():
        currency = amounts.stored(store)
        there: set[str] | None = None
        for batch in source.batches():
            sha256 = batch.sha256
            record, since = _ingested(batch.name, sha256, store.batches)
            if since and there is None:  # few files ever say something else, and reading all takes its time
                there = {each.sha256 for each in source.batches()}
            is_put_back = there is not None and not since <= there
            if record is not None and not is_put_back:
                reports.append(BatchReport(record, True, Verdict(), None))
                continue
            earlier = IngestReport(tuple(reports))
            arrived = _Arrived(batch, sha256, is_put_back, span, currency, world)
            reports.append(_ingest_batch(arrived, store, limits, on_progress, on_batch, earlier))
            currency = currency or amounts.stored(store)
    return IngestReport(tuple(reports))


@dataclass(frozen=True)
class _Arrived:
    """A batch to ingest; whether it was ingested before and is put back; the days and the currency that it may have,
    and the world that it is simulated by."""

    batch: Batch
    sha256: str
    is_put_back: bool
    span: Span
    currency: str | None
    world: Mapping[str, int | str] | None


def _ingested(name: str, sha256: str, records: Sequence[BatchRecord]) -> tuple[BatchRecord | None, set[str]]:
    """The last record of what a batch says, and what else its file said since.

    A file says several things where several blocks of a mapping read it: something else is a correction only if it
    does not lie there any more. An empty delivery says what every other does, and is told apart by its name.
    """
    last = next((at for at in reversed(range(len(records))) if _says(records[at], name, sha256)), None)
    if last is None:
        return None, set()
    since = {each.sha256 for each in records[last + 1 :] if each.file == records[last].file}
    return records[last], since


def _says(record: BatchRecord, name: str, sha256: str) -> bool:
    return record.sha256 == sha256 and (record.rows_in > 0 or record.file == name)


def _ingest_batch(
    arrived: _Arrived,
    store: Store,
    limits: Limits,
    on_progress: Progress | None,
    on_batch: Callable[[BatchReport], None] | None,
    earlier: IngestReport,
) -> BatchReport:
    batch, sha256 = arrived.batch, arrived.sha256
    folder = store.root / STAGING
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    on_lines = partial(on_progress, batch.name) if on_progress else lambda lines: None
    staged = stage(batch, folder, arrived.span, arrived.currency, on_lines)
    merged = merge(staged, store)
    try:
        batch_verdict = check_batch(
            batch.name,
            staged.lines - staged.left_out,
            staged.refused,
            _added_by_day(merged),
            store.rows("declarations"),
            limits,
            _empty_before(store),
            merged.overtaken if arrived.is_put_back else None,
        )
    except BatchRejected as rejection:
        raise IngestRejected(rejection, earlier, staged.verdict) from rejection
    if merged.stored + merged.known + staged.refused + staged.left_out != staged.lines:
        raise ConservationError(
            f"{batch.name}: {staged.lines} lines in, but {merged.stored} stored + {staged.refused} quarantined + "
            f"{merged.known} known + {staged.left_out} left out"
        )
    if batch.sha256 != sha256:
        raise ReadError(f"{batch.name}: the file changed while it was being read; ingest it when it is complete")
    changed = write_days(merged, store)
    if staged.refused:
        write_parquet(store.new_quarantine_file(sha256), staged.refused_rows(), QUARANTINE)
    record = BatchRecord(
        file=batch.name,
        sha256=sha256,
        rows_in=staged.lines,
        stored=merged.stored,
        quarantined=staged.refused,
        known=merged.known,
        superseded=merged.superseded,
        quarantined_by_reason=dict(sorted(staged.refused_by_reason.items())),
        in_part=len(staged.in_part),
        left_out=staged.left_out,
    )
    report = BatchReport(record, False, staged.verdict, batch_verdict)
    if on_batch:
        on_batch(report)
    store.commit(changed, record, arrived.world)
    return report


def _empty_before(store: Store) -> int:
    """How many of the last deliveries in a row had no lines."""
    return sum(1 for _ in takewhile(lambda record: not record.rows_in, reversed(store.batches)))


def _added_by_day(merged: Merged) -> dict[date, int]:
    """Declarations by which each day of acceptance grows; a correction that stays on its day adds none."""
    new = merged.placed("declarations").filter(pl.col("is_older").not_()).select("day", added=1)
    gone = merged.replaced("declarations").select("day", added=-1)
    added = pl.concat([new, gone]).group_by("day").agg(pl.col("added").sum()).filter(pl.col("added") > 0).sort("day")
    return dict(added.collect(engine="streaming").iter_rows())
