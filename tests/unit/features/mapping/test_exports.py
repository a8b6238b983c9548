"""Public exports are written as docs/exports.md says: its mappings are read, and two of them read a file of that form.

The columns are those of the exports; the values in them are made up.
"""

import re
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest

from features.mapping.mapping import load
from features.sources import open_source
from tests.support import workbooks

PAGE = Path(__file__).parents[4] / "docs" / "exports.md"
MAPPINGS = dict(re.findall(r"\n## ([^\n]+)\n(?:(?!\n## ).)*?```toml\n(.*?)```", PAGE.read_text(), re.DOTALL))


def read(folder: Path, section: str) -> list[dict[str, object]]:
    (folder / "mapping.toml").write_text(MAPPINGS[section])
    (batch,) = open_source("files", [str(folder / "mapping.toml")]).batches()
    return pl.concat(chunk.tables["declarations"] for chunk in batch.chunks()).to_dicts()


@pytest.mark.parametrize("section", MAPPINGS)
def test_every_mapping_of_the_page_is_one(tmp_path: Path, section: str) -> None:
    for name in re.findall(r'codes = "([\w-]+\.csv)"', MAPPINGS[section]):
        (tmp_path / name).write_text("written,code\nx,XX\n")
    (tmp_path / "mapping.toml").write_text(MAPPINGS[section])
    assert load(tmp_path / "mapping.toml")


def test_twelve_exports_stand_on_the_page() -> None:
    table = PAGE.read_text().split("| --- |", 1)[1].split("\n\n")[0]
    assert len(table.strip().split("\n")) - 1 == 12
    assert len(MAPPINGS) == 7


def test_chiles_text_without_a_header(tmp_path: Path) -> None:
    (tmp_path / "mapping.toml").write_text(MAPPINGS["Chile, declarations of entry"])
    (tmp_path / "countries-of-chile.csv").write_text("written,code\n336,CN\n225,US\n")
    (kind,) = load(tmp_path / "mapping.toml")
    names = list(kind.columns or ())
    assert len(names) == 178
    given = {
        "NUMENCRIPTADO": "8812",
        "TIPO_DOCTO": "101",
        "ADU": "34",
        "NUM_UNICO_IMPORTADOR": "71",
        "PA_ORIG": "336",
        "PA_ADQ": "225",
        "VIA_TRAN": "01",
        "FECACEP": "1022024",
        "REG_IMP": "01",
        "TOT_PESO": "1000,5",
        "CIF": "200,00",
        "NUMITEM": "2",
        "DNOMBRE": "CAÑERIA",
        "ARANC-NAC": "9012100",
        "CIF-ITEM": "50,00",
        "ADVAL": "6,00",
    }
    line = ";".join(given.get(name, "") for name in names)
    (tmp_path / "din-2024-02.txt").write_bytes(f"{line}\n{line.replace('1000,5', 'mucho')}\n".encode("latin-1"))
    row, refused = read(tmp_path, "Chile, declarations of entry")
    assert row["unreadable"] is None
    assert (row["declaration_id"], row["item_number"], row["source_line"]) == ("8812", 2, 1)
    assert (row["accepted_at"], row["hs_code"], row["tax_rate_pct"]) == (datetime(2024, 2, 1), "09012100", 6.0)
    assert (row["origin_country"], row["departure_country"], row["transport_mode"]) == ("CN", "US", "1")
    assert row["net_mass_kg"] == pytest.approx(250.125)
    assert (row["item_value"], row["goods_description"]) == (50.0, "CAÑERIA")
    assert str(refused["unreadable"]).startswith("net_mass_kg: 'mucho' is not a number in CAST(REPLACE(TOT_PESO")


def test_indias_workbook_with_lines_above_its_header(tmp_path: Path) -> None:
    header = ["PORT CODE", "INDIAN PORT", "DATE", "IEC", "CHA NO", "COUNTRY OF_ORIGIN", "HS CODE", "GOODS DESCRIPTION"]
    header += ["QUANTITY", "UNIT", "TOTAL VALUE_INR", "DUTY PAID_INR", "BE TYPE", "DECLARATION NO", "PIN", "PIN"]
    line: list[workbooks.Cell] = [
        "INNSA1",
        "NHAVA SHEVA (INNSA1)",
        date(2024, 2, 29),
        388041111,
        "N/A",
        "UNITED KINGDOM",
    ]
    line += ["30022019", "REAGENT", 15, "KGS", 1000.5, 210.105, "H", 6639676, 1, 2]
    total: list[workbooks.Cell] = ["Total", *[None] * 9, 1000.5]
    above: list[list[workbooks.Cell]] = [["Imports of India"], [], ["made up"], [], []]
    workbooks.write(tmp_path / "india-2024-02.xlsx", {"Sheet1": [*above, [*header], line, total]})
    (row,) = read(tmp_path, "India, bills of entry")
    assert row["unreadable"] is None
    assert (row["declaration_id"], row["importer_id"], row["declarant_id"]) == ("6639676", "388041111", "388041111")
    assert (row["accepted_at"], row["origin_country"]) == (datetime(2024, 2, 29), "GB")
    assert row["tax_rate_pct"] == pytest.approx(21.0)
    assert (row["net_mass_kg"], row["item_value"], row["source_line"]) == (15.0, 1000.5, 7)
