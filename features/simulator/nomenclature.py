"""The commodity codes, and their revision on the first 1 January: some are split, some merged, some move.

Goods stay what they are, and only what they are called changes. Most declarants change on the day; some go on with the
old codes for weeks.
"""

from dataclasses import replace
from datetime import date
from functools import cache

import numpy as np
import polars as pl

from features.arrays import Ints
from features.simulator.days import SECONDS
from features.simulator.draws import opaque, stream
from features.simulator.goods import goods
from features.simulator.schemes import Declared
from features.simulator.tariff_changes import days
from features.simulator.traffic import Traffic

_SPLIT, _MERGED, _MOVED = 0.08, 0.06, 0.05  # shares of the goods
_LATE, _LATEST_DAYS = 0.15, 45  # the share of declarants who change late, and by how much at most


@cache
def codes() -> pl.Series:
    """Return all codes: first one for each of the goods, then those that the revision adds."""
    return _revision()[0]


def coded(seed: int, traffic: Traffic, declared: Declared, start: date) -> Declared:
    """Return the declarations with the codes of their day, in a world that begins on `start`."""
    luck = stream(seed, 67).random(int(traffic.declarant.max()) + 1)
    late = np.where(luck < _LATE, luck / _LATE * _LATEST_DAYS, 0).astype(np.int64)[traffic.declarant]
    revised = days(start, 366)[0]
    is_revised = traffic.second // SECONDS >= revised + late
    # What a lane brings falls under one of the two codes of a heading that was split.
    part = opaque(traffic.lane) % 2
    return replace(declared, code=np.where(is_revised, _revision()[1][part, declared.goods], declared.code))


@cache
def _revision() -> tuple[pl.Series, Ints]:
    """Return all codes, and the place of each goods' new code among them: two parts x goods."""
    table = goods()
    every = table.hs6.to_list()
    new = np.tile(np.arange(table.count, dtype=np.int64), (2, 1))
    order = stream(1, 4).permutation(table.count)
    splits, merges, moves = (int(table.count * share) for share in (_SPLIT, _MERGED, _MOVED))

    def add(prefix: str) -> int:
        free = (f"{prefix}{tail:0{6 - len(prefix)}d}" for tail in range(91, 0, -1))
        every.append(next(code for code in free if code not in every))
        return len(every) - 1

    for number in order[:splits].tolist():
        new[:, number] = add(every[number][:4]), add(every[number][:4])
    for number in order[splits : splits + moves].tolist():
        new[:, number] = add(every[number][:2])
    left = order[splits + moves :]
    for number in left[:merges].tolist():
        alike = left[(table.chapter[left] == table.chapter[number]) & (left != number)]
        if len(alike):
            new[:, number] = new[:, alike[0]]
    return pl.Series("hs6", every), new
