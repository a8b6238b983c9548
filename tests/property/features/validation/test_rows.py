"""Judging distinct combinations of values gives the same as judging every row by hand."""

import re

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from features import contract
from features.validation.rows import validate
from tests.support.declarations import frame
from tests.support.examples import examples

ODD = st.sampled_from([None, "", " ", "10", "A-1", "a", "1\n", "٣", "0901.21", "90121", "090121", "ZZ", "KR", "UK"])
MASS = st.sampled_from([None, float("nan"), -1.0, -0.0, 0.0, 1e9, 1.1e9, 5e-324])
TEXTS = ("office", "hs_code", "origin_country", "seller_id", "import_use")
ROW = st.fixed_dictionaries({**dict.fromkeys(TEXTS, ODD), "net_mass_kg": MASS, "gross_mass_kg": MASS})
FIELDS = {field.name: field for field in contract.DECLARATION}


def fails(name: str, value: object) -> bool:
    """Whether a value breaks what the contract says of its column, said once more in plain Python."""
    field = FIELDS[name]
    if value is None or value != value:
        return not field.nullable
    if isinstance(value, str):
        pattern = (field.pattern or "").replace("$", r"\Z")
        if field.codes is not None and value not in field.codes():
            return True
        return bool(pattern) and re.match(pattern, value, re.ASCII) is None
    assert isinstance(value, float)
    return not (field.minimum or 0) <= value <= (field.maximum or 0)


@settings(max_examples=examples(4), deadline=None)
@given(st.lists(ROW, min_size=1, max_size=30))
def test_same_as_row_by_row(rows):
    lines = frame("declarations", rows).with_columns(source_line=pl.int_range(2, len(rows) + 2, dtype=pl.Int64))
    failures = validate("declarations", lines).failures
    from_contract = failures.filter(pl.col("expectation").str.contains("_given$|_as_patterned$|_list$|_bounds$"))
    found = set(from_contract.select("source_line", "column").rows())
    expected = {
        (line, name) for line, row in enumerate(rows, start=2) for name, value in row.items() if fails(name, value)
    }
    assert found == expected
    heavier = failures.filter(pl.col("expectation") == "gross_mass_kg_not_below_net")["source_line"].to_list()
    pairs = [(line, row["gross_mass_kg"], row["net_mass_kg"]) for line, row in enumerate(rows, start=2)]
    assert heavier == [line for line, gross, net in pairs if gross is not None and net is not None and gross < net]
