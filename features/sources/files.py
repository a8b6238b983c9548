"""Any CSV or Parquet files, with a TOML file that says which of them hold what and how it is written there.

A mapping file, in full::

    [[files]]                             # one block for each kind of file
    pattern = "declarations/*.csv"        # from the mapping file's folder, or s3://; .parquet, .pq: Parquet; else CSV
    delimiter = ";"                       # default ","
    encoding = "cp1252"                   # default "utf-8"
    date_format = "%d.%m.%Y %H:%M"        # default ISO 8601 without a zone: 2024-02-29, 2024-02-29 13:05:00
    decimal_comma = true                  # 1234,5; default false

    [files.declarations]                  # contract column = source column
    declaration_id = "MRN"
    item_number = "ITEM"
    accepted_at = "ACCEPTED"
    recorded_at = { column = "VERSION_OF", date_format = "%Y%m%d" }   # when corrections carry their own instant
    office = "OFFICE"
    procedure = "PROC"
    import_type = { constant = "11" }     # the same in every line
    transport_mode = { column = "MOT", codes = { "SEA" = "1", "RAIL" = "2", "ROAD" = "3", "AIR" = "4" } }
    declarant_id = "BROKER"
    importer_id = "IMPORTER"
    hs_code = "COMMODITY"                 # text, zeros kept; in Parquet the column must be text too
    departure_country = "DISPATCH"
    origin_country = "ORIGIN"
    tax_rate_pct = "RATE"
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
whose outcome columns are all empty then has no outcome yet. Blocks are read in their order, files in that of their
names: where two files say different things, the later counts. Changing how a file is mapped makes its rows arrive anew,
as corrections. Amounts of several currencies are brought to one by the section `[amounts]`, see features/converted.py.
"""

import hashlib
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from features import contract
from features.conform import Constant, From, Mapped, check_mapped, conform
from features.converted import Amounts, in_one_currency
from features.objects import SCHEME, StoredObject
from features.reading import (
    Dialect,
    InputFile,
    Lines,
    address,
    check_readable,
    expand,
    here,
    read_csv,
    read_parquet,
)
from features.sources import Batch, Chunk, Source

PARQUET_SUFFIXES = (".parquet", ".pq")


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Column(_Section):
    column: str | None = None
    constant: StrictBool | StrictInt | StrictFloat | StrictStr | None = None
    codes: dict[str, str] | None = None
    date_format: str | None = None
    decimal_comma: bool | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> "_Column":
        if (self.column is None) == (self.constant is None):
            raise ValueError("give either 'column' or 'constant'")
        return self


class FileKind(_Section):
    """One `[[files]]` block: a pattern, how such files are written, and the tables they hold."""

    pattern: str
    delimiter: str = ","
    encoding: str = "utf-8"
    date_format: str | None = None
    decimal_comma: bool = False
    declarations: dict[str, str | _Column] | None = None
    outcomes: dict[str, str | _Column] | None = None
    entries: dict[str, str | _Column] | None = Field(None, alias="register")  # pydantic has a `register` of its own

    @model_validator(mode="after")
    def _usable(self) -> "FileKind":
        Dialect(self.delimiter, self.encoding)
        if not self.pattern or Path(self.pattern).is_absolute():
            raise ValueError(
                f"pattern {self.pattern!r}; allowed: a relative one, from the mapping file's folder, or s3://"
            )
        for table, mapped in self.tables().items():
            check_mapped(table, mapped)
            for name, how in mapped.items():
                if isinstance(how, Constant):
                    _check_constant(table, name, how)
        keys = {tuple(mapped[name] for name in contract.FILING[table].key) for table, mapped in self.tables().items()}
        if len(keys) != 1:
            raise ValueError(
                "give [files.declarations], [files.outcomes], or both with the same key columns; or [files.register]"
            )
        return self

    def tables(self) -> dict[str, Mapped]:
        given = {"declarations": self.declarations, "outcomes": self.outcomes, "register": self.entries}
        return {
            table: {name: self._how(column) for name, column in columns.items()}
            for table, columns in given.items()
            if columns is not None
        }

    def _how(self, given: str | _Column) -> From | Constant:
        column = _Column(column=given) if isinstance(given, str) else given
        if column.constant is not None:
            return Constant(column.constant)
        comma = self.decimal_comma if column.decimal_comma is None else column.decimal_comma
        return From(str(column.column), column.codes, column.date_format or self.date_format, comma)


class MappingFile(_Section):
    """A whole mapping file."""

    files: tuple[FileKind, ...] = Field(min_length=1)
    amounts: Amounts | None = None


def _check_constant(table: str, name: str, constant: Constant) -> None:
    dtype = contract.schema(table)[name]
    try:
        pl.Series([constant.value], dtype=dtype, strict=True)
    except TypeError:
        raise ValueError(f"{name}: constant {constant.value!r} is not of type {dtype}") from None


@dataclass(frozen=True)
class MappedBatch(InputFile):
    """One file and how it is mapped; both decide its `sha256`."""

    kind: FileKind

    @property
    def sha256(self) -> str:
        # What was ingested before there were registers keeps its name.
        unused = {"pattern"} if self.kind.entries else {"pattern", "entries"}
        mapping = self.kind.model_dump_json(exclude=unused)
        return hashlib.sha256(f"{super().sha256} {mapping}".encode()).hexdigest()

    def chunks(self) -> Iterator[Chunk]:
        tables = self.kind.tables()
        for lines in self._lines(tables):
            frames = {table: conform(table, lines.frame, mapped) for table, mapped in tables.items()}
            if len(frames) > 1:
                frames["outcomes"] = frames["outcomes"].filter(_any_given(lines.frame, tables["outcomes"]))
            yield Chunk(lines.frame, frames, lines.malformed)

    def _lines(self, tables: dict[str, Mapped]) -> Iterator[Lines]:
        columns = {how.column for mapped in tables.values() for how in mapped.values() if isinstance(how, From)}
        if self.path.suffix in PARQUET_SUFFIXES:
            return read_parquet(self.path, columns, self.name)
        return read_csv(self.path, columns, Dialect(self.kind.delimiter, self.kind.encoding), self.name)


def _any_given(lines: pl.DataFrame, outcomes: Mapped) -> pl.Series:
    """Lines that hold anything of an outcome beside which item it is about."""
    item = {*contract.KEY, "accepted_at"}
    columns = {how.column for name, how in outcomes.items() if isinstance(how, From) and name not in item}
    blank = (pl.col(column).cast(pl.String).str.strip_chars().replace("", None).is_null() for column in sorted(columns))
    return lines.select(pl.all_horizontal(*blank).not_()).to_series()


@dataclass(frozen=True)
class FilesSource:
    """The files that a mapping file names."""

    found: tuple[tuple[Path | StoredObject, FileKind], ...]
    name: str = "files"

    def batches(self) -> Iterator[Batch]:
        for file, kind in self.found:
            with here(file) as path:
                yield MappedBatch(path, kind, address=address(file))


def open_source(inputs: Sequence[str]) -> Source:
    """The files that the mapping file among `inputs` names or, where data files are given too, those alone.

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
    kinds = _kinds(mapping)
    paths = expand(data) if data else _named(mapping, kinds)
    matches = {path: [kind for kind in kinds if path.match(kind.pattern)] for path in paths}
    for path, found in matches.items():
        if len(found) != 1:
            patterns = ", ".join(repr(kind.pattern) for kind in found or kinds)
            raise ValueError(f"{path.name} matches {len(found)} patterns of {mapping.name}, not one: {patterns}")
    return in_one_currency(FilesSource(tuple((path, matches[path][0]) for path in paths)), mapping)


def _kinds(mapping: Path) -> tuple[FileKind, ...]:
    try:
        with mapping.open("rb") as file:
            return MappingFile.model_validate(tomllib.load(file)).files
    except ValidationError as error:
        raise ValueError(f"{mapping.name}: {_sentence(error.errors())}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{mapping.name}: not TOML in utf-8: {error}") from error
    except OSError as error:
        raise ValueError(f"{mapping}: the mapping file cannot be read ({error.strerror})") from error


def _sentence(errors: Sequence[ErrorDetails]) -> str:
    """The fault of a mapping file that explains the others: where, what, and the value unless that is a section."""
    told_first = ("value_error", "extra_forbidden")  # of a column, pydantic also says that it could have been text
    error = next((each for kind in told_first for each in errors if each["type"] == kind), errors[0])
    where = ".".join(str(part) for part in error["loc"] if part != "str" and _Column.__name__ not in str(part))
    if error["type"] == "extra_forbidden":
        return f"{where}: there is no such key; the docstring of features/sources/files.py shows all"
    given = f", not {error['input']!r}" if isinstance(error["input"], str | int | float) else ""
    return f"{where}: {error['msg'].removeprefix('Value error, ')}{given}"


def _named(mapping: Path, kinds: Sequence[FileKind]) -> list[Path | StoredObject]:
    """Files beside `mapping` and objects, in the order of its blocks, then of their names."""
    paths: dict[Path | StoredObject, None] = {}
    for kind in kinds:
        if kind.pattern.startswith(SCHEME):
            paths |= dict.fromkeys(expand([kind.pattern]))
            continue
        matching = (path for path in mapping.parent.glob(kind.pattern) if path.is_file())
        found = sorted(matching, key=lambda path: (path.name, path))
        if not found:
            raise ValueError(f"{mapping.name}: no file matches {kind.pattern!r} in {mapping.parent}")
        check_readable(found)
        paths |= dict.fromkeys(found)
    return list(paths)
