"""Tables in files (CSV, JSON lines, Parquet, workbooks), and a TOML file that says what they hold and how.

A mapping file, in full::

    [[files]]                             # one block for each kind of file
    pattern = "declarations/*.csv"        # from the mapping file's folder, or s3://
    delimiter = ";"                       # default ","
    encoding = "cp1252"                   # default "utf-8"
    date_format = "%d.%m.%Y %H:%M"        # default ISO 8601 without a zone: 2024-02-29, 2024-02-29 13:05:00
    decimal_comma = true                  # 1234,5; default false
    nulls = ["NULL", "N/A", "-"]          # words that stand for nothing; default none
    header_line = 3                       # where the names of the columns stand; default 1. Where a CSV file has
                                          # none: columns = ["MRN", "ITEM", ...], the names in their order
    leave_out = { sql = "STATUS = 'TOTAL'" }  # lines that are no declarations; default none

    [files.declarations]                  # contract column = source column
    declaration_id = "MRN"
    item_number = "ITEM"
    accepted_at = "ACCEPTED"
    recorded_at = { column = "VERSION_OF", date_format = "%Y%m%d" }   # when corrections carry their own instant
    office = "OFFICE"
    procedure = "PROC"
    import_type = { constant = "11" }     # the same in every line; a day without quotes: { constant = 2024-02-29 }
    transport_mode = { column = "MOT", codes = { "SEA" = "1", "RAIL" = "2", "ROAD" = "3", "AIR" = "4" } }
    declarant_id = { column = "BROKER", nulls = ["0000"] }   # instead of the block's
    importer_id = "IMPORTER"
    hs_code = "COMMODITY"                 # text, zeros kept; in Parquet the column must be text too
    departure_country = "DISPATCH"
    origin_country = { column = "ORIGIN", codes = "countries" }   # English names, codes of three
    tax_rate_pct = { sql = "100 * CAST(DUTY AS DOUBLE) / CAST(VALUE AS DOUBLE)" }   # of the line
    tax_type = "PREFERENCE"
    net_mass_kg = "NET_KG"
    item_value = "VALUE"
    currency = { constant = "EUR" }

    [[files]]
    pattern = "results/*.parquet"

    [files.outcomes]
    declaration_id = "mrn"
    item_number = "item"
    accepted_at = "accepted"
    is_inspected = { constant = true }
    is_illicit = { column = "finding", codes = { "none" = "0", "infringement" = "1" } }
    recovered_revenue = "recovered"
    known_at = "closed"

    [[files]]
    pattern = "register/*.csv"            # one fact about one company in each line

    [files.register]
    entry_id = "ENTRY"
    recorded_at = "RECEIVED"
    party_role = { constant = "importer" }
    party_id = "COMPANY"
    attribute = { column = "KIND", codes = { "DIR" = "person", "ADR" = "address" } }
    value = "TEXT"
    begins_at = "SINCE"

Columns that may be null can be left out. A block with declarations and outcomes reads both from the same lines; a line
whose outcome columns are all empty then has no outcome yet. Several blocks may read the same file: two facts in a line
take two blocks. Blocks are read in their order, and files in that of their names: if two files say different things,
the later counts. Changing how a file is mapped makes its rows arrive anew, as corrections. The section `[amounts]`
converts amounts of several currencies to one, see features/mapping/converted.py.

The first bytes of a file, and not its name, tell what it is: CSV, JSON lines (one object a line), Parquet, or a
workbook (Excel, OpenDocument; `sheet = "..."` if there are several sheets), each as it is or in gzip or in a zip of one
file. `codes` may also name a CSV file beside the mapping, with a header and two columns: what is written, and the
contract's code.

`sql` is an expression of Polars' SQL over the columns of the file, which are texts in CSV (`CAST(X AS DOUBLE)`); a name
that has a blank stands in double quotes. It sees one line: aggregates, windows, chance, the clock, files and the
network are refused.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from features import contract
from features.mapping import FileKind, MappingFile, in_one_currency, load, reads
from features.reading import Batch, Chunk, Source, conform, files, objects

__all__ = ["FileKind", "FilesSource", "MappedBatch", "MappingFile", "open_source"]


@dataclass(frozen=True)
class MappedBatch(files.InputFile):
    """One file and its mapping; both decide its `sha256`."""

    kind: FileKind

    @property
    def sha256(self) -> str:
        return hashlib.sha256(f"{super().sha256} {self.kind.identity()}".encode()).hexdigest()

    def chunks(self) -> Iterator[Chunk]:
        tables, left_out = self.kind.tables(), self.kind.left_out()
        columns = reads(tables, left_out)
        layout = files.Layout(self.kind.header_line, self.kind.columns, self.kind.sheet)
        for lines in files.read_any(self.path, columns, self.kind.dialect, self.name, layout):
            kept, faults = _kept(lines.frame, left_out)
            frames = {table: _with(conform.conform(table, kept, mapped), faults) for table, mapped in tables.items()}
            if len(frames) > 1:
                frames["outcomes"] = frames["outcomes"].filter(_any_given(kept, tables["outcomes"]))
            yield Chunk(kept, frames, lines.malformed, lines.frame.height - kept.height)


def _kept(lines: pl.DataFrame, left_out: conform.Computed | None) -> tuple[pl.DataFrame, pl.Series | None]:
    """Return the lines that are not left out, and the faults of lines for which the expression cannot be computed."""
    if left_out is None:
        return lines, None
    value, fault = conform.computed(lines, left_out)
    if value.dtype not in (pl.Boolean, pl.Null):
        raise ValueError(f"leave_out: {left_out.expression.sql!r} is {value.dtype}; expected: true or false")
    is_kept = value.cast(pl.Boolean).fill_null(value=False).not_() | fault.is_not_null()
    return lines.filter(is_kept), "leave_out: " + fault.filter(is_kept)


def _with(frame: pl.DataFrame, faults: pl.Series | None) -> pl.DataFrame:
    if faults is None or faults.null_count() == frame.height:
        return frame
    return frame.with_columns(conform.joined([frame["unreadable"].alias("0"), faults.alias("1")], frame.height))


def _any_given(lines: pl.DataFrame, outcomes: conform.Mapped) -> pl.Series:
    """Return whether each line holds anything of an outcome besides the columns that identify the item."""
    item = {*contract.KEY, "accepted_at"}
    asked = [
        (column, how.nulls)
        for name, how in outcomes.items()
        if name not in item and not isinstance(how, conform.Constant)
        for column in sorted(how.reads)
    ]
    given = pl.repeat(False, lines.height, dtype=pl.Boolean, eager=True)
    for column, nulls in asked:
        text = lines[column] if lines.schema[column].is_nested() else lines[column].cast(pl.String)
        given = given | conform.cleaned(text, nulls).is_not_null()
    return given


@dataclass(frozen=True)
class FilesSource:
    """The files that a mapping file names, once for each block that reads them."""

    found: tuple[tuple[Path | objects.StoredObject, FileKind], ...]
    name: str = "files"

    def batches(self) -> Iterator[Batch]:
        for file, kind in self.found:
            with files.here(file) as path:
                yield MappedBatch(path, kind, address=files.address(file))


def open_source(inputs: Sequence[str]) -> Source:
    """Return the files that the mapping file among `inputs` names, or only the data files if some are given too.

    >>> open_source(["declarations.csv"])
    Traceback (most recent call last):
    ...
    ValueError: the source 'files' needs one mapping file (.toml) among its inputs, not 0; features/sources/files.py ...
    """
    mappings = [Path(text) for text in inputs if text.endswith(".toml")]
    if len(mappings) != 1:
        raise ValueError(
            f"the source 'files' needs one mapping file (.toml) among its inputs, not {len(mappings)}; "
            "features/sources/files.py shows one"
        )
    mapping = mappings[0]
    data = [text for text in inputs if not text.endswith(".toml")]
    kinds = load(mapping)
    if not data:
        return in_one_currency(FilesSource(tuple(_named(mapping, kinds))), mapping)
    paths = files.expand(data)
    for path in paths:
        if not any(path.match(kind.pattern) for kind in kinds):
            patterns = ", ".join(repr(kind.pattern) for kind in kinds)
            raise ValueError(f"{path.name} matches no pattern of {mapping.name}: {patterns}")
    found = tuple((path, kind) for path in paths for kind in kinds if path.match(kind.pattern))
    return in_one_currency(FilesSource(found), mapping)


def _named(mapping: Path, kinds: Sequence[FileKind]) -> Iterator[tuple[Path | objects.StoredObject, FileKind]]:
    """Yield the files beside `mapping`, and objects, in the order of its blocks, then of their names."""
    for kind in kinds:
        if kind.pattern.startswith(objects.SCHEME):
            yield from ((file, kind) for file in files.expand([kind.pattern]))
            continue
        matching = (path for path in mapping.parent.glob(kind.pattern) if path.is_file())
        found = sorted(matching, key=lambda path: (path.name, path))
        if not found:
            raise ValueError(f"{mapping.name}: no file matches {kind.pattern!r} in {mapping.parent}")
        files.check_readable(found)
        yield from ((path, kind) for path in found)
