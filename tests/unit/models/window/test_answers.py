"""Some answers of the window are the night's, bit for bit, and one bit more is noticed; see tests.trials.answers."""

import math
import random

import polars as pl
import pytest

from models.decisions import DecisionLog
from tests.trials import answers


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("answers")


@pytest.fixture(scope="module")
def found(world, folder):
    count = world.declared["declaration_id"].n_unique() + 1  # the day before is asked about, too
    return answers.compared(world, count, folder, random.Random(1))


def test_answers_are_the_nights_features_scores_and_reasons(world, found):
    assert (found["declarations"], found["days"]) == (world.declared["declaration_id"].n_unique() + 1, 2)
    assert found["features"] == found["items"] * len(answers.CATALOGUE)
    assert found["reasons"] >= found["items"]


def test_items_asked_about_together_have_the_features_that_each_has_alone_though_their_rates_are_equal(world):
    morning, day = world.workspace.morning(world.day), world.declared
    usual = day["tax_rate_pct"] - morning.features(day)["rate_gap_hs6"].cast(pl.Float64)
    (place, *_) = usual.eq(0).arg_true()  # less which a rate of zero is zero, and not -0.0
    items = [pl.DataFrame([day.row(place, named=True) | {"tax_rate_pct": 0.0}], day.schema) for _ in range(2)]
    alone = [repr(morning.features(item).rows()[0]) for item in items]
    assert [repr(row) for row in morning.features(pl.concat(items)).rows()] == alone


def _other_feature(said, place):
    values = [*said["features"]]
    values[place] = math.nextafter(values[place], 9e9)
    return said | {"features": tuple(values)}


def _other_number(name):
    return lambda said: said | {name: math.nextafter(said[name], 9e9)}


def _other_reason(said):
    told = {
        language: [each | {"sentence": f"{each['sentence']}!"} for each in of]
        for language, of in said["reasons"].items()
    }
    return said | {"reasons": told}


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("item_value", lambda said: _other_feature(said, answers._NAMES.index("item_value"))),
        ("score", _other_number("score")),
        ("expected_revenue", _other_number("expected_revenue")),
        ("reasons", _other_reason),
    ],
)
@pytest.mark.usefixtures("found")
def test_one_bit_that_differs_is_named(world, folder, name, change):
    with answers.closing(DecisionLog(f"sqlite:///{folder / f'{world.day}.db'}")) as log:
        decision = next(log.of_day(world.day))
    night = answers.nights(world)
    answers.hold(decision, night)
    key = (decision.declaration_id, decision.items[0].item_number)
    with pytest.raises(AssertionError, match=rf"{key[0]}, item {key[1]}: {name} (is|are) .*; the night says"):
        answers.hold(decision, night | {key: change(night[key])})
