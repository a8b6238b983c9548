"""Which rows get the places there are: those with the most worth found, and a floor under precision. Optimisation only.

models/targeting/lanes.py decides whose places these are and how many, and what chance, critical goods and exploration
take of them.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numba
import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from features.arrays import Flags, Floats, Ints

_MOST_VARIABLES, _MOST_NODES = 500, 1000  # so large an integer programme takes a few hundredths of a second
_SLACK = 1e-12  # relative; the same sum in another order differs by less


@dataclass(frozen=True)
class Contest:
    """Rows that compete for the places of their queues, in each case.

    `starts` (queues + 1): the rows of a queue lie together. Per row: `score`, `worth` (what is expected from it if all
    that is illicit is found), `competes` (other rows take no part). Per case, sorted by queue: `queue`, `probability`,
    and `places` by lane, which are no more than the rows that compete. `detects` (lanes): the share found, highest
    first.
    """

    starts: Ints
    score: Floats
    worth: Floats
    competes: Flags
    queue: Ints
    probability: Floats
    places: Ints
    detects: Floats

    @cached_property
    def entries(self) -> tuple[Ints, Ints]:
        """Return case and row of every entry: each case has all rows of its queue, and cases follow one another."""
        sizes = np.diff(self.starts)[self.queue]
        first = np.repeat(self.starts[self.queue] - sizes.cumsum() + sizes, sizes)
        return np.repeat(np.arange(len(sizes)), sizes), np.arange(len(first)) + first

    def scores(self, chosen: Flags) -> float:
        """Return the scores of the entries `chosen`, added up over cases by their probability."""
        case, row = (of[chosen] for of in self.entries)
        return float(self.probability[case] @ self.score[row])


@dataclass(frozen=True)
class Plan:
    """Tells which entries of a contest are `chosen`, and what decided it.

    `merit` (lanes x rows) is what a row adds in a lane: worth found, and score as far as the floor makes it count.
    `floor` is what the scores have to add up to, and `binds` whether anything was given up for it.
    """

    chosen: Flags
    merit: Floats
    floor: float
    binds: bool


def best(contest: Contest, kept_precision: float) -> Plan:
    """Return the choice of rows that fills all places and finds the most worth, with a floor under expected precision.

    The floor: over all cases, weighted by their probability, the scores of the chosen rows add up to at least
    `kept_precision` times those of the best choice by score. Both choices fill the same places, so the ratio of these
    sums is that of expected precisions, and the floor can always be reached. The choice is the optimum where the floor
    costs nothing or the contest is small; otherwise it is that of `near_best`.
    """
    plan = near_best(contest, kept_precision)
    return replace(plan, chosen=_solved(contest, plan)) if plan.binds else plan


def near_best(contest: Contest, kept_precision: float) -> Plan:
    """Return what `best` does, for contests of any size: the floor holds, and the loss is at most one swap of rows.

    Only the floor ties queues together, so it gets a multiplier (Everett, Operations Research 1963): `mix` is the
    weight of a row's score, whatever its lane, against its worth. For a given mix each case is a transportation problem
    that `_fill` solves exactly. The higher the mix, the more the chosen scores add up to, so halving finds the least
    mix that reaches the floor. At that mix many choices may be equally good, most of all where rows are copies of each
    other. So the higher mix is given only to the first rows, to as few as reach the floor. One row's mix swaps at most
    one row in a case: so the chosen scores exceed the floor by less than one swap exchanges, and the worth falls short
    of the optimum by less than that times the multiplier.
    """
    at_stake = contest.worth[contest.competes]
    unit = at_stake.mean() if at_stake.any() else 1.0
    rows = np.arange(len(contest.score))

    def fill(mix: float | Floats) -> tuple[Flags, Floats]:
        stake = (1 - mix) * contest.worth / unit
        merit = contest.detects[:, None] * stake + np.where(contest.competes, mix * contest.score, -np.inf)
        return _fill(stake, merit, contest.starts, contest.queue, contest.places, contest.detects), merit

    floor = kept_precision * contest.scores(fill(1.0)[0]) * (1 - _SLACK)

    def reaches(mix: float | Floats) -> bool:
        return contest.scores(fill(mix)[0]) >= floor

    if reaches(0.0):
        return Plan(*fill(0.0), floor, binds=False)
    low, high = halve(reaches, 0.0, 1.0, times=50)
    _, end = halve(lambda end: reaches(np.where(rows < end, high, low)), 0, len(rows), times=len(rows).bit_length())
    return Plan(*fill(np.where(rows < end, high, low)), floor, binds=True)


def _solved(contest: Contest, plan: Plan) -> Flags:
    """Return the optimum by integer programming, or what `plan` chose if that has too many variables or takes long."""
    case, row = contest.entries
    entry, lane = np.nonzero(contest.competes[row][:, None] & (contest.places[case] > 0))
    if len(entry) > _MOST_VARIABLES or not contest.worth[row[entry]].any():
        return plan.chosen
    ones, variables = np.ones(len(entry)), np.arange(len(entry))
    weight, lane_of_case = contest.probability[case[entry]], case[entry] * len(contest.detects) + lane
    worth = weight * contest.detects[lane] * contest.worth[row[entry]]
    places = contest.places.ravel()
    solved = milp(
        -worth / worth.mean(),
        integrality=ones,
        bounds=Bounds(0, 1),
        constraints=[
            LinearConstraint(csr_array((ones, (entry, variables)), (len(case), len(entry))), ub=1),
            LinearConstraint(csr_array((ones, (lane_of_case, variables)), (len(places), len(entry))), places, places),
            LinearConstraint(weight * contest.score[row[entry]] / plan.floor, lb=1),
        ],
        options={"node_limit": _MOST_NODES, "mip_rel_gap": 0.0},
    )
    if solved.status != 0:
        return plan.chosen
    chosen = np.bincount(entry, solved.x, len(case)) > 0.5
    # The solver lets a constraint be missed by a millionth, but the floor must not be missed at all.
    return chosen if contest.scores(chosen) >= plan.floor else plan.chosen


@numba.njit(cache=True)
def _fill(stake: Floats, merit: Floats, starts: Ints, queue: Ints, places: Ints, detects: Floats) -> Flags:
    """Return, for each case, the rows that fill its places with the highest sum of merit; a flag a row of a case."""
    sizes = np.diff(starts)
    chosen = np.zeros(sizes[queue].sum(), np.bool_)
    orders = np.zeros((len(detects), 0), np.int64)
    end = 0
    for case in range(len(queue)):
        first, size = starts[queue[case]], sizes[queue[case]]
        if case == 0 or queue[case] != queue[case - 1]:
            orders = np.empty((len(detects), size), np.int64)
            for lane in range(len(detects)):
                orders[lane] = np.argsort(-merit[lane, first : first + size], kind="mergesort")
        rows = slice(first, first + size)
        end += size
        _fill_case(stake[rows], merit[:, rows], orders, places[case], detects, chosen[end - size : end])
    return chosen


@numba.njit(cache=True)
def _fill_case(stake: Floats, merit: Floats, orders: Ints, places: Ints, detects: Floats, chosen: Flags) -> None:
    """Mark the best rows, one by one: the next is the one that adds most to those before.

    Among given rows, those with more at stake belong in lanes that detect more (the rearrangement inequality). So a row
    that enters a full lane pushes that lane's last row into the next lane, and so on to the first lane with room, at
    the cost of what these rows lose by it. The best set of k rows in the first k places and the best set of k + 1 rows
    in the first k + 1 differ by one added row (an augmenting path of the assignment leaves no row out), so this greedy
    choice is exact. Among rows with equal gain, the first is taken.
    """
    ends = np.cumsum(places)
    kept = np.empty(places.sum())  # what is at stake in the rows chosen, highest first
    heads = np.zeros(len(places), np.int64)  # how far each lane's order has been used up
    for filled in range(len(kept)):
        found, gain, cost, below = -1, -np.inf, 0.0, 0.0
        for lane in range(len(places) - 1, -1, -1):
            if places[lane] == 0 or ends[lane] - places[lane] > filled:
                continue
            if ends[lane] <= filled:
                cost += (detects[lane] - below) * kept[ends[lane] - 1]
            below = detects[lane]
            while chosen[orders[lane, heads[lane]]]:
                heads[lane] += 1
            row = orders[lane, heads[lane]]
            gained = merit[lane, row] - cost
            if gained > gain or (gained == gain and row < found):
                found, gain = row, gained
        chosen[found] = True
        place = filled
        while place > 0 and kept[place - 1] < stake[found]:
            kept[place] = kept[place - 1]
            place -= 1
        kept[place] = stake[found]


def halve(reaches: Callable[[float], bool], low: float, high: float, times: int) -> tuple[float, float]:
    """Return two points as near as so many halvings bring them; the first does not reach and the second does."""
    for _ in range(times):
        middle = (low + high) / 2
        low, high = (low, middle) if reaches(middle) else (middle, high)
    return low, high
