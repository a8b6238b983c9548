"""Companies under several names: which pairs match, from when until when, and that nothing else decides it."""

from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from features.contract import schema
from features.network import entries, matching

JULIET = {
    "name": "Norvale Textiles Ltd",
    "address": "12 Belmont Street, Karport",
    "person": "Elena Rosgard",
    "phone": "+99 1234 5678",
    "bank_account": "ZZ12 3456 7890 1234",
}
FIRST, DAY = datetime(2024, 3, 1, 8), (date(2024, 3, 1) - date(1970, 1, 1)).days


def entry(party: str, attribute: str, value: str, after: int = 0, **columns: Any) -> dict[str, Any]:
    """An entry recorded so many days after `FIRST`."""
    recorded = FIRST + timedelta(days=after)
    told = {"entry_id": f"{party}-{attribute}", "party_role": "importer", "party_id": party}
    return told | {"recorded_at": recorded, "attribute": attribute, "value": value} | columns


def company(party: str, after: int = 0, **values: str) -> list[dict[str, Any]]:
    return [entry(party, attribute, value, after) for attribute, value in values.items()]


def found(*told: dict[str, Any], superseded: tuple[dict[str, Any], ...] = ()) -> pl.DataFrame:
    tables = (pl.LazyFrame(list(rows), schema=schema("register")) for rows in (told, superseded))
    return matching.matches(entries.read(*tables))


def pairs(*told: dict[str, Any]) -> list[tuple[str, str]]:
    return found(*told).select("party_a", "party_b").rows()


@pytest.mark.parametrize(
    ("attribute", "spelling"),
    [
        ("name", "NORVALE TEXTILES LIMITED"),
        ("name", "Norvale Textiles Trading Co."),
        ("name", "Nrovale Textiles Ltd"),
        ("name", "Textiles Norvale"),
        ("name", "Nórvale Textile Ltd"),
        ("address", "12 BELMONT ST., KARPORT"),
        ("address", "Karport, Blemont St 12"),
        ("address", "12 Belmond Street, Karport"),
        ("person", "ROSGARD, Elena"),
        ("person", "Elena Rosgardt"),
        ("phone", "0099 12345678"),
        ("bank_account", "zz12-34567890-1234"),
    ],
)
def test_another_spelling_is_the_same(attribute: str, spelling: str) -> None:
    other = {"phone": JULIET["phone"]} if attribute == "bank_account" else {"bank_account": JULIET["bank_account"]}
    first, second = {attribute: JULIET[attribute]} | other, {attribute: spelling} | other
    assert pairs(*company("A", **first), *company("B", **second)) == [("A", "B")]


@pytest.mark.parametrize("attribute", JULIET)
def test_one_thing_alone_is_no_match(attribute: str) -> None:
    alone = {attribute: JULIET[attribute]}
    other = {"name": "Zandis Optics", "address": "7 Dunham Quay, Silwick", "person": "Omar Pantex"}
    other |= {"phone": "+99 8765 4321", "bank_account": "ZZ99 1111 2222 3333"}
    assert pairs(*company("A", **alone), *company("B", **alone)) == []
    assert pairs(*company("A", **JULIET), *company("B", **other | alone)) == []
    assert pairs(*company("A", **JULIET), *company("B", **JULIET)) == [("A", "B")]


@pytest.mark.parametrize("attribute", ["name", "address", "phone", "bank_account"])
def test_two_things_are_a_match(attribute: str) -> None:
    both = {"person": JULIET["person"], attribute: JULIET[attribute]}
    name = {} if attribute == "name" else {"name": "Norwick Tools"}
    assert pairs(*company("A", **JULIET), *company("B", **name | both)) == [("A", "B")]


def test_two_houses_of_one_street_are_two() -> None:
    near = {"address": "14 Belmont Street, Karport", "person": "Elena Rosgard", "name": "Tal Tools"}
    assert pairs(*company("A", **JULIET), *company("B", **near)) == []


def test_a_placeholder_says_nothing() -> None:
    nothing = {"person": "unknown", "phone": "00000000", "bank_account": "N/A", "address": "none"}
    assert pairs(*company("A", **nothing), *company("B", **nothing)) == []


def test_what_many_had_before_says_nothing_of_the_next() -> None:
    shared = {"address": "1 Agents Quay, Karport", "phone": "+99 5555 5555", "person": "Hugo Nominee"}
    served = [
        row
        for n in range(matching.COMMON + 5)
        for row in company(f"{n:02}", n, name=f"{n} {chr(97 + n) * 5}", **shared)
    ]
    matched = {party for pair in pairs(*served) for party in pair}
    assert matched == {f"{n:02}" for n in range(matching.COMMON)}


def test_companies_of_other_roles_match_and_one_company_never_matches_itself() -> None:
    declarant = [row | {"party_role": "declarant", "entry_id": f"D{row['entry_id']}"} for row in company("A", **JULIET)]
    moved = entry("A", "address", "3 Dunham Quay, Silwick", 5, entry_id="moved")
    rows = found(*company("A", **JULIET), *declarant, moved)
    companies = rows.select("role_a", "party_a", "role_b", "party_b").unique()
    assert companies.rows() == [("declarant", "A", "importer", "A")]


def test_a_match_holds_from_the_day_after_both_are_told_of_until_one_changes() -> None:
    same = {"name": JULIET["name"], "phone": JULIET["phone"]}
    later = [entry("B", "name", "Norvale Textiles", 3), entry("B", "phone", same["phone"], 7, ends_at=FIRST)]
    before = (entry("B", "phone", same["phone"], 3),)
    rows = found(*company("A", **same), *later, superseded=before)
    assert rows.select("party_a", "party_b", "enter", "leave").rows() == [("A", "B", DAY + 4, DAY + 8)]


def test_what_ends_later_holds_until_then_and_the_last_recorded_holds() -> None:
    same = {"name": JULIET["name"], "phone": JULIET["phone"]}
    ends = entry("B", "phone", same["phone"], ends_at=FIRST + timedelta(days=9))
    name = entry("B", "name", same["name"])
    open_end = found(*company("A", **same), name, ends)
    assert open_end.select("enter", "leave").rows() == [(DAY + 1, DAY + 9)]
    renamed = entry("B", "name", "Zandis Optics", 4, entry_id="renamed")
    assert found(*company("A", **same), name, ends, renamed).select("enter", "leave").rows() == [(DAY + 1, DAY + 5)]
    for_ever = found(*company("A", **same), *company("B", **same))
    assert for_ever.select("enter", "leave").rows() == [(DAY + 1, None)]


def test_the_order_of_rows_does_not_matter() -> None:
    rows = []
    for n in range(60):
        values = {"name": f"Norvale {chr(97 + n % 7) * 4}", "phone": f"+99 1234 {n % 11:04}", "person": f"Vera {n % 5}"}
        rows += company(f"{n:02}", n % 4, **values)
    frame = pl.DataFrame(rows, schema=schema("register"))
    none = pl.LazyFrame(schema=schema("register"))
    first = matching.matches(entries.read(frame.lazy(), none))
    assert first.height > 10
    for seed in range(3):
        shuffled = frame.sample(fraction=1, shuffle=True, seed=seed)
        assert matching.matches(entries.read(shuffled.lazy(), none)).equals(first)


def test_clusters_are_what_matches_of_the_day_connect() -> None:
    rows = [("A", "B", 9.0, 0, None), ("B", "C", 5.0, 0, 20), ("D", "E", 7.0, 0, None), ("E", "F", 6.0, 15, None)]
    columns = ("party_a", "party_b", "weight", "enter", "leave")
    frame = pl.DataFrame(rows, schema=columns, orient="row").with_columns(
        role_a=pl.lit("importer"), role_b=pl.lit("importer")
    )
    told = matching.clusters(frame.select(matching.MATCHES.names()), 10)
    assert told.drop("party_role").rows() == [
        ("A", 0, 3, 9.0, 5.0),
        ("B", 0, 3, 9.0, 5.0),
        ("C", 0, 3, 5.0, 5.0),
        ("D", 1, 2, 7.0, 7.0),
        ("E", 1, 2, 7.0, 7.0),
    ]
    assert matching.clusters(frame, 20)["companies"].to_list() == [2, 2, 3, 3, 3]
    assert matching.clusters(frame.clear(), 10).is_empty()


def test_without_a_register_nothing_matches() -> None:
    none = pl.LazyFrame(schema=schema("register"))
    assert matching.matches(entries.read(none, none)).schema == matching.MATCHES
