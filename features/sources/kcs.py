"""The public import declarations of the Korea Customs Service (synthetic, 2022), as CSV with one declared good a line.

Every good in them was inspected, so every line also gives an outcome, unless `Fraud` and `Critical Fraud` are both
missing or empty: then its outcome is not known yet. One of the two is enough, and gives as much of the outcome as it
can. The files have no instant of the result (`known_at` is null), no channel and no selection probability.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from features import contract
from features.reading.conform import Constant, From, Mapped, conform, joined
from features.reading.csv_dialect import Lines
from features.reading.files import InputFile, address, expand, here, read_csv
from features.reading.objects import StoredObject
from features.reading.source import Batch, Chunk, Source

# The codes have two digits, and the first is the digit of UN/ECE Rec. 19.
_TRANSPORT_MODES = {f"{digit}0": f"{digit}" for digit in range(10)}

DECLARATION: Mapped = {
    "declaration_id": From("Declaration ID"),
    "item_number": Constant(1),
    "accepted_at": From("Date"),
    "office": From("Office ID"),
    "procedure": From("Process Type"),
    "import_type": From("Import Type"),
    "import_use": From("Import Use"),
    "payment_type": From("Payment Type"),
    "transport_mode": From("Mode of Transport", codes=_TRANSPORT_MODES),
    "declarant_id": From("Declarant ID"),
    "importer_id": From("Importer ID"),
    "seller_id": From("Seller ID"),
    "courier_id": From("Courier ID"),
    "hs_code": From("HS6 Code"),
    "departure_country": From("Country of Departure"),
    "origin_country": From("Country of Origin"),
    "tax_rate_pct": From("Tax Rate"),
    "tax_type": From("Tax Type"),
    "origin_marking": From("Country of Origin Indicator"),
    "net_mass_kg": From("Net Mass"),
    "item_value": From("Item Price"),
    "currency": Constant("KRW"),
}
FRAUD, CRITICAL = "Fraud", "Critical Fraud"
# Many tools write the whole numbers of a column with gaps as 1.0.
_FRAUD_CODES = {"0": "0", "1": "1", "0.0": "0", "1.0": "1"}
_CRITICAL_CODES = {"0": "0", "1": "0", "2": "1", "0.0": "0", "1.0": "0", "2.0": "1"}
OUTCOME: Mapped = {
    "declaration_id": From("Declaration ID"),
    "item_number": Constant(1),
    "accepted_at": From("Date"),
    "is_inspected": Constant(True),
    "is_illicit": From(FRAUD, codes=_FRAUD_CODES),
    "is_critical": From(CRITICAL, codes=_CRITICAL_CODES),
}
_COLUMNS = tuple(how.column for how in DECLARATION.values() if isinstance(how, From))


@dataclass(frozen=True)
class KcsBatch(InputFile):
    """One CSV file of the Korean data."""

    def chunks(self) -> Iterator[Chunk]:
        for lines in read_csv(self.path, _COLUMNS, name=self.name):
            declarations = conform("declarations", lines.frame, DECLARATION)
            tables = {"declarations": declarations, "outcomes": outcomes(lines, declarations)}
            yield Chunk(lines.frame, tables, lines.malformed)


def outcomes(lines: Lines, declarations: pl.DataFrame) -> pl.DataFrame:
    """Return outcome rows for the lines that have a result, in full or in part."""
    given = lines.frame.with_columns(
        pl.lit(None, pl.String).alias(column) for column in (FRAUD, CRITICAL) if column not in lines.frame.columns
    ).with_columns(pl.col(column).str.strip_chars().replace("", None) for column in (FRAUD, CRITICAL))
    fraud, critical = pl.col(FRAUD), pl.col(CRITICAL)
    found = fraud.replace_strict(_FRAUD_CODES, default=None) == "1"
    # Critical Fraud tells it too: 0 is none, 1 is fraud, 2 is critical.
    graded = critical.replace_strict(dict.fromkeys(_CRITICAL_CODES, True) | {"0": False, "0.0": False}, default=None)
    why = pl.format("is_critical: Critical Fraud '{}' contradicts Fraud '{}'", critical, fraud)
    contradictions = given.select(pl.when(found != graded).then(why)).to_series()
    frame = conform("outcomes", given, OUTCOME)
    frame = frame.with_columns(
        joined([frame["unreadable"].alias("0"), contradictions.alias("1")], frame.height),
        is_illicit=pl.coalesce("is_illicit", given.select(graded).to_series()),
    )
    duties = declarations["item_value"] * declarations["tax_rate_pct"] / 100
    frame = frame.with_columns(
        recovered_revenue=pl.when("is_illicit").then(duties).when(pl.col("is_illicit").not_()).then(0.0)
    )
    return frame.filter(given[FRAUD].is_not_null() | given[CRITICAL].is_not_null()).select(
        *contract.schema("outcomes"), "source_line", "unreadable"
    )


@dataclass(frozen=True)
class KcsSource:
    """A source that reads the Korean files `found`."""

    found: tuple[Path | StoredObject, ...]
    name: str = "kcs"

    def batches(self) -> Iterator[Batch]:
        for file in self.found:
            with here(file) as path:
                yield KcsBatch(path, address=address(file))


def open_source(inputs: Sequence[str]) -> Source:
    """Return the source of the Korean files named by paths or globs, in the order of their names.

    >>> open_source(["/nowhere/declarations-*.csv"])
    Traceback (most recent call last):
    ...
    ValueError: no file matches '/nowhere/declarations-*.csv'
    """
    return KcsSource(expand(inputs))
