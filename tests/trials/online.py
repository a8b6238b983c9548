"""Places of the day given as declarations come, against the night's choice over whole days: three simulated months.

A unit is a world with the seed of its number. A model learns what was known before its last four months and scores
them; the first 28 days are the past that the plans are made of. Both ways have the same places: a tenth of what each of
the ten busiest offices accepts, 3 to 20 a day. tests/integration/models/live/test_online.py is a small unit.
"""

import hashlib
import math
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from features import simulator
from features.arrays import Floats, Ints
from features.contract import KEY
from features.facts import asof, kinds
from features.history import History
from features.matrix import CATALOGUE, compute, with_labels
from models import policy
from models.live import chance
from models.live.placing import GREEN, Candidate, Placement, place
from models.live.plan import Plan, plan_day
from models.live.prices import Prices
from models.live.state import Places, State
from models.policy import LANES, Capacity, Targeting
from models.targeting import lanes
from models.training import splits, train
from tests.trials.running import Trial, Unit

ROWS, MONTHS, OFFICES = 200_000, 9, 10
PAST_DAYS, LATE_MONTHS = 28, 4
SECRETS, CHECKED_OFFICE, CHECKED_DAYS = 10_000, 4, 2
_ENOUGH_VARIANCE = 5.0
CARRIED = {"not carried": (0, 0, 0), "red not carried": (0, 5, 5), "carried": (5, 5, 5)}


def scored(seed: int, rows: int = ROWS, months: int = MONTHS) -> pl.DataFrame:
    """Return the items of a world's last four months, in order: what a model said of them, and the truth."""
    parameters = simulator.Parameters(rows=rows, months=months, seed=seed)
    tables = simulator.build(simulator.simulate(parameters), seed)
    declarations, outcomes = tables.declarations.drop("arrives"), tables.outcomes.drop("arrives")
    ours = policy.load()
    delay, begins = ours.features.label_delay_days, parameters.first_days()[-1 - LATE_MONTHS]
    none = (declarations.clear().lazy(), outcomes.clear().lazy())
    matrix = compute(History(kinds.build(declarations.lazy(), none[0], outcomes.lazy(), none[1], delay)))
    versions = asof.outcome_versions(outcomes.lazy(), none[1], delay)
    known = with_labels(matrix.lazy(), versions, begins - timedelta(days=1))
    is_late = pl.col("accepted_at").dt.date() >= begins
    learned = splits.among_others(splits.labelled(known.filter(~is_late)))
    parts = splits.split_validation(learned, ours.training, delay)
    model = train(*parts, CATALOGUE, ours.training, ours.targeting, final_frame=learned)
    late = matrix.filter(is_late)
    return (
        model.predict(late)
        .join(declarations.select(*KEY, "accepted_at", "office"), on=KEY)
        .join(tables.truth.select(*KEY, "is_illicit"), on=KEY)
        .with_columns(hit_value=pl.lit(model.hit_value), accepted_on=pl.col("accepted_at").dt.date())
        .sort("accepted_at", *KEY)
    )


def places_of(past: pl.DataFrame, days: int) -> dict[str, Capacity]:
    """Return the places of the busiest offices: a tenth of what they accept, 3 to 20, two fifths red and yellow."""
    counts = past.group_by("office").len().sort("len", "office", descending=True).head(OFFICES)
    found = {}
    for office, count in counts.iter_rows():
        total = int(np.clip(round(count / days / 10), 3, 20))
        two_fifths = max(round(0.4 * total), 1)
        found[office] = Capacity(red=two_fifths, yellow=two_fifths, blue=total - 2 * two_fifths)
    return found


def with_carried(targeting: Targeting, days: tuple[int, ...]) -> Targeting:
    """Return `targeting` with the days for which each of LANES carries its places."""
    changed = {
        name: getattr(targeting.lanes, name).model_copy(update={"carried_days": count})
        for name, count in zip(LANES, days, strict=True)
    }
    return targeting.model_copy(update={"lanes": targeting.lanes.model_copy(update=changed)})


def candidates(rows: pl.DataFrame) -> list[Candidate]:
    """Return a day's items as they come."""
    at = pl.col("accepted_at").dt
    second = at.hour().cast(pl.Int64) * 3600 + at.minute().cast(pl.Int64) * 60 + at.second()
    return [Candidate(*row) for row in rows.select(second, "score", "critical", "revenue_if_illicit").iter_rows()]


Plans = Mapping[date, Plan]


@dataclass(frozen=True)
class Played:
    """What came of playing days: the placement of each item, in order, and the last state of each day."""

    placements: list[Placement]
    last: list[State]


def secret_of(number: int, office: str, day: date) -> bytes:
    """Return a secret; each office has its own here, so that any of them can be played alone."""
    return hashlib.sha256(f"{number} {office} {day}".encode()).digest()


def plans_of(rows: pl.DataFrame, first: date, office: str, targeting: Targeting) -> Plans:
    """Return the office's plan for each day from `first` on."""
    return {
        day: plan_day(office, day, rows, targeting, chance.rounding(secret_of(0, office, day), office))
        for day in pl.date_range(first, rows["accepted_on"][-1], eager=True)
    }


def play(rows: pl.DataFrame, plans: Plans, number: int = 0) -> Played:
    """Play the days of one office by its plans."""
    placements: list[Placement] = []
    last: list[State] = []
    carried: Places | None = None
    by_day = rows.partition_by("accepted_on", as_dict=True)
    for day, plan in plans.items():
        secret, state = secret_of(number, plan.office, day), State.morning(plan, carried)
        today = by_day.get((day,), rows.clear())
        for key, candidate in zip(today.select(KEY).iter_rows(), candidates(today), strict=True):
            placement, state = place(plan, state, candidate, chance.draws(secret, *key))
            placements.append(placement)
        last.append(state)
        carried = state.evening()
    return Played(placements, last)


def _by_value_function(plan: Plan, worth: Floats) -> Plan:
    return plan


def _by_threshold(plan: Plan, worth: Floats) -> Plan:
    """Return a plan whose cut-offs stay all day: those with which its daily places would be used up as a rule."""
    daily = np.cumsum([plan.lanes[lane].daily for lane in plan.by_detects])
    ends = _least(worth, daily / max(plan.forecast.today, 1e-9)).tolist()
    return replace(plan, prices=tuple(Prices(1, (0.0, 1.0), ((end,), (end,))) for end in ends))


def _by_ratio(plan: Plan, worth: Floats) -> Plan:
    """Return a plan that lets in, at each arrival, the share that the places left are of the arrivals left.

    Where places are carried, both are counted over the days for which they are.
    """
    by_detects = [plan.lanes[lane] for lane in plan.by_detects]
    found = []
    for count, each in enumerate(plan.prices, 1):
        days = max(lane.carried_days for lane in by_detects[:count])
        later = days * sum(lane.daily for lane in by_detects[:count] if lane.carried_days)
        places = np.arange(1, each.bundle * len(each.of[0]) + 1) + later
        coming = [each.bundle * number for number in each.coming]
        shares = places / np.maximum(np.array(coming) + days * plan.forecast.usual, 1e-9)[:, None]
        found.append(Prices(1, tuple(coming), tuple(map(tuple, _least(worth, shares).tolist()))))
    return replace(plan, prices=tuple(found))


def _least(worth: Floats, share: Floats) -> Floats:
    """Return the least worth of the best `share`; 0 where that is everybody."""
    if not len(worth):
        return np.zeros_like(share)
    return np.where(share < 1, np.quantile(worth, 1 - np.minimum(share, 1)), 0.0)


RULES = {"value function": _by_value_function, "ratio": _by_ratio, "threshold": _by_threshold}


def _worth(plan: Plan, rows: pl.DataFrame, day: date) -> Floats:
    past = rows.filter(pl.col("accepted_on").is_between(day - timedelta(days=PAST_DAYS), day, closed="left"))
    return (past["score"] * (past["revenue_if_illicit"] + plan.hit_value)).sort().to_numpy()


def found(rows: pl.DataFrame, lane: Ints, targeting: Targeting) -> dict[str, float]:
    """Return the worth found (worth x the share that its lane detects), the hits inspected, and the places used."""
    detects = np.array([*(getattr(targeting.lanes, name).detects for name in LANES), 0.0])
    worth = (rows["score"] * (rows["revenue_if_illicit"] + rows["hit_value"])).to_numpy()
    is_hit, is_inspected = rows["is_illicit"].to_numpy(), lane < len(LANES)
    return {
        "worth": float(detects[lane] @ worth),
        "hits": float((is_hit & is_inspected).sum()),
        "places": float(is_inspected.sum()),
    }


def compared(rows: pl.DataFrame, first: date, rules: tuple[str, ...] = tuple(RULES)) -> dict[str, Any]:
    """Return, for each rule and way of carrying, what it finds as a share of what the night's choice finds.

    With it: the share of the items that chance drew and that had no place, and of items with a stated probability of 0.
    """
    places = places_of(rows.filter(pl.col("accepted_on") < first), PAST_DAYS)
    delivered = policy.load().targeting.model_copy(update={"offices": places})
    by_office = {office: rows.filter(pl.col("office") == office) for office in sorted(places)}
    days = pl.concat(by_office.values()).filter(pl.col("accepted_on") >= first)
    numbers = {name: number for number, name in enumerate((*LANES, GREEN))}
    night = lanes.assign(days, delivered, np.random.default_rng(1))["lane"].replace_strict(numbers).to_numpy()
    base = found(days, night, delivered)
    results: dict[str, Any] = {"night": base}
    for way, carried in CARRIED.items():
        targeting = with_carried(delivered, carried)
        planned = {office: plans_of(rows, first, office, targeting) for office in by_office}
        for rule in rules:
            played = [
                play(own, {d: RULES[rule](p, _worth(p, own, d)) for d, p in planned[office].items()})
                for office, own in by_office.items()
            ]
            every = [each for one in played for each in one.placements]
            ours = found(days, np.array([numbers[each.lane] for each in every]), delivered)
            drawn, missed = (sum(getattr(s, of) for one in played for s in one.last) for of in ("drawn", "missed"))
            results[f"{rule}, {way}"] = {
                **{key: round(ours[key] / base[key], 4) for key in base},
                "missed_by_chance": round(missed / max(drawn + missed, 1), 4),
                "without_a_chance": round(sum(each.probability == 0 for each in every) / len(every), 4),
            }
    return results


def stated(rows: pl.DataFrame, plans: Plans, secrets: int) -> dict[str, float]:
    """Return how far stated probabilities are from what so many secrets did, over the days of one office.

    An item's z is the sum over secrets of (inspected - stated), over the root of the sum of stated (1 - stated); it is
    about standard normal if each stated probability is exact, given the state that the office was in. Items that are
    inspected, or not, by nearly all secrets are left out: their sums are too far from normal.
    """
    sums: dict[int, list[float]] = {}
    for number in range(secrets):
        for item, each in enumerate(play(rows, plans, number).placements):
            told = sums.setdefault(item, [0.0, 0.0])
            told[0] += (each.lane != GREEN) - each.probability
            told[1] += each.probability * (1 - each.probability)
    open_ = [each for each in sums.values() if each[1] >= _ENOUGH_VARIANCE]
    z = np.array([difference / math.sqrt(variance) for difference, variance in open_])
    return {
        "items": len(sums),
        "items_left_to_chance": len(open_),
        "secrets": secrets,
        "largest_z": round(float(np.abs(z).max()), 2),
        "mean_square_z": round(float((z**2).mean()), 3),
    }


def unit_of(number: int) -> Mapping[str, Any]:
    rows = scored(number)
    first = rows["accepted_on"][0] + timedelta(days=PAST_DAYS)
    results = compared(rows, first)
    places = places_of(rows.filter(pl.col("accepted_on") < first), PAST_DAYS)
    checked = rows.filter(pl.col("accepted_on") < first + timedelta(days=CHECKED_DAYS))
    for way, carried in CARRIED.items():
        targeting = with_carried(policy.load().targeting.model_copy(update={"offices": places}), carried)
        office = list(places)[CHECKED_OFFICE]
        own = checked.filter(pl.col("office") == office, pl.col("accepted_on") >= first)
        results[f"stated probabilities, {way}"] = stated(own, plans_of(checked, first, office, targeting), SECRETS)
    return results


@contextmanager
def _opened() -> Generator[Unit]:
    yield unit_of


TRIAL = Trial("places given as declarations come, against the night's choice over whole days", 2, _opened)
