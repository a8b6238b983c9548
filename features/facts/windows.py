"""Exact sums and order statistics over each entity's past, computed by one sort and one pass.

A fact is visible to queries of its entity on the days `enter <= day < leave`. That single span expresses the window's
length, when customs came to know the fact, and when a correction replaced it. Sums run over int64, whose arithmetic is
exact and wraps, so a running sum never drifts and no later fact can change the last bit of an earlier result. The
passes release the interpreter's lock, so that several threads can each work on an entity. Days are whole numbers since
1970-01-01. Arrays are 1-d and of equal length unless said otherwise.
"""

from dataclasses import dataclass
from functools import cached_property

import numba
import numpy as np

from features.arrays import Flags, Floats, Ints

_DAY_BITS = 23  # days up to the year 9999 fit; 40 bits remain for the entity's code
MAX_DAY = (1 << _DAY_BITS) - 1


@dataclass(frozen=True, eq=False)
class Days:
    """A day for each row. The rows are put in order once, and that order serves every entity."""

    of: Ints

    @cached_property
    def order(self) -> Ints:
        """Return the rows in order of day; rows of the same day keep their order."""
        since_first = self.of - self.of.min(initial=MAX_DAY)
        every = np.ones(len(self.of), np.bool_)
        return _by_entity(since_first, np.arange(len(self.of)), every, int(since_first.max(initial=0)) + 1)


@dataclass(frozen=True)
class Facts:
    """Facts of entities: `entity` codes (a fact with a negative code is ignored), `enter` and `leave` days."""

    entity: Ints
    enter: Days
    leave: Days


@dataclass(frozen=True)
class Queries:
    """Whom the queries ask about and on which day: `entity` codes (negative: no entity) and `day`."""

    entity: Ints
    day: Days

    @cached_property
    def grouped(self) -> tuple[Ints, Ints]:
        """Return composite keys of entity and day, sorted, and their row numbers."""
        return _grouped(self.entity, self.day, self.entity >= 0)


def _grouped(entity: Ints, day: Days, keep: Flags) -> tuple[Ints, Ints]:
    """Return the rows with `keep`, sorted by entity and day: their composite keys and their row numbers."""
    rows = _by_entity(entity, day.order, keep, int(entity.max(initial=0)) + 1)
    return (entity[rows] << _DAY_BITS) | np.clip(day.of[rows], 0, MAX_DAY), rows


@numba.njit(cache=True, nogil=True)
def _by_entity(entity: Ints, order: Ints, keep: Flags, entities: int) -> Ints:
    """Return the rows of `order` with `keep`, entity by entity.

    This is a counting sort: rows of the same entity keep the order that they have in `order`.
    """
    place = np.zeros(entities + 1, np.int64)
    for row in range(len(entity)):
        if keep[row]:
            place[entity[row] + 1] += 1
    place = np.cumsum(place)
    rows = np.empty(place[-1], np.int64)
    for k in range(len(order)):
        row = order[k]
        if keep[row]:
            rows[place[entity[row]]] = row
            place[entity[row]] += 1
    return rows


def _spans(facts: Facts) -> tuple[Ints, Ints, Ints, Ints]:
    visible = (facts.entity >= 0) & (facts.leave.of > facts.enter.of)
    return *_grouped(facts.entity, facts.enter, visible), *_grouped(facts.entity, facts.leave, visible)


def window_sums(facts: Facts, measures: Ints, queries: Queries) -> Ints:
    """Return the sums of `measures` (facts x m) over the facts visible to each query: queries x m; zero for none.

    >>> facts = Facts(np.array([7, 7]), Days(np.array([11, 21])), Days(np.array([41, 51])))
    >>> window_sums(facts, np.array([[1, 100], [1, 50]]), Queries(np.array([7, 7, 8]), Days(np.array([20, 41, 20]))))
    array([[  1, 100],
           [  1,  50],
           [  0,   0]])
    """
    out = np.zeros((len(queries.entity), measures.shape[1]), np.int64)
    _sum_pass(*_spans(facts), np.ascontiguousarray(measures, np.int64), *queries.grouped, out)
    return out


def last_days(facts: Facts, day: Ints, count: Ints, queries: Queries, window_days: int) -> Ints:
    """Return, for each query, the latest of the `window_days` before its day about which entered facts count above 0.

    `day` is the day that each fact is about, which lies before the day it enters; `count` may be negative. The result
    is -1 where there is no such day.

    >>> facts = Facts(np.array([7, 7, 7]), Days(np.array([11, 21, 31])), Days(np.array([99, 99, 99])))
    >>> queries = Queries(np.array([7, 7, 8]), Days(np.array([30, 31, 31])))
    >>> last_days(facts, np.array([10, 20, 20]), np.array([1, 1, -1]), queries, 90)
    array([20, 10, -1])
    """
    out = np.full(len(queries.entity), -1, np.int64)
    if len(day):
        entered = _grouped(facts.entity, facts.enter, facts.entity >= 0)
        first = int(day.min())
        present = np.zeros(int(day.max()) - first + 1, np.int64)
        _last_pass(*entered, day - first, count, *queries.grouped, first, window_days, present, out)
    return out


def order_statistics(facts: Facts, value: Floats, count: Ints, queries: Queries, at: Floats) -> Floats:
    """Return where `at` stands among the visible facts' values, each value taken as often as it counts: queries x 5.

    A fact may count less than zero, where it takes another back, but the counts of one value may not sum to less than
    zero. The columns are: count, share below (ties count half), first quartile, median, third quartile. The median
    averages the lower and upper middle values; the quartiles take the lower neighbour. Everything but the count is NaN
    where no fact is visible; the share is NaN also where `at` is NaN. Facts whose value is NaN are ignored.
    """
    out = np.full((len(queries.entity), 5), np.nan)
    out[:, 0] = 0
    known = Facts(np.where(np.isnan(value), -1, facts.entity), facts.enter, facts.leave)
    visible = (known.entity >= 0) & (known.leave.of > known.enter.of)
    by_value, rank = _ranked(known.entity, value, visible)
    _rank_pass(*_spans(known), known.entity[by_value], value[by_value], rank, count, *queries.grouped, at, out)
    return out


@dataclass(frozen=True)
class Standings:
    """Tells where values stand among those of the facts visible on one day, so that queries can be answered one by one.

    The `values` of an entity are in order, from its `start` up to the next entity's. Beside them is a Fenwick tree of
    how often each value counts; it begins with an element of its own. `present` is the total count of an entity's
    values.
    """

    start: Ints
    values: Floats
    trees: Ints
    present: Ints

    @classmethod
    def of(cls, entity: Ints, value: Floats, count: Ints, entities: int) -> "Standings":
        """Return the standings of the facts of `entities` entities, all of them visible; see `order_statistics`."""
        by_value, rank = _ranked(entity, value, ~np.isnan(value))
        start = np.append(0, np.cumsum(np.bincount(entity[by_value], minlength=entities)))
        trees, present = np.zeros(len(by_value) + entities, np.int64), np.zeros(entities, np.int64)
        _plant(entity, count, by_value, rank, start, trees, present)
        return cls(start, value[by_value], trees, present)

    def order_statistics(self, entity: Ints, at: Floats) -> Floats:
        """Return what `order_statistics` returns for queries on that day; a negative `entity` means none."""
        out = np.full((len(entity), 5), np.nan)
        out[:, 0] = 0
        _stand_each(entity, at, self.start, self.values, self.trees, self.present, out)
        return out


def _ranked(entity: Ints, value: Floats, visible: Flags) -> tuple[Ints, Ints]:
    """Return the visible facts by entity and value, and each fact's place among them.

    Facts with equal values share the place of the first of them, so a fact that takes a value back meets the one it
    takes back.
    """
    by_value = _by_entity(entity, np.argsort(value), visible, int(entity.max(initial=0)) + 1)
    rank = np.zeros(len(value), np.int64)
    alike = (np.diff(entity[by_value], prepend=-1) == 0) & (np.diff(value[by_value], prepend=np.nan) == 0)
    rank[by_value] = np.maximum.accumulate(np.where(alike, 0, np.arange(len(by_value))))
    return by_value, rank


@numba.njit(cache=True, nogil=True)
def _sum_pass(
    entered: Ints,
    entered_row: Ints,
    left: Ints,
    left_row: Ints,
    measures: Ints,
    asked: Ints,
    asked_row: Ints,
    out: Ints,
) -> None:
    width = measures.shape[1]
    total = np.zeros(width, np.int64)
    i = j = 0
    entity = -1
    for q in range(len(asked)):
        now = asked[q]
        if now >> _DAY_BITS != entity:
            entity = now >> _DAY_BITS
            first = entity << _DAY_BITS
            total[:] = 0
            while i < len(entered) and entered[i] < first:
                i += 1
            while j < len(left) and left[j] < first:
                j += 1
        while i < len(entered) and entered[i] <= now:
            for m in range(width):
                total[m] += measures[entered_row[i], m]
            i += 1
        while j < len(left) and left[j] <= now:
            for m in range(width):
                total[m] -= measures[left_row[j], m]
            j += 1
        for m in range(width):
            out[asked_row[q], m] = total[m]


@numba.njit(cache=True, nogil=True)
def _last_pass(
    entered: Ints,
    entered_row: Ints,
    day: Ints,
    count: Ints,
    asked: Ints,
    asked_row: Ints,
    first: int,
    window: int,
    present: Ints,
    out: Ints,
) -> None:
    # `present` holds a count for each day from `first` on; this entity has changed only those from `low` to `high`.
    i = 0
    low, high = 0, -1
    entity = -1
    for q in range(len(asked)):
        now = asked[q]
        if now >> _DAY_BITS != entity:
            entity = now >> _DAY_BITS
            present[low : high + 1] = 0
            low, high = len(present), -1
            while i < len(entered) and entered[i] < entity << _DAY_BITS:
                i += 1
        while i < len(entered) and entered[i] <= now:
            slot = day[entered_row[i]]
            present[slot] += count[entered_row[i]]
            low, high = min(low, slot), max(high, slot)
            i += 1
        oldest = max(low, (now & MAX_DAY) - window - first)
        slot = high
        while slot >= oldest and present[slot] <= 0:
            slot -= 1
        if slot >= oldest:
            out[asked_row[q]] = slot + first


@numba.njit(cache=True, nogil=True)
def _shift(tree: Ints, size: int, place: int, by: int) -> None:
    place += 1
    while place <= size:
        tree[place] += by
        place += place & -place


@numba.njit(cache=True, nogil=True)
def _below(tree: Ints, place: int) -> int:
    total = 0
    while place > 0:
        total += tree[place]
        place -= place & -place
    return total


@numba.njit(cache=True, nogil=True)
def _kth(tree: Ints, size: int, k: int) -> int:
    """Return the place of the k-th (from 0) present member of a Fenwick tree."""
    place = 0
    step = 1
    while step * 2 <= size:
        step *= 2
    while step > 0:
        if place + step <= size and tree[place + step] <= k:
            place += step
            k -= tree[place]
        step //= 2
    return place


@numba.njit(cache=True, nogil=True)
def _rank_pass(
    entered: Ints,
    entered_row: Ints,
    left: Ints,
    left_row: Ints,
    value_entity: Ints,
    values: Floats,
    rank: Ints,
    count: Ints,
    asked: Ints,
    asked_row: Ints,
    at: Floats,
    out: Floats,
) -> None:
    # There is one Fenwick tree over the entity's sorted values, which begin at `lo` in `values` and number `size`.
    tree = np.zeros(len(values) + 2, np.int64)
    i = j = lo = hi = present = 0
    entity = -1
    for q in range(len(asked)):
        now = asked[q]
        if now >> _DAY_BITS != entity:
            entity = now >> _DAY_BITS
            first = entity << _DAY_BITS
            tree[: hi - lo + 2] = 0
            present = 0
            while i < len(entered) and entered[i] < first:
                i += 1
            while j < len(left) and left[j] < first:
                j += 1
            lo = np.searchsorted(value_entity, entity, side="left")
            hi = np.searchsorted(value_entity, entity, side="right")
        size = hi - lo
        while i < len(entered) and entered[i] <= now:
            _shift(tree, size, rank[entered_row[i]] - lo, count[entered_row[i]])
            present += count[entered_row[i]]
            i += 1
        while j < len(left) and left[j] <= now:
            _shift(tree, size, rank[left_row[j]] - lo, -count[left_row[j]])
            present -= count[left_row[j]]
            j += 1
        row = asked_row[q]
        _stand(values[lo:hi], tree, present, at[row], out[row])


@numba.njit(cache=True, nogil=True)
def _stand(values: Floats, tree: Ints, present: int, at: float, out: Floats) -> None:
    """Write one query's statistics to `out`; `tree` counts an entity's `values`, of which `present` are there."""
    out[0] = present
    if present == 0:
        return
    if not np.isnan(at):
        less = _below(tree, int(np.searchsorted(values, at, side="left")))
        upto = _below(tree, int(np.searchsorted(values, at, side="right")))
        out[1] = (less + 0.5 * (upto - less)) / present
    size = len(values)
    out[2] = values[_kth(tree, size, (present - 1) // 4)]
    middle = values[_kth(tree, size, (present - 1) // 2)]
    out[3] = 0.5 * (middle + values[_kth(tree, size, present // 2)])
    out[4] = values[_kth(tree, size, (3 * (present - 1)) // 4)]


@numba.njit(cache=True, nogil=True)
def _plant(entity: Ints, count: Ints, rows: Ints, rank: Ints, start: Ints, trees: Ints, present: Ints) -> None:
    """Build each entity's tree from its `rows`."""
    for row in rows:
        e = entity[row]
        size = start[e + 1] - start[e]
        _shift(trees[start[e] + e : start[e + 1] + e + 1], size, rank[row] - start[e], count[row])
        present[e] += count[row]


@numba.njit(cache=True, nogil=True)
def _stand_each(entity: Ints, at: Floats, start: Ints, values: Floats, trees: Ints, present: Ints, out: Floats) -> None:
    for q in range(len(entity)):
        e = entity[q]
        if e >= 0:
            low, high = start[e], start[e + 1]
            _stand(values[low:high], trees[low + e : high + e + 1], present[e], at[q], out[q])
