"""What features ask of the past: sums, last days and order statistics over an entity's facts before a day.

What became known before the span of days at hand is settled and comes from tables. What became known within it is
counted here. The two are added, so the place of the border between them changes no feature.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
import polars as pl

from features.arrays import Flags, Floats, Ints
from features.facts import Counted, Known, entity_codes, kinds, windows
from features.history.preaggregated import Settled
from features.network import WINDOW_DAYS, Network, Week, links

T = TypeVar("T")
R = TypeVar("R")
PRIOR_WEIGHT = 10  # an entity's hit rate starts as if it had this many inspections that hit at everyone's rate


@dataclass(frozen=True)
class History:
    """The facts that became known within a span of days, what was settled before, and the rows that ask about both."""

    known: Known
    settled: Settled = field(default_factory=Settled)

    def asked_on(self, days: Collection[int]) -> "History":
        """Return the same past, asked about only by declarations accepted on `days`."""
        return replace(self, known=self.known.asked_on(days))

    @property
    def rows(self) -> pl.DataFrame:
        """Return the declarations as accepted: one a query."""
        return self.known.rows

    @cached_property
    def day(self) -> windows.Days:
        """Return the day of each query."""
        return windows.Days(self.rows["day"].to_numpy())

    @cached_property
    def network(self) -> Network:
        """Return the network of companies in the weeks of the queries."""
        first = int(self.day.of.min(initial=windows.MAX_DAY))
        settled = self.settled.links(first - WINDOW_DAYS - 7)
        own = links.summed(self.known).filter(links.OF_TRADERS)
        return Network(pl.concat([settled, own]).sort(links.KEY), self.known.told)

    def record(self, by: Sequence[str]) -> "Record":
        """Return the record of the entities that the columns `by` name in the rows."""
        asked, named = self.known.entities("rows", by)
        entities = entity_codes.Numbering.of(asked, named)
        return Record(self, tuple(by), entities, entities.codes(asked, named))

    def each(self, work: Callable[[T], R], pieces: Iterable[T]) -> list[R]:
        """Return what `work` makes of each piece, in the order of the pieces, computed by as many threads as help."""
        with ThreadPoolExecutor() as pool:
            return list(pool.map(work, pieces))

    def described(
        self, describe: "Describe", groups: Sequence[tuple[str, ...]], usual: tuple[str, int]
    ) -> list[Floats]:
        """Return, for each group of columns, what `describe` says of the entities that it names: columns x queries.

        `usual` gives the kind and the days of everyone's hit rate, which `describe` gets together with each record.
        """
        rate = self.everyones_hit_rate(*usual)
        return self.each(lambda by: describe(self.record(by), rate), groups)

    def order_statistics(self, kind: str, by: tuple[str, ...], window_days: int) -> Floats:
        """Return where each query's own value stands among those of the entity that `by` names: queries x 5.

        See windows.py for the columns.
        """
        return self.record(by).order_statistics(kind, window_days)

    def in_week(self, monday: int, describe: Callable[[Week], R]) -> R:
        """Return what `describe` says of the network as it stood on a Monday."""
        return describe(self.network.on(monday))

    def everyones_hit_rate(self, kind: str, window_days: int) -> Floats:
        """Return hits over inspections of all outcomes of `kind` in the window, for each query; zero for none."""
        sums = self.record(()).sums(kind, window_days)
        return sums[:, kinds.HITS] / np.maximum(sums[:, kinds.INSPECTIONS], 1)

    def leave(self, kind: str, window_days: int) -> windows.Days:
        """Return the days from which facts of a kind are too old; they are put in order once for all entities."""
        key = (kind, window_days)
        if key not in self._leave:
            self._leave[key] = windows.Days(self.known.counted(kind).day + window_days + 1)
        return self._leave[key]

    @cached_property
    def _leave(self) -> dict[tuple[str, int], windows.Days]:
        return {}


@dataclass(frozen=True)
class Record:
    """Holds what the facts say of entities; `code` is the place of each query's entity among them, or negative."""

    history: History
    by: tuple[str, ...]
    entities: entity_codes.Numbering
    code: Ints

    @property
    def is_named(self) -> Flags:
        """Tell for each row whether it names such an entity at all."""
        return self.code >= 0

    def sums(self, kind: str, window_days: int) -> Ints:
        """Return the measures of facts of `kind`, summed over the `window_days` before each query's day.

        The result has the shape queries x measures.
        """
        counted = self._counted(kind)
        facts = windows.Facts(self._codes(kind), counted.enter, self.history.leave(kind, window_days))
        since = self.history.day.of - window_days
        return windows.window_sums(facts, counted.measures, self._queries) + self.history.settled.sums(
            kind, self.by, self.entities.hashes, self.code, since
        )

    def last_day(self, kind: str, measure: int, window_days: int) -> Ints:
        """Return the latest of the `window_days` before each query's day on which a measure is above 0; -1 for none."""
        facts, day, _, measures = self._all_facts(kind, window_days)
        return windows.last_days(facts, day, measures[:, measure], self._queries, window_days)

    def order_statistics(self, kind: str, window_days: int) -> Floats:
        """Return where each query's own value stands among those of `kind` on the days before: see windows.py."""
        facts, _, value, measures = self._all_facts(kind, window_days)
        at = self.history.rows[kind].to_numpy()  # a null is NaN
        return windows.order_statistics(facts, value, measures[:, 0], self._queries, at)

    @cached_property
    def _queries(self) -> windows.Queries:
        return windows.Queries(self.code, self.history.day)

    def _counted(self, kind: str) -> Counted:
        return self.history.known.counted(kind)

    def _codes(self, kind: str) -> Ints:
        entity, named = self.history.known.entities(kinds.KINDS[kind].frame, self.by)
        rows = self._counted(kind).rows
        return self.entities.codes(entity[rows], named[rows])

    def _all_facts(self, kind: str, window_days: int) -> tuple[windows.Facts, Ints, Floats, Ints]:
        """Return the settled facts, visible from the beginning, and those in the span: with day, value and measures."""
        counted = self._counted(kind)
        first = int(self.history.day.of.min(initial=windows.MAX_DAY))
        code, day, value, measures = self.history.settled.facts(
            kind, self.by, self.entities.hashes, first - window_days
        )
        day = np.concatenate([day, counted.day])
        facts = windows.Facts(
            np.concatenate([code, self._codes(kind)]),
            windows.Days(np.concatenate([np.zeros(len(code), np.int64), counted.enter.of])),
            windows.Days(day + window_days + 1),
        )
        return facts, day, np.concatenate([value, counted.value]), np.concatenate([measures, counted.measures])


# A function that takes a record and everyone's hit rate for each query. It returns columns x queries, as 32-bit floats,
# NaN where a row names nobody.
Describe = Callable[[Record, Floats], Floats]
