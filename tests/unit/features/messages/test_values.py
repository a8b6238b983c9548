"""Single values: types, blanks, invisible characters, numbers of every kind, and how a value is shown."""

import math

import pytest

from features import contract
from features.messages import values
from features.messages.values import Unreadable

FIELDS = {field.name: field for field in contract.DECLARATION}


def read(name: str, given: object, *, is_text: bool = False):
    return values.read(FIELDS[name], given, is_text=is_text)


@pytest.mark.parametrize("given", [None, "", "  ", "\t\n"])
@pytest.mark.parametrize("name", ["importer_id", "net_mass_kg", "item_number", "goods_description"])
def test_nothing_and_blanks_are_nothing(name, given):
    assert read(name, given) is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (" I7 ", "I7"),
        ("\ufeffI7\u200b", "I7"),
        ("\u00a0I7", "I7"),
        ("e\u0301", "\u00e9"),
        ("I7\n", "I7"),
        ("\x00I7", "I7"),
        ("7I", "7I"),
        ("0701", "0701"),
    ],
)
def test_an_id_is_cleaned_at_its_ends_as_ingestion_does(given, expected):
    assert read("importer_id", given) == expected


@pytest.mark.parametrize("given", ["I\u20607", "I\u200d7", "I\x007"])
def test_an_id_with_a_character_that_nobody_sees_is_unreadable(given):
    with pytest.raises(Unreadable, match="nobody sees"):
        read("importer_id", given)


def test_words_may_have_joiners_and_line_breaks():
    assert read("goods_description", " نان\u200cبرنجی\nA\x00 ") == "نان\u200cبرنجی\nA"


@pytest.mark.parametrize("given", ["1001.0", "12.00", "1E+05", "2.5e+10"])
def test_an_id_that_a_spreadsheet_spoilt_is_unreadable(given):
    with pytest.raises(Unreadable, match="all its digits"):
        read("importer_id", given)
    assert read("goods_description", given) == given


@pytest.mark.parametrize("given", [7, 7.0, True, [], {}])
def test_text_is_text(given):
    with pytest.raises(Unreadable, match=r"^text$"):
        read("importer_id", given)


@pytest.mark.parametrize("name", ["importer_id", "goods_description"])
def test_half_a_character_is_unreadable(name):
    with pytest.raises(Unreadable, match="whole characters"):
        read(name, "a\ud800")


@pytest.mark.parametrize("given", [math.nan, math.inf, -math.inf, 10**400, True, "8", [8]])
def test_a_number_in_json_is_a_finite_number(given):
    with pytest.raises(Unreadable, match="a finite number"):
        read("net_mass_kg", given)


def test_whole_numbers_are_numbers_too():
    assert (read("net_mass_kg", 8), read("item_number", 8)) == (8.0, 8)
    for given in (999_999_999, -999_999_999):
        assert read("item_number", given) == given


@pytest.mark.parametrize("given", [1.0, True, 10**9, -(10**9), "1"])
def test_the_number_of_an_item_in_json_is_whole(given):
    with pytest.raises(Unreadable, match="a whole number of at most 9 digits"):
        read("item_number", given)


@pytest.mark.parametrize(("given", "expected"), [("12.5", 12.5), (" 12 ", 12.0), ("-0.5", -0.5), ("+3", 3.0)])
def test_numbers_in_text_are_decimal(given, expected):
    assert read("net_mass_kg", given, is_text=True) == expected


@pytest.mark.parametrize("given", ["1e3", "1,5", ".5", "5.", "٣", "NaN", "inf", "0x10", "1_000", "1 000", "9" * 41])
def test_other_numbers_in_text_are_unreadable(given):
    with pytest.raises(Unreadable, match="a decimal number, as"):
        read("net_mass_kg", given, is_text=True)


@pytest.mark.parametrize("given", ["1.0", "-1", "٣", "1234567890", "1e2"])
def test_the_number_of_an_item_in_text_has_digits_alone(given):
    assert read("item_number", "007", is_text=True) == 7
    with pytest.raises(Unreadable, match="a whole number"):
        read("item_number", given, is_text=True)


def test_a_value_is_shown_short_and_printable():
    assert values.shown("x" * 60) == f"'{'x' * 60}'"
    assert values.shown("x" * 61) == f"'{'x' * 60}...'"
    assert values.shown("\ud800\u202e\n") == "'\\ud800\\u202e\\n'"
    assert values.shown(10**100) == "1" + "0" * 59
    assert [values.shown(each) for each in (True, False, {}, math.nan)] == ["true", "false", "an object", "nan"]


@pytest.mark.parametrize("given", ["1E999999999", "-", "0x1"])
def test_a_sum_of_what_is_no_number_is_what_was_given(given):
    assert values.added(["1", given]) == f"1, {given}"


def test_a_sum_is_exact():
    assert values.added(["0.1", "0.2", "-0.05"]) == "0.25"
