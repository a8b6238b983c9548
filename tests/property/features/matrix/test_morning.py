"""A morning says the same of a declaration as the night does, to the last bit."""

from datetime import date, timedelta
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from features import contract
from features.contract import KEY
from features.history.change_index import EPOCH
from features.history.history import History
from features.history.preaggregated import Block, Settled
from features.history.standing import Standing
from features.matrix import cache, matrix
from features.matrix.morning import Morning
from features.store.store import Store
from tests.support.examples import examples
from tests.support.stores import put
from tests.support.worlds import LABEL_DELAY_DAYS, World, before, worlds


def _asked_one_by_one_and_together(morning: Morning, asked: pl.DataFrame, expected: pl.DataFrame) -> None:
    asked = asked.select(contract.schema("declarations").names())
    _same_bits(morning.features(asked), expected)
    for row in range(asked.height):
        _same_bits(morning.features(asked[row]), expected[row])


def _same_bits(found: pl.DataFrame, expected: pl.DataFrame) -> None:
    assert_frame_equal(found, expected, check_exact=True)
    assert repr(found.rows()) == repr(expected.rows())  # which tells -0.0 from 0.0


@given(world=worlds(), pick=st.integers(0, 1000))
@settings(max_examples=examples(20), deadline=None)
def test_a_morning_says_what_the_night_says(world: World, pick: int) -> None:
    """The night sees the whole world, and what came late, was corrected or came on the same day with it."""
    history = History(world.known())
    days = sorted(set(history.rows["day"]))
    day = days[pick % len(days)]
    with TemporaryDirectory() as folder:
        block = Block(0, day, Path(folder, "block"))
        block.make(matrix.TABLES, history.known.between)
        standing = Standing(day, Settled((block,)), history.known.between(day, day), matrix.TABLES)
        morning = Morning(EPOCH + timedelta(days=day), "", standing)
        of_day = history.asked_on([day])
        _asked_one_by_one_and_together(morning, of_day.rows, matrix.compute(of_day))


def _stored(world: World, folder: Path) -> Store:
    store = Store(folder)
    for table, rows in {
        "declarations": world.declarations,
        "declarations_superseded": world.older_declarations,
        "outcomes": world.outcomes,
        "outcomes_superseded": world.older_outcomes,
        "register": world.register,
        "register_superseded": world.older_register,
    }.items():
        if rows:
            put(store, table, list(rows))
    return store


@given(world=worlds(), pick=st.integers(0, 1000))
@settings(max_examples=examples(4), deadline=None)
def test_a_morning_of_a_store_that_knows_the_day_or_does_not_yet(world: World, pick: int) -> None:
    rows = History(world.known()).rows
    at = rows["accepted_at"][pick % rows.height]
    day: date = at.date()
    asked = rows.filter(pl.col("accepted_at").dt.date() == day)
    earlier = before(world, at.replace(hour=0, minute=0))
    with TemporaryDirectory() as name:
        folder = Path(name)
        store = _stored(world, folder / "later")
        night = cache.build(store, LABEL_DELAY_DAYS, folder / "night").scan().collect()
        expected = night.filter(pl.col("accepted_at").dt.date() == day)
        assert expected.select(KEY).equals(asked.select(KEY))
        mornings = [Morning.of(store, LABEL_DELAY_DAYS, folder / "night", day)]
        if any(chain(earlier.declarations, earlier.older_declarations)):
            known = _stored(earlier, folder / "earlier")
            mornings.append(Morning.of(known, LABEL_DELAY_DAYS, folder / "morning", day))
        assert len({morning.digest for morning in mornings}) == 1
        for morning in mornings:
            _asked_one_by_one_and_together(morning, asked, expected)
