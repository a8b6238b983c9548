"""How well a ranking finds hits and money: metrics over many weightings of the same rows at once.

Every function takes `counts` (resamples x rows): how often each row is in each resample. A bootstrap draws them; a
single line of ones gives the figures of the sample itself. Rows are sorted once, so a resample costs one pass.

Rows with equal scores are taken to be in random order, and every figure is its expectation over that order. So nothing
depends on the order in which the rows happen to come, and a constant score is exactly random choice. A figure that is
not defined (no hits, nothing recovered, no rows) is NaN.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numba
import numpy as np

from features.arrays import Flags, Floats, Ints

CALIBRATION_BINS = 10
OVERALL = ("roc_auc", "average_precision", "brier", "expected_calibration_error")
AT_SHARE = ("precision", "recall", "lift", "revenue")


@dataclass(frozen=True)
class Sample:
    """Tells what was found: `is_hit` and `revenue` recovered (currency; 0 where no hit), one value a row."""

    is_hit: Flags
    revenue: Floats

    def __post_init__(self) -> None:
        if self.is_hit.shape != self.revenue.shape or self.is_hit.ndim != 1:
            raise ValueError(
                f"is_hit has shape {self.is_hit.shape}, revenue {self.revenue.shape}; both must be one value a row"
            )
        if not np.isfinite(self.revenue).all() or (self.revenue < 0).any():
            raise ValueError("revenue holds negative or missing values; give 0 where nothing was recovered")

    @cached_property
    def ones(self) -> Floats:
        """Return the counts of the sample as it is: every row once."""
        return np.ones((1, len(self.is_hit)))

    def where(self, kept: Flags) -> "Sample":
        """Return the rows that `kept` marks."""
        return Sample(self.is_hit[kept], self.revenue[kept])

    def why_undefined(self, name: str) -> str:
        """Say why the figure called `name` has no value on these rows."""
        rows, hits = len(self.is_hit), int(self.is_hit.sum())
        if not rows:
            return "no rows"
        if not hits:
            return f"no hits among {rows} rows"
        if name.startswith("revenue"):
            return f"nothing recovered from {hits} hits"
        return f"all {rows} rows are hits"


@dataclass(frozen=True)
class Scores:
    """Tells what one scorer says of a sample's rows.

    `score` is P(illicit); `priority` is what a selection for revenue ranks by, where the scorer has one.
    """

    score: Floats
    priority: Floats | None = None


@dataclass(frozen=True)
class Curve:
    """The rows, hits and revenue at or above each distinct score, best first, from nothing (0) to everything.

    `rows`, `hits` and `revenue` have a line a resample and a column a distinct score, plus the leading 0.
    """

    rows: Floats
    hits: Floats
    revenue: Floats

    def at(self, share: float) -> tuple[Floats, Floats, Floats]:
        """Return rows, hits and revenue in the best `share` of all rows, one value a resample; ties in expectation.

        The number of rows is rounded half up and is at least one.
        """
        budget = np.maximum(1.0, np.floor(share * self.rows[:, -1] + 0.5))
        lines = range(len(budget))
        hits, revenue = (
            np.array([np.interp(budget[i], self.rows[i], curve[i]) for i in lines])
            for curve in (self.hits, self.revenue)
        )
        return budget, hits, revenue


class Ranking:
    """A sample sorted by a key, highest first."""

    def __init__(self, sample: Sample, key: Floats) -> None:
        check_scores(key, len(sample.is_hit))
        self.order = np.argsort(-key, kind="stable")
        ordered = key[self.order]
        self._last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
        self._values = tuple(values[self.order].astype(np.float64) for values in (sample.is_hit, sample.revenue))

    def curve(self, counts: Floats) -> Curve:
        """Return the curve of each resample in `counts` (resamples x rows, in the sample's order)."""
        return Curve(*_cumulate(counts, self.order, self._last, *self._values))


@numba.njit(cache=True)
def _cumulate(counts: Floats, order: Ints, last: Ints, is_hit: Floats, revenue: Floats) -> Floats:
    """Return running rows, hits and revenue at each group's `last` row, in one pass; array operations take nine."""
    sums = np.zeros((3, len(counts), len(last) + 1))
    for line in range(len(counts)):
        rows = hits = money = 0.0
        group = 0
        for place in range(len(order)):
            count = counts[line, order[place]]
            rows += count
            hits += count * is_hit[place]
            money += count * revenue[place]
            if place == last[group]:
                group += 1
                sums[0, line, group], sums[1, line, group], sums[2, line, group] = rows, hits, money
    return sums


def roc_auc(curve: Curve) -> Floats:
    """Return the chance that a hit outranks another row, ties counting half; one value a resample."""
    misses = curve.rows - curve.hits
    area = (np.diff(misses, axis=1) * (curve.hits[:, 1:] + curve.hits[:, :-1])).sum(axis=1) / 2
    return _ratio(area, curve.hits[:, -1] * misses[:, -1])


def average_precision(curve: Curve) -> Floats:
    """Return the precision averaged over the hits, as scikit-learn defines it; one value a resample."""
    precision = curve.hits[:, 1:] / np.maximum(curve.rows[:, 1:], 1)
    return _ratio((precision * np.diff(curve.hits, axis=1)).sum(axis=1), curve.hits[:, -1])


def calibration_bins(score: Floats) -> Ints:
    """Return the bin of each row: ten bins of equal size by score; equal scores share a bin, so there may be fewer.

    >>> calibration_bins(np.array([0.1, 0.1, 0.9])).tolist()
    [0, 0, 1]
    """
    edges = np.unique(np.quantile(score, np.linspace(0, 1, CALIBRATION_BINS + 1)[1:-1]))
    return np.unique(np.searchsorted(edges, score, side="left"), return_inverse=True)[1]


class Measures:
    """All figures of one scorer on one sample: `names`, and `__call__(counts)` for their values.

    Where the scorer has a priority, the figures at each of `shares` are there twice: inspecting by score and inspecting
    by priority.
    """

    def __init__(self, sample: Sample, scores: Scores, shares: Sequence[float] = ()) -> None:
        score = scores.score
        self._by = {"score": Ranking(sample, score)}
        if score.size and not (score.min() >= 0 and score.max() <= 1):
            raise ValueError(f"scores run from {score.min()} to {score.max()}; a probability lies between 0 and 1")
        if scores.priority is not None:
            self._by["priority"] = Ranking(sample, scores.priority)
        self._shares = tuple(shares)
        self._excess = sample.is_hit - score
        bins = calibration_bins(score) if score.size else np.zeros(0, np.int64)
        self._by_bin = np.argsort(bins, kind="stable")
        self._bin_starts = np.flatnonzero(np.diff(bins[self._by_bin], prepend=-1))
        self.names = OVERALL + tuple(
            at_share(name, share, by) for by in self._by for share in self._shares for name in AT_SHARE
        )

    def __call__(self, counts: Floats) -> Floats:
        """Return the values of `names`, one line a resample."""
        if not counts.shape[1]:
            return np.full((len(counts), len(self.names)), np.nan)
        curves = {by: ranking.curve(counts) for by, ranking in self._by.items()}
        rows = counts.sum(axis=1)
        excess = np.add.reduceat((counts * self._excess)[:, self._by_bin], self._bin_starts, axis=1)
        columns = [
            roc_auc(curves["score"]),
            average_precision(curves["score"]),
            (counts * self._excess**2).sum(axis=1) / rows,
            np.abs(excess).sum(axis=1) / rows,
        ]
        for curve in curves.values():
            all_hits, all_revenue = curve.hits[:, -1], curve.revenue[:, -1]
            for share in self._shares:
                budget, hits, revenue = curve.at(share)
                precision = hits / budget
                columns += [
                    precision,
                    _ratio(hits, all_hits),
                    _ratio(precision * rows, all_hits),
                    _ratio(revenue, all_revenue),
                ]
        return np.stack(columns, axis=1)


def at_share(name: str, share: float, by: str) -> str:
    """Return the name of a figure at an inspection share.

    >>> at_share("recall", 0.05, "priority")
    'recall_at_5pct_by_priority'
    """
    return f"{name}_at_{100 * share:g}pct_by_{by}"


def chance_in_top(key: Floats, share: float) -> Floats:
    """Return each row's chance to be among the best `share` by `key`: 1, 0, or something between for ties on the edge.

    >>> chance_in_top(np.array([3.0, 1.0, 1.0, 0.0]), 0.5).tolist()
    [1.0, 0.5, 0.5, 0.0]
    """
    check_scores(key, len(key))
    if not len(key):
        return np.zeros(0)
    budget = max(1, int(share * len(key) + 0.5))
    edge = np.sort(key)[-budget]
    above, tied = key > edge, key == edge
    return above + tied * ((budget - above.sum()) / tied.sum())


def check_scores(key: Floats, rows: int) -> None:
    """Raise ValueError unless `key` has one finite value for each of `rows` rows.

    >>> check_scores(np.array([0.2, np.nan]), rows=2)
    Traceback (most recent call last):
    ...
    ValueError: row 1 has no finite score; every row needs one
    """
    if key.shape != (rows,):
        raise ValueError(f"scores have shape {key.shape}; allowed: ({rows},), one a row")
    if not np.isfinite(key).all():
        raise ValueError(f"row {int(np.flatnonzero(~np.isfinite(key))[0])} has no finite score; every row needs one")


def check_amounts(name: str, values: Floats, rows: int, highest: float = np.inf) -> None:
    """Raise ValueError unless `values` has one finite number from 0 to `highest` for each of `rows` rows.

    >>> check_amounts("score", np.array([0.2, 1.5]), rows=2, highest=1.0)
    Traceback (most recent call last):
    ...
    ValueError: score is 1.5 at row 1; allowed: 0 to 1
    """
    if values.shape != (rows,):
        raise ValueError(f"{name} has shape {values.shape}; allowed: ({rows},), one a row")
    wrong = np.flatnonzero(~(np.isfinite(values) & (values >= 0) & (values <= highest)))
    if wrong.size:
        allowed = "a finite number from 0" if highest == np.inf else f"0 to {highest:g}"
        raise ValueError(f"{name} is {values[wrong[0]]} at row {wrong[0]}; allowed: {allowed}")


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
