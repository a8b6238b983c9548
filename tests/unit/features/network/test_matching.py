"""Companies under several names: which pairs match, from when until when, and that nothing else decides it."""

import json
import math
import tomllib
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from features.contract import schema
from features.network import entries, matching

SCRIPTS = tomllib.loads((Path(__file__).parents[4] / "benchmarks" / "company_names.toml").read_text("utf-8"))["scripts"]
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
        ("name", "Norvale Textiles Sp. z o.o."),
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


@pytest.mark.parametrize(
    ("attribute", "one", "other"),
    [
        ("name", "Alfa Ltd", "Alma Ltd"),  # of short names one letter is much
        ("name", "Blue Falcon Foods A", "Blue Falcon Foods B"),
        ("name", "Blue Falcon Foods 12", "Blue Falcon Foods 13"),
        ("name", "Norvale Textiles", "Norvale Textures"),
        ("person", "Ahmed Hassan A.", "Ahmed Hassan K."),
        ("name", "上海蓝天", "上海白天"),
    ],
)
def test_what_is_nearly_the_same_is_another(attribute: str, one: str, other: str) -> None:
    house = {"address": JULIET["address"]}
    assert pairs(*company("A", **house, **{attribute: one}), *company("B", **house, **{attribute: other})) == []


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


def test_what_many_had_before_says_nothing_of_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    shared = {"address": "1 Agents Quay, Karport", "phone": "+99 5555 5555", "person": "Hugo Nominee"}
    served = [
        row
        for n in range(matching.COMMON + 5)
        for row in company(f"{n:02}", n, name=f"{n} {chr(97 + n) * 5}", **shared)
    ]
    matched = {party for pair in pairs(*served) for party in pair}
    assert matched == {f"{n:02}" for n in range(matching.FEW + 1)}
    monkeypatch.setattr(matching, "FEW", len(served))
    matched = {party for pair in pairs(*served) for party in pair}
    assert matched == {f"{n:02}" for n in range(matching.COMMON)}


def test_what_many_have_weighs_less_by_their_share_and_what_few_have_does_not() -> None:
    same = {"name": "Norvale", "address": JULIET["address"], "bank_account": JULIET["bank_account"]}
    others = [row for n in range(60) for row in company(f"X{n:02}", name=f"Zandis {chr(97 + n % 26)}{n}")]
    pair = [row for party in "AB" for row in company(party, 2, **same)]
    alone = found(*pair)["weight"].item()
    for many, share in ((matching.FEW - 1, None), (30, 30 / 92)):
        named = [row for n in range(many) for row in company(f"N{n:02}", n % 3, name="Norvale Ltd")]
        weight = found(*others, *named, *pair)["weight"].item()
        usual = levels("name")[1]["u_probability"]
        assert alone - weight == pytest.approx(math.log2(share / usual) if share else 0, abs=0.011)


def levels(attribute: str) -> list[dict[str, Any]]:
    comparisons = json.loads(matching.PARAMETERS_FILE.read_text())["comparisons"]
    return next(each["comparison_levels"] for each in comparisons if each["output_column_name"] == attribute)


def test_of_a_register_that_came_in_one_day_what_many_have_says_nothing_of_the_first_either() -> None:
    shared = {"address": "1 Agents Quay, Karport", "phone": "+99 5555 5555", "person": "Hugo Nominee"}
    assert pairs(*[row for n in range(matching.COMMON + 1) for row in company(f"{n:02}", **shared)]) == []
    assert len(pairs(*[row for n in range(3) for row in company(f"{n:02}", **shared)])) == 3


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script["name"])
def test_companies_of_twelve_scripts_with_and_without_their_legal_form(script: dict[str, Any]) -> None:
    """Two ways of writing a name that share a telephone; but for sounds that Latin letters do not give."""
    told = [
        row
        for number, names in enumerate(script["same"])
        for side, name in zip("AB", names, strict=True)
        for row in company(f"{number:02}{side}", name=name, phone=f"{12345678 + number}")
    ]
    matched = {a[:2] for a, b in pairs(*told) if a[:2] == b[:2]}
    missed = [names for number, names in enumerate(script["same"]) if f"{number:02}" not in matched]
    assert missed == script.get("missed", [])


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script["name"])
def test_strangers_of_one_house_whose_names_share_form_and_a_word_do_not_match(script: dict[str, Any]) -> None:
    words, address = script["words"], script["address"].format(247)
    told = []
    for number in range(len(words) - 1):
        name = script["form"].format(f"{words[number]} {words[number + 1]}")
        person = script["people"][0].format(chr(65 + number), "K")
        person = f"{person} {number + 10}" if "{}" not in script["people"][0] else person
        told += company(f"{number:02}", name=name, person=person, address=address)
    assert pairs(*told) == []


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
        values = {
            "name": f"Norvale {chr(97 + n % 12) * 4}",
            "phone": f"+99 1234 {n % 24:04}",
            "person": f"Vera {n % 15}",
        }
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
