"""Writes what a merge decided: every day that changes is written anew, beside the old one, until the commit.

The work is cut by days, and large days by ranges of ids. Rows are ordered by key, so the cuts do not show in the files.
The threads do not show either, since each file is written by one.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from features.contract import FILING, Filing
from features.ingestion.merging import Merged, Range, ranges
from features.ingestion.staging import SAMPLE_EVERY
from features.store import PartitionFile, Store, parquet
from features.validation import BATCH, PLACE

GROUP_ROWS = 200_000
_BEFORE = pl.lit(-1, pl.Int64)  # for versions that were older ones already


class ConservationError(RuntimeError):
    """Rows in and rows out do not add up. That is a fault of this program, not of the data; nothing was committed."""


@dataclass(frozen=True)
class _Change:
    """The rows that one day of a stored table gains and loses."""

    day: date
    gained: int
    lost: int


_Day = tuple[_Change, Iterator[pa.Table]]  # a change, and the day's rows after it
_Written = dict[tuple[str, date], PartitionFile | None]


def write_days(merged: Merged, store: Store) -> dict[tuple[str, date], PartitionFile | None]:
    """Write every changed day of every table; return its file, or None for a day that has no row left.

    While the days of one group are written, the next group is prepared, so two groups are in memory.
    """
    threads = os.cpu_count() or 1
    changed: _Written = {}
    with ThreadPoolExecutor(threads) as pool:
        writing: list[Future[_Written]] = []
        for target, days in _prepared(merged, store):
            for written in writing:
                changed |= written.result()
            # Each thread gets a share of the days: handing over one day takes as long as writing a small one.
            shares = [days[first::threads] for first in range(threads)]
            writing = [pool.submit(target.write, share) for share in shares if share]
        for written in writing:
            changed |= written.result()
    return changed


def _prepared(merged: Merged, store: Store) -> "Iterator[tuple[_Target, list[_Day]]]":
    """Yield the changed days of every stored table, as many at a time as fit into memory."""
    for table in parquet.CURRENT:
        if merged.group.rows[table]:
            for name in (table, f"{table}_superseded"):
                target = _Target(merged, store, table, name)
                for group in target.groups():
                    yield target, list(target.days(group))


@dataclass(frozen=True)
class _Target:
    """One stored table that a merge changes: the versions in force of `table`, or the superseded ones."""

    merged: Merged
    store: Store
    table: str
    name: str

    @property
    def _is_older(self) -> bool:
        return self.name != self.table

    @property
    def _filing(self) -> Filing:
        return FILING[self.table]

    @property
    def _placed_on(self) -> pl.Expr:
        """Return the day on which a row is stored."""
        return pl.col(self._filing.placed_by).dt.date()

    @cached_property
    def _before(self) -> dict[date, int]:
        return self.store.rows(self.name)

    def write(self, days: Sequence[_Day]) -> _Written:
        return dict(self._written(*day) for day in days)

    def _written(self, change: _Change, rows: Iterator[pa.Table]) -> tuple[tuple[str, date], PartitionFile | None]:
        part = self.store.write_day(self.name, change.day, rows)
        expected = self._before.get(change.day, 0) + change.gained - change.lost
        if part.rows != expected:
            raise ConservationError(f"{self.name} {change.day}: {part.rows} rows; {expected} were expected")
        return (self.name, change.day), part if part.rows else None

    def _changes(self) -> list[_Change]:
        placed = self.merged.in_the_end(self.table).filter(pl.col("is_older") == self._is_older)
        gained = dict(placed.group_by("day").len().collect(engine="streaming").iter_rows())
        in_store = self.merged.replaced_in_store(self.table).group_by("day").len()
        replaced = dict(in_store.collect(engine="streaming").iter_rows())
        days = sorted({*gained, *replaced})
        if self._is_older:
            return [_Change(day, gained.get(day, 0) + replaced.get(day, 0), 0) for day in days]
        return [_Change(day, gained.get(day, 0), replaced.get(day, 0)) for day in days]

    def groups(self) -> Iterator[list[_Change]]:
        """Yield consecutive days that fit into memory together; a day that does not fit is alone."""
        group: list[_Change] = []
        rows = 0
        for change in self._changes():
            more = self._before.get(change.day, 0) + change.gained
            if group and rows + more > GROUP_ROWS:
                yield group
                group, rows = [], 0
            group.append(change)
            rows += more
        if group:
            yield group

    def days(self, group: list[_Change]) -> Iterator[_Day]:
        """Yield each day's rows, in order, in one table or, if the day is large, in several."""
        first = group[0]
        if len(group) == 1 and self._before.get(first.day, 0) + first.gained > GROUP_ROWS:
            yield first, (self._rows([first.day], part).to_arrow() for part in self._ranges(first.day))
            return
        rows = self._rows([change.day for change in group], Range())
        heights = dict(rows.group_by(self._placed_on).len().iter_rows())
        arrow, start = rows.to_arrow(), 0  # converted once: converting each day costs as much as writing it
        for change in group:
            height = heights.get(change.day, 0)
            yield change, iter([arrow.slice(start, height)])
            start += height

    def _ranges(self, day: date) -> list[Range]:
        """Return ranges of ids that cut a large day, by the sample of new rows and the row groups of stored ones."""
        sampled = [sample.filter(table=self.table, day=day)["id"] for sample in self.merged.group.samples]
        boundaries = pl.concat(sampled).sort().gather_every(GROUP_ROWS // SAMPLE_EVERY).to_list()[1:]
        for file in self.store.files(self.name, day, day):
            metadata = pq.read_metadata(file)
            for number in range(0, metadata.num_row_groups, max(1, GROUP_ROWS // parquet.ROW_GROUP_ROWS)):
                boundaries.append(metadata.row_group(number).column(0).statistics.min)
        return ranges(boundaries)

    def _rows(self, days: list[date], part: Range) -> pl.DataFrame:
        """Return the rows of `days` as they will be, ordered."""
        in_days = pl.col("day").is_between(days[0], days[-1])
        placed = self.merged.in_the_end(self.table).filter(in_days, pl.col("is_older") == self._is_older)
        filing = self._filing
        names = {staged.number: staged.batch.name for staged in self.merged.group.batches}
        new = (
            part.of(self.table, self.merged.group.scan(self.table))
            .filter(self._placed_on.is_between(days[0], days[-1]))
            .join(placed.drop("day", "is_older"), on=[*PLACE])
            .with_columns(source_file=pl.col(BATCH).replace_strict(names, return_dtype=pl.String))
        )
        replaced = self.merged.replaced_in_store(self.table).filter(in_days)
        held = part.of(self.table, self.store.scan_days(self.table, days))
        columns = [*parquet.schema(self.name), "since"]
        if self._is_older:
            # The rows are in order of arrival: of versions of one instant the last one was in force.
            kept = part.of(self.table, self.store.scan_days(self.name, days)).with_columns(since=_BEFORE)
            pieces = [kept, held.join(replaced.drop("day"), on=filing.key), new]
            order = [*filing.key, filing.version_at or filing.key[0], "since"]
        else:
            pieces = [new, held.join(replaced, on=filing.key, how="anti").with_columns(since=_BEFORE)]
            order = [*filing.key]
        rows = pl.concat([piece.select(columns).collect(engine="streaming") for piece in pieces])
        return rows.sort(self._placed_on, *order, maintain_order=True).drop("since")
