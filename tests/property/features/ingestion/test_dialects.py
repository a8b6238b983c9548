"""Files as the world writes them: however a file is written, every line of it is stored, known, or quarantined.

The reason for a quarantine names the column and what is allowed.
"""

import csv
import gzip
import io
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from features import contract
from features.ingestion.batches import ingest
from features.sources import open_source
from features.store.store import Store
from tests.support.examples import examples
from tests.support.ingestion import LIMITS, stored

COLUMNS = ("declaration_id", "accepted_at", "importer_id", "seller_id", "hs_code", "origin_country", "net_mass_kg")
CONSTANTS = {
    "item_number": "1",
    "office": '"10"',
    "procedure": '"40"',
    "import_type": '"11"',
    "transport_mode": '"1"',
    "declarant_id": '"B1"',
    "departure_country": '"BR"',
    "tax_rate_pct": "8.0",
    "tax_type": '"A"',
    "item_value": "500.0",
    "currency": '"USD"',
}
DATES = (None, "%d.%m.%Y %H:%M", "%m/%d/%Y %H:%M", "%Y%m%d%H%M%S", "%d-%b-%Y %H:%M")
ISO = ("%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y%m%dT%H%M%S")
NOTHING = ("", "NULL", "N/A", "-", "ninguno")
# As they are written, and as they are meant; {} is the digit that tells lines apart.
GOOD = {
    "importer_id": [
        ("I{}", "I{}"),
        ("  I{} ", "I{}"),
        ("I{}\xad", "I{}"),
        ("100{}.0", "100{}"),
        ("Ñandú{}", "Ñandú{}"),
    ],
    "hs_code": [
        ("090121", "090121"),
        ("6109.10.00", "61091000"),
        ("0901 21", "090121"),
        ("610910000013", "610910000013"),
    ],
    "origin_country": [("BR", "BR"), ("YU", "YU"), ("EU", "EU"), ("XC", "XC")],
}
BAD = {
    "accepted_at": ["yesterday", "2024-13-45", "31/31/2024"],
    "importer_id": ["two words", "2.05E+10", "I" * 65, "I\xad1"],
    "hs_code": ["90121", "coffee", "6109.1", "1234567890123"],
    "origin_country": ["Utopia", "Q9", "br"],
    "net_mass_kg": ["much", "-5", "1.2.3", "NaN", "1e999"],
}


@dataclass(frozen=True)
class Line:
    """A line as it is written and, by column, what of it is meant; `bad` is the column that cannot be."""

    written: dict[str, str]
    meant: dict[str, object]
    bad: str | None


@dataclass(frozen=True)
class Written:
    """A file and its mapping."""

    content: bytes
    mapping: str
    lines: tuple[Line, ...]
    first_line: int


@st.composite
def files(draw: st.DrawFn) -> Written:
    delimiter = draw(st.sampled_from([",", ";", "\t", "|"]))
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "cp1252", "latin-1"]))
    date_format, comma = draw(st.sampled_from(DATES)), draw(st.booleans())
    nulls = draw(st.lists(st.sampled_from(NOTHING[1:]), unique=True))
    lines = tuple(draw(_line(number, date_format, comma, ["", *nulls])) for number in range(draw(st.integers(0, 8))))
    above = draw(st.integers(0, 2))
    surplus = draw(st.sampled_from([[], [""], ["", ""], ["NOTE", "NOTE"]]))
    text = io.StringIO()
    writer = csv.writer(
        text,
        delimiter=delimiter,
        lineterminator=draw(st.sampled_from(["\n", "\r\n"])),
        quoting=draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
    )
    writer.writerows([["Imports"]] * above)
    writer.writerow([*(f"c {name}" for name in COLUMNS), *surplus])
    writer.writerows([*line.written.values(), *("x" for _ in surplus)] for line in lines)
    content = text.getvalue().encode(encoding)
    if draw(st.booleans()):
        content = gzip.compress(content, mtime=0)
    top = [
        'pattern = "a.csv"',
        f"delimiter = '{delimiter}'",
        f'encoding = "{encoding.removesuffix("-sig")}"',
        f"header_line = {above + 1}",
        f"nulls = {nulls}",
        f"decimal_comma = {str(comma).lower()}",
        *([f'date_format = "{date_format}"'] if date_format else []),
    ]
    columns = [f'{name} = "c {name}"' for name in COLUMNS]
    constants = [f"{name} = {{ constant = {value} }}" for name, value in CONSTANTS.items()]
    mapping = "\n".join(["[[files]]", *top, "[files.declarations]", *columns, *constants])
    return Written(content, mapping, lines, above + 2)


@st.composite
def _line(draw: st.DrawFn, number: int, date_format: str | None, comma: bool, nothing: list[str]) -> Line:
    at = datetime(2024, 2, draw(st.integers(1, 29)), draw(st.integers(0, 23)), draw(st.integers(0, 59)))
    mass = draw(st.sampled_from([0.0, 1.5, 1234.25, 7.0]))
    name = draw(st.sampled_from([f"D{number}", "D0"]))
    seller = draw(st.sampled_from([*nothing, "S1"]))
    written = {
        "declaration_id": name,
        "accepted_at": at.strftime(date_format or draw(st.sampled_from(ISO))),
        "seller_id": seller,
        "net_mass_kg": str(mass).replace(".", ",") if comma else str(mass),
    }
    meant: dict[str, object] = {
        "declaration_id": name,
        "accepted_at": at,
        "seller_id": "S1" if seller == "S1" else None,
        "net_mass_kg": mass,
    }
    for column, choices in GOOD.items():
        text, means = draw(st.sampled_from(choices))
        written[column], meant[column] = text.format(number), means.format(number)
    bad = draw(st.sampled_from([None, None, *BAD]))
    if bad is not None:
        written[bad] = draw(st.sampled_from(BAD[bad]))
    return Line({column: written[column] for column in COLUMNS}, meant, bad)


@settings(max_examples=examples(10), deadline=None)
@given(files())
def test_every_line_is_stored_known_or_refused_for_what_is_wrong_with_it(file: Written) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder)
        (path / "a.csv").write_bytes(file.content)
        (path / "mapping.toml").write_text(file.mapping)
        store = Store(path / "store")
        report = ingest(open_source("files", [str(path / "mapping.toml")]), store, LIMITS)
        assert report.rows_in == report.stored + report.quarantined + report.known == len(file.lines)
        refused = {row["source_line"]: row for row in store.quarantine().collect().to_dicts()}
        kept = {row["source_line"]: row for row in stored(store, "declarations")}
    for number, line in enumerate(file.lines, file.first_line):
        if line.bad is not None:
            reasons = refused[number]["reasons"]
            assert any(reason.startswith(f"{line.bad}: ") for reason in reasons), (line, reasons)
            assert all(re.search(r"expected: .+|is not .+|has .+|contradict", reason) for reason in reasons), reasons
        elif number in refused:
            # Told apart by nothing but what they say, lines of one declaration may contradict each other.
            assert "contradict each other" in refused[number]["reasons"][0], (line, refused[number])
        elif number in kept:
            assert {column: kept[number][column] for column in COLUMNS} == line.meant


def test_the_mapping_of_the_test_is_whole() -> None:
    required = {field.name for field in contract.DECLARATION if not field.nullable}
    assert required <= {*COLUMNS, *CONSTANTS}
