"""No knowledge of the future: nothing that comes later or was not inspected changes an earlier choice."""

from dataclasses import replace
from functools import cache

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from models.backtesting.replay import replay
from models.backtesting.strategies import Bacuda, Product, RiskProfile
from tests.support.examples import examples
from tests.unit.models.backtesting.test_replay import FEW, LANES, QUICK, SETTING, TARGETING, world

_STRATEGIES = {
    "risk_profile": RiskProfile(TARGETING),
    "bacuda": Bacuda(TARGETING, seed=1),
    "exploring": Product(QUICK, explores=True, features=FEW),
}
_CHOICE = ("declaration_id", "item_number", "lane", "reason", "selection_probability")


@cache
def _small():
    return world()


@cache
def _undisturbed(name: str) -> pl.DataFrame:
    return replay(_small(), _STRATEGIES[name], SETTING.retrain_weeks, LANES, seed=5)


@settings(max_examples=examples(5), deadline=None)
@given(
    name=st.sampled_from(sorted(_STRATEGIES)),
    week=st.integers(1, 11),
    seed=st.integers(0, 1000),
)
def test_the_truth_of_later_weeks_and_of_what_was_not_inspected_changes_no_earlier_choice(name, week, seed):
    small, before = _small(), _undisturbed(name)
    start = small.weeks[0].start
    is_later = np.arange(len(small.truth)) >= small.weeks[week].start
    is_unseen = np.zeros(len(small.truth), np.bool_)
    is_unseen[start : small.weeks[-1].stop] = (before["lane"] == "green").to_numpy()
    rng = np.random.default_rng(seed)
    changed = pl.Series((is_later | is_unseen) & (rng.random(len(small.truth)) < 0.5))
    truth = small.truth.with_columns(
        is_illicit=pl.when(changed).then(~pl.col("is_illicit")).otherwise("is_illicit"),
        is_critical=pl.when(changed).then(~pl.col("is_critical")).otherwise("is_critical"),
        evaded_revenue=pl.when(changed).then(1e6).otherwise("evaded_revenue"),
        luck=pl.when(changed).then(0.0).otherwise("luck"),
    )
    after = replay(replace(small, truth=truth), _STRATEGIES[name], SETTING.retrain_weeks, LANES, seed=5)
    until = pl.col("week") <= week
    assert_frame_equal(before.filter(until).select(_CHOICE), after.filter(until).select(_CHOICE))
