"""Simulated worlds to rehearse on, whatever their preset."""

import polars as pl
import pytest

from features.contract import KEY
from features.simulator import Parameters, Preset
from models.backtesting import simulated


@pytest.mark.parametrize("preset", Preset)
def test_a_rehearsal_knows_each_finding_until_an_appeal_overturns_it(preset: Preset):
    past, truth = simulated(Parameters(rows=20_000, months=10, seed=3, preset=preset), 7)
    assert truth.select(KEY).is_unique().all()
    assert past.rows.height == 20_000
    found, taken_back = (past.found.filter(pl.col("sign") == sign) for sign in (1, -1))
    assert past.found.group_by(KEY).agg(pl.col("sign").sum())["sign"].unique().to_list() == [1]
    assert (taken_back.height > 5) is (preset is Preset.UNKIND)
    assert taken_back["is_illicit"].all()
    stands = found.sort("enter").unique(KEY, keep="last").join(taken_back, on=KEY, how="semi")
    assert not stands["is_illicit"].any()
