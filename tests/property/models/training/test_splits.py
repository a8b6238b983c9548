from datetime import timedelta
from itertools import pairwise

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from features.contract import KEY
from models.training.splits import split_by_time
from tests.support.datasets import TRAINING, dataset
from tests.support.examples import examples


@settings(max_examples=examples(40), deadline=None)
@given(
    seed=st.integers(0, 10_000),
    delay=st.integers(0, 15),
    late=st.integers(0, 40),
    shares=st.tuples(st.floats(0.05, 0.3), st.floats(0.05, 0.3)),
)
def test_parts_never_overlap_and_never_know_the_future(seed, delay, late, shares):
    rows = dataset(rows=400, seed=seed)
    known = pl.col("accepted_at").dt.date() + pl.duration(days=delay + (pl.col("net_mass_kg") % (late + 1)).cast(int))
    training = TRAINING.model_copy(update={"validation_share": shares[0], "test_share": shares[1]})
    split = split_by_time(rows.with_columns(known_on=known), training, delay)

    parts = [split.train, split.validation, split.test]
    keys = pl.concat([part.select(KEY) for part in parts])
    assert keys.height == keys.unique().height
    for earlier, later in pairwise(parts):
        start = later["accepted_at"].min().date()
        assert earlier["known_on"].max() < start
        assert earlier["accepted_at"].max().date() < start - timedelta(days=delay)
    for part in parts[:2]:
        assert part.join(split.before_test, on=KEY, how="anti").is_empty()
    assert split.before_test.join(split.test, on=KEY, how="semi").is_empty()
