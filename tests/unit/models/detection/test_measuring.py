"""Detection is what first looks found of what second looks found; where it cannot be estimated, that is said."""

from datetime import date, datetime, time, timedelta

import numpy as np
import polars as pl
import pytest

from models.detection import Detection, measure, required
from tests.support import looks
from tests.support.looks import ACCUSED, AT, FOUND, MISSED, NEITHER

LATER = AT.date() + timedelta(days=1)


def judged(rows: int = 100, hits: int = 30, lane: str | None = "red", office: str = "010") -> pl.DataFrame:
    return pl.DataFrame(
        {
            "declaration_id": [f"T{place}" for place in range(rows)],
            "item_number": 1,
            "office": office,
            "lane": lane,
            "score": 0.25,
            "is_illicit": [place < hits for place in range(rows)],
        },
        schema_overrides={"lane": pl.String()},
    )


def part(found: Detection, dimension: str, value: str):
    return next(each for each in found.parts if (each.dimension, each.value) == (dimension, value))


def test_what_is_illicit_is_what_is_found_over_what_is_detected():
    twice = looks.rows([FOUND] * 30 + [MISSED] * 20 + [NEITHER] * 40 + [ACCUSED] * 10)
    found = measure(twice, judged(), LATER, 0.95).all
    assert (found.looked_at_twice, found.found_again, found.found_before) == (100, 50, 30)
    assert (found.rows, found.score, found.found.value) == (100, pytest.approx(0.25), 0.3)
    assert found.detects.value == pytest.approx(0.6)
    assert found.illicit.value == pytest.approx(0.5)
    assert 0.3 < found.illicit.low < 0.4 < 0.6 < found.illicit.high < 0.8


def test_every_lane_office_and_kind_has_a_part_of_its_own():
    twice = pl.concat(
        [
            looks.rows([FOUND] * 40 + [MISSED] * 10, office="020"),
            looks.rows([("", "quantity origin")] * 15 + [("documents", "quantity")] * 15, "Y", lane="yellow"),
        ]
    )
    found = measure(twice, judged(), LATER, 0.95)
    assert [(each.dimension, each.value, each.found_again, each.found_before) for each in found.parts] == [
        ("all", "", 80, 55),
        ("lane", "red", 50, 40),
        ("lane", "yellow", 30, 15),
        ("lane", "blue", 0, 0),
        ("office", "010", 30, 15),
        ("office", "020", 50, 40),
        ("kind", "origin", 65, 40),
        ("kind", "quantity", 30, 15),
    ]
    assert part(found, "lane", "red").illicit.value == pytest.approx(0.3 / 0.8)
    assert part(found, "lane", "yellow").illicit.reason == "no rows"
    assert part(found, "lane", "blue").illicit.reason == "no item was looked at twice"
    assert part(found, "office", "010").illicit.value == pytest.approx(0.6)
    origin = part(found, "kind", "origin")
    assert (origin.rows, origin.illicit.reason) == (0, "results do not tell the kind")


@pytest.mark.parametrize("found", [30, 29])
def test_below_thirty_found_again_detection_is_not_estimated(found):
    told = measure(looks.rows([FOUND] * found + [NEITHER] * 500), judged(), LATER, 0.95).all
    if found == 30:
        assert told.detects.value == 1.0
    else:
        assert told.detects.value is None
        assert told.illicit.reason == "second looks found 29 infringements; 30 are needed"


def test_without_second_looks_nothing_is_estimated():
    told = measure(looks.rows([]), judged(lane=None), LATER, 0.95)
    assert {each.detects.reason for each in told.parts} == {"no item was looked at twice"}
    assert told.all.found.value == 0.3
    assert told.illicit_at(0.3).value is None


def test_first_looks_that_found_nothing_leave_what_is_illicit_open():
    told = measure(looks.rows([MISSED] * 40), judged(), LATER, 0.95)
    assert told.all.detects.value == 0.0
    assert told.all.illicit.reason == "first looks had found nothing of what second looks found"
    with pytest.raises(ValueError, match="not estimated before 2024-05-03: first looks had found nothing"):
        required(looks.rows([MISSED] * 40), LATER)


def test_a_second_look_that_a_supervisor_overruled_was_wrong():
    right, wrong = looks.rows([FOUND] * 30 + [MISSED] * 10), looks.rows([MISSED] * 20, "W", counts=1, lane="blue")
    told = measure(pl.concat([right, wrong]), judged(), LATER, 0.95)
    assert told.all.detects.value == 0.75
    assert part(told, "lane", "blue").detects.reason == "second looks found 0 infringements; 30 are needed"
    kept = measure(looks.rows([FOUND] * 30 + [MISSED] * 10, counts=2), judged(), LATER, 0.95)
    assert kept.all.detects.value == 0.75
    agreed = measure(looks.rows([FOUND] * 30 + [MISSED] * 10, counts=1), judged(), LATER, 0.95)
    assert agreed.all.detects.value == 1.0  # what both found is found, whichever counts


def test_the_last_ruling_known_by_then_holds():
    first, later = looks.rows([MISSED] * 40), looks.rows([MISSED] * 40, counts=1, known_at=AT + timedelta(days=9))
    rows = pl.concat([later, first])
    assert measure(rows, judged(), LATER, 0.95).all.found_again == 40
    assert measure(rows, judged(), LATER + timedelta(days=9), 0.95).all.found_again == 0


def test_what_is_known_on_the_day_itself_does_not_count():
    midnight = datetime.combine(LATER, time())
    assert measure(looks.rows([FOUND] * 40, known_at=midnight), judged(), LATER, 0.95).all.looked_at_twice == 0
    assert measure(looks.rows([FOUND] * 40), judged(), AT.date(), 0.95).all.looked_at_twice == 0
    with pytest.raises(
        ValueError, match=r"no item was looked at twice; allowed: training\.missed_detection_loss = false"
    ):
        required(looks.rows([FOUND] * 40), AT.date())
    assert required(looks.rows([FOUND] * 30 + [MISSED] * 10), LATER) == 0.75


def test_a_score_means_more_that_is_illicit_than_would_be_found():
    told = measure(looks.rows([FOUND] * 30 + [MISSED] * 20), judged(), LATER, 0.95).illicit_at(0.3)
    assert told.value == pytest.approx(0.5)
    assert told.low < 0.5 < told.high


@pytest.mark.parametrize("detects", [0.45, 0.8])
def test_the_known_detection_is_within_its_interval_in_95_draws_of_100(detects):
    rng, within, draws = np.random.default_rng(7), 0, 150
    for _ in range(draws):
        told = measure(looks.rows(looks.drawn(rng, 400, detects)), judged(1, 0), date(2025, 1, 1), 0.95).all.detects
        within += told.low <= detects <= told.high
    assert 0.92 <= within / draws <= 0.995
