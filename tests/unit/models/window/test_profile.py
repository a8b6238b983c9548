"""The risk profile that takes a model's place: past hits and duties, and nothing where nothing is known."""

import math

import polars as pl

from models.window.profile import profiled


def test_past_hits_and_duties_speak_for_a_place_and_nothing_else_does():
    known = pl.DataFrame(
        {
            "importer_hit_rate_365d": [0.2, None, 0.25, None],
            "hs6_hit_rate_365d": [0.4, 0.5, None, None],
            "duty_at_stake": [100.0, None, math.nan, -5.0],
        }
    )
    found = profiled(known)
    assert found["score"].round(9).to_list() == [0.3, 0.5, 0.25, 0.0]
    assert found["critical"].to_list() == [0.0] * 4
    assert found["revenue_if_illicit"].to_list() == [100.0, 0.0, 0.0, 0.0]
