"""Ingestion brings a source's batches into a store, and takes small ones together.

A batch that was ingested before (same content, same mapping) is skipped, unless its file said something else since:
putting a file back as it was withdraws a correction, which is a correction too. Every line of any other batch is
stored, quarantined with its reasons, known already, or left out because its mapping says so. Before the commit these
must add up to the lines read. A batch without lines is a delivery as any other: a night without declarations.

Validation, merging and a commit cost something however few the lines are, so small batches share the cost: batches with
up to GROUP_LINES lines in all form a group. Each has its own verdict, record and quarantine, and the store ends as if
they had come one after the other. A process that dies anywhere leaves the store as it was before the group, and the
next run takes its batches up again.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from itertools import chain, count, islice, takewhile

import polars as pl

from features.ingestion.merging import Merged, Share, merge
from features.ingestion.partitions import ConservationError, write_days
from features.ingestion.report import BatchReport, IngestRejected, IngestReport
from features.ingestion.staging import Group, Staged
from features.reading import Batch, Chunk, ReadError, Source, files
from features.store import STAGING, BatchRecord, Store, parquet
from features.validation import BATCH, Limits, Verdict, amounts, arrival, check_batch, verdicts

__all__ = ["BatchReport", "ConservationError", "IngestRejected", "IngestReport", "Limits", "ingest"]

Progress = Callable[[str, int], None]
GROUP_LINES = files.CHUNK_LINES  # of the batches that are validated and stored together
_NOTHING = Chunk(pl.DataFrame(schema={"source_line": pl.Int64()}), {})  # a file without rows may read as this


def ingest(
    source: Source,
    store: Store,
    limits: Limits,
    on_progress: Progress | None = None,
    on_batch: Callable[[BatchReport], None] | None = None,
    arrived_on: date | None = None,
    world: Mapping[str, int | str] | None = None,
) -> IngestReport:
    """Bring every batch of `source` into `store`; `on_progress` is called with (file, lines read so far).

    `on_batch(report)` is called for each batch before the commit that it is in. So what it keeps of a batch exists
    whenever the batch does, and after a crash in between it is called for that batch again.

    `arrived_on` is the day on which the batches reached customs, today if None; nothing that they tell happened after
    it. `world` has the parameters by which the batches are simulated, which the store keeps; see
    features/ingestion/worlds.py.

    Raises ReadError (a file cannot be read), IngestRejected (a batch fails as a whole), StoreError (another process
    writes here), ConservationError, and ValueError if the clock is behind what is stored. Then nothing of the batch at
    hand is stored, and everything of those before it.
    """
    span = arrival.Span(limits.first_day, arrived_on or arrival.today())
    with store.locked():
        if arrived_on is None:
            arrival.refuse_clock_behind(span.last, store)
        ingestion = _Ingestion(source, store, limits, span, world, on_progress, on_batch)
        try:
            for batch in source.batches():
                ingestion.take(batch)
        except Exception:
            ingestion.bring_in()  # the batches before it are sound
            raise
        ingestion.bring_in()
        return ingestion.report


@dataclass(frozen=True)
class _Waiting:
    """A small batch that has been read: its place in the source, and its only chunk."""

    place: int
    batch: Batch
    sha256: str
    is_put_back: bool
    chunk: Chunk

    def staged(self, number: int) -> Staged:
        return Staged(self.batch, self.sha256, number, self.is_put_back, self.chunk.raw)


@dataclass
class _Ingestion:
    """One run of `ingest`: the reports on batches so far, and the small batches that are read and wait for more."""

    source: Source
    store: Store
    limits: Limits
    span: arrival.Span
    world: Mapping[str, int | str] | None
    on_progress: Progress | None
    on_batch: Callable[[BatchReport], None] | None
    _reports: dict[int, BatchReport] = field(default_factory=dict)  # by the batch's place in the source
    _places: Iterator[int] = field(default_factory=count)
    _waiting: dict[str, _Waiting] = field(default_factory=dict)  # by the batch's SHA-256
    _lines_waiting: int = 0

    def __post_init__(self) -> None:
        self._currency = amounts.stored(self.store)
        self._records = list(self.store.batches)
        self._known = {_identity(record): at for at, record in enumerate(self._records)}

    @property
    def report(self) -> IngestReport:
        return IngestReport(tuple(report for _, report in sorted(self._reports.items())))

    def take(self, batch: Batch) -> None:
        """Read `batch` unless it is known, and bring it in as soon as that is worth it."""
        sha256, place = batch.sha256, next(self._places)
        if sha256 in self._waiting:
            self.bring_in()
        # All empty deliveries have the same content, so the name tells whether one has come before.
        known_at = max(self._known.get((sha256, name), -1) for name in (None, batch.name))
        is_put_back = known_at >= 0 and self._said_something_else_since(known_at)
        if known_at >= 0 and not is_put_back:
            self._reports[place] = BatchReport(self._records[known_at], True, Verdict(), None)
            return
        chunks = self._heard(batch)
        chunk, *more = list(islice(chunks, 2)) or [_NOTHING]
        if more:
            self.bring_in()
            self._bring_in_large(place, Staged(batch, sha256, 0, is_put_back), chain([chunk], more, chunks))
            return
        _check_unchanged(batch, sha256)
        if self._lines_waiting + chunk.lines > GROUP_LINES:
            self.bring_in()
        self._waiting[sha256] = _Waiting(place, batch, sha256, is_put_back, chunk)
        self._lines_waiting += chunk.lines

    def _said_something_else_since(self, known_at: int) -> bool:
        """Whether a file said something after this record of it that the source no longer has.

        A file says several things at once if several blocks of a mapping read it.
        """
        record = self._records[known_at]
        since = {each.sha256 for each in self._records[known_at + 1 :] if each.file == record.file}
        return bool(since) and not since <= self._there

    @cached_property
    def _there(self) -> set[str]:
        """Return the SHA-256 of every batch of the source; this is seldom needed, since reading all takes time."""
        return {batch.sha256 for batch in self.source.batches()}

    def _heard(self, batch: Batch) -> Iterator[Chunk]:
        lines = 0
        for chunk in batch.chunks():
            lines += chunk.lines
            if self.on_progress:
                self.on_progress(batch.name, lines)
            yield chunk

    def bring_in(self) -> None:
        """Store the batches that wait."""
        waiting = list(self._waiting.values())
        self._waiting, self._lines_waiting = {}, 0
        together = len(waiting)
        while waiting:
            if self._bring_in(waiting[:together]):
                waiting = waiting[together:]
            together = len(waiting) if self._currency else 1

    def _bring_in(self, waiting: Sequence[_Waiting]) -> bool:
        """Store batches together; return False if they have to come one by one until the currency is known."""
        staged = [each.staged(number) for number, each in enumerate(waiting)]
        group = self._group(staged)
        group.add([(one, each.chunk) for one, each in zip(staged, waiting, strict=True)])
        merged = merge(group, self.store)
        if len(waiting) > 1 and self._currency is None and not _says_currency(merged):
            return False
        self._store(merged, [each.place for each in waiting])
        return True

    def _bring_in_large(self, place: int, staged: Staged, chunks: Iterable[Chunk]) -> None:
        group = self._group([staged])
        for chunk in chunks:
            group.add([(staged, chunk)])
        self._store(merge(group, self.store), [place])

    def _group(self, batches: list[Staged]) -> Group:
        folder = self.store.root / STAGING
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return Group(folder, self.span, self._currency, batches)

    def _store(self, merged: Merged, places: Sequence[int]) -> None:
        """Commit the merged batches, which have `places` in the source, up to the first that is rejected."""
        accepted, rejection = self._accepted(merged)
        merged = replace(merged, until=len(accepted))
        if accepted:
            self._commit(merged, accepted)
            self._reports |= dict(zip(places, accepted, strict=False))
        if rejection is not None:
            verdict = merged.group.batches[len(accepted)].verdict
            raise IngestRejected(rejection, self._before(places[len(accepted)]), verdict) from rejection

    def _before(self, place: int) -> IngestReport:
        return IngestReport(tuple(report for at, report in sorted(self._reports.items()) if at < place))

    def _accepted(self, merged: Merged) -> tuple[list[BatchReport], verdicts.BatchRejected | None]:
        """Return the reports of batches in their order, up to the first that is rejected, and its rejection."""
        reports: list[BatchReport] = []
        grown = _grown(merged)
        rows = self.store.rows("declarations")
        for staged, share in zip(merged.group.batches, merged.shares, strict=True):
            growth = grown.get(staged.number, {})
            records = [*self._records, *(report.record for report in reports)]
            try:
                verdict = check_batch(
                    staged.batch.name,
                    staged.lines - staged.left_out,
                    staged.refused,
                    {day: added for day, added in growth.items() if added > 0},
                    rows,
                    self.limits,
                    _empty_at_the_end(records),
                    share.overtaken if staged.is_put_back else None,
                )
            except verdicts.BatchRejected as rejection:
                return reports, rejection
            reports.append(BatchReport(_record(staged, share), False, staged.verdict, verdict))
            rows = {day: more for day in {*rows, *growth} if (more := rows.get(day, 0) + growth.get(day, 0))}
        return reports, None

    def _commit(self, merged: Merged, reports: Sequence[BatchReport]) -> None:
        batches = merged.group.batches[: len(reports)]
        for staged in batches:
            if staged.raw is None:  # a large batch is read to the end only now
                _check_unchanged(staged.batch, staged.sha256)
        changed = write_days(merged, self.store)
        records = [report.record for report in reports]
        refusing = [staged for staged in batches if staged.refused]
        for staged, file in zip(refusing, self.store.new_quarantine_files(records), strict=True):
            parquet.write_refused(file, staged.refused_rows())
        if self.on_batch:
            for report in reports:
                self.on_batch(report)
        self.store.commit(changed, records, self.world)
        self._known |= {_identity(record): at for at, record in enumerate(records, len(self._records))}
        self._records += records
        self._currency = self._currency or amounts.stored(self.store)


def _says_currency(merged: Merged) -> bool:
    """Whether the first batch tells the others their currency, as if it came alone: declarations of it are stored."""
    if merged.group.currency_from is None:
        return True
    stored = merged.placed("declarations").filter(pl.col(BATCH) == 0).head(1).collect()
    return merged.group.currency_from == 0 and merged.group.currency is not None and stored.height > 0


def _identity(record: BatchRecord) -> tuple[str, str | None]:
    return record.sha256, None if record.rows_in else record.file


def _check_unchanged(batch: Batch, sha256: str) -> None:
    if batch.sha256 != sha256:
        raise ReadError(f"{batch.name}: the file changed while it was being read; ingest it when it is complete")


def _record(staged: Staged, share: Share) -> BatchRecord:
    """Return the record of a batch; ConservationError if its counts do not add up."""
    name = staged.batch.name
    if share.stored + share.known + staged.refused + staged.left_out != staged.lines:
        raise ConservationError(
            f"{name}: {staged.lines} lines in, but {share.stored} stored + {staged.refused} quarantined + "
            f"{share.known} known + {staged.left_out} left out"
        )
    return BatchRecord(
        file=name,
        sha256=staged.sha256,
        rows_in=staged.lines,
        stored=share.stored,
        quarantined=staged.refused,
        known=share.known,
        superseded=share.superseded,
        quarantined_by_reason=dict(sorted(staged.refused_by_reason.items())),
        in_part=len(staged.in_part),
        left_out=staged.left_out,
    )


def _empty_at_the_end(records: Sequence[BatchRecord]) -> int:
    """Return how many of the last deliveries in a row had no lines."""
    return sum(1 for _ in takewhile(lambda record: not record.rows_in, reversed(records)))


def _grown(merged: Merged) -> dict[int, dict[date, int]]:
    """Return by how many declarations each day grows with each batch; a correction that stays on its day adds 0."""
    new = merged.placed("declarations").filter(pl.col("is_older").not_()).select(BATCH, "day", added=1)
    gone = merged.replaced("declarations").select(BATCH, "day", added=-1)
    added = pl.concat([new, gone]).group_by(BATCH, "day").agg(pl.col("added").sum()).sort(BATCH, "day")
    grown: dict[int, dict[date, int]] = {}
    for batch, day, more in added.collect(engine="streaming").iter_rows():
        grown.setdefault(batch, {})[day] = more
    return grown
