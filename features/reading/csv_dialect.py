"""How a CSV file is written (delimiter, encoding, header), and the lines that reading it gives."""

import csv
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

import polars as pl

from features.reading.written import seen

MAX_HEADER_BYTES = 1 << 20
DELIMITERS = (",", ";", "\t", "|")

MALFORMED = pl.Schema({"source_line": pl.Int64(), "text": pl.String(), "reason": pl.String()})


class ReadError(ValueError):
    """A file cannot be read as a whole. The message names the file, the place, what was found and what is expected."""


@dataclass(frozen=True)
class Dialect:
    """The delimiter and encoding of a CSV file. The quote character is '"', doubled inside a quoted field.

    >>> Dialect(delimiter="::")
    Traceback (most recent call last):
    ...
    ValueError: delimiter '::' is not one ASCII character
    >>> Dialect(encoding="utf-16")
    Traceback (most recent call last):
    ...
    ValueError: encoding 'utf-16' does not keep ASCII as it is; convert the file to utf-8
    """

    delimiter: str = ","
    encoding: str = "utf-8"

    def __post_init__(self) -> None:
        if len(self.delimiter) != 1 or not self.delimiter.isascii() or self.delimiter in '"\r\n':
            raise ValueError(f"delimiter {self.delimiter!r} is not one ASCII character")
        try:
            kept = 'a1,"\n'.encode(self.encoding) == b'a1,"\n'
        except LookupError:
            raise ValueError(f"encoding {self.encoding!r} is not known; 'utf-8' and 'cp1252' are") from None
        if not kept:
            raise ValueError(f"encoding {self.encoding!r} does not keep ASCII as it is; convert the file to utf-8")


@dataclass(frozen=True)
class Lines:
    """Lines that were read: `frame` has `source_line` (Int64) and the file's columns, `malformed` is as in `Chunk`."""

    frame: pl.DataFrame
    malformed: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=MALFORMED))


def header_names(where: str, given: Sequence[str], required: Collection[str]) -> list[str]:
    """Return unique names of all columns; a blank or repeated name that is not required gets a number.

    >>> header_names("a.csv line 1", ["ID", "", "NOTE", "NOTE", ""], ["ID"])
    ['ID', 'column 2', 'NOTE', 'NOTE (2)', 'column 5']
    >>> header_names("a.csv line 1", ["ID", "NOTE", "NOTE"], ["ID", "NOTE"])
    Traceback (most recent call last):
    ...
    features.reading.csv_dialect.ReadError: a.csv line 1: column 'NOTE' is there twice
    """
    cleaned = seen(pl.Series(given, dtype=pl.String), has_words=False).str.strip_chars().to_list()
    twice = sorted(name for name in required if cleaned.count(name) > 1 or name == "source_line")
    if twice:
        raise ReadError(f"{where}: column {', '.join(map(repr, twice))} is there twice")
    taken = {"source_line", *cleaned}
    names: list[str] = []
    for place, name in enumerate(cleaned, 1):
        unique, count = name or f"column {place}", 1
        while unique in names or unique == "source_line" or (unique != name and unique in taken):
            count += 1
            unique = f"{name or f'column {place}'} ({count})"
        names.append(unique)
    return names


def read_header(
    name: str, file: BinaryIO, dialect: Dialect, required: Collection[str] = (), header_line: int = 1
) -> list[str]:
    """Return the column names in line `header_line`, and leave `file` after it; ReadError if they are not usable."""
    where = f"{name} line {header_line}"
    for number in range(1, header_line):
        if not file.readline(MAX_HEADER_BYTES):
            raise ReadError(f"{where}: the file ends after {number - 1} lines; expected a header line")
    line = file.readline(MAX_HEADER_BYTES).removeprefix(b"\xef\xbb\xbf")
    if not line and header_line > 1:
        raise ReadError(f"{where}: the file ends before it; expected a header line")
    if not line:
        raise ReadError(f"{name}: the file is empty; expected a header line")
    if line.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ReadError(f"{where}: the file is UTF-16; convert it to {dialect.encoding}")
    try:
        text = line.decode(dialect.encoding).rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise ReadError(f"{where}: the header is not {dialect.encoding}: {error.reason} in {line!r:.200}") from None
    if "\0" in text or "\r" in text:
        raise ReadError(f"{where}: the header has control characters ({text[:80]!r}); expected a CSV text file")
    try:
        header = [column.strip() for column in next(csv.reader([text], delimiter=dialect.delimiter, strict=True), [])]
    except csv.Error as error:
        raise ReadError(f"{where}: the header cannot be read ({error}): {text!r:.200}") from None
    if not any(header):
        raise ReadError(f"{where}: the header is blank; expected column names")
    if len(header) == 1:
        others = [other for other in DELIMITERS if other != dialect.delimiter and other in text]
        if others:
            raise ReadError(
                f"{where}: the header is not delimited by {dialect.delimiter!r} but, it seems, by "
                f"{max(others, key=text.count)!r}: {text!r:.200}"
            )
    return header_names(where, header, required)
