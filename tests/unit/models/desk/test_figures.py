"""A supervisor's figures, worked out by hand."""

from datetime import timedelta

import msgspec
import pytest

from models.desk import Refused
from models.desk.figures import ChanceFigures, Waiting
from models.policy import Desk as Rules
from models.policy import Hours
from tests.support.desks import ANA, BEN, SUE, placed


@pytest.fixture
def rules():
    return Rules(second_look_share=0.5, lease_minutes=90, hours=Hours(red=10, yellow=2, blue=100))


def of(lane, scores, reason="value"):
    """Return what changes a decision so that its items have these scores, and the first of them this reason."""

    def change(made):
        return tuple(
            msgspec.structs.replace(item, score=score, reason=reason if place == 0 else item.reason)
            for place, (item, score) in enumerate(zip(made.items, scores, strict=True))
        )

    return lambda number: msgspec.structs.replace(placed(number, lane), items=change(placed(number, lane)))


def opened(world, *made):
    world.decide(*(each(number) for number, each in enumerate(made, 1)))
    world.desk.cases.follow(world.log)
    return {case.declaration_id: case.number for case in world.every()}


def test_figures_of_lanes_chance_and_hours(world):
    number = opened(
        world,
        of("red", (0.5, 0.9)),
        of("red", (0.25, None), "random"),
        of("red", (None, None)),
        of("yellow", (0.5, 0.5), "random"),
        of("yellow", (0.5, 0.5)),
    )
    begin = world.clock()
    world.desk.queue.take(ANA, number["D5"])
    world.clock.wait(minutes=30)
    world.close(ANA, number["D1"], item_number=1, kind="origin", revenue=1.0)
    world.clock.wait(hours=1)
    world.close(BEN, number["D2"])
    world.close(BEN, number["D3"], item_number=1, kind="other")
    world.desk.queue.take(BEN, number["D4"])
    world.clock.wait(hours=1, minutes=0)
    world.desk.endings.override(BEN, number["D4"], "perishable")
    until = begin + timedelta(hours=4)
    world.clock.wait(hours=3)
    told = world.desk.supervision.figures(SUE, begin, until)
    assert (told.since, told.until) == (begin, until)
    red, yellow = told.lanes
    assert (red.office, red.lane, red.waiting) == ("010", "red", Waiting(0, 0, None))
    assert (red.released, red.overridden, red.scored, red.hits) == (3, 0, 2, 1)
    assert (red.expected_hits, red.unscored, red.unscored_hits) == (0.75, 1, 1)
    # They were opened an hour before `begin`, and one, two and three seconds later.
    assert red.median_hours == pytest.approx(2.5 - 2.0 / 3600, abs=1e-3)
    assert yellow.waiting == Waiting(1, 1, pytest.approx(5 - 5 / 3600))
    assert (yellow.released, yellow.overridden, yellow.scored, yellow.hits) == (0, 1, 0, 0)
    assert yellow.ninth_tenth_hours == pytest.approx(3.5 - 4 / 3600)
    assert told.chance == ()
    assert told.hours == {"ana": 1.5, "ben": 1.0}

    earlier = world.desk.supervision.figures(SUE, begin - timedelta(hours=2), begin + timedelta(hours=2))
    assert earlier.chance == (ChanceFigures("010", 2, 1, 0, 1),)
    assert (earlier.lanes[1].waiting.open, earlier.lanes[1].overridden) == (2, 0)
    soon = world.desk.supervision.figures(SUE, begin, begin + timedelta(minutes=30)).lanes[1].waiting
    assert (soon.open, soon.late, soon.oldest_hours) == (2, 0, pytest.approx(1.5 - 4 / 3600))
    later = world.desk.supervision.figures(SUE, begin - timedelta(hours=2), until)
    assert later.chance == (ChanceFigures("010", 2, 1, 1, 0),)


def test_figures_of_nothing_are_none_and_the_future_is_no_part_of_them(world):
    told = world.desk.supervision.figures(SUE, world.clock() - timedelta(days=1), world.clock() + timedelta(days=1))
    assert (told.until, told.lanes, told.chance, told.hours) == (world.clock(), (), (), {})
    with pytest.raises(Refused, match="ana is no supervisor"):
        world.desk.supervision.figures(ANA, world.clock() - timedelta(days=1), world.clock())


def test_what_an_appeal_corrects_is_counted_as_corrected(world):
    number = opened(world, of("red", (0.5, 0.9)))["D1"]
    begin = world.clock()
    world.clock.wait(hours=1)
    wrong = world.finding(number, item_number=1, kind="origin")
    world.desk.queue.take(ANA, number)
    world.desk.findings.add(ANA, wrong)
    world.desk.endings.release(ANA, number)
    world.desk.findings.add(SUE, world.finding(number, item_number=1, replaces=wrong.key))
    world.clock.wait(hours=1)
    (red,) = world.desk.supervision.figures(SUE, begin, world.clock()).lanes
    assert (red.scored, red.hits, red.expected_hits) == (1, 0, 0.5)
