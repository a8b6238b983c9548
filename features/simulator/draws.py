"""Random draws that come out the same on every machine.

NumPy's `exp` and `log` may differ in the last bit between processors, and a rounded value may then differ in a digit.
So all values that end in a file go through `exp_on_grid`, whose only operations are rounding, table look-up and one
multiplication. Plain `log` and powers are used only if a last bit cannot be seen: in comparisons with a random number.
"""

from decimal import Decimal
from functools import cache

import numpy as np

from features.arrays import Floats, Ints

_GRID = 4096  # steps per unit of the exponent: 0.024 %
_LIMIT = 40

# The modulus is any prime above the number of parties of a kind, and the factor scatters neighbours.
_ID_MODULUS, _ID_FACTOR, _ID_SHIFT = 99_999_989, 61_803_399, 27_182_818


def stream(seed: int, *key: int) -> np.random.Generator:
    """Return the generator for one purpose: the same seed and key give the same draws, whatever else was drawn."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *key])))


@cache
def _tables() -> tuple[Floats, Floats]:
    whole = np.array([float(Decimal(n).exp()) for n in range(-_LIMIT, _LIMIT + 1)])
    fraction = np.array([float((Decimal(n) / _GRID).exp()) for n in range(_GRID)])
    return whole, fraction


def exp_on_grid(exponent: Floats) -> Floats:
    """Return e to the exponent rounded to 1/4096; exponents beyond 40 either way count as 40.

    >>> exp_on_grid(np.array([0.0, 1.0, 0.0001])).tolist()
    [1.0, 2.718281828459045, 1.0]
    """
    whole, fraction = _tables()
    steps = np.rint(np.clip(exponent, -_LIMIT, _LIMIT) * _GRID).astype(np.int64)
    return whole[(steps >> 12) + _LIMIT] * fraction[steps & (_GRID - 1)]


def pick(rng: np.random.Generator, weights: Floats, size: int) -> Ints:
    """Draw `size` indices, each with a probability in proportion to its weight.

    >>> pick(stream(1), np.array([0.0, 2.0, 0.0]), 3).tolist()
    [1, 1, 1]
    """
    cumulative = np.cumsum(weights)
    return np.searchsorted(cumulative, rng.random(size) * cumulative[-1], side="right").astype(np.int64)


def pick_by_row(rng: np.random.Generator, weights: Floats) -> Ints:
    """Draw one choice for each row of a matrix of weights (rows x choices).

    >>> pick_by_row(stream(1), np.array([[0.0, 3.0], [5.0, 0.0]])).tolist()
    [1, 0]
    """
    cumulative = np.cumsum(weights, axis=1)
    drawn = rng.random(len(weights)) * cumulative[:, -1]
    return (drawn[:, None] >= cumulative).sum(axis=1, dtype=np.int64)


def opaque(numbers: Ints) -> Ints:
    """Scatter numbers under 99,999,989 one to one, so that a name tells nothing of age or kind.

    >>> opaque(np.arange(3)).tolist()
    [27182818, 88986217, 50789627]
    """
    return (numbers * _ID_FACTOR + _ID_SHIFT) % _ID_MODULUS
