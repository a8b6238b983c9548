"""A declaration gets its lane as it comes: who is inspected, how, why, and with which probability.

Everything here is a function of its arguments: it has no clock and no chance of its own, and its numbers are plain
Python floats. The reasons and their order are those of the night (models/targeting/lanes.py): chance, critical goods,
criteria of officers, exploration, value. Not here: which criteria an item meets (models/criteria), the plan of the day
(plan.py) and the numbers drawn (chance.py).

Chance comes first, with the same probability for everybody. Where some lane's places are carried, its draws are met
even when all places are used up: it takes places of the days to come, up to as many as are carried. Where none are, the
places for the draws that are still to be expected are kept from everybody else, and chance itself takes any place. Once
nothing is left of all this, nobody is inspected any more on that day, and the stated probability is 0, because it is.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from models.criteria import Criterion
from models.live.chance import Draws
from models.live.plan import Plan
from models.live.state import State, arrived, lender
from models.policy import LANES

GREEN = "green"
_DAY_SECONDS = 86_400


@dataclass(frozen=True)
class Candidate:
    """An item of a declaration that needs a lane, as the model sees it.

    `second` is when it came, in seconds after midnight. `score` is P(illicit), `critical` P(critical), and
    `revenue_if_illicit` an amount in the currency of the plan. `explore` is its weight for exploration, among past rows
    (models.targeting.exploration.weights; 1 on average).

    >>> Candidate(36_000, score=1.2, critical=0.0, revenue_if_illicit=100.0)
    Traceback (most recent call last):
    ...
    ValueError: score is 1.2; allowed: 0 to 1
    """

    second: int
    score: float
    critical: float
    revenue_if_illicit: float
    explore: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.second < _DAY_SECONDS:
            raise ValueError(f"second is {self.second}; allowed: 0 to {_DAY_SECONDS - 1}, as seconds after midnight")
        for name in ("score", "critical"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; allowed: 0 to 1")
        for name in ("revenue_if_illicit", "explore"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name)}; allowed: a finite number from 0")


@dataclass(frozen=True)
class Chances:
    """Tells which numbers lead to an inspection: a random one below `random`, or an exploring one below `explored`.

    What `is_entitled`, for its worth, as critical goods or by a criterion, is inspected whatever is drawn.
    """

    random: float
    explored: float
    is_entitled: bool

    @property
    def inspected(self) -> float:
        """Return the probability of an inspection, over the secret of the day."""
        return 1.0 if self.is_entitled else self.random + (1 - self.random) * self.explored

    def or_else(self, other: "Chances") -> "Chances":
        """Return the chances of being inspected by either, with the same numbers drawn for both."""
        return Chances(
            max(self.random, other.random),
            max(self.explored, other.explored),
            self.is_entitled or other.is_entitled,
        )


@dataclass(frozen=True)
class Placement:
    """The lane (of LANES, or green), the reason for it ("none" if green), and the chances that there were.

    `criterion` is the name of the one whose place it has, if that is the reason.
    """

    lane: str
    reason: str
    chances: Chances
    criterion: str = ""

    @property
    def probability(self) -> float:
        """Return the exact probability of having been inspected, in any lane, given the state of the office."""
        return self.chances.inspected


@dataclass(frozen=True)
class _Claim:
    """Says what an item may ask for when it comes: its chances, and for each of its reasons the lanes by preference.

    `without` are its chances as if there were no criteria; `criterion` is the one that gives it a place, if one does.
    """

    without: Chances
    is_critical: bool
    for_worth: tuple[int, ...]
    criterion: Criterion | None

    @property
    def chances(self) -> Chances:
        return replace(self.without, is_entitled=True) if self.criterion else self.without

    def best(self, plan: Plan, state: State, draws: Draws, held: int = len(LANES)) -> tuple[str, int | None]:
        """Return the reason and the free lane, apart from chance, that it gets above lane `held`; None if none.

        A criterion gives its lane, or the nearest free one as worth does, or what the item would get without it if that
        is higher: no criterion lowers a lane.
        """
        reason, lanes = self._asks(plan, draws)
        lane = _free(state, lanes, held)
        if self.criterion is None:
            return reason, lane
        own = LANES.index(self.criterion.lane)
        given = _free(state, (*range(own, len(LANES)), *reversed(range(own))), held)
        return "criterion", lane if given is None or (lane is not None and lane < given) else given

    def _asks(self, plan: Plan, draws: Draws) -> tuple[str, tuple[int, ...]]:
        """Return the reason and the lanes by preference, apart from chance and criteria; no lanes if there are none."""
        if self.without.is_entitled:
            return ("critical", tuple(range(len(LANES)))) if self.is_critical else ("value", self.for_worth)
        if draws.exploration < self.without.explored:
            return "exploration", plan.by_detects[::-1]
        return "none", ()


def place(
    plan: Plan, state: State, candidate: Candidate, draws: Draws, criteria: Sequence[Criterion] = ()
) -> tuple[Placement, State]:
    """Return the placement of an item that comes now, and the state after it.

    `criteria` are those in force that the item meets, in the order in which they are asked. The decision is made again
    by the same arguments, to the last bit. ValueError if the state goes by another plan.
    """
    if state.plan != plan.digest:
        raise ValueError(f"the state goes by plan {state.plan}; allowed: {plan.digest}, the plan given")
    now = arrived(plan, state)
    claim = _claim(plan, now, candidate, now.unused(criteria))
    is_drawn = draws.random < plan.random_share
    if is_drawn and claim.chances.random:
        reason, lane = "random", _lane_for_chance(plan, now, claim)
        now = replace(now, drawn=now.drawn + 1)
    else:
        reason, lane = claim.best(plan, now, draws)
        now = replace(now, missed=now.missed + is_drawn)
    if lane is None:
        return Placement(GREEN, "none", claim.chances), now
    return _placed(lane, reason, claim, now)


def amend(
    plan: Plan,
    first: State,
    before: Placement,
    candidate: Candidate,
    draws: Draws,
    state: State,
    criteria: Sequence[Criterion] = (),
) -> tuple[Placement, State]:
    """Return the placement of an item whose declaration was amended, and the office's `state` after it.

    `plan` and `first` are those by which its first version was placed, whose numbers are `draws`; `before` is its
    placement by the version before this one. The amended item competes as if it had come in this form at first. So
    nothing is gained by amending late, or often, and the probability stays exact: it is that of being inspected by any
    of the versions. The lane may rise and never falls. It rises only if the office has a place for it now, which may be
    one that was kept for chance; the place that it had stays used, as work on it may have begun.

    `criteria` are those in force now that it meets in this form; one gives it a place if it has one left now.
    """
    claim = _claim(plan, arrived(plan, first), candidate, state.unused(criteria))
    held = (*LANES, GREEN).index(before.lane)
    if held == len(LANES) and state.free(range(len(LANES))) is None:
        return before, state
    chances = before.chances.or_else(claim.chances)
    reason, lane = claim.best(plan, state, draws, held)
    if lane is None:
        return replace(before, chances=chances), state
    placed, after = _placed(lane, reason, claim, state)
    return replace(placed, chances=chances), after


def cutoffs(plan: Plan, state: State, coming: float) -> tuple[float, ...]:
    """Return the least worth that gets one of the places of the first lane, the first two, and all.

    Lanes are in the order of how much they detect, and so many items are still expected. A worth is score x (revenue if
    illicit + the plan's hit value). It is infinite where no place is left, apart from those that are kept for chance.
    """
    kept = _reserve(plan, coming)
    # What a lane owes comes off its places of the days to come, and not off those of other lanes.
    lefts = tuple(accumulate(max(state.left(lane), 0) for lane in plan.by_detects))
    found = [each.price(min(left, lefts[-1] - kept), coming) for each, left in zip(plan.prices, lefts, strict=True)]
    return tuple(accumulate(reversed(found), max))[::-1]


def _free(state: State, lanes: Sequence[int], held: int) -> int | None:
    """Return the first of `lanes` above lane `held` that has a place; None if the first choice is not above it."""
    return state.free(lane for lane in lanes if lane < held) if lanes and lanes[0] < held else None


def _placed(lane: int, reason: str, claim: _Claim, state: State) -> tuple[Placement, State]:
    """Return the placement in a lane, and the state without the place."""
    after, name = state.without(lane), ""
    if reason == "criterion" and claim.criterion:
        after, name = after.using(claim.criterion), claim.criterion.name
    return Placement(LANES[lane], reason, claim.chances, name), after


def _claim(plan: Plan, now: State, candidate: Candidate, criterion: Criterion | None) -> _Claim:
    """Return what an item may ask for that has just come, as the last in `now.sequence`.

    `criterion` is one that it meets and that has places left.
    """
    coming = plan.forecast.coming(candidate.second, now.sequence - 1)
    places = sum(max(now.left(lane), 0) for lane in range(len(LANES)))
    has_place = places > _reserve(plan, coming)
    is_critical = candidate.critical >= plan.critical_probability
    random = plan.random_share if places or lender(plan, now) is not None else 0.0

    worth = candidate.score * (candidate.revenue_if_illicit + plan.hit_value)
    ends = cutoffs(plan, now, coming) if has_place and candidate.score else ()
    wanted = next((place for place, least in enumerate(ends) if worth >= least), None)
    best = plan.by_detects
    for_worth = () if wanted is None else (*best[wanted:], *reversed(best[:wanted]))
    is_entitled = (has_place and is_critical) or wanted is not None
    others = max(now.sequence + coming - sum(lane.daily for lane in plan.lanes), 1.0)
    may_be_explored = has_place and not is_entitled
    explored = min(candidate.explore * plan.exploring / others, 1.0) if may_be_explored else 0.0
    may_be_ruled = has_place and not is_critical
    return _Claim(Chances(random, explored, is_entitled), is_critical, for_worth, criterion if may_be_ruled else None)


def _lane_for_chance(plan: Plan, now: State, claim: _Claim) -> int | None:
    """Return the lane for an item that chance drew: the one that detects most, because what it misses biases all."""
    free = now.free(range(len(LANES)) if claim.is_critical else plan.by_detects)
    return lender(plan, now) if free is None else free


def _reserve(plan: Plan, coming: float) -> int:
    """Return how many places are kept for chance: as many as it is expected to draw among the items still to come.

    None are kept where some lane lends places.
    """
    return 0 if plan.lends else round(plan.random_share * coming)
