from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from features.history.history import PRIOR_WEIGHT
from models.risk.encoder import Encoder
from tests.support.datasets import FEATURES, dataset
from tests.support.described import catalogued


def test_categories_are_sorted_and_without_null():
    encoder = Encoder.fit(dataset(), FEATURES)
    assert encoder.categories["tax_type"] == ("A", "C")
    assert [encoder.names[i] for i in encoder.categorical] == list(encoder.categories)


def test_a_category_never_seen_is_missing_as_null_is():
    encoder = Encoder.fit(dataset(), FEATURES)
    rows = dataset(rows=3).with_columns(office=pl.Series(["20", "new", None]))
    assert np.isnan(encoder.encode(rows)[:, encoder.names.index("office")]).tolist() == [False, True, True]


def test_a_column_of_nulls_is_unknown_throughout():
    encoder = Encoder.fit(dataset(), FEATURES)
    rows = dataset(rows=3).with_columns(office=None, item_value=None)
    matrix = encoder.encode(rows)
    assert np.isnan(matrix[:, [encoder.names.index("office"), encoder.names.index("item_value")]]).all()


def test_a_categorical_without_any_value_in_training():
    rows = dataset(rows=3).with_columns(office=pl.lit(None, pl.String))
    assert np.isnan(Encoder.fit(rows, FEATURES).encode(dataset(rows=3))[:, 0]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.drop("office"), "feature column 'office' is not in the frame"),
        (lambda rows: rows.with_columns(office=1), "feature column 'office' is Int32; allowed: String"),
        (
            lambda rows: rows.with_columns(item_value=pl.lit("9")),
            "feature column 'item_value' is String; allowed: a ",
        ),
    ],
)
def test_wrong_columns_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        Encoder.fit(change(dataset(rows=3)), FEATURES)


def test_json_round_trip():
    encoder = Encoder.fit(dataset(), FEATURES)
    assert Encoder.from_json(encoder.as_json()) == encoder


CODED = Encoder(("value", "office"), {"office": ("A", "B", "C")})
COLUMNS = pl.DataFrame({"office": ["C", "never seen", None, "B"], "value": [1.0, 2.0, 3.0, 4.0]})


@pytest.mark.parametrize(
    ("codes", "expected", "categorical"),
    [
        ("categories", [2.0, np.nan, np.nan, 1.0], [1]),
        ("numbers", [2.0, np.nan, np.nan, 1.0], []),
        ("none", [np.nan, np.nan, np.nan, np.nan], []),
    ],
)
def test_codes_are_given_as_categories_as_numbers_or_not_at_all(codes, expected, categorical):
    encoder = CODED.giving(CODED.smoothing, codes)
    np.testing.assert_array_equal(encoder.encode(COLUMNS)[:, 1], np.float32(expected))
    assert encoder.encode(COLUMNS)[:, 0].tolist() == [1.0, 2.0, 3.0, 4.0]
    assert encoder.categorical == categorical
    assert Encoder.from_json(encoder.as_json()) == encoder


def test_what_is_older_than_the_choice_gives_categories_and_stays_as_it_was_written():
    written = {"names": ["office"], "categories": {"office": ["A"]}, "smoothing": 10.0, "base_rate": 0.5}
    assert Encoder.from_json(written).codes == "categories"
    assert Encoder.from_json(written).as_json() == written


def test_a_way_to_give_codes_that_is_not_known_is_refused():
    written = CODED.as_json() | {"codes": "hashes"}
    with pytest.raises(ValueError, match="codes is 'hashes'; allowed: categories, numbers, none"):
        Encoder.from_json(written)


@pytest.mark.parametrize("smoothing", [2.0, 10.0, 60.0])
def test_smoothing_is_as_if_the_rates_had_been_counted_so(smoothing):
    hits, inspections, usual = np.array([0.0, 3.0, 40.0]), np.array([0.0, 4.0, 100.0]), 0.25
    names = ("hit_rate_office", "inspections_office", "hs6_hit_rate_365d")
    features = catalogued(*names)

    def counted(weight: float) -> np.ndarray:
        return (hits + weight * usual) / (inspections + weight)

    rows = pl.DataFrame(
        {names[0]: counted(PRIOR_WEIGHT), names[1]: inspections, names[2]: hits, "is_illicit": [True, *3 * [False]][:3]}
    )
    encoder = replace(Encoder.fit(rows, features), base_rate=usual).giving(smoothing, "categories")
    matrix = encoder.encode(rows)
    assert matrix[:, 0] == pytest.approx(counted(smoothing), rel=1e-5)
    assert matrix[:, 1:].tolist() == np.column_stack([inspections, hits]).tolist()
    assert Encoder.from_json(encoder.as_json()) == encoder


def test_numbers_of_any_type_become_single_precision():
    encoder = Encoder(("whole", "double", "truth", "unknown", "single"), {})
    rows = pl.DataFrame(
        {
            "whole": [3, None],
            "double": [0.1, None],
            "truth": [True, None],
            "unknown": [None, None],
            "single": [0.1, None],
        },
        schema_overrides={"single": pl.Float32},
    )
    tenth = float(np.float32(0.1))
    matrix = encoder.encode(rows)
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix, [[3, tenth, 1, np.nan, tenth], [np.nan] * 5])


def test_codes_that_training_met_can_be_looked_up():
    encoder = Encoder(("office", "item_value"), {"office": ("A", "B")})
    assert encoder.known_codes == {"office": {"A", "B"}}
