"""How a CSV file is written: delimiter, encoding, header; and what reading it gives."""

import csv
from dataclasses import dataclass, field
from typing import BinaryIO

import polars as pl

MAX_HEADER_BYTES = 1 << 20
DELIMITERS = (",", ";", "\t", "|")

MALFORMED = pl.Schema({"source_line": pl.Int64(), "text": pl.String(), "reason": pl.String()})


class ReadError(ValueError):
    """A file cannot be read as a whole. The message names the file, the place, what was found and what is expected."""


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is written. Quotes are '"', doubled inside.

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
    """Lines read: `frame` has `source_line` (Int64) and the file's columns, `malformed` as in `sources.Chunk`."""

    frame: pl.DataFrame
    malformed: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=MALFORMED))


def read_header(name: str, file: BinaryIO, dialect: Dialect) -> list[str]:
    """Column names; leaves `file` at the second line. ReadError if there is no usable header."""
    line = file.readline(MAX_HEADER_BYTES).removeprefix(b"\xef\xbb\xbf")
    if not line:
        raise ReadError(f"{name}: the file is empty; expected a header line")
    if line.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ReadError(f"{name} line 1: the file is UTF-16; convert it to {dialect.encoding}")
    try:
        text = line.decode(dialect.encoding).rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise ReadError(
            f"{name} line 1: the header is not {dialect.encoding}: {error.reason} in {line!r:.200}"
        ) from None
    if "\0" in text or "\r" in text:
        raise ReadError(f"{name} line 1: the header has control characters ({text[:80]!r}); expected a CSV text file")
    try:
        header = [column.strip() for column in next(csv.reader([text], delimiter=dialect.delimiter, strict=True), [])]
    except csv.Error as error:
        raise ReadError(f"{name} line 1: the header cannot be read ({error}): {text!r:.200}") from None
    if not any(header):
        raise ReadError(f"{name} line 1: the header is blank; expected column names")
    if len(header) == 1:
        others = [other for other in DELIMITERS if other != dialect.delimiter and other in text]
        if others:
            raise ReadError(
                f"{name} line 1: the header is not delimited by {dialect.delimiter!r} but, it seems, by "
                f"{max(others, key=text.count)!r}: {text!r:.200}"
            )
    twice = sorted({column for column in header if header.count(column) > 1})
    if twice or "source_line" in header:
        raise ReadError(f"{name} line 1: column {', '.join(map(repr, twice or ['source_line']))} is there twice")
    return header
