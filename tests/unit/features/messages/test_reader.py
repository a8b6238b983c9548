"""What `read` promises of any form: rows equal to what was declared, customs' clock, bounds, and no other exception."""

from datetime import UTC, datetime

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from features.messages import KINDS, read
from features.messages.reader import JSON
from tests.support import messages
from tests.support.messages import ACCEPTED_AT, declaration

XML, EDIFACT = "application/xml", "application/edifact"
TWO = declaration({}, {"hs_code": "640391", "net_mass_kg": 7.5, "goods_description": "Shoes: men's + women's?"})


@pytest.mark.parametrize(
    ("kind", "content"),
    [(JSON, messages.in_json(TWO)), (XML, messages.in_xml(TWO)), (EDIFACT, messages.in_edifact(TWO))],
)
def test_each_form_becomes_the_rows_that_were_declared(kind, content):
    found = read(content, kind, ACCEPTED_AT)
    expected = messages.rows(TWO)
    if kind == EDIFACT:  # which has no segment for it that is read
        expected = expected.with_columns(payment_type=pl.lit(None, pl.String))
    assert found.refusals == ()
    assert_frame_equal(found.rows, expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("content", [b"", b"\x00", b"\xff\xfe", b"{", b"<a", b"UNA", b"[]", "ü".encode("latin-1")])
def test_what_is_no_message_is_one_refusal_of_the_whole(kind, content):
    found = read(content, kind, ACCEPTED_AT)
    assert found.rows.is_empty()
    (refusal,) = found.refusals
    assert (refusal.declaration, refusal.item) == (None, None)
    assert refusal.value
    assert refusal.allowed


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_may_have_as_many_bytes_as_it_is_told_and_no_more(kind):
    content = {JSON: messages.in_json, XML: messages.in_xml, EDIFACT: messages.in_edifact}[kind](TWO)
    assert read(content, kind, ACCEPTED_AT, most_bytes=len(content)).rows.height == 2
    (refusal,) = read(content, kind, ACCEPTED_AT, most_bytes=len(content) - 1).refusals
    assert str(refusal) == f"message: {len(content):,} bytes; expected: at most {len(content) - 1:,} bytes"


def test_ten_megabytes_are_the_usual_bound():
    assert "at most 10,000,000 bytes" in str(read(b" " * 10_000_001, JSON, ACCEPTED_AT).refusals[0])


def test_another_media_type_and_a_clock_with_a_zone_are_errors_of_the_caller():
    with pytest.raises(ValueError, match="kind 'text/xml' is not read; allowed: application/json"):
        read(b"", "text/xml", ACCEPTED_AT)
    with pytest.raises(ValueError, match="has a zone"):
        read(b"", JSON, datetime(2024, 3, 1, tzinfo=UTC))
