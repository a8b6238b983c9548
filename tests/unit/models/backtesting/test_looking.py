"""Ways to look: what each wants, that all of it has a known chance, and that the places stay those of the product."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from models.backtesting.looking import WAYS, Looking, floor, thompson
from models.backtesting.replay import ReplayedWorld, replay
from models.backtesting.strategies import Product
from models.risk import RiskModel
from tests.support.replayed import LANES, QUICK, SETTING, world
from tests.unit.models.backtesting.test_replay import FEW


@pytest.fixture(scope="module")
def small() -> ReplayedWorld:
    return replace(world(), weeks_replayed=3)


@pytest.fixture(scope="module")
def known(small: ReplayedWorld) -> pl.DataFrame:
    return small.inspected


@pytest.fixture(scope="module")
def model(known: pl.DataFrame) -> RiskModel:
    return Product(QUICK, explores=False, features=FEW).model(known)


@pytest.fixture(scope="module")
def week(small: ReplayedWorld) -> pl.DataFrame:
    rows = small.weeks[0]
    return pl.concat([small.fixed[rows], small.features(rows, small.found)], how="horizontal")


@pytest.fixture(scope="module")
def plain(small: ReplayedWorld) -> pl.DataFrame:
    return replay(small, Product(QUICK, explores=False, features=FEW), SETTING.retrain_weeks, LANES, seed=5)


@pytest.mark.parametrize("name", WAYS)
def test_every_declaration_has_a_chance_and_all_places_stay(small, plain, name):
    log = replay(small, Looking(QUICK, WAYS[name], features=FEW), SETTING.retrain_weeks, LANES, seed=5)
    assert log["selection_probability"].min() > QUICK.targeting.random_share
    assert plain["selection_probability"].min() == QUICK.targeting.random_share
    explored = log.filter(pl.col("reason") == "exploration").height
    assert 0 < explored < 0.2 * log.filter(pl.col("lane") != "green").height  # a tenth of the places, but few are there
    per_lane = [each.group_by("office", "accepted_on", "lane").len().sort(pl.all()) for each in (log, plain)]
    inspected = [each.filter(pl.col("lane") != "green") for each in per_lane]
    assert_frame_equal(*inspected)


def test_without_places_of_its_own_it_is_the_product(small, plain):
    log = replay(small, Looking(QUICK, floor, share=0.0, features=FEW), SETTING.retrain_weeks, LANES, seed=5)
    assert_frame_equal(log, plain)


def test_a_small_chapter_gets_as_many_looks_as_one_of_mean_size(model):
    week = pl.DataFrame({"office": ["1"] * 8, "hs2": ["61"] * 6 + ["24"] * 2})
    wanted = floor(model, pl.DataFrame())(week, np.empty((8, 0)), np.random.default_rng(1))
    assert wanted.tolist() == [1.0] * 6 + [2.0] * 2  # 4 is the mean size


def test_groups_in_which_looks_found_much_are_drawn_high(model, known, week):
    """Only looks by chance count. Looks chosen for value would make every group that scores high seem rich."""
    matrix = model.encoder.encode(week)
    best, other = known["office"].unique().sort()[:2]

    def mean_rate(reason: str) -> float:
        looked = known.with_columns(reason=pl.lit(reason), is_illicit=pl.col("office") == best)
        wanted = thompson(model, looked)(week, matrix, np.random.default_rng(1))
        return wanted[(week["office"] == best).to_numpy()].mean() - wanted[(week["office"] == other).to_numpy()].mean()

    assert mean_rate("random") > 0.4
    assert mean_rate("exploration") > 0.4
    assert abs(mean_rate("value")) < 0.1


def test_models_that_learned_from_other_rows_disagree_most_where_labels_say_little(model, known, week):
    matrix = model.encoder.encode(week)
    wanted = WAYS["disagreement"](model, known)(week, matrix, np.random.default_rng(1))
    certain = WAYS["disagreement"](model, known.with_columns(is_illicit=pl.lit(value=False)))
    assert (wanted > 0).mean() > 0.9
    assert certain(week, matrix, np.random.default_rng(1)).max() == pytest.approx(0, abs=1e-12)


def test_an_alarm_is_the_largest_jump_of_a_patterns_share(model):
    entities = ("importer", "importer_hs6", "importer_origin", "seller", "seller_origin", "hs6", "hs6_origin")
    nothing = [0.0] * 3
    counts = {
        f"{entity}_declarations_{days}d": nothing for entity in (*entities, "office", "route") for days in (30, 90)
    }
    # The importer had 5 declarations in 30 days and 20 in the 60 before; of these goods 0 and 0, or 2 and 8.
    counts |= {"importer_declarations_30d": [5.0, 5.0, 5.0], "importer_declarations_90d": [25.0, 25.0, 25.0]}
    counts |= {"importer_hs6_declarations_30d": [0.0, 2.0, 2.0], "importer_hs6_declarations_90d": [0.0, 10.0, 2.0]}
    counts |= {f"importer_origin_declarations_{days}d": counts[f"importer_declarations_{days}d"] for days in (30, 90)}
    wanted = WAYS["alarms"](model, pl.DataFrame())(pl.DataFrame(counts), np.empty((3, 0)), np.random.default_rng(1))

    def jump(late: float, expected: float) -> float:
        return late * np.log(late / expected) - (late - expected) if late > expected else 0.0

    by_hand = [jump(1, 6 * 0.5 / 21), jump(3, 6 * 8.5 / 21), jump(3, 6 * 0.5 / 21)]
    # Patterns that nobody has declared before are no jump: one declaration of half a one expected, of one in all.
    least = jump(1, 1 * 0.5 / 1)
    np.testing.assert_allclose(wanted, np.maximum(by_hand, least))
    assert wanted[2] > wanted[0] > wanted[1]
