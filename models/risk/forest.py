"""LightGBM's trees for many rows at once: the same values as LightGBM's, to the last bit, and several times as fast.

The method is that of Lucchese et al., "QuickScorer" (2015). The leaves of a tree are numbered from left to right. A
split that sends a row to the right strikes out all leaves on its left, whether or not the row ever gets there; the
first leaf that remains is the row's. So no step waits for another, and each split is applied to a block of rows at a
time.
"""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numba
import numpy as np
from numba.cpython.unsafe.numbers import trailing_zeros
from numpy.typing import NDArray
from scipy.special import expit

from features.arrays import Floats, Ints
from models.risk.encoder import Matrix

Bits = NDArray[Any]  # unsigned whole numbers, a bit for each leaf of a tree
Fields = dict[str, str]

BLOCK = 256  # rows; so few that their columns stay in the cache
MOST_LEAVES = 64
_WORDS = (np.uint16, np.uint32, np.uint64)

# Bits of LightGBM's decision_type. With neither of the last two, no value counts as missing, and NaN counts as 0.
_CATEGORICAL, _DEFAULT_LEFT, _ZERO_MISSING, _NAN_MISSING = 1, 2, 4, 8
_NAN_LEFT, _NAN_RIGHT, _BY_CATEGORY = 0, 1, 2


@numba.vectorize(cache=True)
def _exp(raw: float) -> float:
    """Return the C library's exponential, which LightGBM uses; NumPy's own differs in the last bit."""
    return math.exp(raw)


_LINKS: dict[str, Callable[[Floats], Floats]] = {"binary sigmoid:1": expit, "tweedie": _exp}


@dataclass(frozen=True, eq=False)
class Forest:
    """The splits of all trees in one row: those of tree `t` are `first[t]` up to `first[t + 1]`.

    A split leaves a row all leaves if the value in `columns[column]` is at most `threshold`, and otherwise those in
    `kept`. For a split by category, `threshold` is a row of `categories`; that row has the leaves that each category
    keeps and, at the end, those that any other category keeps. `leaves` is the value of each leaf, trees x leaves.
    `kind` says where NaN goes.
    """

    objective: str
    columns: Ints
    column: Ints
    threshold: NDArray[np.float32]
    kind: NDArray[np.uint8]
    kept: Bits
    categories: Bits
    first: Ints
    leaves: Floats

    @classmethod
    def of(cls, booster: lgb.Booster) -> "Forest | None":
        """Return the trees of `booster`, or None where they are of a sort that is not known here."""
        header, *blocks = booster.model_to_string().split("\nTree=")
        settings, trees = _fields(header), [_fields(block.split("\n\n", 1)[0]) for block in blocks]
        if settings.get("objective") not in _LINKS or "\naverage_output" in header or not _are_known(trees):
            return None
        most = max(int(tree["num_leaves"]) for tree in trees)
        word = next(word for word in _WORDS if np.iinfo(word).bits >= most)
        return cls(settings["objective"], **_packed(trees, np.iinfo(word)))

    def __call__(self, matrix: Matrix, threads: int) -> Floats:
        """Return one value a row, on the objective's own scale."""
        return _LINKS[self.objective](self.raw(matrix, threads))

    def raw(self, matrix: Matrix, threads: int) -> Floats:
        """Return the sum of the trees for each row; `threads` share the rows."""
        out = np.zeros(len(matrix))
        edges = np.linspace(0, len(matrix), threads + 1).astype(np.int64)
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda begin, end: self._add(matrix, begin, end, out), edges[:-1], edges[1:]))
        return out

    def _add(self, matrix: Matrix, begin: int, end: int, out: Floats) -> None:
        splits = self.column, self.threshold, self.kind, self.kept
        _add_trees(matrix, begin, end, self.columns, *splits, self.categories, self.first, self.leaves, out)


def _fields(block: str) -> Fields:
    return dict(line.split("=", 1) for line in block.splitlines() if "=" in line)


def _are_known(trees: Sequence[Fields]) -> bool:
    return bool(trees) and all(
        tree["is_linear"] == "0"
        and int(tree["num_leaves"]) <= MOST_LEAVES
        and not any(int(kind) & _ZERO_MISSING for kind in tree["decision_type"].split())
        for tree in trees
    )


def _packed(trees: Sequence[Fields], word: np.iinfo) -> dict[str, Any]:
    """Return the arrays of a forest whose leaves are bits of a `word`."""
    every, leaves = int(word.max), np.zeros((len(trees), word.bits))
    columns, thresholds, kinds, kept, first = [], [], [], [], [0]
    of_category: list[tuple[int, NDArray[np.uint8]]] = []
    for number, tree in enumerate(trees):
        place, left_of = _layout(_numbers(tree, "left_child"), _numbers(tree, "right_child"))
        leaves[number, place] = np.array(tree["leaf_value"].split(), np.float64)
        bounds, words = _numbers(tree, "cat_boundaries"), np.array(tree.get("cat_threshold", "").split(), "<u4")
        splits = zip(_numbers(tree, "decision_type"), tree["threshold"].split(), left_of, strict=True)
        for decision, threshold, struck in splits:
            if decision & _CATEGORICAL:
                kinds.append(_BY_CATEGORY)
                thresholds.append(len(of_category))
                which = int(threshold)
                bits = np.unpackbits(words[bounds[which] : bounds[which + 1]].view(np.uint8), bitorder="little")
                of_category.append((every & ~struck, bits))
            else:
                goes_left = bool(decision & _DEFAULT_LEFT) if decision & _NAN_MISSING else float(threshold) >= 0
                kinds.append(_NAN_LEFT if goes_left else _NAN_RIGHT)
                thresholds.append(_at_most(float(threshold)))
            kept.append(every & ~struck)
        columns += _numbers(tree, "split_feature")
        first.append(len(kinds))
    known = max((len(bits) for _, bits in of_category), default=0)
    categories = np.empty((len(of_category), known + 1), word.dtype)
    for row, (right, bits) in zip(categories, of_category, strict=True):
        row[:] = right
        row[: len(bits)][bits > 0] = every
    used, column = np.unique(np.array(columns, np.int64), return_inverse=True)
    return {
        "columns": used,
        "column": column.astype(np.int64),
        "threshold": np.array(thresholds, np.float32),
        "kind": np.array(kinds, np.uint8),
        "kept": np.array(kept, word.dtype),
        "categories": categories,
        "first": np.array(first),
        "leaves": leaves,
    }


def _numbers(tree: Fields, name: str) -> list[int]:
    return [int(value) for value in tree.get(name, "").split()]


def _at_most(threshold: float) -> np.float32:
    """Return the largest float32 that is not above `threshold`: it divides float32 values as `threshold` does."""
    nearest = np.float32(threshold)
    return nearest if float(nearest) <= threshold else np.nextafter(nearest, np.float32(-np.inf))


def _layout(left: Sequence[int], right: Sequence[int]) -> tuple[list[int], list[int]]:
    """Return the place of each leaf, counted from the left, and for each split the bits of the leaves on its left.

    A child is the number of a split, which comes after its parent's, or `~leaf`.

    >>> _layout([1, -1], [-2, -3])
    ([0, 2, 1], [3, 1])
    """
    size, start = dict.fromkeys(range(-len(left) - 1, 0), 1), {0 if left else -1: 0}
    for split in reversed(range(len(left))):
        size[split] = size[left[split]] + size[right[split]]
    for split in range(len(left)):
        start[left[split]] = start[split]
        start[right[split]] = start[split] + size[left[split]]
    left_of = [((1 << size[left[split]]) - 1) << start[split] for split in range(len(left))]
    return [start[~leaf] for leaf in range(len(left) + 1)], left_of


@numba.njit(cache=True, nogil=True)
def _add_trees(
    matrix: Matrix,
    begin: int,
    end: int,
    columns: Ints,
    column: Ints,
    threshold: NDArray[np.float32],
    kind: NDArray[np.uint8],
    kept: Bits,
    categories: Bits,
    first: Ints,
    leaves: Floats,
    out: Floats,
) -> None:
    """Add every tree's leaf, in the trees' order, to `out` from row `begin` up to `end`.

    The loops over a whole block become SIMD instructions; beyond the last row they run over values that an earlier
    block left behind.
    """
    value = np.zeros((len(columns), BLOCK), np.float32)
    category = np.zeros((len(columns), BLOCK), np.int32)
    is_category = np.zeros(len(columns), np.bool_)
    for k in range(len(column)):
        is_category[column[k]] |= kind[k] == _BY_CATEGORY
    remaining = np.empty(BLOCK, kept.dtype)
    every = ~np.zeros(1, kept.dtype)[0]
    other = categories.shape[1] - 1
    for start in range(begin, end, BLOCK):
        rows = min(BLOCK, end - start)
        for c in range(len(columns)):
            for r in range(rows):
                value[c, r] = matrix[start + r, columns[c]]
            if is_category[c]:
                for r in range(rows):
                    category[c, r] = int(value[c, r]) if -1 < value[c, r] < other else other
        for tree in range(len(leaves)):
            remaining[:] = every
            for k in range(first[tree], first[tree + 1]):
                at, right, values = threshold[k], kept[k], value[column[k]]
                if kind[k] == _NAN_LEFT:
                    for r in range(BLOCK):
                        remaining[r] &= right if values[r] > at else every
                elif kind[k] == _NAN_RIGHT:
                    for r in range(BLOCK):
                        remaining[r] &= every if values[r] <= at else right
                else:
                    leaves_of, codes = categories[int(at)], category[column[k]]
                    for r in range(BLOCK):
                        remaining[r] &= leaves_of[codes[r]]
            of_leaf = leaves[tree]
            for r in range(rows):
                out[start + r] += of_leaf[trailing_zeros(remaining[r])]  # ty: ignore[missing-argument]  Numba gives the first
