"""What a criterion may say, what it matches, and what is refused because the contract or sense forbids it."""

import re
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from pydantic import ValidationError

from features import contract
from models.criteria import Condition, Criterion, InForce
from models.criteria.criterion import COLUMNS, check, parse, read
from tests.support.criteria import condition, criterion

ROW = {
    **dict.fromkeys((field.name for field in contract.DECLARATION), None),
    "importer_id": "FR1",
    "hs_code": "240220",
    "origin_country": "CN",
    "office": "010",
    "item_value": 100.0,
    "net_mass_kg": 40.0,
    "goods_description": "Cigarettes, filter tipped",
}
FILE = b"""
name = "tobacco-from-cn"
lane = "red"
places = 2
begins_on = 2024-05-02
ends_on = 2024-05-16

[[conditions]]
column = "hs_code"
operator = "begins with"
values = ["2402", "2403"]

[[conditions]]
column = "value_per_kg"
operator = "below"
values = [4]
"""


@pytest.mark.parametrize(
    ("asked", "does"),
    [
        (("importer_id", "in", "FR0", "FR1"), True),
        (("importer_id", "in", "FR10", "fr1"), False),
        (("importer_id", "not in", "FR1"), False),
        (("importer_id", "not in", "FR2"), True),
        (("seller_id", "in", "S1"), False),  # nothing is declared
        (("seller_id", "not in", "S1"), False),
        (("hs_code", "begins with", "2403", "2402"), True),
        (("hs_code", "begins with", "02"), False),
        (("goods_description", "contains", "FILTER"), True),
        (("goods_description", "contains", "cigars"), False),
        (("item_value", "at least", 100.0), True),
        (("item_value", "below", 100.0), False),
        (("value_per_kg", "at least", 2.5), True),
        (("value_per_kg", "below", 2.5), False),
        (("value_per_kg", "below", 2.500001), True),
    ],
)
def test_a_condition_holds_or_not(asked, does):
    assert condition(*asked).holds(ROW) is does
    assert criterion("one", condition(*asked)).matches(ROW) is does


def test_all_conditions_hold_together():
    both = criterion("both", condition("importer_id", "in", "FR1"), condition("origin_country", "in", "CN", "VN"))
    assert both.matches(ROW)
    assert not both.matches(ROW | {"origin_country": "US"})
    assert not both.matches(ROW | {"importer_id": "FR2"})


def test_what_weighs_nothing_has_no_value_per_kilogram():
    cheap = criterion("cheap", condition("value_per_kg", "below", 1e9))
    assert not cheap.matches(ROW | {"net_mass_kg": 0.0})
    assert cheap.columns == ("item_value", "net_mass_kg")


def test_a_file_says_what_it_says():
    found = parse(FILE)
    assert (found.name, found.lane, found.places) == ("tobacco-from-cn", "red", 2)
    assert (found.begins_on, found.ends_on) == (date(2024, 5, 2), date(2024, 5, 16))
    assert [str(each) for each in found.conditions] == ["hs_code begins with 2402, 2403", "value_per_kg below 4.0"]
    assert found.matches(ROW)
    assert Criterion.model_validate_json(found.model_dump_json()) == found
    assert found.digest != parse(FILE.replace(b"places = 2", b"places = 3")).digest


def test_its_life_includes_both_days():
    found = criterion()
    days = [date(2024, 3, day) for day in (5, 6, 20, 21)]
    assert [found.holds_on(day) for day in days] == [False, True, True, False]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (b'lane = "red"', b'lane = "green"', "lane is 'green': Input should be 'red', 'yellow' or 'blue'"),
        (b'lane = "red"\n', b"", "lane is missing; allowed are name, lane, places, begins_on, ends_on, conditions"),
        (b"places = 2", b"places = 0", "places is 0: Input should be greater than or equal to 1"),
        (b"places = 2", b"places = 10001", "places is 10001: Input should be less than or equal to 10000"),
        (b"places = 2", b"places = 1.5", "places is 1.5: Input should be a valid integer"),
        (b"places = 2", b"places = true", "places is True: Input should be a valid integer"),
        (b"places = 2", b"place = 2", "places is missing"),
        (b"places = 2", b"places = 2\nuntil = 3", "until is unknown; allowed are name, lane"),
        (b"2024-05-16", b"2024-05-01", "ends_on is 2024-05-01; allowed: 2024-05-02, which is begins_on, or later"),
        (b'"tobacco-from-cn"', b'"Tobacco"', "name is 'Tobacco'"),
        (b'"tobacco-from-cn"', b'"%s"' % (b"t" * 200), f"name is '{'t' * 99}: String should match"),
        (b'"hs_code"', b'"score"', "column 'score' is none that a criterion may ask; allowed: office, procedure"),
        (b'"hs_code"', b'"declaration_id"', "column 'declaration_id' is none that a criterion may ask"),
        (b'"hs_code"', b'"accepted_at"', "column 'accepted_at' is none that a criterion may ask"),
        (b'"begins with"', b'"like"', "conditions.0.operator is 'like'"),
        (
            b'"begins with"',
            b'"at least"',
            "hs_code 'at least' is not asked; allowed for this column: in, not in",
        ),
        (b'"below"', b'"in"', "value_per_kg 'in' is not asked; allowed for this column: at least, below"),
        (b'"2403"]', b'"24x"]', "hs_code begins with '24x'; allowed: 2 to 12 digits"),
        (b'"2403"]', b'"2402"]', "hs_code lists '2402' twice; allowed: each once"),
        (b'"2403"]', b"2403]", "hs_code is compared with 2403.0; allowed: text"),
        (b"[4]", b"[]", "conditions.1.values is ()|conditions.1.values is \\[\\]"),
        (b"[4]", b"[4, 5]", "value_per_kg is compared with .4.0, 5.0.; allowed: one number from 0 to inf"),
        (b"[4]", b'["4"]', "value_per_kg is compared with .'4',.; allowed: one number from 0 to inf"),
        (b"[4]", b"[-1]", "value_per_kg is compared with .-1.0,.; allowed: one number"),
        (b"[4]", b"[inf]", "value_per_kg is compared with .inf,.; allowed: one number"),
        (b"[4]", b"[nan]", "value_per_kg is compared with .nan,.; allowed: one number"),
        (b"name =", b"name", "this is no TOML file"),
    ],
)
def test_what_cannot_be_is_refused_by_name(old, new, told):
    assert FILE.count(old) == 1
    with pytest.raises(ValueError, match=f"^(?:{told})"):
        parse(FILE.replace(old, new))


@pytest.mark.parametrize(
    ("conditions", "told"),
    [
        ([], "conditions is"),
        ([condition("importer_id", "not in", "FR1")], "all conditions say what is left out"),
        (
            [condition("net_mass_kg", "at least", 5.0), condition("net_mass_kg", "below", 5.0)],
            "net_mass_kg is to be net_mass_kg at least 5.0 and net_mass_kg below 5.0: no value is both",
        ),
        ([condition("office", "in", "010"), condition("office", "in", "020")], "office in stands twice"),
        ([condition("office", "in", "010"), condition("office", "not in", "010")], "office is to be one of a list"),
        ([condition("origin_country", "in", "XX")], "origin_country lists 'XX', which is not in its code list"),
        ([condition("office", "in", "the port")], "office lists 'the port'; allowed: "),
        ([condition("importer_id", "in", "N/A")], "importer_id lists 'N/A', which people write where nothing is known"),
        ([condition("goods_description", "contains", "of")], "goods_description contains 'of'; allowed: 3 characters"),
        ([condition("goods_description", "contains", " tea")], "goods_description contains ' tea'; allowed: 3"),
        ([condition("tax_rate_pct", "below", 2001.0)], "tax_rate_pct is compared with .2001.0,.; allowed: one number"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(conditions, told):
    content = criterion().model_dump(mode="json") | {"conditions": [each.model_dump() for each in conditions]}
    with pytest.raises(ValueError, match=f"^{told}"):
        read(content)


def test_ranges_and_lists_that_leave_something_are_allowed():
    check(criterion("range", condition("net_mass_kg", "at least", 5.0), condition("net_mass_kg", "below", 5.1)))
    check(criterion("least", condition("net_mass_kg", "at least", 0.0), condition("tax_rate_pct", "below", 2000.0)))
    check(criterion("word", condition("goods_description", "contains", "tea")))
    check(criterion("list", condition("office", "in", "010", "020"), condition("office", "not in", "010")))


def test_what_is_stored_stays_readable_when_code_lists_change():
    gone = criterion("gone", Condition(column="origin_country", operator="in", values=("XX",)))
    assert Criterion.model_validate_json(gone.model_dump_json()) == gone
    with pytest.raises(ValueError, match="XX"):
        check(gone)


def test_every_column_of_the_contract_that_is_text_or_a_number_can_be_asked():
    kinds = {field.name: field.dtype for field in contract.DECLARATION}
    assert set(COLUMNS) - set(kinds) == {"value_per_kg"}
    assert {kinds[name] for name in set(kinds) - set(COLUMNS) - {"declaration_id"}} == {
        contract.WHOLE,
        contract.INSTANT,
    }


def test_a_longer_list_than_the_ledger_takes_is_refused():
    names = [f"FR{number}" for number in range(1001)]
    most = condition("importer_id", "in", *names[:1000])
    with pytest.raises(ValidationError, match="at most 1000 items"):
        condition("importer_id", "in", *names)
    assert len(criterion("most", *[most] * 12).conditions) == 12
    with pytest.raises(ValidationError, match="at most 12 items"):
        criterion("more", *[most] * 13)


def test_each_row_has_the_criteria_that_it_meets_in_their_order():
    ours = InForce.of(
        [criterion("second", condition("item_value", "at least", 100.0)), criterion("first", lane="blue")]
    )
    rows = pl.DataFrame([ROW, ROW | {"item_value": 99.0}, ROW | {"importer_id": "FR9", "item_value": 1.0}])
    assert InForce().matching(rows) == [(), (), ()]
    assert [[each.name for each in met] for met in ours.matching(rows)] == [["second", "first"], ["first"], []]


def test_the_criterion_that_its_page_shows_is_one_and_every_operator_is_told():
    page = (Path(__file__).parents[4] / "docs" / "criteria.md").read_text()
    (shown,) = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    found = parse(shown.encode())
    assert found.name == "tobacco-below-4"
    assert found.matches(ROW | {"net_mass_kg": 26.0})
    operators = set().union(*COLUMNS.values())
    assert operators <= set(re.findall(r"`([\w ]+)`", page.partition("| operators |")[2]))
