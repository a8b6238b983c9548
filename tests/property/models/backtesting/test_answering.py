"""Traders know no future: what comes later changes nothing that is declared or chosen before."""

from dataclasses import replace
from functools import cache

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from models.backtesting.answering import Behaviour, Traders
from models.backtesting.replay import ReplayedWorld, replay
from models.backtesting.strategies import RiskProfile
from tests.support.examples import examples
from tests.support.replayed import LANES, SETTING, TARGETING, world

BEHAVIOUR = Behaviour(most_hits=2, bolder=0.9, away_weeks=(1, 3))


@cache
def _small() -> ReplayedWorld:
    return world()


def _replayed(small: ReplayedWorld) -> pl.DataFrame:
    traders = Traders.of(small, 3, BEHAVIOUR)
    return replay(small, RiskProfile(TARGETING), SETTING.retrain_weeks, LANES, seed=5, answering=traders)


_undisturbed = cache(lambda: _replayed(_small()))


@settings(max_examples=examples(4), deadline=None)
@given(week=st.integers(1, 11), seed=st.integers(0, 1000))
def test_the_truth_of_later_weeks_changes_no_earlier_answer_or_choice(week, seed):
    small, before = _small(), _undisturbed()
    assert before["is_moved"].any()
    assert before["is_renamed"].any()
    is_later = np.arange(len(small.truth)) >= small.weeks[week].start
    changed = pl.Series(is_later & (np.random.default_rng(seed).random(len(small.truth)) < 0.5))
    truth = small.truth.with_columns(
        is_illicit=pl.when(changed).then(~pl.col("is_illicit")).otherwise("is_illicit"),
        luck=pl.when(changed).then(0.0).otherwise("luck"),
    )
    after = _replayed(replace(small, truth=truth))
    until = pl.col("week") < week
    assert_frame_equal(before.filter(until), after.filter(until))
