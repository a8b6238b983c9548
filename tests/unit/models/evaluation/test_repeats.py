import polars as pl
import pytest

from models.evaluation.repeats import IDENTITY, has_identical_earlier_row
from tests.support.scored import rows

EARLIER = rows(50, seed=1)


def test_copies_are_found_in_the_order_of_the_rows():
    mixed = pl.concat([rows(3, seed=2), EARLIER[10:12], rows(2, seed=3)])
    assert has_identical_earlier_row(EARLIER, mixed).to_list() == [False] * 3 + [True] * 2 + [False] * 2


@pytest.mark.parametrize("column", IDENTITY)
def test_one_other_value_makes_other_goods(column):
    changed = pl.lit("other") if EARLIER.schema[column] == pl.String else pl.col(column) + 1
    assert not has_identical_earlier_row(EARLIER, EARLIER[:5].with_columns(changed.alias(column))).any()


def test_who_declares_and_what_was_found_make_no_difference():
    other = EARLIER[:5].with_columns(declaration_id=pl.lit("new"), office=pl.lit("77"), is_illicit=pl.lit(value=True))
    assert has_identical_earlier_row(EARLIER, other).all()


def test_unknown_equals_unknown_and_repeats_do_not_multiply():
    twice = pl.concat([EARLIER[:5], EARLIER[:5]]).with_columns(tax_type=pl.lit(None, pl.String))
    assert has_identical_earlier_row(twice, twice).to_list() == [True] * 10


def test_nothing_earlier_means_none():
    assert not has_identical_earlier_row(EARLIER.clear(), EARLIER).any()
