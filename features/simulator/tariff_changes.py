"""Changes of the tariff: on each 1 January the general duty of some chapters rises or falls.

As the tariff itself, they are the country's and the same for every seed; the first one is the first after the start.
"""

from datetime import date
from functools import cache

import numpy as np

from features.arrays import Floats
from features.simulator.draws import pick, stream
from features.simulator.goods import goods

_CHANGED = 0.2  # the share of chapters, each time
_FACTORS = np.array([0.5, 0.75, 1.25, 1.6])


def days(start: date, last: int) -> list[int]:
    """Return each 1 January after `start`, up to `last`, as days since `start`.

    >>> days(date(2023, 1, 1), 545)
    [365]
    """
    firsts = ((date(start.year + years, 1, 1) - start).days for years in range(1, last // 365 + 2))
    return [day for day in firsts if day <= last]


@cache
def factors(changes: int) -> Floats:
    """Return the factor on each goods' general duty after so many changes."""
    by_chapter = np.ones(100)
    for number in range(changes):
        rng = stream(1, 3, number)
        is_changed = rng.random(100) < _CHANGED
        by_chapter *= np.where(is_changed, _FACTORS[pick(rng, np.ones(len(_FACTORS)), 100)], 1.0)
    return by_chapter[goods().chapter]
