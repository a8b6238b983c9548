"""Criteria of officers at night: what meets one gets a place before the rest of the day is chosen among what is left.

Of the rows of an office on a day, critical goods and chance keep their places. The others that meet a criterion get
whole places, in the order of their acceptance, as long as it has any left. Nothing is drawn here, so such a row is
inspected for certain. Which criteria a row meets is the caller's to say.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from features.contract import KEY
from models.criteria import Criterion
from models.policy import LANES, Targeting
from models.targeting import lanes

Met = Sequence[Sequence[Criterion]]  # for each row, the criteria that it meets, in the order in which they are asked
Used = Mapping[tuple[str, str], int]  # by office and name, how many places of the day a criterion has given before


@dataclass(frozen=True)
class Given:
    """Holds what criteria gave: `lane` and `criterion` of each row (None for the others), and `places` by office."""

    lane: list[str | None]
    criterion: list[str | None]
    places: dict[str, lanes.Capacity]


def give(frame: pl.DataFrame, met: Met, targeting: Targeting, used: Used) -> Given:
    """Return what criteria give to the rows of one day.

    `frame` has the key, `office`, `accepted_at` and the columns that models.targeting.lanes.assign asks for. No lane is
    lower than what the row's rank by priority at its office would ask for by itself.
    """
    worth = pl.col("score") * (pl.col("revenue_if_illicit") + pl.col("hit_value"))
    is_critical = pl.col("critical") >= targeting.critical_probability
    rows = frame.select(*KEY, "office", "accepted_at", critical=is_critical, worth=worth).with_row_index("row")
    rows = rows.with_columns(rank=pl.col("worth").rank("ordinal", descending=True).over("office") - 1)
    found = Given([None] * frame.height, [None] * frame.height, {})
    counts = Counter(used)
    for (office,), own in rows.sort("accepted_at", *KEY).group_by("office", maintain_order=True):
        _give(str(office), own, met, targeting, counts, found)
    return found


def _give(
    office: str, rows: pl.DataFrame, met: Met, targeting: Targeting, counts: Counter[tuple[str, str]], found: Given
) -> None:
    """Give places of one office to its `rows`, in the order of their acceptance; `counts` and `found` grow."""
    capacity = lanes.capacity(office, rows.height, targeting)
    places = [getattr(capacity, lane) for lane in LANES]
    free = _after(places, rows.filter("critical").height)
    room = sum(free) - targeting.random_share * rows.height
    given = [0] * len(LANES)
    for row, critical, rank in rows.select("row", "critical", "rank").iter_rows():
        criterion = next((each for each in met[row] if counts[office, each.name] < each.places), None)
        if critical or criterion is None or room < 1:
            continue
        asked = min(LANES.index(criterion.lane), _lane_of(rank, places))
        order = (*range(asked, len(LANES)), *reversed(range(asked)))
        lane = next((each for each in order if free[each] >= 1), None)
        if lane is None:
            continue
        free[lane] -= 1
        room -= 1
        given[lane] += 1
        counts[office, criterion.name] += 1
        found.lane[row], found.criterion[row] = LANES[lane], criterion.name
    if any(given):
        found.places[office] = lanes.Capacity(*map(float, given))


def _after(places: Sequence[float], count: float) -> list[float]:
    """Return what is left of places by lane once so many were taken, from red on."""
    left = []
    for each in places:
        taken = min(each, count)
        count -= taken
        left.append(each - taken)
    return left


def _lane_of(rank: float, places: Sequence[float]) -> int:
    """Return the lane whose places reach as far as this rank, from 0; one beyond the last if none does."""
    for lane, each in enumerate(places):
        if rank < each:
            return lane
        rank -= each
    return len(places)
