"""What a place is worth to those who may still come: the least worth that is to have it (a bid price).

A pool is a number of places that all go to whoever is worth most. If `places` are left and so many are still to come,
V(places, coming) is the worth that the best rule finds from there on, and the price of a place is what V loses without
it (Gallego and van Ryzin, Management Science 1994; Talluri and van Ryzin, "The theory and practice of revenue
management", 2004). V is computed backwards from the end of the day, for Poisson many arrivals, each with a worth drawn
from those of the past weeks. Prices are asked for at each arrival with what is left then, so they rise when places go
fast and fall when few come. Not here: which places make a pool (plan.py), and who is coming (forecast.py).
"""

import bisect
import math
from dataclasses import dataclass
from itertools import pairwise

import numba
import numpy as np

from features.arrays import Floats

_MOST_PLACES = 64  # of a pool that is counted one by one; places of larger ones are counted in bundles
_LEAST_COMING = 20
_APART = 1.2  # from one number of arrivals for which prices are kept to the next
_STEPS = 4  # of the computation for each expected arrival


@dataclass(frozen=True)
class Demand:
    """Those who come to an office: their `worth` (sorted), how many are expected `today` and on a `usual` day.

    The share `taken` of them takes a place whatever it costs: by chance, by exploration, or as critical goods.
    """

    worth: Floats
    today: float
    usual: float
    taken: float


@dataclass(frozen=True)
class Prices:
    """Prices of a pool: `of[i][k]` is that of the last of k + 1 bundles if `coming[i]` bundles of arrivals are left.

    A bundle is so many places, and as many arrivals. Prices in between are interpolated over arrivals.
    """

    bundle: int
    coming: tuple[float, ...]
    of: tuple[tuple[float, ...], ...]

    def price(self, places: int, coming: float) -> float:
        """Return the least worth that gets one of `places` with `coming` still expected; infinite without a place."""
        if places <= 0:
            return math.inf
        held, left = places / self.bundle, coming / self.bundle
        if left > self.coming[-1]:  # so large a number differs from a smaller one only in how many share a place
            held, left = held * self.coming[-1] / left, self.coming[-1]
        place = min(max(math.ceil(held), 1), len(self.of[0])) - 1
        after = bisect.bisect_left(self.coming, left)
        if after == 0:
            return self.of[0][place]
        before = after - 1
        part = (left - self.coming[before]) / (self.coming[after] - self.coming[before])
        return (1 - part) * self.of[before][place] + part * self.of[after][place]


def prices(demand: Demand, perishing: float, carried: float, days: int) -> Prices:
    """Return the prices of a pool that each day brings so many `perishing` places, and `carried` ones.

    What is left of the latter is kept for up to `days` days, so at the end of a day it is worth what it adds to the
    days to come. Of a day's places, perishing ones are taken to be used first. If nothing is known of who comes, all
    prices are 0: places go to those who come first.
    """
    most = perishing + carried * (days + 1)
    bundle = max(1, math.ceil(most / _MOST_PLACES))
    places = max(1, round(most / bundle))
    kept = round(carried * days / bundle)
    grid = _grid(max(2 * demand.today / bundle, _LEAST_COMING))
    ends = np.zeros(places + 1)
    held = np.arange(places + 1)
    for _ in range(days + 1 if kept else 0):
        begins = _backwards(demand, ends, round(_STEPS * demand.usual / bundle))
        next_day = np.minimum(np.minimum(held, kept) + round((perishing + carried) / bundle), places)
        ends = begins[next_day] - begins[next_day[0]]
    rows = [np.diff(ends)]
    for before, after in pairwise(grid):
        ends = _backwards(demand, ends, _STEPS * (after - before))
        rows.append(np.diff(ends))
    return Prices(bundle, tuple(map(float, grid)), tuple(tuple(row.tolist()) for row in rows))


def _backwards(demand: Demand, value: Floats, steps: int) -> Floats:
    """Return V by number of places, from 0, so many steps before the moment at which it is `value`."""
    above = np.append(demand.worth[::-1].cumsum()[::-1], 0.0)  # sum of the worths from each one on
    earlier = value.copy()
    _step_back(earlier, demand.worth, above, demand.taken, steps, 1 / _STEPS)
    return earlier


@numba.njit(cache=True)
def _step_back(value: Floats, worth: Floats, above: Floats, taken: float, steps: int, length: float) -> None:
    """Change `value` to what it is `steps` earlier, in each of which `length` arrivals are expected."""
    for _ in range(steps):
        for places in range(len(value) - 1, 0, -1):
            price = value[places] - value[places - 1]
            first = np.searchsorted(worth, price)
            gain = (above[first] - price * (len(worth) - first)) / max(len(worth), 1)
            value[places] += length * ((1 - taken) * gain - taken * price)


def _grid(until: float) -> tuple[int, ...]:
    """Return whole numbers from 0 to `until`, each about `_APART` times the one before."""
    numbers = [0]
    while numbers[-1] < until:
        numbers.append(max(numbers[-1] + 1, int(numbers[-1] * _APART)))
    return tuple(numbers)
