"""The mapping file of the source `features.sources.files`: what it may say, checked before anything is read.

`features.reading.conform` decides how the values of a column are then read; the docstring of the source shows a whole
mapping file.
"""

import csv
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import pycountry
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    Strict,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationError,
    model_serializer,
    model_validator,
)
from pydantic_core import ErrorDetails

from features import contract
from features.mapping.converted import Amounts
from features.reading import conform, csv_dialect, expressions

COUNTRIES = "countries"  # the name of a code map that comes with the product
_LATER_OF_COLUMNS = ("sql", "nulls")  # keys that mappings did not have from the start
_LATER_OF_FILES = ("nulls", "header_line", "sheet", "leave_out", "columns")


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Expression(_Section):
    sql: str

    @model_validator(mode="after")
    def _usable(self) -> "_Expression":
        expressions.parse(_composed(self.sql))
        return self

    @property
    def expression(self) -> expressions.Expression:
        return expressions.parse(_composed(self.sql))


class _Column(_Section):
    column: str | None = None
    constant: (
        StrictBool
        | StrictInt
        | StrictFloat
        | StrictStr
        | Annotated[datetime, Strict()]
        | Annotated[date, Strict()]
        | None
    ) = None
    codes: dict[str, str] | None = None
    date_format: str | None = None
    decimal_comma: bool | None = None
    sql: str | None = None
    nulls: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> "_Column":
        if sum(origin is not None for origin in (self.column, self.constant, self.sql)) != 1:
            raise ValueError("give either 'column' or 'constant' or 'sql'")
        if self.sql is not None:
            expressions.parse(_composed(self.sql))
        return self

    @model_serializer(mode="wrap")
    def _as_before(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Return the mapping in a form that stays when keys are added, so that a batch is recognised later."""
        said: dict[str, Any] = serialize(self)
        return {key: value for key, value in said.items() if value is not None or key not in _LATER_OF_COLUMNS}


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
    nulls: tuple[str, ...] = ()
    header_line: int = Field(1, ge=1, le=1000)
    sheet: str | None = None
    leave_out: _Expression | None = None
    columns: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _usable(self) -> "FileKind":
        csv_dialect.Dialect(self.delimiter, self.encoding)
        if not self.pattern or Path(self.pattern).is_absolute():
            raise ValueError(
                f"pattern {self.pattern!r}; allowed: a relative one, from the mapping file's folder, or s3://"
            )
        if self.columns is not None and self.header_line != 1:
            raise ValueError("give either 'header_line' or 'columns', the names where a CSV file has no header")
        for table, mapped in self.tables().items():
            conform.check_mapped(table, mapped)
            for name, how in mapped.items():
                if isinstance(how, conform.Constant):
                    _check_constant(table, name, how)
        keys = [[mapped[name] for name in contract.FILING[table].key] for table, mapped in self.tables().items()]
        if not keys or any(key != keys[0] for key in keys):
            raise ValueError(
                "give [files.declarations], [files.outcomes], or both with the same key columns; or [files.register]"
            )
        return self

    @property
    def dialect(self) -> csv_dialect.Dialect:
        return csv_dialect.Dialect(self.delimiter, self.encoding)

    def tables(self) -> dict[str, conform.Mapped]:
        given = {"declarations": self.declarations, "outcomes": self.outcomes, "register": self.entries}
        return {
            table: {name: self._how(column) for name, column in columns.items()}
            for table, columns in given.items()
            if columns is not None
        }

    def left_out(self) -> conform.Computed | None:
        """Return which lines are left out: those for which the expression is true; None if the block does not say."""
        return conform.Computed(self.leave_out.expression, nulls=frozenset(self.nulls)) if self.leave_out else None

    def identity(self) -> str:
        """Return what the block says about reading a file; a key that it does not use adds nothing."""
        unused = {"pattern"} | ({"entries"} if self.entries is None else set())
        unused |= {key for key in _LATER_OF_FILES if getattr(self, key) == type(self).model_fields[key].default}
        return self.model_dump_json(exclude=unused)

    def _how(self, given: str | _Column) -> conform.How:
        column = _Column(column=given) if isinstance(given, str) else given
        if column.constant is not None:
            return conform.Constant(_instant(column.constant))
        how: dict[str, Any] = {
            "codes": column.codes,
            "date_format": column.date_format or self.date_format,
            "decimal_comma": self.decimal_comma if column.decimal_comma is None else column.decimal_comma,
            "nulls": frozenset(self.nulls if column.nulls is None else column.nulls),
        }
        if column.sql is not None:
            return conform.Computed(expressions.parse(_composed(column.sql)), **how)
        return conform.From(_composed(str(column.column)).strip(), **how)


class MappingFile(_Section):
    """A whole mapping file."""

    files: tuple[FileKind, ...] = Field(min_length=1)
    amounts: Amounts | None = None

    @model_validator(mode="after")
    def _no_block_twice(self) -> "MappingFile":
        said = [(kind.pattern, kind.identity()) for kind in self.files]
        for place, each in enumerate(said):
            if each in said[:place]:
                raise ValueError(f"blocks {said.index(each) + 1} and {place + 1} say the same of {each[0]!r}")
        return self


def load(mapping: Path) -> tuple[FileKind, ...]:
    """Return the blocks of a mapping file; ValueError with one sentence for the fault that explains the others."""
    try:
        with mapping.open("rb") as file:
            return MappingFile.model_validate(_with_codes(tomllib.load(file), mapping.parent)).files
    except ValidationError as error:
        raise ValueError(f"{mapping.name}: {_sentence(error.errors())}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{mapping.name}: not TOML in utf-8: {error}") from error
    except OSError as error:
        place = error.filename or mapping
        what = "the mapping file" if Path(place) == mapping else "a code map"
        raise ValueError(f"{place}: {what} cannot be read ({error.strerror})") from error


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _instant(constant: bool | float | str | datetime | date) -> bool | float | str | datetime:
    if isinstance(constant, date) and not isinstance(constant, datetime):
        return datetime(constant.year, constant.month, constant.day)
    return constant


def _check_constant(table: str, name: str, constant: conform.Constant) -> None:
    dtype = contract.schema(table)[name]
    if isinstance(constant.value, datetime) and constant.value.tzinfo is not None:
        raise ValueError(f"{name}: constant {constant.value.isoformat()} has a zone; instants are in legal time")
    try:
        if dtype == contract.INSTANT and not isinstance(constant.value, datetime):
            raise TypeError
        pl.Series([constant.value], dtype=dtype, strict=True)
    except TypeError:
        hint = "; write a day without quotes, as 2024-02-29" if dtype == contract.INSTANT else ""
        raise ValueError(f"{name}: constant {constant.value!r} is not of type {dtype}{hint}") from None


def _with_codes(given: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the mapping with the content of every code map that it names."""
    for block in given["files"] if isinstance(given.get("files"), list) else ():
        for columns in block.values() if isinstance(block, dict) else ():
            for column in columns.values() if isinstance(columns, dict) else ():
                if isinstance(column, dict) and isinstance(column.get("codes"), str):
                    named = column["codes"]
                    column["codes"] = _countries() if named == COUNTRIES else _code_file(folder / named)
    return given


def _code_file(path: Path) -> dict[str, str]:
    """Return a code map from a CSV file with a header and two columns: what is written, and the contract's code."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))[1:]
    for line, row in enumerate(rows, 2):
        if len(row) != 2:
            raise ValueError(f"{path.name} line {line}: {len(row)} fields; a code map has two: written, code")
    return {written.strip(): code.strip() for written, code in rows}


@cache
def _countries() -> dict[str, str]:
    """Return codes by the names of countries in English, and by their other codes, as in ISO 3166-1 and common use."""
    from country_converter import CountryConverter  # imported here, because it loads pandas and few mappings ask for it

    table = CountryConverter().data
    names = dict(zip(table["name_short"], table["ISO2"], strict=True))
    codes = {country.alpha_2 for country in pycountry.countries}
    found = {str(name): str(code) for name, code in names.items() if code in codes}
    for country in pycountry.countries:
        for key in ("name", "official_name", "common_name", "alpha_2", "alpha_3", "numeric"):
            if name := getattr(country, key, None):
                found[name] = country.alpha_2
    return found | {name.upper(): code for name, code in found.items()}


def _sentence(errors: Sequence[ErrorDetails]) -> str:
    """Return a sentence on the fault that explains the others: its place, its kind, and its value if not a section."""
    told_first = ("value_error", "extra_forbidden")  # for a column, pydantic also says that it could have been text
    error = next((each for kind in told_first for each in errors if each["type"] == kind), errors[0])
    where = ".".join(str(part) for part in error["loc"] if part != "str" and _Column.__name__ not in str(part))
    if error["type"] == "extra_forbidden":
        return f"{where}: there is no such key; the docstring of features/sources/files.py shows all"
    given = f", not {error['input']!r}" if isinstance(error["input"], str | int | float) else ""
    return f"{where}: {error['msg'].removeprefix('Value error, ')}{given}"


def reads(tables: Mapping[str, conform.Mapped], left_out: conform.Computed | None) -> set[str]:
    """Return the columns of the file that a block asks for."""
    found = {column for mapped in tables.values() for how in mapped.values() for column in how.reads}
    return found | (left_out.reads if left_out else frozenset())
