"""What comes to be known later changes nothing that was estimated before."""

from datetime import date, datetime, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from models.detection import looks, measure
from tests.support.looks import rows

BEGIN = datetime(2024, 5, 1)
JUDGED = rows([("origin", "")] * 5).select(
    "declaration_id", "item_number", "office", pl.col("lane").cast(pl.String()), score=0.2, is_illicit=True
)
ROW = st.fixed_dictionaries(
    {
        "declaration_id": st.sampled_from([f"D{number}" for number in range(60)]),
        "item_number": st.integers(1, 3),
        "office": st.sampled_from(["010", "020"]),
        "lane": st.sampled_from(["red", "yellow"]),
        "first_kinds": st.sampled_from(["", "origin"]),
        "second_kinds": st.sampled_from(["origin", "origin quantity", ""]),
        "counts": st.sampled_from([None, 1, 2]),
        "known_at": st.integers(0, 10 * 24).map(lambda hours: BEGIN + timedelta(hours=hours)),
    }
)
ROWS = st.lists(ROW, max_size=120, unique_by=lambda row: (row["declaration_id"], row["item_number"], row["known_at"]))


@given(ROWS, st.integers(0, 10), st.randoms(use_true_random=False))
def test_later_looks_and_the_order_of_rows_change_nothing(told, days, order):
    before = date(2024, 5, 1) + timedelta(days=days)
    so_far = [row for row in told if row["known_at"].date() < before]
    shuffled = order.sample(told, len(told))
    first, second = (pl.DataFrame(each, schema=looks.SCHEMA) for each in (so_far, shuffled))
    assert measure(first, JUDGED, before, 0.95) == measure(second, JUDGED, before, 0.95)


@given(ROWS)
def test_what_is_illicit_is_never_less_than_what_is_found(told):
    for part in measure(pl.DataFrame(told, schema=looks.SCHEMA), JUDGED, date(2024, 6, 1), 0.95).parts:
        if part.illicit.value is not None:
            assert 0 <= part.illicit.low <= part.illicit.value <= part.illicit.high <= 1
            assert part.illicit.value >= part.found.value
            assert part.found_before <= part.found_again <= part.looked_at_twice
