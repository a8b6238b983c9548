"""Two choosers on the same declarations: sums, the difference, whose load changes, and what cannot be told."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
import pytest

from features.contract import KEY
from models import policy
from models.backtesting.side_by_side import NotRehearsed, SideBySide, log_of, rehearse
from models.metrics.off_policy import Expected

POLICY = policy.load()
ROWS = 40
NO_TRUTH = pl.DataFrame()


@dataclass(frozen=True)
class Chosen:
    """Inspects the rows of one chapter, in the red lane."""

    chapter: str

    def choose(self, week: pl.DataFrame, rng: np.random.Generator, /) -> pl.DataFrame:
        is_chosen = week["hs2"] == self.chapter
        return week.select(KEY).with_columns(
            lane=pl.when(is_chosen).then(pl.lit("red")).otherwise(pl.lit("green")),
            reason=pl.lit("value"),
            selection_probability=is_chosen.cast(pl.Float64),
        )


def rows(**columns: object) -> pl.DataFrame:
    """Two weeks, two offices, two chapters; every fifth row is a hit that recovers 10."""
    number = pl.int_range(ROWS)
    frame = pl.DataFrame({"declaration_id": [f"D{n}" for n in range(ROWS)], "item_number": [1] * ROWS}).with_columns(
        accepted_on=pl.lit(date(2024, 3, 4)) + pl.duration(days=number * 14 // ROWS),
        office=pl.when(number % 2 == 0).then(pl.lit("10")).otherwise(pl.lit("20")),
        hs2=pl.when(number % 4 < 2).then(pl.lit("08")).otherwise(pl.lit("61")),
        is_illicit=number % 5 == 0,
        recovered_revenue=pl.when(number % 5 == 0).then(10.0).otherwise(0.0),
        selection_probability=pl.lit(None, pl.Float64),
    )
    return frame.with_columns(**{name: pl.Series(values) for name, values in columns.items()})


EXPECTED = Expected(np.full(ROWS, 0.2), np.full(ROWS, 2.0))


def both(frame: pl.DataFrame, truth: pl.DataFrame = NO_TRUTH, mine: str = "08", theirs: str = "61") -> SideBySide:
    found = rehearse(frame, EXPECTED, Chosen(mine), ("the other", Chosen(theirs)), truth, POLICY)
    assert isinstance(found, SideBySide)
    return found


def test_where_everything_was_inspected_the_figures_are_the_plain_ones():
    frame = rows()
    found = both(frame)
    hits = {chapter: frame.filter(hs2=chapter)["is_illicit"].sum() for chapter in ("08", "61")}
    assert found.challenger.found.dr.precision.value == pytest.approx(hits["08"] / 20)
    assert found.against.found.dr.revenue.value == pytest.approx(10 * hits["61"])
    difference = hits["08"] - hits["61"]
    for one, worth in ((found.hits, 1), (found.revenue, 10)):
        assert (one.value, one.low, one.high) == pytest.approx((difference * worth,) * 3)
    assert (found.challenger.inspections, found.in_common) == (20, 0)
    assert found.challenger.officer_hours == 20 * POLICY.targeting.lanes.red.officer_hours
    assert (found.first_day, found.last_day) == (date(2024, 3, 4), date(2024, 3, 17))


def test_the_same_choice_differs_in_nothing():
    found = both(rows(), theirs="08")
    assert (found.in_common, found.hits.value, found.revenue.value, found.loads) == (1, 0, 0, ())


def test_whose_load_changes_is_counted_by_the_week():
    loads = both(rows()).loads
    assert [(load.kind, load.code) for load in loads] == [("chapter", "08"), ("chapter", "61")]  # no office's does
    assert [(load.inspections_a_week_against, load.inspections_a_week) for load in loads] == [(0, 10), (10, 0)]
    assert {load.declarations_a_week for load in loads} == {10}


def test_without_recorded_chances_only_the_load_is_known():
    found = both(rows(is_illicit=[None, *[False] * (ROWS - 1)]))
    assert found.challenger.found is None
    assert found.hits.value is None
    assert found.hits.reason == "the chances of the inspections that were made are not on record"
    assert found.loads
    assert "rehearsal.hits" not in found.metrics()
    assert found.metrics()["rehearsal.challenger.inspections"] == 20


def test_of_what_was_not_inspected_the_least_recorded_chance_is_taken():
    frame = rows(is_illicit=[True, False, *[None] * (ROWS - 2)], selection_probability=[0.5, 0.2, *[None] * (ROWS - 2)])
    log = log_of(frame)
    assert log.is_inspected.sum() == 2
    assert log.propensity[:3].tolist() == [0.5, 0.2, 0.2]
    assert log.revenue.sum() == 10


def test_the_truth_stands_beside_it_where_there_is_one():
    frame = rows()
    truth = frame.select(*KEY, is_illicit=pl.lit(value=True), evaded_revenue=pl.lit(7.0))
    found = both(frame, truth)
    assert (found.challenger.illicit_in_truth, found.challenger.evaded_in_truth) == (20, 140)
    assert both(frame).challenger.illicit_in_truth is None


def test_days_that_both_have_learned_from_show_nothing():
    none = Expected(np.zeros(0), np.zeros(0))
    found = rehearse(rows().clear(), none, Chosen("08"), ("the other", Chosen("61")), NO_TRUTH, POLICY)
    assert isinstance(found, NotRehearsed)
    assert found.why == "no declarations after the last day that both have learned from"
    assert found.metrics() == {}


def test_an_interval_of_the_difference_covers_the_truth_about_as_often_as_it_says():
    """Inspections drawn 400 times with known chances; what only one of the two would have inspected."""
    generator = np.random.default_rng(5)
    many = pl.concat([rows().with_columns(pl.col("declaration_id") + f"-{n}") for n in range(25)])
    size = many.height
    is_hit = pl.Series(generator.random(size) < 0.3)
    chance = np.where(generator.random(size) < 0.5, 0.6, 0.2)
    by_chapter = [(many["hs2"] == chapter).to_numpy() for chapter in ("08", "61")]
    truth = is_hit.to_numpy()[by_chapter[0]].sum() - is_hit.to_numpy()[by_chapter[1]].sum()
    expected = Expected(np.full(size, 0.3), np.full(size, 3.0))
    covered = []
    for _ in range(400):
        is_inspected = pl.Series(generator.random(size) < chance)
        frame = many.with_columns(
            is_illicit=pl.when(is_inspected).then(is_hit),
            recovered_revenue=10.0 * is_hit,
            selection_probability=pl.when(is_inspected).then(pl.Series(chance)).otherwise(0.2),
        )
        found = rehearse(frame, expected, Chosen("08"), ("the other", Chosen("61")), NO_TRUTH, POLICY)
        covered.append(found.hits.low <= truth <= found.hits.high)
    assert 0.92 <= np.mean(covered) <= 1
