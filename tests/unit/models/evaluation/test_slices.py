import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from models.evaluation import slices
from models.evaluation.figures import sample_of
from tests.support.scored import SMALL, rows, scores

TEST = rows(600)


def measured(test, repeats=None):
    repeats = pl.Series([False] * test.height, dtype=pl.Boolean) if repeats is None else repeats
    labels = slices.label(test, repeats)
    found = slices.measure(labels, sample_of(test), scores(test).score, SMALL.evaluation, seed=1)
    return {(s.dimension, s.value): s for s in found}


def test_every_dimension_holds_every_row_once():
    found = measured(TEST)
    sizes = {}
    for (dimension, _), part in found.items():
        sizes[dimension] = sizes.get(dimension, 0) + part.rows
    assert sizes == dict.fromkeys(
        ["office", "HS section", "origin region", "importer", slices.IDENTICAL_EARLIER_ROW], 600
    )
    assert ("HS section", "II vegetable products") in found
    assert ("origin region", "Eastern Asia") in found
    assert ("origin region", "unknown") in found  # ZZ


def test_figures_are_those_of_the_slices_rows():
    part = TEST.filter(pl.col("office") == "20")
    found = measured(TEST)["office", "20"]
    assert (found.rows, found.hits) == (part.height, part["is_illicit"].sum())
    assert found.roc_auc.value == pytest.approx(
        roc_auc_score(part["is_illicit"], scores(TEST).score[TEST["office"] == "20"])
    )
    assert found.roc_auc.low < found.roc_auc.value < found.roc_auc.high


def test_new_importers_are_those_without_declarations():
    new = TEST.filter(pl.col("importer_declarations_365d") == 0)
    assert measured(TEST)["importer", "new"].rows == new.height
    unknown = TEST.with_columns(importer_declarations_365d=pl.lit(None, pl.Float32))
    assert measured(unknown)["importer", "unknown"].rows == 600


def test_rows_with_and_without_a_copy_are_always_reported():
    none = measured(TEST)[slices.IDENTICAL_EARLIER_ROW, "yes"]
    assert (none.rows, none.roc_auc.value, none.roc_auc.reason) == (0, None, "no rows")
    some = measured(TEST, pl.Series([True] * 100 + [False] * 500))
    assert some[slices.IDENTICAL_EARLIER_ROW, "yes"].rows == 100
    assert some[slices.IDENTICAL_EARLIER_ROW, "no"].rows == 500


def test_a_slice_of_hits_only_or_none_has_no_auc_but_a_reason():
    test = TEST.with_columns(is_illicit=pl.when(pl.col("office") == "10").then(True).otherwise(False))
    found = measured(test)
    assert found["office", "10"].roc_auc.reason == f"all {found['office', '10'].rows} rows are hits"
    assert found["office", "10"].average_precision.value == 1
    assert found["office", "20"].average_precision.reason == f"no hits among {found['office', '20'].rows} rows"


def test_no_rows_at_all():
    assert {s.reason for s in (part.roc_auc for part in measured(TEST.clear()).values())} == {"no rows"}
