"""What had become known before a span of days, summed up by entity and day and kept on disk.

    2023-<digest>/declared-importer_id.arrow              a year, the sum of its months
    2024-03-<digest>/concluded-hs6-origin_country.arrow   a month

A block is the sum of the facts that became known in its span. Its name carries a digest of those facts and of the code,
so one whose facts have changed (a file that came late, a new rule) is not found, and is made anew. A table's rows, its
cells, are ordered by entity and day, and measures are running totals down the table: a sum since some day is one
difference between two cells, however many lie between.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numba
import numpy as np
import polars as pl
import pyarrow as pa

from features.atomic import PARTIAL, flush
from features.facts import KINDS, Known
from features.numbering import Hashes
from features.windows import MAX_DAY, Floats, Ints

Tables = Sequence[tuple[str, tuple[str, ...]]]  # kinds, and the columns that name entities


@dataclass(frozen=True)
class Table:
    """Cells of one kind by one combination of columns: entity, day and, where kept apart, value of each.

    `totals`: of each measure the sum over this cell and all before it, of whichever entity; wraps as int64 does.
    """

    entity: Hashes
    day: Ints
    value: Floats
    totals: tuple[Ints, ...]

    @classmethod
    def open(cls, path: Path) -> "Table":
        """The table at `path`, mapped into memory: what nobody asks about is not read."""
        with pa.memory_map(str(path)) as file:
            table = pa.ipc.open_file(file).read_all()
        columns = {name: table[name].combine_chunks().to_numpy(zero_copy_only=True) for name in table.column_names}
        value = columns.get("value", np.full(len(columns["day"]), np.nan))
        return cls(columns["entity"], columns["day"], value, tuple(columns[n] for n in columns if n.isdecimal()))

    def cells(self) -> pl.DataFrame:
        """Every cell with its own measures."""
        own = {str(i): np.diff(total, prepend=0) for i, total in enumerate(self.totals)}
        return pl.DataFrame({"entity": self.entity, "day": self.day, "value": self.value, **own})

    def spans(self, entities: Hashes) -> tuple[Ints, Ints]:
        """First cell of each of `entities`, which are in order, and the one behind its last."""
        return np.searchsorted(self.entity, entities, "left"), np.searchsorted(self.entity, entities, "right")

    def sums(self, first: Ints, end: Ints) -> Ints:
        """Measures summed over the cells from each `first` to before `end`."""
        out = np.zeros((len(first), len(self.totals)), np.int64)
        some = np.flatnonzero(first < end)
        for i, total in enumerate(self.totals):
            before = np.where(first[some] > 0, total[first[some] - 1], 0)
            out[some, i] = total[end[some] - 1] - before
        return out


@dataclass(frozen=True)
class Block:
    """The facts that entered after day `start` and not after `end`, in `folder`: a year's are those of its months."""

    start: int
    end: int
    folder: Path
    months: tuple["Block", ...] = ()

    def table(self, kind: str, by: Sequence[str]) -> Table:
        return Table.open(self.folder / _name(kind, by))

    def make(self, tables: Tables, known: Callable[[int, int], Known]) -> None:
        """Sum up what is not summed up yet; `known(start, end)` gives the facts."""
        if self.folder.exists():
            return
        for month in self.months:
            month.make(tables, known)
        partial = self.folder.with_name(f"{self.folder.name}-{uuid4().hex}{PARTIAL}")  # another may make the same
        partial.mkdir()
        for kind, by in tables:
            parts = [month.table(kind, by).cells() for month in self.months]
            _write(parts or [_cells(known(self.start, self.end), kind, by)], kind, partial / _name(kind, by))
        flush([*partial.iterdir(), partial])
        try:
            partial.rename(self.folder)
        except OSError:
            if not self.folder.exists():  # else another was first, with the same
                raise
            shutil.rmtree(partial)
        flush([self.folder.parent])


@dataclass(frozen=True)
class Settled:
    """All blocks before a span of days, in order of time."""

    blocks: tuple[Block, ...] = ()

    def sums(self, kind: str, by: Sequence[str], entities: Hashes, code: Ints, since: Ints) -> Ints:
        """Measures of each query's entity summed over the days from `since` on: queries x measures.

        `code` is the place of a query's entity in `entities`, which are in order; negative for none.
        """
        out = np.zeros((len(code), len(KINDS[kind].measures)), np.int64)
        for block in self.reaching(int(since.min(initial=MAX_DAY))):
            table = block.table(kind, by)
            first, end = table.spans(entities)
            out += table.sums(*_since(first, end, table.day, code, since))
        return out

    def facts(self, kind: str, by: Sequence[str], entities: Hashes, since: int) -> tuple[Ints, Ints, Floats, Ints]:
        """Cells of `entities` from day `since` on: the entity's place, day, value, and measures of each."""
        nothing = np.zeros(0, np.int64)
        found = [(nothing, nothing, np.zeros(0), np.zeros((0, len(KINDS[kind].measures)), np.int64))]
        for block in self.reaching(since):
            table = block.table(kind, by)
            first, end = table.spans(entities)
            code = np.arange(len(entities))
            first, end = _since(first, end, table.day, code, np.full(len(code), since))
            length = end - first
            rows = np.repeat(first - (length.cumsum() - length), length) + np.arange(length.sum())
            measures = table.sums(rows, rows + 1)
            found.append((np.repeat(code, length), table.day[rows], table.value[rows], measures))
        code, day, value, measures = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return code, day, value, measures

    def reaching(self, day: int) -> list[Block]:
        """Those that say anything of `day` or a later one."""
        return [block for block in self.blocks if block.end > day]  # facts are about days before they enter


def _cells(known: Known, kind: str, by: Sequence[str]) -> pl.DataFrame:
    counted = known.counted(kind)
    entity, named = known.entities(KINDS[kind].frame, by)
    measures = {str(i): counted.measures[:, i] for i in range(counted.measures.shape[1])}
    cells = pl.DataFrame({"entity": entity[counted.rows], "day": counted.day, "value": counted.value, **measures})
    return cells.filter(named[counted.rows])


def _write(parts: list[pl.DataFrame], kind: str, path: Path) -> None:
    names = [str(i) for i in range(len(KINDS[kind].measures))]
    summed = pl.concat(parts).group_by("entity", "day", "value").agg(pl.col(names).sum())
    kept = summed.filter(pl.any_horizontal(pl.col(names) != 0)).sort("entity", "day", "value")
    table = kept.with_columns(pl.col(names).cum_sum()).rechunk().to_arrow()
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


def _name(kind: str, by: Sequence[str]) -> str:
    return f"{'-'.join((kind, *by))}.arrow"


@numba.njit(cache=True, nogil=True)
def _since(first: Ints, end: Ints, day: Ints, code: Ints, since: Ints) -> tuple[Ints, Ints]:
    """The cells of each query's entity that are about `since` or a later day: the first, and behind the last."""
    begins, ends = np.zeros(len(code), np.int64), np.zeros(len(code), np.int64)
    for q in range(len(code)):
        if code[q] < 0:
            continue
        low, high = first[code[q]], end[code[q]]
        ends[q] = high
        while low < high:
            middle = (low + high) // 2
            if day[middle] < since[q]:
                low = middle + 1
            else:
                high = middle
        begins[q] = low
    return begins, ends
