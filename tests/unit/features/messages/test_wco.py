"""The table of the WCO's elements: contract columns, each once, and all that the contract needs."""

from features import contract
from features.messages import cusdec, wco

NEEDED = {field.name for field in contract.DECLARATION if not field.nullable} - {"accepted_at"}


def test_each_column_is_one_of_the_contract_and_mapped_once():
    for table in (wco.MAPPED, cusdec.MAPPED):
        names = [mapped.column for mapped in table]
        assert len(set(names)) == len(names)
        assert set(names) < set(contract.schema("declarations").names())


def test_each_column_that_needs_a_value_has_an_element():
    assert {mapped.column for mapped in wco.MAPPED} >= NEEDED
    assert {mapped.column for mapped in cusdec.MAPPED} >= NEEDED


def test_no_element_says_when_a_declaration_was_accepted():
    for table in (wco.MAPPED, cusdec.MAPPED):
        assert not {"accepted_at", "recorded_at"} & {mapped.column for mapped in table}
