"""Numbers for entities: every entity that some rows name gets a number, its place in the order of hashes.

Hashes have 64 bits and mix the columns in their order. Among twenty million entities of one combination, the chance
that any two share a hash is about one in a hundred thousand.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numba
import numpy as np

from features.arrays import Flags, Ints

Hashes = np.ndarray[tuple[int], np.dtype[np.uint64]]


def mixed(parts: Iterable[Hashes], rows: int) -> Hashes:
    """Return one hash for each row, mixed from the hashes of several columns by the finalizer of splitmix64.

    Without columns all rows get the same hash.

    >>> one, other = np.array([1, 2], np.uint64), np.array([2, 1], np.uint64)
    >>> (mixed([one, other], 2) == mixed([other, one], 2)).tolist()
    [False, False]
    """
    out = np.zeros(rows, np.uint64)
    for part in parts:
        _mix(out, part)
    return out


def distinct(parts: Iterable[Hashes]) -> Hashes:
    """Return every hash of several arrays once, in order; it is fastest where each of them is in order.

    >>> distinct([np.array([3, 7], np.uint64), np.array([3, 5], np.uint64)]).tolist()
    [3, 5, 7]
    """
    # Sorting goes by runs, of which there are few; np.unique goes by a table, which takes ten times as long.
    ordered = np.sort(np.concatenate([np.zeros(0, np.uint64), *parts]), kind="stable")
    return ordered[np.diff(ordered, prepend=~ordered[:1]) != 0]


def stranger(known: Hashes) -> int:
    """Return the smallest hash that is not among `known`, which are distinct and in order.

    >>> stranger(np.array([0, 1, 3], np.uint64)), stranger(np.array([4], np.uint64))
    (2, 0)
    """
    return int(np.count_nonzero(known == np.arange(len(known), dtype=np.uint64)))


@dataclass(frozen=True)
class Numbering:
    """Distinct entities: their `hashes`, in order, and a table that finds an entity's place."""

    hashes: Hashes
    slots: Ints

    @classmethod
    def of(cls, hashes: Hashes, is_named: Flags) -> "Numbering":
        """Return the numbering of the entities that the rows name; a row without `is_named` names none.

        >>> rows = np.array([7, 9, 7, 3], np.uint64)
        >>> entities = Numbering.of(rows, np.array([True, True, True, False]))
        >>> entities.codes(rows, np.ones(4, np.bool_)).tolist()
        [0, 1, 0, -1]
        """
        slots = np.full(1 << int(2 * len(hashes) + 1).bit_length(), -1, np.int64)
        seen = np.empty(len(hashes), np.uint64)
        count = _insert(hashes, is_named, slots, seen)
        order = np.argsort(seen[:count])
        place = np.empty(count + 1, np.int64)
        place[order], place[count] = np.arange(count), -1
        return cls(seen[order], place[slots])  # an empty slot's -1 is the last of `place`

    def codes(self, hashes: Hashes, is_named: Flags) -> Ints:
        """Return the place of each row's entity, or -1 where the entity is not among these."""
        return _find(hashes, is_named, self.slots, self.hashes)


@numba.njit(cache=True, nogil=True)
def _mix(out: Hashes, part: Hashes) -> None:
    for row in range(len(out)):
        each = out[row] * np.uint64(0x9E3779B97F4A7C15) + part[row]
        each = (each ^ (each >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        each = (each ^ (each >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        out[row] = each ^ (each >> np.uint64(31))


@numba.njit(cache=True, nogil=True)
def _insert(hashes: Hashes, is_named: Flags, slots: Ints, seen: Hashes) -> int:
    mask = len(slots) - 1
    count = 0
    for row in range(len(hashes)):
        if is_named[row]:
            slot = np.int64(hashes[row] & np.uint64(mask))
            while slots[slot] >= 0 and seen[slots[slot]] != hashes[row]:
                slot = (slot + 1) & mask
            if slots[slot] < 0:
                slots[slot] = count
                seen[count] = hashes[row]
                count += 1
    return count


@numba.njit(cache=True, nogil=True)
def _find(hashes: Hashes, is_named: Flags, slots: Ints, known: Hashes) -> Ints:
    mask = len(slots) - 1
    out = np.full(len(hashes), -1, np.int64)
    for row in range(len(hashes)):
        if is_named[row]:
            slot = np.int64(hashes[row] & np.uint64(mask))
            while slots[slot] >= 0 and known[slots[slot]] != hashes[row]:
                slot = (slot + 1) & mask
            out[row] = slots[slot]
    return out
