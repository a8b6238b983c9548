"""What is true of any message: rows or refusals and no error, nothing lost, forms and ingestion that agree."""

import json
from decimal import Decimal

import polars as pl
from hypothesis import example, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from features import contract
from features.messages import KINDS, Read, read
from features.messages.reader import JSON
from features.reading import conform
from features.validation import validate
from tests.support import messages
from tests.support.examples import examples
from tests.support.messages import ACCEPTED_AT, DECLARATION, ITEM, declaration

XML, EDIFACT = "application/xml", "application/edifact"
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]), min_size=1, max_size=12)
ID = st.text("ABCxyz0179-/_+:?'.,()ü中", min_size=1, max_size=20)
CODE = st.text("ABCXYZ0179", min_size=1, max_size=3)
NUMBER = st.decimals(0, 10**6, places=3, allow_nan=False).map(float)
GOOD_ITEM = st.fixed_dictionaries(
    {
        "procedure": st.text("0123456789", min_size=4, max_size=4),
        "import_type": CODE,
        "hs_code": st.sampled_from(["090121", "09012100", "0901210000", "64039100"]),
        "origin_country": st.sampled_from(["CO", "DE", "KR"]),
        "tax_rate_pct": st.decimals(0, 2000, places=2, allow_nan=False).map(float),
        "tax_type": CODE,
        "net_mass_kg": NUMBER,
        "item_value": NUMBER,
        "currency": st.sampled_from(["USD", "EUR", "JPY"]),
    },
    optional={"goods_description": st.none() | TEXT, "gross_mass_kg": st.none()},
)
GOOD = st.builds(
    lambda items, ids: declaration(*items, **ids),
    st.lists(GOOD_ITEM, min_size=1, max_size=4),
    st.fixed_dictionaries(
        dict.fromkeys(("declaration_id", "declarant_id", "importer_id"), ID), optional={"seller_id": st.none() | ID}
    ),
)
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**12), 10**12),
    st.floats(),
    st.text(max_size=6),
    st.sampled_from(["", "090121", "KR", "10", "a b", "\u200b", "1.0", "1E+05", 1, 10**30, [], {}, [{}]]),
)
ITEM_ODD = st.dictionaries(st.sampled_from([*ITEM, "office", "accepted_at", "x"]), ODD, max_size=4)
DECLARATION_ODD = st.builds(
    lambda items, changes: declaration(*items) | changes,
    st.lists(ITEM_ODD, min_size=1, max_size=3),
    st.dictionaries(st.sampled_from([*DECLARATION, "items", "recorded_at"]), ODD, max_size=2),
)


def ingested(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows written as text and read again as ingestion reads a file."""
    mapped = {field.name: conform.From(column=field.name) for field in contract.DECLARATION}
    lines = rows.with_columns(pl.all().cast(pl.String)).with_columns(
        source_line=pl.int_range(rows.height, dtype=pl.Int64)
    )
    return conform.conform("declarations", lines, mapped)


def none_is_lost(found: Read, told: list[dict]) -> None:
    """Each item of each declaration is a row or has refusals, unless a refusal concerns its whole declaration."""
    for place, each in enumerate(told):
        path = f"[{place}]." if len(told) > 1 else ""
        elements = [refusal.element for refusal in found.refusals]
        within = [element.removeprefix(path) for element in elements if element.startswith(path)]
        items = {element.partition("]")[0] for element in within if element.startswith("items[")}
        rows = found.rows.filter(pl.col("declaration_id") == each["declaration_id"]).height
        is_whole = any(not element.startswith("items[") for element in within)
        assert rows == 0 if is_whole else rows + len(items) == len(each["items"])


@settings(max_examples=examples(40), deadline=None)
@given(st.binary(max_size=200))
@example(b"UNA\x00\x00\x00\x00\x00\x00UNB")
@example(b"<Declaration xmlns='urn:wco:datamodel:WCO:DEC-DMS:2'/>")
def test_any_bytes_are_rows_or_refusals(content):
    for kind in KINDS:
        found = read(content, kind, ACCEPTED_AT)
        assert found.rows.height or found.refusals


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(DECLARATION_ODD, min_size=1, max_size=3))
def test_any_json_of_declarations_is_rows_or_refusals_and_ingestion_would_store_the_rows(told):
    found = read(json.dumps(told).encode(), JSON, ACCEPTED_AT)
    assert found.rows.height or found.refusals
    assert len(set(found.rows.select(contract.KEY).rows())) == found.rows.height
    again = ingested(found.rows)
    assert_frame_equal(again.select(found.rows.columns), found.rows)
    assert again["unreadable"].null_count() == found.rows.height


@settings(max_examples=examples(4), deadline=None)
@given(st.lists(DECLARATION_ODD, min_size=1, max_size=3))
def test_validation_refuses_none_of_the_rows(told):
    found = read(json.dumps(told).encode(), JSON, ACCEPTED_AT)
    numbered = found.rows.with_columns(source_line=pl.int_range(found.rows.height, dtype=pl.Int64))
    assert validate("declarations", numbered).failures.is_empty()


@settings(max_examples=examples(40), deadline=None)
@given(
    st.lists(
        st.builds(lambda items: declaration(*items), st.lists(ITEM_ODD, min_size=1, max_size=4)), min_size=1, max_size=3
    )
)
@example([declaration({"item_number": 0}, {"item_number": 0})])
def test_no_item_is_lost(told):
    named = [each | {"declaration_id": f"D{place}"} for place, each in enumerate(told)]
    none_is_lost(read(messages.in_json(*named), JSON, ACCEPTED_AT), named)


@settings(max_examples=examples(40), deadline=None)
@given(GOOD)
def test_the_forms_say_the_same_and_nothing_changes_on_the_way(told):
    expected = read(messages.in_json(told), JSON, ACCEPTED_AT)
    for content, kind in ((messages.in_xml(told), XML), (messages.in_edifact(told), EDIFACT)):
        found = read(content, kind, ACCEPTED_AT)
        assert_frame_equal(found.rows.drop("payment_type"), expected.rows.drop("payment_type"))
        assert len(found.refusals) >= len(expected.refusals) > 0 or found.refusals == expected.refusals == ()
    if not expected.refusals:
        numbers = [Decimal(repr(item["item_value"])) for item in told["items"]]
        assert [Decimal(repr(value)) for value in expected.rows["item_value"]] == numbers


@settings(max_examples=examples(60), deadline=None)
@given(GOOD, st.data())
def test_a_message_that_is_damaged_anywhere_is_rows_or_refusals(told, data):
    for content, kind in (
        (messages.in_json(told), JSON),
        (messages.in_xml(told), XML),
        (messages.in_edifact(told), EDIFACT),
    ):
        place = data.draw(st.integers(0, len(content)))
        damaged = content[:place] + data.draw(st.binary(max_size=3)) + content[place + data.draw(st.integers(0, 3)) :]
        found = read(damaged, kind, ACCEPTED_AT)
        assert found.rows.height or found.refusals
