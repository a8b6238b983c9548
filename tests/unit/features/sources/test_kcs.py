"""The Korean files: every column goes to its place, with outcomes complete, partial or absent."""

from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from features.reading.files import ReadError
from features.reading.source import Chunk
from features.sources import open_source

COLUMNS = (
    "Declaration ID,Date,Office ID,Process Type,Import Type,Import Use,Payment Type,Mode of Transport,Declarant ID,"
    "Importer ID,Seller ID,Courier ID,HS6 Code,Country of Departure,Country of Origin,Tax Rate,Tax Type,"
    "Country of Origin Indicator,Net Mass,Item Price"
)
ROW = "97061800,2020-01-01,30,B,11,21,11,10,ZZR1LT6,QLRUBN9,0VKY2BR,,090121,BE,BR,8.0,FEU1,G,108.0,1000.0"


def read(folder: Path, text: str) -> Chunk:
    (folder / "kcs.csv").write_text(text)
    (batch,) = open_source("kcs", [str(folder / "*.csv")]).batches()
    (chunk,) = batch.chunks()
    return chunk


def outcomes(folder: Path, columns: str, *endings: str) -> pl.DataFrame:
    header = COLUMNS + (f",{columns}" if columns else "")
    rows = [ROW.replace("97061800", str(n)) + (f",{end}" if columns else "") for n, end in enumerate(endings)]
    return read(folder, "\n".join([header, *rows]) + "\n").tables["outcomes"]


def test_a_declaration_in_the_contracts_terms(tmp_path: Path) -> None:
    row = read(tmp_path, f"{COLUMNS}\n{ROW}\n").tables["declarations"].to_dicts()[0]
    given = {name: value for name, value in row.items() if value is not None}
    assert given == {
        "declaration_id": "97061800",
        "item_number": 1,
        "accepted_at": datetime(2020, 1, 1),
        "office": "30",
        "procedure": "B",
        "import_type": "11",
        "import_use": "21",
        "payment_type": "11",
        "transport_mode": "1",
        "declarant_id": "ZZR1LT6",
        "importer_id": "QLRUBN9",
        "seller_id": "0VKY2BR",
        "hs_code": "090121",
        "departure_country": "BE",
        "origin_country": "BR",
        "tax_rate_pct": 8.0,
        "tax_type": "FEU1",
        "origin_marking": "G",
        "net_mass_kg": 108.0,
        "item_value": 1000.0,
        "currency": "KRW",
        "source_line": 2,
    }


@pytest.mark.parametrize(
    ("columns", "ending", "illicit", "critical", "recovered"),
    [
        ("Fraud,Critical Fraud", "0,0", False, False, 0.0),
        ("Fraud,Critical Fraud", "1,1", True, False, 80.0),
        ("Fraud,Critical Fraud", "1,2", True, True, 80.0),
        ("Fraud,Critical Fraud", "1.0,2.0", True, True, 80.0),
        ("Fraud,Critical Fraud", "1,", True, None, 80.0),
        ("Fraud,Critical Fraud", ",2", True, True, 80.0),
        ("Fraud,Critical Fraud", ",0", False, False, 0.0),
        ("Fraud", "1", True, None, 80.0),
        ("Critical Fraud", "1", True, False, 80.0),
    ],
)
def test_an_outcome_says_what_its_columns_say(
    tmp_path: Path, columns: str, ending: str, illicit: bool, critical: bool | None, recovered: float
) -> None:
    row = outcomes(tmp_path, columns, ending).to_dicts()[0]
    assert (row["is_inspected"], row["is_illicit"], row["is_critical"]) == (True, illicit, critical)
    assert row["recovered_revenue"] == recovered
    assert [row[name] for name in ("inspection_channel", "selection_probability", "known_at", "unreadable")] == [
        None
    ] * 4


@pytest.mark.parametrize(("columns", "ending"), [("", ""), ("Fraud,Critical Fraud", ","), ("Fraud", " ")])
def test_no_outcome_where_nothing_is_known(tmp_path: Path, columns: str, ending: str) -> None:
    assert outcomes(tmp_path, columns, ending).is_empty()


def test_lines_without_outcome_among_others(tmp_path: Path) -> None:
    assert outcomes(tmp_path, "Fraud,Critical Fraud", "0,0", ",", "1,2")["source_line"].to_list() == [2, 4]


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        ("x,0", "is_illicit: 'x' is not in the code map (0, 1, 0.0, 1.0)"),
        ("1,7", "is_critical: '7' is not in the code map (0, 1, 2, 0.0, 1.0, 2.0)"),
        ("0,2", "is_critical: Critical Fraud '2' contradicts Fraud '0'"),
        ("1,0", "is_critical: Critical Fraud '0' contradicts Fraud '1'"),
    ],
)
def test_outcomes_that_cannot_be_understood(tmp_path: Path, ending: str, reason: str) -> None:
    assert outcomes(tmp_path, "Fraud,Critical Fraud", ending)["unreadable"].to_list() == [reason]


def test_an_unknown_transport_code_and_lost_zeros(tmp_path: Path) -> None:
    row = ROW.replace(",10,ZZR", ",77,ZZR").replace("090121", "90121")
    unreadable = read(tmp_path, f"{COLUMNS}\n{row}\n").tables["declarations"]["unreadable"][0]
    assert unreadable.startswith("transport_mode: '77' is not in the code map (00, 10, 20,")
    assert unreadable.endswith("hs_code: '90121' has 5 digits; leading zeros were probably lost")


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        ReadError, match=r"kcs.csv line 1: column 'HS6 Code' missing; the file has Declaration ID, Date"
    ):
        read(tmp_path, f"{COLUMNS.replace('HS6 Code', 'HS10')}\n{ROW}\n")
