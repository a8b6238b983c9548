"""Officers who miss half of what is there, and honest ones who differ in offices and skill: who is flagged, and when.

A unit is a world with the seed of its number: offices of 2 to 8 officers, each with 400 inspections. Of these, chance
drew a tenth (the policy draws 0.01 of all declarations and has places for 0.10), of which an office's own
share of 3 to 15 % infringes; of the others, 20 to 50 %. Lanes are red, yellow and blue in the shares of the delivered
policy (0.4, 0.4, 0.2), and detect what it says. The share that it states is looked at twice. What makes it hard:

- two looks at one declaration are alike: in half of the infringements, both find it or neither does;
- honest officers find 90 to 100 % of what their lane detects, and all say of 0.5 % of clean declarations that they
  infringe;
- the test knows neither an office's rates nor anybody's skill.

In every other office one officer misses, by chance, half of what an honest one would find. The check is made anew after
every 50 inspections, and whoever is flagged once counts as flagged. tests/unit/models/desk/test_checks.py is a small
unit.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from models import policy
from models.desk import checks
from models.desk.checks import Closed
from models.desk.second_look import Pair
from models.policy import LANES
from tests.trials.running import Trial, Unit

OFFICES, INSPECTIONS, EVERY = 60, checks.STRETCH, 50
RANDOM, CHANCE_RATES, CHOSEN_RATES, IN_LANES = 0.1, (0.03, 0.15), (0.20, 0.50), (0.4, 0.4, 0.2)
ALIKE, SKILLS, WRONG, PLANTED = 0.5, (0.9, 1.0), 0.005, 0.5
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Inspected:
    """What an office's officers closed, in order, with the pairs of looks, and who of them is planted."""

    closed: list[Closed]
    pairs: list[Pair]
    planted: frozenset[str]


def office(random: np.random.Generator, number: int, share: float, planted: float | None) -> Inspected:
    """Have an office inspect; with `planted`, one officer finds only that share of what an honest one would."""
    names = [f"{number}-{place}" for place in range(random.integers(2, 9))]
    skills = dict(zip(names, random.uniform(*SKILLS, len(names)), strict=True))
    if planted is not None:
        skills[names[0]] *= planted
    chance, chosen = random.uniform(*CHANCE_RATES), random.uniform(*CHOSEN_RATES)
    lanes = policy.load().targeting.lanes
    closed: list[Closed] = []
    pairs: list[Pair] = []
    for place, name in enumerate(random.permutation(np.repeat(names, INSPECTIONS))):
        at = BEGIN + timedelta(minutes=place)
        is_random = random.random() < RANDOM
        lane = str(random.choice(LANES, p=IN_LANES))
        is_there = random.random() < (chance if is_random else chosen)
        draws = np.repeat(random.random(), 2) if random.random() < ALIKE else random.random(2)

        def finds(who: str, draw: float, lane: str = lane, is_there: bool = is_there) -> bool:
            if not is_there:
                return bool(random.random() < WRONG)
            return bool(draw < getattr(lanes, lane).detects and random.random() < skills[who])

        case = len(closed) + 1
        closed.append(Closed(case, name, str(number), at, is_random, finds(name, draws[0])))
        if random.random() < share:
            other = str(random.choice([each for each in names if each != name]))
            again = Closed(case + 1, other, str(number), at + timedelta(seconds=30), False, finds(other, draws[1]))
            closed.append(again)
            both = (case, name, closed[-2].found, case + 1, other, again.found)
            pairs.append(Pair(f"D{case}", str(number), lane, again.at, *both, None))
    return Inspected(closed, pairs, frozenset(names[:1] if planted is not None else ()))


def flagged(inspected: Inspected) -> dict[str, int | None]:
    """Return after how many inspections of each officer the check flags them; None if it does not within a stretch."""
    own: dict[str, list[int]] = {}
    for case in inspected.closed:
        own.setdefault(case.officer, []).append(case.number)
    first: dict[str, int | None] = dict.fromkeys(own)
    lanes = policy.load().targeting.lanes
    for count in range(EVERY, INSPECTIONS + 1, EVERY):
        # Everybody works alike, so they reach the count at about the same time; what comes later is not known yet.
        seen = {number for numbers in own.values() for number in numbers[:count]}
        closed = [case for case in inspected.closed if case.number in seen]
        pairs = [pair for pair in inspected.pairs if pair.first in seen and pair.second in seen]
        for found in checks.checked(closed, pairs, lanes):
            if found.is_flagged and first[found.officer] is None:
                first[found.officer] = count
    return first


def unit_of(number: int, offices: int = OFFICES) -> Mapping[str, Any]:
    stated = policy.load().desk.second_look_share
    return {
        f"{key}, {share:.2f} looked at twice": value
        for share in (stated, stated * 2 / 3)
        for key, value in world(number, offices, share).items()
    }


def world(number: int, offices: int, share: float) -> dict[str, int]:
    """Count officers, those who are flagged, and the inspections until a planted one was."""
    random = np.random.default_rng(number)
    told = dict.fromkeys(("honest", "honest_flagged", "planted", "planted_flagged", "inspections_to_flag"), 0)
    for place in range(offices):
        inspected = office(random, place, share, PLANTED if place % 2 else None)
        for name, count in flagged(inspected).items():
            who = "planted" if name in inspected.planted else "honest"
            told[who] += 1
            told[f"{who}_flagged"] += count is not None
            told["inspections_to_flag"] += count or 0 if who == "planted" else 0
    return told


@contextmanager
def _opened() -> Generator[Unit]:
    yield unit_of


TRIAL = Trial("officers who miss half of what is there, among honest ones: who is flagged", 20, _opened)
