"""What a selection would have found, where labels exist only for what was inspected, and how well a model should do.

Inspections were drawn with known chances, so each inspected row stands for 1 / propensity rows. What to expect before
any label is known is in cbpe.py; how well a ranking does where every label is known is in ranking.py.

`chosen` is the chance, 0 to 1, that the evaluated selection inspects a row. The rows are the whole population; chance
lies in which of them were inspected.
- naive: takes the inspected rows as if they were everything. It is biased, and is shown for comparison.
- ipw: weights each inspected row by 1 / propensity (Horvitz and Thompson 1952). Its totals are unbiased.
- snipw: divides totals by the sum of the weights (Hájek 1971), and is seldom as far off as ipw. Recall and the share of
  revenue are ratios of two such sums, and so they equal those of ipw.
- dr: adds the weighted error on inspected rows to the model's expectation for all rows (Dudík et al., ICML 2011). It is
  unbiased whatever the model says, and the more precise the better the model is.
Where everything was inspected, all four are the plain figure, and the last three have no interval left. Unbiased totals
may lie beyond what is possible (a precision above 1) where few rows carry much weight; intervals do not.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import gammainc, gammaincinv

from features.arrays import Flags, Floats
from models.document import Document
from models.metrics.bootstrap import Estimate
from models.metrics.ranking import check_amounts


class Found(Document):
    """Tells what a selection finds.

    `revenue` is in currency, and `revenue_share` is a share of all revenue that there was to find.
    """

    precision: Estimate
    recall: Estimate
    revenue: Estimate
    revenue_share: Estimate


class SelectionEstimates(Document):
    """A selection's figures by each estimator.

    `chosen` is how many rows it inspects, in expectation. `effective_chosen` and `effective_rows` are how many
    inspected rows of equal weight would say as much about its rows, and about all rows (Kish 1965).
    """

    rows: int
    inspected: int
    hits: int
    chosen: float
    effective_chosen: float
    effective_rows: float
    confidence: float
    naive: Found
    ipw: Found
    snipw: Found
    dr: Found


@dataclass(frozen=True)
class Log:
    """Tells what was inspected, with which chance, and what was found; one value a row.

    `is_hit` and `revenue` (currency, 0 where no hit) count only where `is_inspected`. Rows that were not inspected need
    a propensity above 0 too: no weight makes up for rows that never had a chance.

    >>> Log(np.array([True]), np.array([0.0]), np.array([False]), np.array([0.0]))
    Traceback (most recent call last):
    ...
    ValueError: propensity is 0.0 at row 0; allowed: above 0, at most 1
    """

    is_inspected: Flags
    propensity: Floats
    is_hit: Flags
    revenue: Floats

    def __post_init__(self) -> None:
        rows = len(self.is_inspected)
        is_chance = (self.propensity > 0) & (self.propensity <= 1)
        _check("propensity", self.propensity, rows, is_chance, "above 0, at most 1")
        _check("is_hit", self.is_hit, rows, np.ones(len(self.is_hit), np.bool_), "a flag")
        is_amount = np.isfinite(self.revenue) & (self.revenue >= 0)
        _check("revenue", self.revenue, rows, is_amount | ~self.is_inspected, "a finite amount from 0 where inspected")


@dataclass(frozen=True)
class Expected:
    """Tells what the model expects of each row: `hit` is P(illicit), `revenue` is that times what a hit brings in."""

    hit: Floats
    revenue: Floats


@dataclass(frozen=True)
class _Total:
    """An estimated sum over all rows, and its bounds."""

    value: float
    low: float
    high: float

    def estimate(self, of: float = 1.0, most: float = np.inf) -> Estimate:
        """Return the sum as a part of something known, `of`; the bounds are at most `most`."""
        return Estimate(value=self.value / of, low=min(self.low / of, most), high=min(self.high / of, most))


def estimate(log: Log, chosen: Floats, expected: Expected, confidence: float) -> SelectionEstimates:
    """Return what the selection `chosen` finds among the rows of `log`, by each estimator.

    Raises ValueError for a row whose values are missing or out of range.
    """
    rows, tail = len(log.is_inspected), (1 - confidence) / 2
    check_amounts("chosen", chosen, rows, highest=1.0)
    check_amounts("expected.hit", expected.hit, rows, highest=1.0)
    check_amounts("expected.revenue", expected.revenue, rows)
    one = _one_hit(log, expected)
    hit = (log.is_inspected & log.is_hit).astype(np.float64)
    miss = (log.is_inspected & ~log.is_hit).astype(np.float64)
    money, none = np.where(log.is_inspected, log.revenue, 0.0), np.zeros(rows)
    left, total = 1 - chosen, float(chosen.sum())

    def naive(part: Floats, values: Floats, one: float) -> _Total:
        return _bounded((part * values).sum(), (part**2 * values**2).sum(), 0.0, one, tail)

    def weighted(part: Floats, values: Floats, model: Floats, one: float) -> _Total:
        return _weighted(log, part, values, model, one, tail)

    naive_hits, naive_money = naive(chosen, hit, 1), naive(chosen, money, one)
    ipw_hits, ipw_money = weighted(chosen, hit, none, 1), weighted(chosen, money, none, one)
    recall = _share(ipw_hits, weighted(left, hit, none, 1), "no hits found")
    revenue_share = _share(ipw_money, weighted(left, money, none, one), "nothing recovered")
    dr_hits = weighted(chosen, hit, expected.hit, 1)
    dr_money = weighted(chosen, money, expected.revenue, one)
    weight = log.is_inspected / log.propensity
    return SelectionEstimates(
        rows=rows,
        inspected=int(log.is_inspected.sum()),
        hits=int(hit.sum()),
        chosen=total,
        effective_chosen=_effective(weight * chosen),
        effective_rows=_effective(weight),
        confidence=confidence,
        naive=Found(
            precision=_share(naive_hits, naive(chosen, miss, 1), "no chosen row was inspected"),
            recall=_share(naive_hits, naive(left, hit, 1), "no hits found"),
            revenue=naive_money.estimate(),
            revenue_share=_share(naive_money, naive(left, money, one), "nothing recovered"),
        ),
        ipw=Found(
            precision=_of_chosen(ipw_hits, total),
            recall=recall,
            revenue=ipw_money.estimate(),
            revenue_share=revenue_share,
        ),
        snipw=Found(
            precision=_share(ipw_hits, weighted(chosen, miss, none, 1), "no chosen row was inspected"),
            recall=recall,
            revenue=_self_normalised(log, chosen, money, one, tail),
            revenue_share=revenue_share,
        ),
        dr=Found(
            precision=_of_chosen(dr_hits, total),
            recall=_share(dr_hits, weighted(left, hit, expected.hit, 1), "no hits found or expected"),
            revenue=dr_money.estimate(),
            revenue_share=_share(
                dr_money, weighted(left, money, expected.revenue, one), "nothing recovered or expected"
            ),
        ),
    )


def _weighted(log: Log, part: Floats, values: Floats, model: Floats, one: float, tail: float) -> _Total:
    """Return the sum of `part * values` over all rows: that of `model`, and its weighted error where inspected.

    What the model expects too little and what it expects too much are two sums of rare, skewed errors, each with its
    own bounds (joined as by Zou and Donner, Statistics in Medicine 2008). Their variance is that of independent
    inspections, row by row. Draws of a fixed size vary less, so for them the bounds are on the safe side.
    """
    error = np.where(log.is_inspected, part * (values - model), 0.0)
    short = _missing(log, np.maximum(error, 0), part * np.maximum(one - model, 0), tail)
    excess = _missing(log, np.maximum(-error, 0), part * model, tail)
    value = float((part * model).sum()) + short.value - excess.value
    found = float((part * values)[log.is_inspected].sum())
    low = max(value - np.hypot(short.value - short.low, excess.high - excess.value), found)
    return _Total(value, low, max(value + np.hypot(short.high - short.value, excess.value - excess.low), low))


def _missing(log: Log, errors: Floats, possible: Floats, tail: float) -> _Total:
    """Return the sum of `errors`, 0 where not inspected, over all rows; `possible` is what a row's might be."""
    unseen = np.sqrt(1 - log.propensity)
    weighted = errors / log.propensity
    step = float((possible * unseen / log.propensity).max(initial=0))
    return _bounded(weighted.sum(), ((weighted * unseen) ** 2).sum(), float(errors.sum()), step, tail)


def _bounded(value: float, variance: float, found: float, step: float, tail: float) -> _Total:
    """Return a rare and skewed sum with bounds on the part not `found` yet, by gamma distributions of its moments.

    This is the mid-p gamma interval (Fay and Kim, Biometrical Journal 2017): half the weight is on the moments as they
    are, half on what they would be if one more row, the weightiest there is, had been a hit. So a stratum in which
    nothing was found by chance does not count as one in which there is nothing.
    """
    rest = max(value - found, 0.0)
    as_is, one_more = (rest, variance), (rest + step, variance + step**2)

    def quantile(level: float) -> float:
        def above(x: float) -> float:
            return _gamma_below(*as_is, x) + _gamma_below(*one_more, x) - 2 * level

        least, most = sorted(_gamma_quantile(*moments, level) for moments in (as_is, one_more))
        if above(least) >= 0:  # a distribution without variance jumps past the level
            return least
        return brentq(above, least, most) if above(most) > 0 else most

    return _Total(float(value), found + quantile(tail), found + quantile(1 - tail))


def _gamma_quantile(mean: float, variance: float, level: float) -> float:
    if _is_certain(mean, variance):
        return mean
    return float(gammaincinv(mean**2 / variance, level) * variance / mean)


def _gamma_below(mean: float, variance: float, x: float) -> float:
    if _is_certain(mean, variance):
        return float(x >= mean)
    return float(gammainc(mean**2 / variance, x * mean / variance))


def _is_certain(mean: float, variance: float) -> bool:
    """Tell whether the distribution is a single point, as far as double precision can tell."""
    return mean**2 == 0 or variance <= 1e-15 * mean**2


def _share(part: _Total, rest: _Total, why_undefined: str) -> Estimate:
    """Return part / (part + rest), with bounds from those of the two (Donner and Zou, Stat Methods Med Res 2012).

    The two are taken as independent. They are, unless `chosen` is a fraction; then the interval is wider than
    necessary.
    """
    whole = part.value + rest.value
    if whole <= 0:
        return Estimate(value=None, reason=why_undefined)
    return Estimate(value=part.value / whole, low=_lowest_share(part, rest), high=1 - _lowest_share(rest, part))


def _lowest_share(part: _Total, rest: _Total) -> float:
    a, b = (min(max(one.value, one.low), one.high) for one in (part, rest))
    down, up = a - part.low, rest.high - b
    lowest, widest = max(a**2 - down**2, 0.0), b**2 - up**2
    below = a * b + np.sqrt(max(a**2 * b**2 - lowest * widest, 0.0))
    # The odds are lowest / below. They are returned as a share, so that a rest of 0 does not divide by zero.
    return float(lowest / (lowest + below)) if lowest else 0.0


def _of_chosen(hits: _Total, total: float) -> Estimate:
    return hits.estimate(total, most=1.0) if total > 0 else Estimate(value=None, reason="nothing is chosen")


def _self_normalised(log: Log, chosen: Floats, money: Floats, one: float, tail: float) -> Estimate:
    """Return the revenue captured: the weighted mean times the number of rows, with a linearised variance."""
    weight = log.is_inspected / log.propensity
    if not weight.any():
        return Estimate(value=None, reason="no row was inspected")
    captured = chosen * money
    mean, scale = np.average(captured, weights=weight), len(weight) / weight.sum()
    unseen = np.sqrt(1 - log.propensity)
    variance = scale**2 * ((weight * unseen * (captured - mean)) ** 2).sum()
    step = scale * one * (chosen * unseen / log.propensity).max()
    return _bounded(mean * len(weight), variance, captured.sum(), step, tail).estimate()


def _one_hit(log: Log, expected: Expected) -> float:
    """Return what one more hit might bring in: the root mean square of those found, or the model's mean for none."""
    found = log.revenue[log.is_inspected & log.is_hit]
    if found.size:
        return float(np.sqrt((found**2).mean()))
    return float(expected.revenue.sum() / expected.hit.sum()) if expected.hit.any() else 0.0


def _effective(weight: Floats) -> float:
    if not weight.any():
        return 0.0
    relative = weight / weight.max()
    return float(relative.sum() ** 2 / (relative**2).sum())


def _check(name: str, values: Floats | Flags, rows: int, is_allowed: Flags, allowed: str) -> None:
    if values.shape != (rows,):
        raise ValueError(f"{name} has shape {values.shape}; allowed: ({rows},), one a row")
    wrong = np.flatnonzero(~is_allowed)
    if wrong.size:
        raise ValueError(f"{name} is {values[wrong[0]]} at row {wrong[0]}; allowed: {allowed}")
