"""What an office goes by on a day: its places, the forecast, and the prices of places. Made in the morning, then fixed.

Not here: what changes with each declaration (placing.py).
"""

import hashlib
import json
import math
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from functools import cached_property

import polars as pl

from features.contract import KEY
from models.live.forecast import WINDOW_DAYS, Forecast, forecast
from models.live.prices import Demand, Prices, prices
from models.policy import LANES, Targeting

_COLUMNS = (*KEY, "office", "accepted_at", "score", "critical", "revenue_if_illicit", "hit_value")
_ENOUGH = 100  # rows of an office's own; with fewer, its declarations are taken to be worth what all offices' are


@dataclass(frozen=True)
class LanePlan:
    """A lane of an office on a day.

    It has `daily` places on average, or `share` of the day's declarations where these are more. A fraction of a place
    becomes a whole one if it reaches 1 with `rounding` added. Unused places are kept for `carried_days`.
    """

    name: str
    detects: float
    carried_days: int
    daily: float
    share: float
    rounding: float

    @property
    def lends(self) -> int:
        """Return how many places of the days to come chance may take: as many as the lane brings while it carries.

        A part of a place counts as a whole one. An office with a place in a hundred days would else never draw anybody,
        and nothing would ever be learned of it.
        """
        return math.ceil(self.carried_days * self.daily)

    def places(self, declarations: int) -> int:
        """Return the day's places once so many declarations have come; more of them never make it fewer places."""
        return math.floor(round(max(self.daily, self.share * declarations) + self.rounding, 9))


@dataclass(frozen=True)
class Plan:
    """An office's plan for `day` (ISO 8601). `lanes` are in the order of LANES.

    `prices` are those of a place in the first lanes together, by how much lanes detect: in the first, in the first two,
    in all. `hit_value` is what a hit counts beside its revenue at this office, `random_share` the chance that everybody
    has, and `exploring` the chance to be explored of a declaration of weight 1 on a day as busy as forecast, times the
    number of declarations that are then left without a place.
    """

    office: str
    day: str
    lanes: tuple[LanePlan, ...]
    forecast: Forecast
    prices: tuple[Prices, ...]
    hit_value: float
    random_share: float
    critical_probability: float
    exploring: float

    @cached_property
    def lends(self) -> bool:
        """Say whether some lane lends chance places; if none does, some of the day's are kept for it."""
        return any(lane.lends for lane in self.lanes)

    @cached_property
    def by_detects(self) -> tuple[int, ...]:
        """Return the lanes, as places in LANES, those that detect most first."""
        return tuple(sorted(range(len(self.lanes)), key=lambda lane: -self.lanes[lane].detects))

    @cached_property
    def digest(self) -> str:
        """Return the SHA-256, in hexadecimal, of the plan as JSON."""
        return hashlib.sha256(self.as_json()).hexdigest()

    def as_json(self) -> bytes:
        """Return the plan as JSON, every number to its last digit."""
        return json.dumps(asdict(self), separators=(",", ":"), allow_nan=False).encode()

    @classmethod
    def from_json(cls, text: bytes) -> "Plan":
        """Return the plan that `as_json` wrote."""
        content = json.loads(text)
        told = content["forecast"]
        return cls(
            **content
            | {
                "lanes": tuple(LanePlan(**lane) for lane in content["lanes"]),
                "forecast": Forecast(**told | {"arrived": tuple(told["arrived"])}),
                "prices": tuple(
                    Prices(each["bundle"], tuple(each["coming"]), tuple(map(tuple, each["of"])))
                    for each in content["prices"]
                ),
            }
        )


def plan_day(
    office: str,
    day: date,
    past: pl.DataFrame,
    targeting: Targeting,
    rounding: tuple[float, ...],
    exploring_share: float = 0.0,
) -> Plan:
    """Return the plan of `office` for `day`. The same arguments give the same plan; the order of rows does not matter.

    `past` has declarations of all offices that were scored before: key, `office`, `accepted_at`, `score`, `critical`,
    `revenue_if_illicit` and `hit_value` (see models.targeting.lanes.assign). Those of the last 28 days count. An office
    with few of its own goes by all offices'; if there are none at all, places go to those who come first. `rounding`
    comes from models.live.chance, and `exploring_share` is the share of places that explores. ValueError names a column
    that is missing.

    A hit counts what the model says, and the policy's `online_hit_bonus` times what one is worth on average: those who
    come compete with all who may come, and an office with few places would else keep them for rare large sums.
    """
    missing = [name for name in _COLUMNS if name not in past.columns]
    if missing:
        raise ValueError(f"columns {missing} are not in the past declarations")
    accepted_on = pl.col("accepted_at").dt.date()
    window = accepted_on.is_between(day - timedelta(days=WINDOW_DAYS), day, closed="left")
    recent = past.filter(window).sort("accepted_at", *KEY)
    expected = forecast(recent, office, day)
    own = recent.filter(pl.col("office") == office)
    known = own if own.height >= _ENOUGH else recent

    planned = _lanes(office, expected.today, targeting, rounding)
    daily = sum(lane.daily for lane in planned)
    hit_value = _hit_value(known, targeting.online_hit_bonus)
    exploring = exploring_share * daily
    worth = (known["score"] * (known["revenue_if_illicit"] + hit_value)).sort().to_numpy()
    others = _share_of_others(known, targeting, exploring / max(expected.usual, 1.0))
    demand = Demand(worth, expected.today, expected.usual, 1 - (1 - targeting.random_share) * (1 - others))
    ordered = sorted(planned, key=lambda lane: -lane.detects)
    # Where places are kept for chance, it takes none of those that all others compete for.
    for_all = demand if any(lane.lends for lane in planned) else replace(demand, taken=others)
    return Plan(
        office,
        day.isoformat(),
        planned,
        expected,
        (*(_prices(demand, ordered[:count]) for count in range(1, len(ordered))), _prices(for_all, ordered)),
        hit_value,
        targeting.random_share,
        targeting.critical_probability,
        exploring,
    )


def _lanes(office: str, expected: float, targeting: Targeting, rounding: tuple[float, ...]) -> tuple[LanePlan, ...]:
    own = targeting.offices.get(office)
    found = []
    for name, number in zip(LANES, rounding, strict=True):
        lane = getattr(targeting.lanes, name)
        daily, share = (
            (float(getattr(own, name)), 0.0) if own else (lane.capacity_share * expected, lane.capacity_share)
        )
        found.append(LanePlan(name, lane.detects, lane.carried_days, daily, share, number))
    return tuple(found)


def _prices(demand: Demand, pool: list[LanePlan]) -> Prices:
    kept = [lane for lane in pool if lane.carried_days]
    carried = sum(lane.daily for lane in kept)
    days = max((lane.carried_days for lane in kept), default=0)
    return prices(demand, sum(lane.daily for lane in pool) - carried, carried, days)


def _hit_value(known: pl.DataFrame, bonus: float) -> float:
    """Return what a hit counts beside its revenue: as the model says, and `bonus` times the mean worth of a hit."""
    score = known["score"].to_numpy()
    if not score.any():
        return 0.0
    said = float(known["hit_value"][-1])
    worth = score * (known["revenue_if_illicit"].to_numpy() + said)
    return said + bonus * float(worth.sum() / score.sum())


def _share_of_others(known: pl.DataFrame, targeting: Targeting, explored: float) -> float:
    """Return the share of arrivals that take a place whatever it costs, apart from those that chance draws."""
    is_critical = known["critical"].to_numpy() >= targeting.critical_probability
    critical = float(is_critical.mean()) if known.height else 0.0
    return 1 - (1 - critical) * (1 - min(explored, 1.0))
