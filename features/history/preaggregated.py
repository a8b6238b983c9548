"""What had become known before a span of days, summed by entity and day and kept on disk.

    2023-<digest>/declared-importer_id.arrow              a year, the sum of its months
    2024-03-<digest>/concluded-hs6-origin_country.arrow   a month
    2024-03-<digest>/links.arrow                          who was declared with whom, by week
    2024-03-<digest>/parties.arrow                        who they are
    2024-03-<digest>/checksums.json                       of the block's files: see features/disk/checksums.py

A block is the sum of the facts that became known in its span. Its name carries a digest of those facts and of the code.
So if the facts have changed (a file came late, there is a new rule), the old block is not found, and a new one is made.
The rows of a table are called cells. They are ordered by entity and day, and measures are running totals down the
table: a sum since some day is one difference between two cells, however many lie between them.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numba
import numpy as np
import polars as pl

from features.arrays import Floats, Ints
from features.disk import PARTIAL, arrow_files, atomic, checksums
from features.facts import Known, entity_codes, kinds, windows
from features.network import links

_LINKS, _PARTIES = "links.arrow", "parties.arrow"
Tables = Sequence[tuple[str, tuple[str, ...]]]  # kinds, and the columns that name entities


@dataclass(frozen=True)
class Table:
    """Cells of one kind for one combination of columns: each has an entity, a day and, for some kinds, a value.

    `totals` holds, for each measure, the sum over this cell and all before it, of whichever entity; it wraps as int64
    does.
    """

    entity: entity_codes.Hashes
    day: Ints
    value: Floats
    totals: tuple[Ints, ...]

    @classmethod
    def open(cls, path: Path) -> "Table":
        """Return the table at `path`."""
        columns = {column.name: column.to_numpy(allow_copy=False) for column in arrow_files.read(path)}
        value = columns.get("value", np.full(len(columns["day"]), np.nan))
        return cls(columns["entity"], columns["day"], value, tuple(columns[n] for n in columns if n.isdecimal()))

    def cells(self) -> pl.DataFrame:
        """Return every cell with its own measures."""
        own = {str(i): np.diff(total, prepend=0) for i, total in enumerate(self.totals)}
        return pl.DataFrame({"entity": self.entity, "day": self.day, "value": self.value, **own})

    def add_sums(self, out: Ints, entities: entity_codes.Hashes, code: Ints, since: Ints) -> None:
        """Add to `out`, queries x measures, the cells of each query's entity that are about `since` or later."""
        _add_sums(out, *_spans(self.entity, entities), self.day, self.totals, code, since)

    def facts(self, entities: entity_codes.Hashes, since: int) -> tuple[Ints, Ints, Floats, Ints]:
        """Return cells of `entities` about `since` or later: the entity's place, day, value, and measures of each."""
        code, rows = _rows(*_spans(self.entity, entities), self.day, since)
        return code, self.day[rows], self.value[rows], _own(self.totals, rows)


@dataclass(frozen=True)
class Block:
    """The facts that entered after day `start` and not after `end`, in `folder`; a year's are those of its months."""

    start: int
    end: int
    folder: Path
    months: tuple["Block", ...] = ()

    def table(self, kind: str, by: Sequence[str]) -> Table:
        return Table.open(self.folder / _name(kind, by))

    def links(self) -> pl.DataFrame:
        """Return the pairs that were declared together, by week: see network/links.py."""
        return arrow_files.read(self.folder / _LINKS)

    def parties(self) -> pl.DataFrame:
        """Return the parties that the nodes of pairs stand for: see network/links.py."""
        return arrow_files.read(self.folder / _PARTIES)

    def make(self, tables: Tables, known: Callable[[int, int], Known]) -> None:
        """Sum what has not been summed yet; `known(start, end)` returns the facts."""
        if self.folder.exists():
            return
        for month in self.months:
            month.make(tables, known)
        own = () if self.months else (known(self.start, self.end),)
        partial = self.folder.with_name(f"{self.folder.name}-{uuid4().hex}{PARTIAL}")  # another may make the same
        partial.mkdir()
        for kind, by in tables:
            parts = [month.table(kind, by).cells() for month in self.months]
            parts += [_cells(facts, kind, by) for facts in own]
            _write(parts, kind, partial / _name(kind, by))
        pairs = [month.links() for month in self.months] + [links.summed(facts) for facts in own]
        arrow_files.write(partial / _LINKS, links.joined(pairs))
        named = [month.parties() for month in self.months] + [links.parties(facts) for facts in own]
        arrow_files.write(partial / _PARTIES, links.distinct(named))
        checksums.seal(partial)
        atomic.flush([*partial.iterdir(), partial])
        try:
            partial.rename(self.folder)
        except OSError:
            if not self.folder.exists():  # if it exists, another process made the same block first
                raise
            shutil.rmtree(partial)
        atomic.flush([self.folder.parent])


@dataclass(frozen=True)
class Settled:
    """All blocks before a span of days, in order of time."""

    blocks: tuple[Block, ...] = ()

    def sums(self, kind: str, by: Sequence[str], entities: entity_codes.Hashes, code: Ints, since: Ints) -> Ints:
        """Return the measures of each query's entity, summed over the days from `since` on: queries x measures.

        `code` is the place of a query's entity in `entities`, which are in order; it is negative for none.
        """
        out = np.zeros((len(code), len(kinds.KINDS[kind].measures)), np.int64)
        for block in self.reaching(int(since.min(initial=windows.MAX_DAY))):
            block.table(kind, by).add_sums(out, entities, code, since)
        return out

    def facts(
        self, kind: str, by: Sequence[str], entities: entity_codes.Hashes, since: int
    ) -> tuple[Ints, Ints, Floats, Ints]:
        """Return the cells of `entities` from day `since` on: the entity's place, day, value, and measures of each."""
        nothing = np.zeros(0, np.int64)
        found = [(nothing, nothing, np.zeros(0), np.zeros((0, len(kinds.KINDS[kind].measures)), np.int64))]
        found += (block.table(kind, by).facts(entities, since) for block in self.reaching(since))
        code, day, value, measures = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return code, day, value, measures

    def links(self, since: int) -> pl.DataFrame:
        """Return the pairs of traders in the weeks from day `since` on; a week in two blocks has a row from each."""
        wanted = (pl.col("week") >= since) & links.OF_TRADERS
        return pl.concat(
            [pl.DataFrame(schema=links.SCHEMA), *(block.links().filter(wanted) for block in self.reaching(since))]
        )

    def entities(self, kind: str, by: Sequence[str]) -> entity_codes.Hashes:
        """Return all entities that the columns `by` named in facts of a kind, in order."""
        return entity_codes.distinct(block.table(kind, by).entity for block in self.blocks)

    def reaching(self, day: int) -> list[Block]:
        """Return the blocks that say anything of `day` or a later one."""
        return [block for block in self.blocks if block.end > day]  # a fact is about a day before the one it enters on


def _cells(known: Known, kind: str, by: Sequence[str]) -> pl.DataFrame:
    counted = known.counted(kind)
    entity, named = known.entities(kinds.KINDS[kind].frame, by)
    measures = {str(i): counted.measures[:, i] for i in range(counted.measures.shape[1])}
    cells = pl.DataFrame({"entity": entity[counted.rows], "day": counted.day, "value": counted.value, **measures})
    return cells.filter(named[counted.rows])


def _write(parts: list[pl.DataFrame], kind: str, path: Path) -> None:
    names = [str(i) for i in range(len(kinds.KINDS[kind].measures))]
    summed = pl.concat(parts).group_by("entity", "day", "value").agg(pl.col(names).sum())
    kept = summed.filter(pl.any_horizontal(pl.col(names) != 0)).sort("entity", "day", "value")
    arrow_files.write(path, kept.with_columns(pl.col(names).cum_sum()))


def _name(kind: str, by: Sequence[str]) -> str:
    return f"{'-'.join((kind, *by))}.arrow"


@numba.njit(cache=True, nogil=True)
def _spans(known: entity_codes.Hashes, entities: entity_codes.Hashes) -> tuple[Ints, Ints]:
    """Return the first cell of each entity, and the one after its last.

    Both `known` and `entities` are in order, so each search begins where the one before ended.
    """
    first, end = np.empty(len(entities), np.int64), np.empty(len(entities), np.int64)
    low = 0
    for e in range(len(entities)):
        high, step = low, 1
        while high < len(known) and known[high] < entities[e]:
            low, high, step = high + 1, high + step, 2 * step
        high = min(high, len(known))
        while low < high:
            middle = (low + high) // 2
            if known[middle] < entities[e]:
                low = middle + 1
            else:
                high = middle
        first[e] = low
        while low < len(known) and known[low] == entities[e]:
            low += 1
        end[e] = low
    return first, end


@numba.njit(cache=True, nogil=True)
def _from(day: Ints, low: int, high: int, since: int) -> int:
    """Return the first of an entity's cells, from `low` to before `high`, that is about `since` or later."""
    while low < high:
        middle = (low + high) // 2
        if day[middle] < since:
            low = middle + 1
        else:
            high = middle
    return low


@numba.njit(cache=True, nogil=True)
def _add_sums(out: Ints, first: Ints, end: Ints, day: Ints, totals: tuple[Ints, ...], code: Ints, since: Ints) -> None:
    for q in range(len(code)):
        if code[q] < 0 or first[code[q]] == end[code[q]]:
            continue
        last = end[code[q]] - 1
        low = _from(day, first[code[q]], last + 1, since[q])
        if low <= last:
            for m in range(len(totals)):
                out[q, m] += totals[m][last] - (totals[m][low - 1] if low else 0)


@numba.njit(cache=True, nogil=True)
def _rows(first: Ints, end: Ints, day: Ints, since: int) -> tuple[Ints, Ints]:
    """Return the entity's place and the row of each cell about `since` or later, entity by entity."""
    begin = np.empty(len(first), np.int64)
    for e in range(len(first)):
        begin[e] = _from(day, first[e], end[e], since)
    code = np.empty((end - begin).sum(), np.int64)
    rows = np.empty(len(code), np.int64)
    k = 0
    for e in range(len(first)):
        for row in range(begin[e], end[e]):
            code[k], rows[k] = e, row
            k += 1
    return code, rows


@numba.njit(cache=True, nogil=True)
def _own(totals: tuple[Ints, ...], rows: Ints) -> Ints:
    """Return the measures of single cells: cells x measures."""
    out = np.empty((len(rows), len(totals)), np.int64)
    for k in range(len(rows)):
        for m in range(len(totals)):
            out[k, m] = totals[m][rows[k]] - (totals[m][rows[k] - 1] if rows[k] else 0)
    return out
