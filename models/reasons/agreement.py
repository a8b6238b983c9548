"""How far reasons survive a retraining: what is said of the same declarations under two models, before and after.

Nobody can learn from a reason that changes with every model. There are two figures, both means over declarations: the
overlap of the leading reasons, and how alike all contributions are ordered. Neither says which model is right.
"""

import numpy as np
import polars as pl
from scipy.stats import rankdata

from features.arrays import Flags, Floats
from features.contract import KEY
from models.document import Document
from models.metrics import Estimate, bootstrap

_FIGURES = ("overlap", "rank_correlation")


class Stability(Document):
    """Tells what `stability` measured on `rows` declarations.

    `overlap` is the mean Jaccard index of the `top` reasons before and after, from 0 (none is kept) to 1 (all are). A
    reason is kept if its group and its direction are. `rank_correlation` is the mean Spearman correlation, over groups,
    of their signed contributions. It is 1 if the order is the same from what raised the score most to what lowered it
    most, and 0 if one order tells nothing of the other. Declarations without a reason in either model say nothing of
    overlap, and those whose contributions are all equal say nothing of correlation; the means leave them out.
    """

    rows: int
    top: int
    overlap: Estimate
    rank_correlation: Estimate


def stability(
    before: pl.DataFrame, after: pl.DataFrame, top: int, resamples: int, confidence: float, seed: int
) -> Stability:
    """Return how stable the reasons of the same declarations are under two models.

    `before` and `after` are as `group_contributions` returns them, in the same order. A group that only one model has
    adds nothing in the other. Intervals are percentiles over resampled declarations. ValueError where the rows are not
    the same or `top` is not allowed.
    """
    if top < 1:
        raise ValueError(f"top is {top}; allowed: 1 or more")
    if not before.select(KEY).equals(after.select(KEY)):
        raise ValueError(f"{before.height} rows before and {after.height} after are not the same declarations in order")
    names = sorted((set(before.columns) | set(after.columns)) - {*KEY, "baseline"})
    old, new = _contributions(before, names), _contributions(after, names)
    by_row = np.stack([overlap(old, new, top), rank_correlation(old, new)], axis=1)
    is_defined = ~np.isnan(by_row)
    value = np.where(is_defined, by_row, 0.0)
    draws = np.concatenate(
        [_means(counts, value, is_defined) for counts in bootstrap.counts(len(by_row), resamples, seed)]
    )
    (point,) = _means(np.ones((1, len(by_row))), value, is_defined)
    found = bootstrap.estimates(_FIGURES, point, draws, confidence, lambda name: f"no row defines the {name}")
    return Stability(rows=len(by_row), top=top, **found)


def overlap(before: Floats, after: Floats, top: int) -> Floats:
    """Return the Jaccard index of the leading reasons in two matrices of rows x groups, by row; NaN where none has one.

    >>> overlap(np.array([[3.0, -2.0, 1.0]]), np.array([[2.0, 1.5, -0.5]]), top=2).tolist()
    [0.3333333333333333]
    """
    old, new = _leading(before, top), _leading(after, top)
    either = (old | new).sum(axis=1)
    return np.divide((old & new).sum(axis=1), either, out=np.full(len(either), np.nan), where=either > 0)


def rank_correlation(before: Floats, after: Floats) -> Floats:
    """Return the Spearman correlation over the groups of two matrices of rows x groups, by row; NaN where undefined.

    >>> rank_correlation(np.array([[3.0, -2.0, 1.0]]), np.array([[2.0, -5.0, 1.5]])).tolist()
    [1.0]
    """
    if not before.size:
        return np.full(len(before), np.nan)
    old, new = (rankdata(values, axis=1) for values in (before, after))
    old, new = old - old.mean(axis=1, keepdims=True), new - new.mean(axis=1, keepdims=True)
    scale = np.sqrt((old**2).sum(axis=1) * (new**2).sum(axis=1))
    return np.divide((old * new).sum(axis=1), scale, out=np.full(len(scale), np.nan), where=scale > 0)


def _leading(contributions: Floats, top: int) -> Flags:
    """Return rows x twice the groups: whether a group is among the `top` and raises, and whether it is and lowers."""
    best = np.argsort(-np.abs(contributions), axis=1, kind="stable")[:, :top]
    is_best = np.zeros(contributions.shape, np.bool_)
    np.put_along_axis(is_best, best, values=True, axis=1)
    return np.hstack([is_best & (contributions > 0), is_best & (contributions < 0)])


def _contributions(frame: pl.DataFrame, names: list[str]) -> Floats:
    columns = [pl.col(name) if name in frame.columns else pl.lit(0.0).alias(name) for name in names]
    return frame.with_columns(columns).select(names).to_numpy()


def _means(counts: Floats, value: Floats, is_defined: Flags) -> Floats:
    """Return resamples x figures: means over the rows that define them."""
    rows = counts @ is_defined.astype(np.float64)
    return np.divide(counts @ value, rows, out=np.full(rows.shape, np.nan), where=rows > 0)
