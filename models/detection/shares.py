"""Shares of items that come in declarations, with intervals, and the quotient of two shares.

The items of a declaration are judged by one person and are not independent. So the interval of a share is that of Korn
and Graubard ("Confidence intervals for proportions with small expected number of positive counts", Survey Methodology
1998): Clopper and Pearson's, which is exact, at as many independent items as would have the variance between
declarations.
"""

import math

from scipy.stats import beta

from features.arrays import Ints
from models.metrics import Estimate


def share(found: Ints, of: Ints, confidence: float) -> Estimate:
    """Return the share of items that were `found`, of so many in each declaration, with its interval.

    ValueError where there is no item.

    >>> import numpy as np
    >>> told = share(np.array([1, 1, 0, 1]), np.array([1, 1, 1, 1]), 0.95)
    >>> told.text(".3f", "-")
    '0.750 (0.132 to 0.998)'
    """
    items = int(of.sum())
    if not items:
        raise ValueError("no share of 0 items; allowed: at least 1")
    value = float(found.sum() / items)
    low, high = _exact(value, _independent(found, of, value), confidence)
    return Estimate(value=value, low=low, high=high)


def quotient(part: Estimate, whole: Estimate) -> Estimate:
    """Return `part` over `whole`, two independent shares, at most 1, with its interval.

    The interval is Zou and Donner's of a difference ("Construction of confidence limits about effect measures",
    Statistics in Medicine 2008), of the logarithms: it keeps the asymmetry of both. ValueError where one is not
    estimated, or `whole` is 0.

    >>> found, detects = Estimate(value=0.3, low=0.28, high=0.32), Estimate(value=0.6, low=0.5, high=0.7)
    >>> quotient(found, detects).text(".3f", "-")
    '0.500 (0.422 to 0.607)'
    """
    share, of = part.value, whole.value
    if share is None or not of or not whole.low or whole.high is None:
        raise ValueError(f"{share} over {of} is no share; allowed: estimates, and a whole above 0")
    lowest, highest = (share if end is None else end for end in (part.low, part.high))
    if not share:  # it has no logarithm, and only its upper end tells anything
        return Estimate(value=0.0, low=0.0, high=min(highest / whole.low, 1.0))
    low = share / of * math.exp(-math.hypot(_log(share, lowest), _log(whole.high, of)))
    high = share / of * math.exp(math.hypot(_log(highest, share), _log(of, whole.low)))
    return Estimate(value=min(share / of, 1.0), low=min(low, 1.0), high=min(high, 1.0))


def _independent(found: Ints, of: Ints, value: float) -> float:
    """Return how many independent items would have the variance between declarations; never more than there are."""
    items, declarations = int(of.sum()), int((of > 0).sum())
    if value in (0.0, 1.0) or declarations < 2:
        return float(declarations)
    variance = declarations / (declarations - 1) * float(((found - value * of) ** 2).sum()) / items**2
    return min(value * (1 - value) / variance, float(items)) if variance else float(items)


def _exact(value: float, items: float, confidence: float) -> tuple[float, float]:
    tail, hits = (1 - confidence) / 2, value * items
    low = float(beta.ppf(tail, hits, items - hits + 1)) if hits > 0 else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, items - hits)) if hits < items else 1.0
    return low, high


def _log(above: float, below: float) -> float:
    """Return the distance of two numbers on a logarithmic scale; infinite down to 0."""
    return math.log(above / below) if below else math.inf
