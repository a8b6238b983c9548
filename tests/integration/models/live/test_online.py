"""Whole days of offices: stated probabilities over many secrets, days of every kind, and a small unit of the trial."""

import hashlib
import math
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from models.live import chance
from models.live.placing import GREEN, Candidate, amend, place
from models.live.plan import Plan
from models.live.prices import Prices
from models.live.state import State
from models.policy import LANES
from tests.support import live_offices
from tests.support.criteria import criterion
from tests.support.live_offices import DAY, NOTHING, arrivals, past, targeting
from tests.trials import online

SECRETS = 200
NORMAL = 4.0  # so far from 0 lies one standard normal in 16,000


def secret(number):
    return hashlib.sha256(str(number).encode()).digest()


def played(plan: Plan, day: list[Candidate], own: bytes, met=lambda number: ()) -> tuple[list, State]:
    """Play a day; `met` says which criteria an item meets."""
    state, placements = State.morning(plan), []
    for number, item in enumerate(day):
        placement, state = place(plan, state, item, chance.draws(own, f"D{number}", 1), met(number))
        placements.append(placement)
    return placements, state


def z_of(inspected, stated):
    """Return how far inspections of each item are from what was stated, in standard deviations; items x secrets."""
    inspected, stated = np.array(inspected, float), np.array(stated)
    variance = (stated * (1 - stated)).sum(axis=1)
    open_ = variance >= 5
    return ((inspected - stated).sum(axis=1)[open_]) / np.sqrt(variance[open_])


@pytest.mark.parametrize("carried", [(0, 0, 0), (0, 5, 5)])
def test_stated_probabilities_are_those_over_secrets(carried):
    """Sums of (inspected - stated) over secrets are a martingale, though each secret leads to other states."""
    ours = live_offices.plan(targeting((3, 2, 1), carried, random_share=0.1), exploring=0.3)
    day = arrivals(60)
    days = [played(ours, day, secret(number))[0] for number in range(SECRETS)]
    inspected = [[placed[item].lane != GREEN for placed in days] for item in range(len(day))]
    stated = [[placed[item].probability for placed in days] for item in range(len(day))]
    z = z_of(inspected, stated)
    assert len(z) > 40
    assert np.abs(z).max() < NORMAL
    assert 0.5 < (z**2).mean() < 1.7
    assert len({tuple(row) for row in np.array(stated).T}) > 10


@pytest.mark.parametrize("carried", [(0, 0, 0), (0, 5, 5)])
def test_stated_probabilities_are_those_over_secrets_where_criteria_are_in_force(carried):
    """Also of items that meet a criterion whose places are used up, and of those that meet none."""
    ours = live_offices.plan(targeting((5, 4, 3), carried, random_share=0.1), exploring=0.3)
    day = [replace(item, score=0.5 * item.score) for item in arrivals(60)]
    rules = (criterion("few", places=1), criterion("some", lane="yellow", places=2))

    def met(number):
        return rules if number % 10 == 0 else rules[1:] if number % 10 == 5 else ()

    days = [played(ours, day, secret(number), met)[0] for number in range(SECRETS)]
    inspected = [[placed[item].lane != GREEN for placed in days] for item in range(len(day))]
    stated = [[placed[item].probability for placed in days] for item in range(len(day))]
    z = z_of(inspected, stated)
    assert len(z) > 40
    assert np.abs(z).max() < NORMAL
    assert 0.5 < (z**2).mean() < 1.7
    given = Counter(each.criterion for placed in days for each in placed if each.criterion)
    assert given["few"] <= SECRETS
    assert given["some"] <= 2 * SECRETS
    assert min(given.values()) > 0.5 * SECRETS
    used_up = [placed[50].probability for placed in days]
    assert min(used_up) < 0.2  # its criteria had no place left, and it says so


def test_stated_probabilities_of_items_that_meet_a_criterion_once_amended_are_those_over_secrets():
    ours = live_offices.plan(targeting((4, 3, 2), (0, 5, 5), random_share=0.1), exploring=0.5)
    ours = replace(ours, prices=(Prices(1, (0.0, 1.0), ((1000.0,), (1000.0,))),) * len(LANES))
    stock, watched = ((), (10,) * 5, (10,) * 5), (criterion("some", lane="yellow", places=4),)
    day, found = arrivals(40), []
    for number in range(SECRETS):
        state, before, last = State.morning(ours, stock), [], []
        for position, item in enumerate(day):
            first, drawn = state, chance.draws(secret(number), f"D{position}", 1)
            placed, state = place(ours, first, item, drawn)
            before.append((first, placed, drawn))
        for position, (item, (first, placed, drawn)) in enumerate(zip(day, before, strict=True)):
            rules = watched if position % 4 == 0 else ()
            after, state = amend(ours, first, placed, item, drawn, state, rules)
            last.append(after)
        assert dict(state.used).get("some", 0) <= 4
        found.append(last)
    inspected = [[last[item].lane != GREEN for last in found] for item in range(len(day))]
    stated = [[last[item].probability for last in found] for item in range(len(day))]
    z = z_of(inspected, stated)
    assert len(z) > 25
    assert np.abs(z).max() < NORMAL
    assert 0.4 < (z**2).mean() < 1.8
    assert sum(row[0] == 1.0 for row in stated) >= 4


def test_a_probability_that_were_a_tenth_too_high_would_be_noticed():
    ours = live_offices.plan(targeting((3, 2, 1), random_share=0.1), exploring=0.3)
    day = arrivals(60)
    days = [played(ours, day, secret(number))[0] for number in range(SECRETS)]
    inspected = np.array([[each.lane != GREEN for each in placed] for placed in days], float)
    stated = np.array([[each.probability for each in placed] for placed in days])
    spread = math.sqrt((stated * (1 - stated)).sum())
    assert abs((inspected - stated).sum()) < NORMAL * spread
    assert (inspected - np.minimum(1.1 * stated, 1)).sum() < -2 * spread


def test_stated_probabilities_of_amended_items_are_those_over_secrets():
    ours = live_offices.plan(targeting((4, 3, 2), (0, 5, 5), random_share=0.1), exploring=0.5)
    ours = replace(ours, prices=(Prices(1, (0.0, 1.0), ((1000.0,), (1000.0,))),) * len(LANES))
    stock = ((), (10,) * 5, (10,) * 5)  # so that every version of every item finds a place
    day = arrivals(40)
    amended = [replace(item, explore=2 * item.explore, score=min(1.5 * item.score, 1.0)) for item in day]
    found = []
    for number in range(SECRETS):
        state, before, last = State.morning(ours, stock), [], []
        for position, item in enumerate(day):
            first, drawn = state, chance.draws(secret(number), f"D{position}", 1)
            placed, state = place(ours, first, item, drawn)
            before.append((first, placed, drawn))
        for (first, placed, drawn), item in zip(before, amended, strict=True):
            after, state = amend(ours, first, placed, item, drawn, state)
            last.append(after)
        found.append(last)
    assert all(state.left(lane) >= 0 for lane in range(len(LANES)))
    inspected = [[last[item].lane != GREEN for last in found] for item in range(len(day))]
    stated = [[last[item].probability for last in found] for item in range(len(day))]
    z = z_of(inspected, stated)
    assert len(z) > 25
    assert np.abs(z).max() < NORMAL
    assert 0.4 < (z**2).mean() < 1.8


BURST = [replace(item, second=10 * 3600 + number // 100) for number, item in enumerate(arrivals(5000))]
KINDS = {
    "usual": arrivals(40),
    "rush": arrivals(400),
    "quiet": arrivals(2),
    "nobody": [],
    "half day": arrivals(20, last=12 * 3600),
    "goes on after hours": arrivals(60, first=17 * 3600, last=86_400),
    "at night": arrivals(30, first=0, last=6 * 3600),
    "burst": BURST,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [past(), NOTHING], ids=["with a past", "opens for the first time"])
@pytest.mark.parametrize("carried", [(0, 0, 0), (0, 5, 5)], ids=["not carried", "carried"])
def test_on_any_day_places_are_as_stated(kind, rows, carried):
    ours = live_offices.plan(targeting((4, 3, 2), carried), rows)
    placements, state = played(ours, KINDS[kind], secret(1))
    used = Counter(each.lane for each in placements)
    for number, lane in enumerate(ours.lanes):
        assert used[lane.name] <= lane.daily + lane.lends
        assert state.left(number) == lane.daily - used[lane.name]
    for_others = sum(each.reason not in ("random", "none") for each in placements)
    assert for_others <= 9
    assert state.sequence == len(KINDS[kind])
    if kind in ("rush", "burst"):
        assert sum(used[lane] for lane in LANES) >= 8
    if kind == "quiet" and carried == (0, 0, 0) and rows.is_empty():
        assert used["red"] == 2


def test_a_burst_leaves_something_to_those_who_are_worth_most():
    ours = live_offices.plan(targeting((4, 3, 2), (0, 0, 0)))
    placements, _ = played(ours, BURST, secret(1))
    worth = np.array([item.score * (item.revenue_if_illicit + ours.hit_value) for item in BURST])
    chosen = worth[[each.reason == "value" for each in placements]]
    assert np.median(chosen) > np.quantile(worth, 0.95)


def test_an_office_of_shares_inspects_its_share_of_a_rush():
    ours = live_offices.plan(targeting(own=None, carried=(0, 0, 0)))
    used = Counter(each.lane for each in played(ours, arrivals(400), secret(1))[0])
    assert [used[lane] for lane in LANES] <= [16, 16, 8]
    assert sum(used[lane] for lane in LANES) >= 34


def test_a_small_unit_of_the_trial():
    """Three weeks of two offices; what the trial measures of three months is in benchmarks/results."""
    rows = pl.concat([past(office, daily=daily, days=49) for office, daily in (("010", 60), ("020", 30))])
    random = np.random.default_rng(1)
    rows = rows.with_columns(
        accepted_on=pl.col("accepted_at").dt.date(), is_illicit=pl.Series(random.random(rows.height)) < pl.col("score")
    ).sort("accepted_at", "declaration_id")
    results = online.compared(rows, DAY - timedelta(days=21), ("value function", "threshold"))
    ours, flat = (results[f"{rule}, not carried"] for rule in ("value function", "threshold"))
    assert ours["worth"] > 0.85
    assert ours["hits"] > 0.85
    assert ours["worth"] > flat["worth"]
    kept = results["value function, carried"]
    assert kept["worth"] > 0.95
    assert kept["places"] == pytest.approx(1, abs=0.06)
    assert kept["missed_by_chance"] == kept["without_a_chance"] == 0
