"""What holds of the simulator for any seed and any span."""

from datetime import date

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from features import contract
from features.contract import KEY
from features.simulator import Parameters, Preset, Tables, generate
from tests.support.examples import examples

PARAMETERS = st.builds(
    Parameters,
    rows=st.integers(1000, 2500),
    start=st.dates(date(2019, 1, 1), date(2026, 12, 31)),
    months=st.integers(1, 14),
    seed=st.integers(0, 2**63),
    preset=st.sampled_from(Preset),
)


@settings(max_examples=examples(6), deadline=None)
@given(PARAMETERS)
def test_any_parameters_give_a_whole_and_consistent_world(parameters: Parameters):
    tables = generate(parameters)
    for name in contract.TABLES:
        frame: pl.DataFrame = getattr(tables, name)
        assert frame.drop("arrives").schema == contract.schema(name)
        assert frame["arrives"].is_between(0, parameters.months - 1).all()
        # Sorted by file and then by time, as the files are.
        when = frame.select("arrives", contract.FILING[name].placed_by)
        assert when.equals(when.sort(when.columns))
    assert tables.declarations.select(KEY).unique().height == parameters.rows
    first, *_, end = parameters.first_days()
    assert tables.declarations["accepted_at"].dt.date().is_between(first, end, closed="left").all()
    assert (tables.outcomes["known_at"].dt.date() < end).all()
    assert (tables.outcomes["known_at"] >= tables.outcomes["accepted_at"]).all()

    planted = tables.truth.select(*KEY, truly="is_illicit", evaded="evaded_revenue")
    results = tables.outcomes.join(planted, on=KEY, how="left", validate="m:1")
    assert results["truly"].null_count() == 0
    assert results.filter(pl.col("is_critical") & ~pl.col("is_illicit")).height == 0
    # Versions of one outcome are told apart by the instant that they carry.
    assert not results.select(pl.struct(*KEY, "known_at").is_duplicated().any()).item()
    if parameters.preset is Preset.PLAIN:
        assert results.select(KEY).is_unique().all()
        assert results.filter(pl.col("is_illicit") & ~pl.col("truly")).height == 0
        assert (results["recovered_revenue"] <= results["evaded"]).all()
    declared = tables.declarations.group_by(KEY).agg(pl.col("arrives").min().alias("declared"))
    for table in (tables.outcomes, tables.truth):
        assert (table.join(declared, on=KEY).select((pl.col("arrives") >= pl.col("declared")).all()).item()) is True


@settings(max_examples=examples(3), deadline=None)
@given(PARAMETERS)
def test_the_same_parameters_give_the_same_world(parameters: Parameters):
    first, second = generate(parameters), generate(parameters)
    _assert_same(first, second)
    other = generate(parameters.model_copy(update={"seed": parameters.seed + 1}))
    assert not first.declarations.equals(other.declarations)


def _assert_same(first: Tables, second: Tables) -> None:
    for name in contract.TABLES:
        assert_frame_equal(getattr(first, name), getattr(second, name), check_exact=True)
