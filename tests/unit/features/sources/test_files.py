"""Mapping files: what they can say, and with which words anything else is refused."""

import textwrap
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from features.mapping.mapping import load
from features.reading.source import Chunk
from features.sources import files as files_source
from features.sources import open_source

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
        (DECLARATIONS.replace("{ constant = 1 }", "{ }"), "give either 'column' or 'constant' or 'sql'"),
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
        (DECLARATIONS + DECLARATIONS, r"blocks 1 and 2 say the same of 'declarations-\*.csv'"),
    ],
)
def test_a_mapping_that_cannot_be_meant_says_why(tmp_path: Path, mapping: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        chunk(tmp_path, mapping, ROW)


def test_the_example_of_the_docstring_is_a_mapping(tmp_path: Path) -> None:
    text = files_source.__doc__ or ""
    example = text.split("A mapping file, in full::")[1].split("Columns that may be null")[0]
    (tmp_path / "customs.toml").write_text(textwrap.dedent(example))
    kinds = load(tmp_path / "customs.toml")
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


def declarations(folder: Path, mapping: str, text: str, name: str = "declarations-1.csv") -> list[dict[str, object]]:
    (folder / "customs.toml").write_text(mapping)
    (folder / name).write_text(text)
    batches = list(open_source("files", [str(folder / "customs.toml")]).batches())
    found = [chunk.tables["declarations"] for batch in batches for chunk in batch.chunks()]
    return pl.concat(found).to_dicts()


def changed(top: str = "", **columns: str) -> str:
    mapping = DECLARATIONS.replace('encoding = "cp1252"\n', top)
    for name, how in columns.items():
        lines = [line for line in mapping.split("\n") if not line.startswith(f"{name} = ")]
        mapping = "\n".join([*lines[:-1], f"{name} = {how}", ""])
    return mapping


def test_a_header_further_down_with_blank_and_repeated_columns_nobody_maps(tmp_path: Path) -> None:
    text = f"Imports of the month;\n\n{HEADER};;NOTE;NOTE;\n{ROW};;a;b;\n"
    (row,) = declarations(tmp_path, changed("header_line = 3\n"), text)
    assert (row["declaration_id"], row["source_line"], row["unreadable"]) == ("D1", 4, None)


def test_a_file_without_a_header_has_the_names_that_the_mapping_gives(tmp_path: Path) -> None:
    mapping = changed(f"columns = {HEADER.split(';')}\n")
    (row,) = declarations(tmp_path, mapping, f"\ufeff{ROW}\n")
    assert (row["declaration_id"], row["source_line"], row["unreadable"]) == ("D1", 1, None)
    with pytest.raises(ValueError, match="give either 'header_line' or 'columns'"):
        declarations(tmp_path, changed(f"header_line = 2\ncolumns = {HEADER.split(';')}\n"), ROW)


def test_words_for_nothing_of_a_file_and_of_a_column(tmp_path: Path) -> None:
    mapping = changed(
        'nulls = ["NULL", "-"]\n',
        seller_id='"BROKER"',
        goods_description='{ column = "GOODS", nulls = ["nothing"] }',
    )
    text = "\n".join([HEADER, ROW.replace("B1", "NULL").replace("café", "-"), ROW.replace("café", "nothing")])
    one, other = declarations(tmp_path, mapping, text)
    assert (one["seller_id"], one["goods_description"]) == (None, "-")
    assert (other["seller_id"], other["goods_description"]) == ("B1", None)


def test_values_made_of_columns_and_a_constant_day(tmp_path: Path) -> None:
    as_number = "CAST(REPLACE({}, ',', '.') AS DOUBLE)"
    rate = f"100 * {as_number.format('RATE')} / {as_number.format('VALUE')}"
    mapping = changed(
        declaration_id="""{ sql = "OFFICE || '/' || REF" }""",
        item_number="""{ sql = "SPLIT_PART(GOODS, ' of ', 1)" }""",
        accepted_at="""{ sql = "DATE || ' ' || FOUND", date_format = "%d.%m.%Y %H:%M" }""",
        recorded_at="{ constant = 2024-03-31 }",
        tax_rate_pct=f'{{ sql = "{rate}" }}',
        origin_country='{ column = "ORIGIN", codes = "countries" }',
    )
    row = ROW.replace("café;", "2 of 3;13:05").replace("7.5", "12,3456").replace("BR;BR", "BR;Viet Nam")
    found = declarations(tmp_path, mapping, "\n".join([HEADER, row, row.replace("12,3456", "free")]))
    assert (found[0]["declaration_id"], found[0]["item_number"]) == ("FR01/D1", 2)
    assert (found[0]["accepted_at"], found[0]["recorded_at"]) == (
        datetime(2024, 2, 29, 13, 5),
        datetime(2024, 3, 31),
    )
    assert found[0]["tax_rate_pct"] == pytest.approx(1.0)
    assert (found[0]["origin_country"], found[0]["unreadable"]) == ("VN", None)
    assert str(found[1]["unreadable"]).startswith("tax_rate_pct: 'free' is not a number in 100 * CAST(")


def test_lines_that_are_left_out_are_counted(tmp_path: Path) -> None:
    mapping = changed("""leave_out = { sql = "REF = 'TOTAL' OR CAST(MASS AS DOUBLE) < 0" }\n""")
    rows = [ROW.replace("1,5", "1"), ROW.replace("D1", "TOTAL"), ROW.replace("1,5", "-3"), ROW.replace("1,5", "x")]
    (tmp_path / "customs.toml").write_text(mapping)
    (tmp_path / "declarations-1.csv").write_text("\n".join([HEADER, *rows]))
    (batch,) = open_source("files", [str(tmp_path / "customs.toml")]).batches()
    (found,) = batch.chunks()
    assert (found.raw.height, found.left_out) == (3, 1)
    assert found.tables["declarations"]["source_line"].to_list() == [2, 3, 5]
    reasons = found.tables["declarations"]["unreadable"].to_list()
    assert reasons[0] is None
    assert reasons[1].startswith("leave_out: '1,5' is not a number in REF = 'TOTAL'")


def test_two_facts_of_a_line_are_two_blocks(tmp_path: Path) -> None:
    block = '[[files]]\npattern = "companies.csv"\n[files.register]\nentry_id = {{ sql = "ID || \'{0}\'" }}\n'
    block += 'recorded_at = {{ constant = 2024-03-31 }}\nparty_role = {{ constant = "importer" }}\nparty_id = "ID"\n'
    block += 'attribute = {{ constant = "{0}" }}\nvalue = "{1}"\n'
    (tmp_path / "register.toml").write_text(block.format("name", "NAME") + block.format("address", "TOWN"))
    (tmp_path / "companies.csv").write_text("ID,NAME,TOWN\n7,Kiefer,Ulm\n")
    batches = list(open_source("files", [str(tmp_path / "register.toml")]).batches())
    found = [row for batch in batches for chunk in batch.chunks() for row in chunk.tables["register"].to_dicts()]
    assert [(row["entry_id"], row["value"]) for row in found] == [("7name", "Kiefer"), ("7address", "Ulm")]
    assert len({batch.sha256 for batch in batches}) == 2


def test_codes_of_offices_from_a_file_beside_the_mapping(tmp_path: Path) -> None:
    (tmp_path / "offices.csv").write_text("name,code\nPort of Dover,GB60\n")
    mapping = changed(office='{ column = "OFFICE", codes = "offices.csv" }')
    (row,) = declarations(tmp_path, mapping, f"{HEADER}\n{ROW.replace('FR01', 'Port of Dover')}")
    assert row["office"] == "GB60"
    (tmp_path / "offices.csv").write_text("name\nPort of Dover\n")
    with pytest.raises(ValueError, match=r"offices.csv line 2: 1 fields; a code map has two"):
        open_source("files", [str(tmp_path / "customs.toml")])
    (tmp_path / "offices.csv").unlink()
    with pytest.raises(ValueError, match=r"offices.csv: a code map cannot be read \(No such file"):
        open_source("files", [str(tmp_path / "customs.toml")])


def test_a_mapping_of_before_names_its_batches_as_before(tmp_path: Path) -> None:
    """What was ingested once would else arrive anew as corrections."""
    (tmp_path / "customs.toml").write_text(DECLARATIONS + OUTCOMES)
    (tmp_path / "declarations-1.csv").write_bytes(b"x")
    (batch,) = open_source("files", [str(tmp_path / "customs.toml")]).batches()
    assert batch.sha256 == "a48d7e027299f77b7845c5cf7afb2f5cc3742b678551a5dcfd44ec3b5414a29d"


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        (
            changed(tax_rate_pct='{ sql = "SUM(RATE)" }'),
            "declarations.tax_rate_pct: sql 'SUM.RATE.': SUM is no function",
        ),
        (changed(accepted_at='{ constant = "2024-02-29" }'), "write a day without quotes, as 2024-02-29"),
        (changed(accepted_at="{ constant = 2024-02-29T07:00:00Z }"), "has a zone; instants are in legal time"),
        (changed('leave_out = { sql = "NOW() > DATE" }\n'), "leave_out: sql .*: NOW is no function of a mapping"),
        (changed("header_line = 0\n"), "header_line: Input should be greater than or equal to 1, not 0"),
    ],
)
def test_an_expression_or_constant_that_cannot_be_meant_says_why(tmp_path: Path, mapping: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        declarations(tmp_path, mapping, f"{HEADER}\n{ROW}")


def test_an_expression_over_columns_of_the_wrong_type_names_them(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"sql 'RATE \+ 1' cannot be computed where RATE is String"):
        declarations(tmp_path, changed(tax_rate_pct='{ sql = "RATE + 1" }'), f"{HEADER}\n{ROW}")
    with pytest.raises(ValueError, match=r"leave_out: 'REF' is String; expected: true or false"):
        declarations(tmp_path, changed('leave_out = { sql = "REF" }\n'), f"{HEADER}\n{ROW}")
