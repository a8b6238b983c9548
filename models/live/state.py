"""An office's state on a day: how many came, and which places are left, by lane and age.

Not here: who gets a place (placing.py).
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Self

import msgspec

from models.criteria import Criterion
from models.live.plan import Plan

Places = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class State:
    """An office on a day, between two declarations; `plan` is the digest of the plan that it goes by.

    `sequence` counts the declaration items that came. `places` has what is left of each of LANES, by age: the oldest
    first, and today's last. These are below 0 where chance took places of the days to come. Of the items that chance
    drew, `drawn` got a place and `missed` got none, because all were used up. `used` says, by name, how many
    places each criterion has given today.
    """

    plan: str
    sequence: int
    places: Places
    drawn: int = 0
    missed: int = 0
    used: tuple[tuple[str, int], ...] = ()

    @classmethod
    def morning(cls, plan: Plan, carried: Places | None = None) -> Self:
        """Return the state before the first declaration; `carried` is that of the office's last `evening`.

        >>> from datetime import date
        >>> import polars as pl
        >>> from models import policy
        >>> from models.live.plan import plan_day
        >>> own = {"010": policy.Capacity(red=2, yellow=3, blue=1)}
        >>> targeting = policy.load().targeting.model_copy(update={"offices": own})
        >>> nothing = pl.DataFrame(schema={"declaration_id": str, "item_number": int, "office": str, "accepted_at":
        ...     pl.Datetime, "score": float, "critical": float, "revenue_if_illicit": float, "hit_value": float})
        >>> plan = plan_day("010", date(2024, 5, 2), nothing, targeting, rounding=(0.0, 0.0, 0.0))
        >>> State.morning(plan, carried=((), (0, 0, 0, 1, 2), (0, 0, 0, 0, -1))).places
        ((2,), (0, 0, 0, 1, 2, 3), (0, 0, 0, 0, 0, 0))
        """
        places = []
        for lane, kept in zip(plan.lanes, carried or ((),) * len(plan.lanes), strict=True):
            old = ((0,) * lane.carried_days + kept)[len(kept) :]
            places.append(_settled((*old, lane.places(0))))
        return cls(plan.digest, 0, tuple(places))

    def evening(self) -> Places:
        """Return what is left for the next day on which the office is open, lane by lane; the oldest places expire."""
        return tuple(places[1:] for places in self.places)

    def left(self, lane: int) -> int:
        """Return how many places a lane has left, counted from 0 in LANES; below 0 if it owes some."""
        return sum(self.places[lane])

    def free(self, lanes: Iterable[int]) -> int | None:
        """Return the first of `lanes` with a place; None if none has one."""
        return next((lane for lane in lanes if self.left(lane) > 0), None)

    def without(self, lane: int) -> "State":
        """Return the state with one place of this lane fewer: the oldest it has, or else one of the days to come."""
        places = list(self.places[lane])
        places[next((age for age, count in enumerate(places) if count > 0), -1)] -= 1
        return replace(self, places=(*self.places[:lane], tuple(places), *self.places[lane + 1 :]))

    def unused(self, criteria: Iterable[Criterion]) -> Criterion | None:
        """Return the first of `criteria` that has places left today; None if none has."""
        used = dict(self.used)
        return next((each for each in criteria if used.get(each.name, 0) < each.places), None)

    def using(self, criterion: Criterion) -> "State":
        """Return the state with one place of a criterion fewer."""
        used = dict(self.used)
        used[criterion.name] = used.get(criterion.name, 0) + 1
        return replace(self, used=tuple(sorted(used.items())))

    def as_json(self) -> bytes:
        """Return the state as JSON; the same state always gives the same bytes.

        Where no criterion was used it is as it was written before there were criteria.
        """
        told = msgspec.to_builtins(self)
        if not self.used:
            del told["used"]
        return msgspec.json.encode(told)

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """Return the state that `as_json` wrote."""
        content = json.loads(text)
        used = tuple(map(tuple, content.get("used", ())))
        return cls(**content | {"places": tuple(map(tuple, content["places"])), "used": used})


def arrived(plan: Plan, state: State) -> State:
    """Return the state once one more item has come: where places are a share of a day's items, it may bring some."""
    count = state.sequence + 1
    more = [lane.places(count) - lane.places(state.sequence) for lane in plan.lanes]
    places = tuple(
        _settled((*kept[:-1], kept[-1] + new)) if new else kept for kept, new in zip(state.places, more, strict=True)
    )
    return replace(state, sequence=count, places=places)


def lender(plan: Plan, state: State) -> int | None:
    """Return the lane that lends chance a place of days to come, those that detect most first; None if none does."""
    lending = (lane for lane in plan.by_detects if plan.lanes[lane].lends)
    return next((lane for lane in lending if state.left(lane) > -plan.lanes[lane].lends), None)


def _settled(places: tuple[int, ...]) -> tuple[int, ...]:
    """Return places by age, where places owed are taken from those that there are, the oldest first."""
    owed = -sum(count for count in places if count < 0)
    if not owed:
        return places
    found = [max(count, 0) for count in places]
    for age, count in enumerate(found):
        used = min(count, owed)
        found[age] -= used
        owed -= used
    found[-1] -= owed
    return tuple(found)
