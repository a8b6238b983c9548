"""Mapping files: what they can say, and the words for those that say something else."""

import tomllib
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from features.sources import Chunk, open_source
from features.sources import files as files_source

DECLARATIONS = """
[[files]]
pattern = "declarations-*.csv"
delimiter = ";"
encoding = "cp1252"
decimal_comma = true
date_format = "%d.%m.%Y"
[files.declarations]
declaration_id = "REF"
item_number = { constant = 1 }
accepted_at = "DATE"
office = "OFFICE"
procedure = { constant = "40" }
import_type = { constant = "11" }
transport_mode = { column = "MOT", codes = { "SEA" = "1", "AIR" = "4" } }
declarant_id = "BROKER"
importer_id = "IMPORTER"
hs_code = "HS"
departure_country = "FROM"
origin_country = "ORIGIN"
tax_rate_pct = { column = "RATE", decimal_comma = false }
tax_type = { constant = "A" }
net_mass_kg = "MASS"
item_value = "VALUE"
currency = { constant = "EUR" }
goods_description = "GOODS"
"""
OUTCOMES = """
[files.outcomes]
declaration_id = "REF"
item_number = { constant = 1 }
accepted_at = "DATE"
is_inspected = { constant = true }
is_illicit = { column = "FOUND", codes = { "N" = "0", "Y" = "1" } }
"""
HEADER = "REF;DATE;OFFICE;MOT;BROKER;IMPORTER;HS;FROM;ORIGIN;RATE;MASS;VALUE;GOODS;FOUND"
ROW = "D1;29.02.2024;FR01;SEA;B1;I1;090121;BR;BR;7.5;1,5;1234,56;café;"


def chunk(folder: Path, mapping: str, *rows: str) -> Chunk:
    (folder / "customs.toml").write_text(mapping)
    (folder / "declarations-1.csv").write_bytes("\n".join([HEADER, *rows]).encode("cp1252"))
    (batch,) = open_source("files", [str(folder / "customs.toml")]).batches()
    (found,) = batch.chunks()
    return found


def test_a_declaration_in_the_contracts_terms(tmp_path: Path) -> None:
    row = chunk(tmp_path, DECLARATIONS, ROW).tables["declarations"].to_dicts()[0]
    assert row["accepted_at"] == datetime(2024, 2, 29)
    assert (row["transport_mode"], row["hs_code"], row["currency"], row["item_number"]) == ("1", "090121", "EUR", 1)
    assert (row["tax_rate_pct"], row["net_mass_kg"], row["item_value"]) == (7.5, 1.5, 1234.56)
    assert (row["goods_description"], row["seller_id"], row["unreadable"]) == ("café", None, None)


def test_two_tables_from_the_same_lines(tmp_path: Path) -> None:
    found = chunk(tmp_path, DECLARATIONS + OUTCOMES, ROW, ROW.replace("D1", "D2") + "Y")
    assert found.tables["declarations"]["source_line"].to_list() == [2, 3]
    assert found.tables["outcomes"].select("declaration_id", "is_inspected", "is_illicit", "source_line").rows() == [
        ("D2", True, True, 3)
    ]


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    (tmp_path / "results.toml").write_text(
        '[[files]]\npattern = "r.parquet"' + OUTCOMES.replace("REF", "ref").replace('"DATE"', '"day"')
    )
    pl.DataFrame({"ref": ["D1"], "day": [datetime(2024, 2, 29, 7)], "FOUND": ["Y"]}).write_parquet(
        tmp_path / "r.parquet"
    )
    (batch,) = open_source("files", [str(tmp_path / "results.toml")]).batches()
    (found,) = batch.chunks()
    assert found.tables["outcomes"].select("accepted_at", "is_illicit", "source_line").rows() == [
        (datetime(2024, 2, 29, 7), True, 1)
    ]


def test_another_mapping_makes_another_batch_of_the_same_file(tmp_path: Path) -> None:
    chunk(tmp_path, DECLARATIONS, ROW)
    mapping = tmp_path / "customs.toml"
    digests = []
    for text in (DECLARATIONS, DECLARATIONS, DECLARATIONS.replace('"EUR"', '"CHF"')):
        mapping.write_text(text)
        (batch,) = open_source("files", [str(mapping)]).batches()
        digests.append(batch.sha256)
    assert digests[0] == digests[1] != digests[2]


def test_data_files_can_be_named_beside_the_mapping(tmp_path: Path) -> None:
    chunk(tmp_path, DECLARATIONS, ROW)
    later = tmp_path / "later"
    later.mkdir()
    (later / "declarations-2.csv").write_text(f"{HEADER}\n{ROW}")
    source = open_source("files", [str(tmp_path / "customs.toml"), str(later / "*.csv")])
    assert [batch.name for batch in source.batches()] == ["declarations-2.csv"]


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        (DECLARATIONS.replace("hs_code", "hs"), "'hs' is not a column of declarations; allowed: declaration_id"),
        (DECLARATIONS.replace('importer_id = "IMPORTER"', ""), "may not be null have no source column: importer_id"),
        (DECLARATIONS.replace("delimiter", "separator"), "customs.toml: files.0.separator: there is no such key"),
        (DECLARATIONS.replace('";"', '"::"'), "delimiter '::' is not one ASCII character"),
        (
            DECLARATIONS.replace("{ constant = 1 }", '{ constant = "one" }'),
            "item_number: constant 'one' is not of type",
        ),
        (DECLARATIONS.replace("{ constant = 1 }", "{ }"), "give either 'column' or 'constant'"),
        (DECLARATIONS.replace("declarations-*", "imports-*"), r"no file matches 'imports-\*.csv' in"),
        ('[[files]]\npattern = "*.csv"', r"give \[files.declarations\], \[files.outcomes\], or both"),
        ("[[files", "Expected ']]'"),
        (
            DECLARATIONS.replace('{ column = "MOT"', '{ colum = "MOT"'),
            "declarations.transport_mode.colum: there is no such",
        ),
        (
            DECLARATIONS.replace("declarations-*", "/srv/*"),
            "'/srv/.*'; allowed: a relative one, from the mapping file's",
        ),
        (DECLARATIONS + OUTCOMES.replace("constant = 1", "constant = 2"), "or both with the same key columns"),
        (DECLARATIONS + DECLARATIONS, "declarations-1.csv matches 2 patterns of customs.toml, not one"),
    ],
)
def test_a_mapping_that_cannot_be_meant_says_why(tmp_path: Path, mapping: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        chunk(tmp_path, mapping, ROW)


def test_the_example_of_the_docstring_is_a_mapping() -> None:
    text = files_source.__doc__ or ""
    example = text.split("A mapping file, in full::")[1].split("Columns that may be null")[0]
    kinds = files_source.MappingFile.model_validate(tomllib.loads(example)).files
    assert [sorted(kind.tables()) for kind in kinds] == [["declarations"], ["outcomes"], ["register"]]


def test_a_fault_of_a_mapping_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"customs\.toml") as caught:
        chunk(tmp_path, DECLARATIONS.replace("delimiter", "separator"), ROW)
    assert "\n" not in str(caught.value)


def test_a_mapping_in_another_encoding_is_named(tmp_path: Path) -> None:
    mapping = tmp_path / "customs.toml"
    mapping.write_bytes("# données".encode("cp1252"))
    with pytest.raises(ValueError, match=r"customs\.toml: not TOML in utf-8: .* can't decode byte 0xe9"):
        open_source("files", [str(mapping)])


def test_a_mapping_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none.toml: the mapping file cannot be read \(No such file"):
        open_source("files", [str(tmp_path / "none.toml")])


def test_folders_that_match_are_no_files(tmp_path: Path) -> None:
    (tmp_path / "declarations-old.csv").mkdir()
    assert chunk(tmp_path, DECLARATIONS, ROW).raw.height == 1
