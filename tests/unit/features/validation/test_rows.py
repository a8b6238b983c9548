"""How rows are checked against expectations: counts, examples, lines, chunks, what the source explained, silence."""

import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from features import contract
from features.validation import rows as validation
from features.validation.rows import validate
from features.validation.verdicts import Verdict
from tests.support.declarations import frame

ROOT = Path(__file__).parents[4]


def lines(table: str, rows: list[dict], first: int = 2) -> pl.DataFrame:
    return frame(table, rows).with_columns(source_line=pl.int_range(first, first + len(rows), dtype=pl.Int64))


def korean(count: int) -> pl.DataFrame:
    """Rows as the Korean files give them: days without a time, no quantity, 1 in 100 without a mass or a value."""
    rows = [
        {
            "declaration_id": f"{number:08d}",
            "accepted_at": datetime(2020, 1, 1) + timedelta(days=number % 366),
            "office": str(10 + number % 40),
            "transport_mode": "14"[number % 2],
            "courier_id": "ABCDEF" if number % 5 == 0 else None,
            "seller_id": None if number % 10 == 0 else f"S{number % 97}",
            "hs_code": ("090121", "392690", "850440")[number % 3],
            "tax_rate_pct": (0.0, 8.0, 754.3)[number % 3],
            "net_mass_kg": 0.0 if number % 100 == 7 else 1.5 * number,
            "item_value": 0.0 if number % 100 == 8 else 1000.0 * number,
            "currency": "KRW",
        }
        for number in range(1, count + 1)
    ]
    return lines("declarations", rows)


def test_nothing_of_a_file_like_the_korean_is_refused():
    verdict = validate("declarations", korean(1000))
    assert verdict.failures.is_empty()
    found = {result.name: result.unexpected for result in verdict.results if result.unexpected}
    assert found == {"net_mass_kg_not_zero": 10, "item_value_not_zero": 10}


def test_examples_are_the_first_lines_and_share_is_of_all_rows():
    results = {result.name: result for result in validate("declarations", korean(1000).reverse()).results}
    zero = results["net_mass_kg_not_zero"]
    assert [(example.source_line, example.value) for example in zero.examples] == [
        (8 + 100 * number, "0.0") for number in range(5)
    ]
    assert zero.share == 0.01


def test_every_row_of_a_failing_combination_is_reported():
    rows = lines("declarations", [{"office": "?"}, {}, {"office": "?", "net_mass_kg": -1.0}, {"office": "?"}])
    failures = validate("declarations", rows).failures
    assert failures.select("source_line", "column").rows() == [
        (2, "office"),
        (4, "office"),
        (4, "net_mass_kg"),
        (5, "office"),
    ]


def test_every_row_of_a_line_is_counted():
    rows = lines("declarations", [{"office": "?"}, {"office": "?"}]).with_columns(source_line=pl.lit(7, pl.Int64))
    assert validate("declarations", rows).failures["source_line"].to_list() == [7, 7]


def test_what_the_source_explains_is_said_once():
    rows = lines("declarations", [{"net_mass_kg": None, "office": None}, {"net_mass_kg": None}]).with_columns(
        unreadable=pl.Series(["net_mass_kg: 'abc' is not a number", None])
    )
    failures = validate("declarations", rows).failures
    assert failures.select("source_line", "expectation", "column").rows() == [
        (2, "readable", "net_mass_kg"),
        (2, "office_given", "office"),
        (3, "net_mass_kg_given", "net_mass_kg"),
    ]


def test_an_explanation_of_no_column_is_kept_as_it_is():
    rows = lines("declarations", [{}]).with_columns(unreadable=pl.lit("torn: page"))
    assert validate("declarations", rows).failures.rows() == [(2, "readable", "unreadable", "torn: page")]


@pytest.mark.parametrize("table", contract.TABLES)
def test_no_rows(table):
    empty = pl.DataFrame(schema={**contract.schema(table), "source_line": pl.Int64(), "unreadable": pl.String()})
    verdict = validate(table, empty)
    assert verdict.failures.is_empty()
    assert {result.unexpected for result in verdict.results} == {0}
    assert {result.share for result in verdict.results} == {0.0}


def test_all_null():
    row = dict.fromkeys(contract.schema("declarations"))
    verdict = validate("declarations", lines("declarations", [row]))
    needed = {field.name for field in contract.DECLARATION if not field.nullable}
    assert set(verdict.failures["column"]) == needed


def test_missing_columns_are_named():
    with pytest.raises(ValueError, match="outcomes cannot be validated without is_illicit, source_line; there are"):
        validate("outcomes", frame("outcomes", [{}]).drop("is_illicit"))


def test_unknown_table():
    with pytest.raises(ValueError, match="table 'seizures' is not in the contract"):
        validate("seizures", pl.DataFrame())


def test_the_frame_is_left_as_it_was():
    rows = lines("declarations", [{"net_mass_kg": float("nan")}])
    before = rows.clone()
    validate("declarations", rows)
    assert rows.equals(before)


def test_chunks_merge_into_what_the_whole_gives():
    rows = [{"office": "?"} if number % 3 else {"net_mass_kg": -1.0} for number in range(20)]
    whole = lines("declarations", rows)
    merged = Verdict()
    for chunk in (whole[:7], whole[7:8], whole[8:]):
        merged = merged.merge(validate("declarations", chunk))
    expected = validate("declarations", whole)
    assert merged.failures.equals(expected.failures)
    assert merged.results == expected.results
    assert merged.summary().failures.is_empty()
    assert merged.summary().results == expected.results


@pytest.mark.parametrize("remembered", [0, validation.MOST_REMEMBERED])
def test_values_that_come_again_are_judged_as_before(monkeypatch, remembered):
    monkeypatch.setattr(validation, "MOST_REMEMBERED", remembered)
    validation._groups.cache_clear()
    rows = lines("declarations", [{"office": "?"}, {"net_mass_kg": -1.0}, {}, {"office": "?"}])
    first, again = validate("declarations", rows), validate("declarations", rows)
    assert again.failures["source_line"].to_list() == [2, 3, 5]
    assert again.failures.equals(first.failures)
    assert again.results == first.results


def test_great_expectations_is_asked_only_of_values_that_are_new(monkeypatch):
    validation._groups.cache_clear()
    asked = []
    ask = validation._ask
    monkeypatch.setattr(validation, "_ask", lambda rows, rules: asked.append(rows) or ask(rows, rules))
    validate("declarations", lines("declarations", [{}, {}]))
    asked.clear()
    validate("declarations", lines("declarations", [{}, {"office": "777"}]))
    assert [rows.drop(validation._NUMBER).to_dict(as_series=False) for rows in asked] == [{"office": ["777"]}]


@pytest.mark.parametrize("together", [0, 3, 10**9])
def test_in_which_company_a_group_is_asked_about_does_not_show(monkeypatch, together):
    rows = [{"office": "?"}, {"net_mass_kg": -1.0}, {"net_mass_kg": 5.0, "gross_mass_kg": 4.0}, {"quantity": 3.0}]
    given = lines("declarations", [{"importer_id": f"I{number}"} | row for number, row in enumerate(rows * 3)])
    validation._groups.cache_clear()
    expected = validate("declarations", given)
    assert {2, 3, 4} <= set(expected.failures["source_line"])
    validation._groups.cache_clear()
    monkeypatch.setattr(validation, "MOST_TOGETHER", together)
    found = validate("declarations", given)
    assert found.failures.equals(expected.failures)
    assert found.results == expected.results


def test_an_expectation_that_cannot_be_evaluated_is_named_and_never_taken_for_met():
    rules = [rule for group in validation._groups("declarations") for rule in group.rules]
    asked = [rule for rule in rules if rule.name in ("office_as_patterned", "net_mass_kg_within_bounds")]
    rows = pl.DataFrame({validation._NUMBER: [0], "office": ["010"], "net_mass_kg": ["heavy"]})
    with pytest.raises(RuntimeError, match=r"^expectation net_mass_kg_within_bounds could not be evaluated: "):
        validation._ask(rows, asked)


def test_two_tables_merge_side_by_side():
    one = validate("outcomes", lines("outcomes", [{"known_at": datetime(2020, 1, 1)}]))
    both = validate("declarations", lines("declarations", [{"office": "?"}])).merge(one)
    assert both.failures["expectation"].to_list() == ["office_as_patterned", "known_at_not_before_acceptance"]
    assert {result.table for result in both.results} == {"declarations", "outcomes"}


def test_hostile_text_is_only_text():
    row = {"importer_id": "<script>", "seller_id": "{{", "office": "'; DROP", "goods_description": "\x00"}
    verdict = validate("declarations", lines("declarations", [row]))
    assert verdict.failures["column"].to_list() == ["office"]


def test_silent_and_writes_nothing(tmp_path):
    script = """
import polars as pl
from features.validation.rows import validate
from tests.support.declarations import frame
validate("declarations", frame("declarations", [{"office": "?"}]).with_columns(source_line=pl.lit(2, pl.Int64)))
"""
    home, folder = tmp_path / "home", tmp_path / "folder"
    home.mkdir()
    folder.mkdir()
    environment = os.environ | {"HOME": str(home), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("", "")
    assert list(folder.rglob("*")) == []
    assert list(home.rglob("*")) == []


def test_importing_does_not_load_great_expectations():
    script = "import sys, features.validation.rows; sys.exit('great_expectations' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)
