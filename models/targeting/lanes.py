"""Which declarations are inspected, and how: red, yellow, blue or green, for all that offices accept on a day.

models/training learns the scores, exploration.py weighs what would teach most, and other modules report what
inspections cost. This module gives places away. A queue is what one office accepts on one day; its places go 1. to
chance: so many rows, drawn without replacement and all alike, whatever is known of them; 2. to critical goods, the
likeliest first, which neither money nor exploration outvotes; 3. to exploration, as many as `explore` adds up to; 4. to
value, all that are left: see models/targeting/allocation.py. What is chosen for value depends on how many rows chance
draws, never on which. Where chance or exploration draws a row that already has a place, that place goes to the next in
line, so none is lost.

Fractions of places are rounded by one uniform number a queue (Cox, Journal of the American Statistical Association
1987): the lanes, their total, and the parts of chance and exploration are each rounded down or up, keep their mean, and
fit into each other. So where a tenth is inspected, an office with three declarations a day has a place on three days in
ten, and nobody can foretell on which. A queue can round in at most six ways, its cases. Probabilities are means over
the cases and are computed exactly: nothing here is simulated.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import hypergeom

from features.arrays import Flags, Floats, Ints
from features.contract import KEY
from models import policy
from models.metrics import ranking
from models.policy import LANES
from models.targeting import exploration
from models.targeting.allocation import Contest, Plan, best, halve

# Columns of numbers, and the highest value of each.
_AMOUNTS = {"score": 1.0, "critical": 1.0, "revenue_if_illicit": np.inf, "hit_value": np.inf}
_CRITICAL, _CHOSEN, _EXPLORED, _NEXT, _NEVER = range(5)  # a row's standing in a case; places are given in this order
_REASONS = np.array(["critical", "value", "exploration", "value"])
_DIGITS = 9  # digits of a fraction of a place; finer differences are rounding errors
_SLACK = 1e-12  # relative; the same sum in another order differs by less


@dataclass(frozen=True)
class Capacity:
    """An office's places on a day by lane. They are averages, so there may be fractions."""

    red: float
    yellow: float
    blue: float


NO_PLACES = Capacity(0.0, 0.0, 0.0)


def capacity(office: str, declarations: int, targeting: policy.Targeting, given: Capacity = NO_PLACES) -> Capacity:
    """Return the places on a day with so many declarations: the office's own if the policy names it, or else shares.

    `given` were given to further declarations of the day before, and are gone.

    >>> capacity("010", 50, policy.load().targeting)
    Capacity(red=2.0, yellow=2.0, blue=1.0)
    """
    if declarations < 0:
        raise ValueError(f"declarations is {declarations}; allowed: a number from 0")
    if office in targeting.offices:
        places = {lane: getattr(targeting.offices[office], lane) for lane in LANES}
    else:
        day = declarations + int(sum(getattr(given, lane) for lane in LANES))
        places = {lane: getattr(targeting.lanes, lane).capacity_share * day for lane in LANES}
    return Capacity(**{lane: max(places[lane] - getattr(given, lane), 0) for lane in LANES})


def to_explore(
    frame: pl.DataFrame,
    weights: Floats,
    share: float,
    targeting: policy.Targeting,
    given: Mapping[str, Capacity] = MappingProxyType({}),
) -> pl.Series:
    """Return each row's chance to be explored: `share` of the places of its office and day, by weight.

    `frame` has `office` and `accepted_on`; for `given` see `assign`.
    """
    chances = np.zeros(frame.height)
    queues = frame.with_row_index("row").group_by("accepted_on", "office").agg("row")
    for office, rows in queues.select("office", "row").iter_rows():
        own = capacity(office, len(rows), targeting, given.get(office, NO_PLACES))
        places = share * sum(getattr(own, lane) for lane in LANES)
        chances[rows] = exploration.inclusion(weights[rows], places)
    return pl.Series(chances)


def assign(
    frame: pl.DataFrame,
    targeting: policy.Targeting,
    rng: np.random.Generator,
    given: Mapping[str, Capacity] = MappingProxyType({}),
) -> pl.DataFrame:
    """Return the key, `lane`, `reason` and `selection_probability` of each row of `frame`, in its order.

    `frame` has a declaration's key, `office`, `accepted_on`, `score` (P(illicit)), `critical` (P(critical)),
    `revenue_if_illicit` and `hit_value` (in one currency), and may have `explore`: chances (0 to 1, null for none) that
    add up to a queue's places for exploration. Rows that have a place anyway need no exploring, and what they ask for
    goes to the others in proportion. Where `frame` is the rest of one day, `given` has the places by office that others
    of that day have (by_criteria.py). ValueError names the column, the row and what is allowed.

    `selection_probability` is a row's chance to be inspected, in whichever lane and for whatever reason, over
    everything that is drawn here. The draw by chance alone takes each row with `random_share`, or less where an office
    has fewer places than that. Green rows have the reason "none", and no others do. Critical goods that find no place
    are green: `unplaced`. The order of rows does not matter, and the same state of `rng` gives the same lanes.

    >>> from datetime import date
    >>> rows = pl.DataFrame({"declaration_id": ["a", "b", "c"], "item_number": 1, "office": "010"}).with_columns(
    ...     accepted_on=date(2024, 5, 2), score=pl.Series([0.9, 0.2, 0.1]), critical=pl.Series([0.0, 0.0, 0.7]),
    ...     revenue_if_illicit=100.0, hit_value=50.0)
    >>> own = {"010": policy.Capacity(red=1, yellow=1, blue=0)}
    >>> targeting = policy.load().targeting.model_copy(update={"offices": own})
    >>> assign(rows, targeting, np.random.default_rng(1)).drop("item_number").rows()
    [('a', 'yellow', 'value', 0.99), ('b', 'green', 'none', 0.01), ('c', 'red', 'critical', 1.0)]
    """
    rows = _Rows.of(frame, targeting, given)
    lanes = np.array([getattr(targeting.lanes, lane).detects for lane in LANES])
    by_detects = np.argsort(-lanes, kind="stable")
    cases = _Cases.of(rows, by_detects)
    contest = Contest(
        rows.starts,
        rows.score,
        rows.worth,
        rows.competes,
        cases.queue,
        cases.probability,
        cases.for_value,
        lanes[by_detects],
    )
    entries = _Entries.of(rows, cases, contest, best(contest, targeting.kept_precision))
    draw = _Draw.of(rows, cases, entries, rng)
    columns = {
        "lane": np.array([*LANES, "green"])[_lanes(rows, cases, draw, by_detects)],
        "reason": draw.reason,
        "selection_probability": _selection_probability(rows, cases, entries),
    }
    back = np.argsort(rows.order)
    return frame.select(KEY).with_columns(pl.Series(name, values[back]) for name, values in columns.items())


def unplaced(frame: pl.DataFrame, assigned: pl.DataFrame, targeting: policy.Targeting) -> pl.DataFrame:
    """Return the rows of `frame` that go first as critical goods but had no place left, as `assigned` shows."""
    return frame.filter((pl.col("critical") >= targeting.critical_probability) & (assigned["lane"] == "green"))


def hit_value(score: Floats, revenue_if_illicit: Floats, kept_precision: float, share: float) -> float:
    """Return the least worth of a hit beside its revenue, in the same currency, that keeps precision.

    With it, the best `share` of rows by `score * (revenue_if_illicit + worth)` have a mean score of at least
    `kept_precision` times that of the best `share` by score; rows that tie count on average. The mean score rises with
    the worth, so it is found by halving, to a billionth. The result is 0 where money alone keeps the precision, or
    nothing is chosen. It is 1 where no row has revenue, because then any worth ranks by score.

    >>> hit_value(np.array([0.9, 0.8, 0.1]), np.array([0.0, 10.0, 1000.0]), kept_precision=0.9, share=1 / 3)
    125.0000...
    """
    ranking.check_amounts("score", score, len(score), 1.0)
    ranking.check_amounts("revenue_if_illicit", revenue_if_illicit, len(score))
    for name, value in (("kept_precision", kept_precision), ("share", share)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} is {value}; allowed: 0 to 1")
    places = int(share * len(score) + 0.5)
    if not places:
        return 0.0
    if not revenue_if_illicit.any():
        return 1.0
    enough = kept_precision * _total_of_best(score, score, places) * (1 - _SLACK)

    def keeps(worth: float) -> bool:
        return _total_of_best(score * (revenue_if_illicit + worth), score, places) >= enough

    if keeps(0.0):
        return 0.0
    low, high = 0.0, float(revenue_if_illicit.mean())
    while not keeps(high):  # this ends: when revenue is below the worth's last digit, scores rank
        low, high = high, 2 * high
    return halve(keeps, low, high, times=30)[1]


@dataclass(frozen=True)
class _Rows:
    """The frame's rows by queue, and within a queue by score, so that among equal merits the higher score comes first.

    `order`: where each row stands in the frame. `starts` (queues + 1). `capacity` (queues x lanes). `by_chance`
    (queues): the places that chance gets on average.
    """

    order: Ints
    starts: Ints
    score: Floats
    worth: Floats
    critical: Floats
    is_critical: Flags
    explore: Floats
    capacity: Floats
    by_chance: Floats

    @classmethod
    def of(cls, frame: pl.DataFrame, targeting: policy.Targeting, given: Mapping[str, Capacity]) -> "_Rows":
        _check_frame(frame)
        worth = pl.col("score") * (pl.col("revenue_if_illicit") + pl.col("hit_value"))
        explore = pl.col("explore").fill_null(0) if "explore" in frame.columns else pl.lit(0.0)
        by = ("accepted_on", "office", "score", "_worth", *KEY)
        ordered = (
            frame.with_columns(_worth=worth, _explore=explore, _order=pl.int_range(pl.len()))
            .sort(by, descending=[name in ("score", "_worth") for name in by])
            .with_columns(_queue=pl.struct("accepted_on", "office").rle_id())
        )
        starts = np.flatnonzero(
            np.diff(ordered["_queue"].to_numpy().astype(np.int64), prepend=-1, append=ordered.height)
        )
        sizes = np.diff(starts)
        offices = ordered["office"].gather(starts[:-1])
        places = [
            capacity(office, int(size), targeting, given.get(office, NO_PLACES))
            for office, size in zip(offices, sizes, strict=True)
        ]
        lanes = np.array([[getattr(one, lane) for lane in LANES] for one in places]).reshape(-1, len(LANES))
        numbers = {
            name: ordered[name].cast(pl.Float64).to_numpy() for name in ("score", "_worth", "critical", "_explore")
        }
        return cls(
            ordered["_order"].to_numpy(),
            starts,
            numbers["score"],
            numbers["_worth"],
            numbers["critical"],
            numbers["critical"] >= targeting.critical_probability,
            numbers["_explore"],
            lanes,
            np.minimum(targeting.random_share * sizes, lanes.sum(axis=1)),
        )

    @cached_property
    def sizes(self) -> Ints:
        """Return the number of rows of each queue."""
        return np.diff(self.starts)

    @cached_property
    def queue(self) -> Ints:
        """Return the queue of each row."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    @cached_property
    def competes(self) -> Flags:
        """Mark the rows that may be chosen for value; a row that is surely licit has none."""
        return ~self.is_critical & (self.score > 0)

    def count(self, flags: Flags) -> Ints:
        """Return how many rows of each queue are flagged."""
        return np.bincount(self.queue[flags], minlength=len(self.sizes))


@dataclass(frozen=True)
class _Cases:
    """The ways in which queues round their places, sorted by queue.

    A case holds from `low` on, with `probability`. `places` (cases x lanes) are in the order of LANES. `left`, in the
    order of detection, is what critical goods and chance leave over; chance takes the lanes that find most. `for_value`
    is what exploration leaves of that. Per case there are the number of rows drawn by `chance` and of places for
    `explored` rows.
    """

    queue: Ints
    low: Floats
    probability: Floats
    places: Ints
    chance: Ints
    explored: Ints
    left: Ints
    for_value: Ints

    @classmethod
    def of(cls, rows: _Rows, by_detects: Ints) -> "_Cases":
        total = rows.capacity.sum(axis=1)
        critical = rows.count(rows.is_critical)
        asked = np.bincount(rows.queue, np.where(rows.is_critical, 0, rows.explore), len(total))
        explored = np.clip(total - rows.by_chance - critical, 0, asked)
        marks = np.column_stack([rows.capacity.cumsum(axis=1), rows.by_chance, rows.by_chance + explored])
        marks = marks.round(_DIGITS)
        edges = np.sort(np.column_stack([np.zeros(len(marks)), 1 - marks % 1, np.ones(len(marks))]), axis=1)
        queue, piece = np.nonzero(np.diff(edges) > 10.0 ** -(_DIGITS + 1))
        low, high = edges[queue, piece], edges[queue, piece + 1]
        *ends, chance, both = np.floor(marks[queue] + (low + high)[:, None] / 2).astype(np.int64).T
        places = np.diff(np.column_stack(ends), prepend=0)
        others = places.sum(axis=1) - chance
        placed = np.minimum(critical[queue], others)
        left = (places - _first(places, placed))[:, by_detects]
        left -= _first(left, chance)
        wanted = np.minimum(others - placed - (both - chance), rows.count(rows.competes)[queue])
        return cls(queue, low, high - low, places, chance, both - chance, left, _first(left, wanted))


@dataclass(frozen=True)
class _Entries:
    """Every row in every case of its queue; each case is in the order in which it gives places.

    `standing` says by which right a row stands there. `chance` (0 to 1) is its part in the places for exploration, and
    `ahead` is the sum of the chances of the rows before it. `position`, from 0, ignores that explored rows come
    earlier.
    """

    case: Ints
    row: Ints
    standing: Ints
    position: Ints
    chance: Floats
    ahead: Floats

    @classmethod
    def of(cls, rows: _Rows, cases: _Cases, contest: Contest, plan: Plan) -> "_Entries":
        case, row = contest.entries
        sizes = rows.sizes[cases.queue]
        starts = sizes.cumsum() - sizes
        standing = np.select(
            [rows.is_critical[row], plan.chosen, rows.competes[row]], [_CRITICAL, _CHOSEN, _NEXT], _NEVER
        )
        # The next in line enters in the last lane, and those before it move up.
        last = (cases.left > 0).cumsum(axis=1).argmax(axis=1)
        key = np.where(standing == _CRITICAL, rows.critical[row], plan.merit[last[case], row])
        order = np.lexsort((-key, standing, case))
        row, standing = row[order], standing[order]
        wanted = np.where(standing >= _NEXT, rows.explore[row], 0.0)
        chance = np.zeros(len(row))
        for one in np.flatnonzero(cases.explored):
            entries = slice(starts[one], starts[one] + sizes[one])
            chance[entries] = exploration.inclusion(wanted[entries], float(cases.explored[one]))
        before = chance.cumsum() - chance
        ahead = np.maximum(before - before[starts][case], 0)
        return cls(case, row, standing, np.arange(len(row)) - starts[case], chance, ahead)


def _selection_probability(rows: _Rows, cases: _Cases, entries: _Entries) -> Floats:
    """Return each row's chance to be inspected: the mean over the cases of its queue.

    In a case, chance draws a row with probability m/n. If it does not, the row may be explored; otherwise the row is
    taken if the rows before it that chance did not draw (hypergeometric) are fewer than the places. Exploration draws
    systematically in the order of entries, so before a row it has drawn `floor(ahead)` rows or one more: which of the
    two holds depends on the uniform number, and the two stretches of it are computed here.
    """
    case, is_next = entries.case, entries.standing == _NEXT
    size, drawn = rows.sizes[cases.queue][case], cases.chance[case]
    others = cases.places.sum(axis=1)[case] - drawn
    explored = np.rint(np.bincount(case, entries.chance, len(cases.queue))).astype(np.int64)[case]
    fewer = np.floor(entries.ahead)
    to_more = fewer + 1 - entries.ahead  # a lower uniform number has drawn `fewer` rows so far, any other one more
    with_fewer = np.maximum(to_more - entries.chance, 0)
    with_more = np.maximum(np.minimum(to_more - entries.chance + 1, 1) - to_more, 0)

    def is_reached(already: Floats) -> Floats:
        before = np.clip(entries.position + is_next * (explored - already), 0, size - 1).astype(np.int64)
        missing = before - others
        chances = np.where(missing < 0, 1.0, 0.0)
        open_ = np.flatnonzero((missing >= 0) & (missing < drawn) & (drawn < size) & (entries.standing != _NEVER))
        chances[open_] = hypergeom.sf(missing[open_], size[open_] - 1, before[open_], drawn[open_])
        return chances * (entries.standing != _NEVER)

    taken = entries.chance + with_fewer * is_reached(fewer) + with_more * is_reached(fewer + 1)
    missed = (1 - drawn / size) * np.maximum(1 - taken, 0)
    every = np.bincount(entries.row, cases.probability[case] * missed, len(rows.score))
    return (1 - every.astype(np.float64)).round(12)  # NumPy counts no rows in whole numbers, even with weights


@dataclass(frozen=True)
class _Draw:
    """Holds what is drawn: each queue's case and, for each row, whether it is inspected, by chance, and the reason."""

    case: Ints
    is_inspected: Flags
    is_random: Flags
    reason: NDArray[np.str_]

    @classmethod
    def of(cls, rows: _Rows, cases: _Cases, entries: _Entries, rng: np.random.Generator) -> "_Draw":
        rounding, exploring = rng.random((2, len(rows.sizes)))
        lots = rng.random(len(rows.score))
        every = np.arange(len(rows.sizes))
        case = np.searchsorted(cases.queue + cases.low, every + rounding, side="right") - 1
        is_random = _rank(rows.queue, lots) < cases.chance[case][rows.queue]

        held = np.isin(entries.case, case)
        row, standing, ahead = entries.row[held], entries.standing[held], entries.ahead[held]
        queue = rows.queue[row]
        tick = exploring[queue]
        is_explored = np.floor(ahead + entries.chance[held] + tick) > np.floor(ahead + tick)
        standing = np.where(is_explored, _EXPLORED, standing)
        others = cases.places.sum(axis=1)[case] - cases.chance[case]
        waits = ~is_random[row] & (standing != _NEVER)
        takes = _rank(queue[waits], standing[waits]) < others[queue[waits]]

        is_inspected = is_random.copy()
        is_inspected[row[waits][takes]] = True
        reason = np.full(len(lots), "none", _REASONS.dtype)
        reason[row[waits][takes]] = _REASONS[standing[waits][takes]]
        reason[is_random] = "random"
        return cls(case, is_inspected, is_random, reason)


def _lanes(rows: _Rows, cases: _Cases, draw: _Draw, by_detects: Ints) -> Ints:
    """Return the lane of each row, as an index into LANES, with one beyond for green.

    Critical goods take the lanes from red on. Of the places left, those in the lanes that detect most go first to rows
    that chance drew, because what is missed there biases every estimate, and then to those with most at stake.
    """
    lanes = np.full(len(rows.score), len(LANES))
    places = cases.places[draw.case]
    critical = np.flatnonzero(draw.is_inspected & rows.is_critical)
    rank = _rank(rows.queue[critical], -rows.critical[critical])
    lanes[critical] = _lane_at(rank, places[rows.queue[critical]])
    left = (places - _first(places, rows.count(draw.is_inspected & rows.is_critical)))[:, by_detects]
    others = np.flatnonzero(draw.is_inspected & ~rows.is_critical)
    rank = _rank(rows.queue[others], ~draw.is_random[others], -rows.worth[others])
    lanes[others] = by_detects[_lane_at(rank, left[rows.queue[others]])]
    return lanes


def _lane_at(rank: Ints, places: Ints) -> Ints:
    """Return the lane that has the place of this rank, counted from 0 through a line's places lane by lane."""
    return (rank[:, None] >= places.cumsum(axis=1)).sum(axis=1)


def _total_of_best(key: Floats, score: Floats, places: int) -> float:
    """Return the sum of the scores of the best rows by key; rows that tie for the last places count with their mean."""
    edge = np.partition(key, -places)[-places]
    above, tied = key > edge, key == edge
    return float(score[above].sum() + (places - above.sum()) * score[tied].mean())


def _first(places: Ints, count: Ints) -> Ints:
    """Return how many of the first `count` places of each line lie in each lane."""
    before = places.cumsum(axis=1) - places
    return np.clip(count[:, None] - before, 0, places)


def _rank(group: Ints, *keys: NDArray) -> Ints:
    """Return the place of each row in its group, by the first key, then the next; equal rows keep their order."""
    order = np.lexsort((*reversed(keys), group))
    ranks = np.empty(len(group), np.int64)
    ranks[order] = np.arange(len(group)) - np.searchsorted(group[order], group[order])
    return ranks


def _check_frame(frame: pl.DataFrame) -> None:
    missing = [name for name in (*KEY, "office", "accepted_on", *_AMOUNTS) if name not in frame.columns]
    if missing:
        raise ValueError(f"columns {missing} are not in the frame")
    if frame["accepted_on"].dtype != pl.Date:
        raise ValueError(
            f"accepted_on is of type {frame['accepted_on'].dtype}; allowed: Date, or days would fall apart"
        )
    for name in (*KEY, "office", "accepted_on"):
        if frame[name].null_count():
            raise ValueError(f"{name} is null at row {frame[name].is_null().arg_max()}; every row needs one")
    twice = frame.select(KEY).is_duplicated()
    if twice.any():
        raise ValueError(f"{', '.join(KEY)} is {frame.select(KEY).row(twice.arg_max())} in several rows; allowed: once")
    for name, highest in _AMOUNTS.items():
        ranking.check_amounts(name, frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy(), frame.height, highest)
    if "explore" in frame.columns:
        ranking.check_amounts("explore", frame["explore"].cast(pl.Float64).fill_null(0).to_numpy(), frame.height, 1.0)
