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
from features.reading import Batch, Chunk, Source, conform, csv_dialect, files, objects

# The codes have two digits, and the first is the digit of UN/ECE Rec. 19.
_TRANSPORT_MODES = {f"{digit}0": f"{digit}" for digit in range(10)}

DECLARATION: conform.Mapped = {
    "declaration_id": conform.From("Declaration ID"),
    "item_number": conform.Constant(1),
    "accepted_at": conform.From("Date"),
    "office": conform.From("Office ID"),
    "procedure": conform.From("Process Type"),
    "import_type": conform.From("Import Type"),
    "import_use": conform.From("Import Use"),
    "payment_type": conform.From("Payment Type"),
    "transport_mode": conform.From("Mode of Transport", codes=_TRANSPORT_MODES),
    "declarant_id": conform.From("Declarant ID"),
    "importer_id": conform.From("Importer ID"),
    "seller_id": conform.From("Seller ID"),
    "courier_id": conform.From("Courier ID"),
    "hs_code": conform.From("HS6 Code"),
    "departure_country": conform.From("Country of Departure"),
    "origin_country": conform.From("Country of Origin"),
    "tax_rate_pct": conform.From("Tax Rate"),
    "tax_type": conform.From("Tax Type"),
    "origin_marking": conform.From("Country of Origin Indicator"),
    "net_mass_kg": conform.From("Net Mass"),
    "item_value": conform.From("Item Price"),
    "currency": conform.Constant("KRW"),
}
FRAUD, CRITICAL = "Fraud", "Critical Fraud"
# Many tools write the whole numbers of a column with gaps as 1.0.
_FRAUD_CODES = {"0": "0", "1": "1", "0.0": "0", "1.0": "1"}
_CRITICAL_CODES = {"0": "0", "1": "0", "2": "1", "0.0": "0", "1.0": "0", "2.0": "1"}
OUTCOME: conform.Mapped = {
    "declaration_id": conform.From("Declaration ID"),
    "item_number": conform.Constant(1),
    "accepted_at": conform.From("Date"),
    "is_inspected": conform.Constant(True),
    "is_illicit": conform.From(FRAUD, codes=_FRAUD_CODES),
    "is_critical": conform.From(CRITICAL, codes=_CRITICAL_CODES),
}
_COLUMNS = tuple(how.column for how in DECLARATION.values() if isinstance(how, conform.From))


@dataclass(frozen=True)
class KcsBatch(files.InputFile):
    """One CSV file of the Korean data."""

    def chunks(self) -> Iterator[Chunk]:
        for lines in files.read_csv(self.path, _COLUMNS, name=self.name):
            declarations = conform.conform("declarations", lines.frame, DECLARATION)
            tables = {"declarations": declarations, "outcomes": outcomes(lines, declarations)}
            yield Chunk(lines.frame, tables, lines.malformed)


def outcomes(lines: csv_dialect.Lines, declarations: pl.DataFrame) -> pl.DataFrame:
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
    frame = conform.conform("outcomes", given, OUTCOME)
    frame = frame.with_columns(
        conform.joined([frame["unreadable"].alias("0"), contradictions.alias("1")], frame.height),
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

    found: tuple[Path | objects.StoredObject, ...]
    name: str = "kcs"

    def batches(self) -> Iterator[Batch]:
        for file in self.found:
            with files.here(file) as path:
                yield KcsBatch(path, address=files.address(file))


def open_source(inputs: Sequence[str]) -> Source:
    """Return the source of the Korean files named by paths or globs, in the order of their names.

    >>> open_source(["/nowhere/declarations-*.csv"])
    Traceback (most recent call last):
    ...
    ValueError: no file matches '/nowhere/declarations-*.csv'
    """
    return KcsSource(files.expand(inputs))
