"""Confidence-based performance estimation: what calibrated scores promise before labels are known, and how far off.

What a selection found among rows whose chance of being inspected is known is in off_policy.py. How well a ranking does
where every label is known is in ranking.py.
"""

from collections.abc import Sequence

import numpy as np

from features.arrays import Flags, Floats, Ints
from models.document import Document
from models.metrics.bootstrap import Estimate, estimates
from models.metrics.ranking import Curve, at_share, average_precision, check_amounts, check_scores, roc_auc

_CELLS = 400_000  # drawn labels held at a time


class ExpectedPerformance(Document):
    """Tells what calibrated scores promise, by figure; intervals cover what chance in the labels allows."""

    rows: int
    shares: tuple[float, ...]
    confidence: float
    figures: dict[str, Estimate]


class Miss(Document):
    """A figure once labels are known: `error` is measured less expected; null where either is not defined."""

    expected: float | None
    measured: float | None
    error: float | None
    is_within: bool | None


def expected_performance(
    score: Floats, shares: Sequence[float], resamples: int, confidence: float, seed: int
) -> ExpectedPerformance:
    """Return base rate, ROC-AUC, average precision, and precision and recall at `shares`, before any label is known.

    This is confidence-based performance estimation (as in NannyML): a score of p is a hit with chance p, and every
    figure is a ratio of expectations over such labels. A row makes no pair of hit and miss with itself, so such pairs
    are left out. The result is true as far as the scores are calibrated; a drift that breaks the calibration does not
    show here.
    """
    check_amounts("score", score, len(score), highest=1.0)
    order, last = _ranked(score)
    chance = score[order]
    curve = _curve(chance[None, :], last)
    generator, block = np.random.default_rng(seed), max(1, _CELLS // max(len(score), 1))
    draws = [
        _figures(_curve(generator.random((min(block, resamples - start), len(score))) < chance, last), shares)
        for start in range(0, resamples, block)
    ]
    values = _figures(curve, shares)[0]
    names = _names(shares)
    if len(score):
        values[1:3] = _expected_overall(chance, curve, last)
    why = "no rows" if not len(score) else "no pair of a hit and another row is expected"
    found = estimates(names, values, np.concatenate(draws), confidence, lambda name: why)
    return ExpectedPerformance(rows=len(score), shares=tuple(shares), confidence=confidence, figures=found)


def misses(expected: ExpectedPerformance, score: Floats, is_hit: Flags) -> dict[str, Miss]:
    """Return how far off `expected` was, on the same rows, now that each has a label.

    Labels of rows that were inspected for their score come from some of the rows only, so give only those rows to both
    functions.
    """
    if len(score) != expected.rows:
        raise ValueError(f"score has {len(score)} rows; allowed: {expected.rows}, as many as were expected")
    check_scores(score, len(is_hit))
    order, last = _ranked(score)
    measured = _figures(_curve(is_hit[None, order], last), expected.shares)[0]
    found: dict[str, Miss] = {}
    for name, value in zip(_names(expected.shares), measured, strict=True):
        promised = expected.figures[name]
        known = None if np.isnan(value) else float(value)
        if known is None or promised.value is None or promised.low is None or promised.high is None:
            found[name] = Miss(expected=promised.value, measured=known, error=None, is_within=None)
        else:
            is_within = promised.low <= known <= promised.high
            found[name] = Miss(
                expected=promised.value, measured=known, error=known - promised.value, is_within=is_within
            )
    return found


def _names(shares: Sequence[float]) -> tuple[str, ...]:
    by_share = (at_share(name, share, "score") for share in shares for name in ("precision", "recall"))
    return ("base_rate", "roc_auc", "average_precision", *by_share)


def _ranked(score: Floats) -> tuple[Ints, Ints]:
    """Return the rows by score, highest first, and the last place of each distinct score."""
    order = np.argsort(-score, kind="stable")
    ordered = score[order]
    return order, np.flatnonzero(np.append(ordered[1:] != ordered[:-1], len(ordered) > 0))


def _curve(hits: Floats | Flags, last: Ints) -> Curve:
    """Return the curve of each line of hits, expected or drawn; the columns of `hits` are rows by score."""
    running = np.cumsum(hits, axis=1, dtype=np.float64)[:, last]
    found = np.concatenate([np.zeros((len(hits), 1)), running], axis=1)
    rows = np.broadcast_to(np.concatenate([[0.0], last + 1.0]), found.shape)
    return Curve(rows, found, found)


def _figures(curve: Curve, shares: Sequence[float]) -> Floats:
    """Return the values of `_names`, one line for each line of the curve; NaN where not defined."""
    rows, hits = curve.rows[:, -1], curve.hits[:, -1]
    if not rows.any():
        return np.full((len(rows), len(_names(shares))), np.nan)
    with np.errstate(invalid="ignore"):  # 0 / 0 is meant to be NaN
        columns = [hits / rows, roc_auc(curve), average_precision(curve)]
        for share in shares:
            budget, found, _ = curve.at(share)
            columns += [found / budget, found / hits]
        return np.stack(columns, axis=1)


def _expected_overall(chance: Floats, curve: Curve, last: Ints) -> tuple[float, float]:
    """Return ROC-AUC and average precision with each row's own label counted once: a hit ranks at its own place."""
    hits, doubt = chance.sum(), chance * (1 - chance)
    pairs = hits * (len(chance) - hits)
    with np.errstate(invalid="ignore", divide="ignore"):
        area = (roc_auc(curve)[0] * pairs - doubt.sum() / 2) / (pairs - doubt.sum())
        place = last[np.searchsorted(last, np.arange(len(chance)))] + 1
        return area, average_precision(curve)[0] + (doubt / place).sum() / hits
