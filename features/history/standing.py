"""What was known before a day, computed once for everyone in it, so that queries of that day only look it up.

All who ask on one day see the same past. So whatever families say of an entity, of the network's companies and of
everyone is computed once for each of them, by the same functions as at night, and kept in memory.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numba
import numpy as np
import polars as pl

from features.arrays import Flags, Floats, Ints
from features.facts import Known, entity_codes, windows
from features.history.history import Describe, History, R, Record, T
from features.history.preaggregated import Settled, Tables
from features.network import Network, Week


@dataclass(frozen=True)
class Entities:
    """Holds what is said of some entities: their `hashes`, in order, and a row of `said` for each.

    One of the entities is a stranger, of whom nothing is known; its place is `stranger`. The last row of `said` is for
    rows that name nobody.
    """

    hashes: entity_codes.Hashes
    said: Floats
    stranger: int

    def of(self, asked: entity_codes.Hashes, named: Flags) -> Floats:
        """Return what is said of the entities that are asked about: columns x queries."""
        return self.said[_places(self.hashes, asked, named, self.stranger, len(self.hashes))].T


@dataclass(frozen=True)
class Standing:
    """All facts known before `day` (days since 1970-01-01), settled in `tables`; `none` has what registers told."""

    day: int
    settled: Settled
    none: Known
    tables: Tables

    def asked_by(self, rows: pl.DataFrame) -> "Asked":
        """Return the history that declarations of the day see.

        `rows` have the contract's columns, those derived from them, and `day`.
        """
        known = replace(self.none, rows=rows)
        known.hashed("rows", self._columns)
        return Asked(known, self.settled, standing=self)

    @cached_property
    def _columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(column for _, by in self.tables for column in by))

    @cached_property
    def network(self) -> Network:
        return self._asked_times(1).network

    @cached_property
    def entities(self) -> dict[tuple[Describe, tuple[str, ...]], Entities]:
        """Keep what was computed for combinations of columns."""
        return {}

    @cached_property
    def orders(self) -> dict[tuple[str, tuple[str, ...], int], tuple[entity_codes.Hashes, windows.Standings]]:
        """Keep what was computed for values that stand in an order."""
        return {}

    @cached_property
    def weeks(self) -> dict[tuple[Callable[[Week], Any], int], Any]:
        """Keep what was computed for weeks."""
        return {}

    def described(self, describe: Describe, by: tuple[str, ...], usual: tuple[str, int]) -> Entities:
        """Return what `describe` says of all entities that the columns `by` ever named; see History.described."""
        known = entity_codes.distinct(self.settled.entities(kind, by) for kind, columns in self.tables if columns == by)
        stranger = np.array([entity_codes.stranger(known)], np.uint64)
        hashes = entity_codes.distinct([known, stranger])
        history = self._asked_times(len(hashes))
        everyone = entity_codes.Numbering.of(hashes, np.ones(len(hashes), np.bool_))
        record = Record(history, by, everyone, np.arange(len(hashes)))
        said = describe(record, self._asked_times(1).everyones_hit_rate(*usual)).T
        nobody = np.full((1, said.shape[1]), np.nan, said.dtype)
        return Entities(hashes, np.concatenate([said, nobody]), int(np.searchsorted(hashes, stranger[0])))

    def ordered(
        self, kind: str, by: tuple[str, ...], window_days: int
    ) -> tuple[entity_codes.Hashes, windows.Standings]:
        """Return all entities that `by` ever named, in order, and where values of `kind` stand among each one's."""
        hashes = self.settled.entities(kind, by)
        entity, _, value, measures = self.settled.facts(kind, by, hashes, self.day - window_days)
        return hashes, windows.Standings.of(entity, value, measures[:, 0], len(hashes))

    def _asked_times(self, queries: int) -> History:
        rows = pl.DataFrame({"day": np.full(queries, self.day, np.int64)})
        return History(replace(self.none, rows=rows), self.settled)


@dataclass(frozen=True)
class Asked(History):
    """The history that some declarations of the day see; what was computed before is looked up."""

    standing: Standing = field(kw_only=True)

    @property
    def network(self) -> Network:
        return self.standing.network

    def each(self, work: Callable[[T], R], pieces: Iterable[T]) -> list[R]:
        """Work in this thread: for single rows, several threads are not worth it."""
        return [work(piece) for piece in pieces]

    def described(self, describe: Describe, groups: Sequence[tuple[str, ...]], usual: tuple[str, int]) -> list[Floats]:
        said = self.standing.entities
        for by in groups:
            if (describe, by) not in said:
                said[describe, by] = self.standing.described(describe, by, usual)
        return [said[describe, by].of(*self.known.entities("rows", by)) for by in groups]

    def order_statistics(self, kind: str, by: tuple[str, ...], window_days: int) -> Floats:
        orders, key = self.standing.orders, (kind, by, window_days)
        if key not in orders:
            orders[key] = self.standing.ordered(*key)
        hashes, standings = orders[key]
        entity = _places(hashes, *self.known.entities("rows", by), -1, -1)
        return standings.order_statistics(entity, self.rows[kind].to_numpy())  # a null is NaN

    def in_week(self, monday: int, describe: Callable[[Week], R]) -> R:
        said = self.standing.weeks
        if (describe, monday) not in said:
            said[describe, monday] = describe(self.network.on(monday))
        return said[describe, monday]


@numba.njit(cache=True, nogil=True)
def _places(hashes: entity_codes.Hashes, asked: entity_codes.Hashes, named: Flags, stranger: int, nobody: int) -> Ints:
    """Return the place of each row's entity in `hashes`: `stranger` if it is not there, `nobody` if none is named."""
    out = np.empty(len(asked), np.int64)
    for row in range(len(asked)):
        place = np.searchsorted(hashes, asked[row])
        is_known = place < len(hashes) and hashes[place] == asked[row]
        out[row] = (place if is_known else stranger) if named[row] else nobody
    return out
