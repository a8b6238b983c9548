"""Rules asked at once refuse the same values, for the same reasons, as Great Expectations does."""

from datetime import datetime

import polars as pl
from hypothesis import example, given, settings
from hypothesis import strategies as st

from features import contract
from features.validation import at_once
from features.validation.rows import judge
from features.validation.verdicts import BATCH
from tests.support.declarations import frame
from tests.support.examples import examples

ODD = ["", " ", "10", "A-1", "a", "1\n", "٣", "é", "a b", "0901.21", "90121", "090121", "779911", "ZZ", "KR", "UNKNOWN"]
TEXT = st.one_of(st.none(), st.sampled_from(ODD), st.text(max_size=4))
NUMBER = st.sampled_from([None, float("nan"), -1.0, -0.0, 0.0, 8.0, 2000.0, 2000.5, 1e9, 1.1e9, 1e16, 5e-324])
INSTANT = st.sampled_from(
    [None, datetime(1989, 12, 31), datetime(1990, 1, 1), datetime(2024, 3, 1, 9), datetime(2100, 1, 1)]
)
WHOLE = st.sampled_from([None, -1, 0, 1, 9999, 10000])
OF_TYPE = {contract.TEXT: TEXT, contract.NUMBER: NUMBER, contract.INSTANT: INSTANT, contract.WHOLE: WHOLE}
ROW = st.fixed_dictionaries({}, optional={field.name: OF_TYPE[field.dtype] for field in contract.DECLARATION})


@settings(max_examples=examples(6), deadline=None)
@given(st.lists(ROW, min_size=1, max_size=20))
@example([{"goods_description": "x" * length} for length in (10_000, 10_001)])
@example([{"recorded_at": datetime(2024, 3, 1, 9)}, {"recorded_at": datetime(2024, 3, 1)}, {"gross_mass_kg": 99.0}])
def test_same_as_great_expectations(rows):
    found = at_once.refused("declarations", frame("declarations", rows))
    lines = frame("declarations", rows).with_columns(
        source_line=pl.int_range(len(rows), dtype=pl.Int64), **{BATCH: pl.lit(0, pl.UInt32)}
    )
    expected = {
        (line, finding.column, finding.says)
        for finding in judge("declarations", lines)
        if finding.severity == "row"
        for line in finding.failing["source_line"]
    }
    assert {(each.row, each.column, each.allowed) for each in found} == expected
    assert len(found) == len(expected)
