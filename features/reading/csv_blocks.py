"""CSV text in blocks of whole records. Regular blocks are parsed at once, others line by line; the result is the same.

A block is regular if it has no quote character, no over-long line and the header's number of fields in every line;
almost all blocks are. In an irregular block a line that cannot be read becomes `malformed`, and reading starts again
with the next line, so that an unclosed quote costs its own line and not the rest of the file.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import polars as pl

from features.reading.csv_dialect import MALFORMED, Dialect, Lines, ReadError

BLOCK_BYTES = 16 << 20
MAX_LINE_BYTES = 8 << 20
MAX_FIELD_CHARS = 131_072  # the csv module has the same limit


def blocks(name: str, file: BinaryIO, header: Sequence[str], dialect: Dialect, first_line: int = 2) -> Iterator[Lines]:
    """Yield the lines of `file` after its header, block by block. Blank lines at the end of the file are ignored."""
    parser = _Parser(header, dialect)
    end = _end_of_content(file)
    line, rest = first_line, b""
    begun = b""  # the start of a record whose end is not in the last block
    while True:
        read = file.read(max(0, min(BLOCK_BYTES, end - file.tell())))
        last = file.tell() >= end
        data = rest + read
        if last and data and not data.endswith(b"\n"):
            data += b"\n"
        cut = data.rfind(b"\n") + 1
        whole, rest = data[:cut], data[cut:]
        if len(rest) > MAX_LINE_BYTES:
            at = line + (begun + whole).count(b"\n")
            raise ReadError(f"{name} line {at}: no line end within {MAX_LINE_BYTES} bytes: {rest[:60]!r}")
        if whole:
            lines, consumed = parser.parse(begun + whole.replace(b"\r\n", b"\n"), line, last)
            yield lines
            line += consumed.lines
            begun = consumed.rest
        if last:
            return


def _end_of_content(file: BinaryIO) -> int:
    """Return the offset after the last byte that is no line end, or the present offset; leave `file` where it is."""
    start = file.tell()
    end = file.seek(0, 2)
    while end > start:
        size = min(65_536, end - start)
        file.seek(end - size)
        kept = len(file.read(size).rstrip(b"\r\n"))
        end -= size - kept
        if kept:
            break
    file.seek(start)
    return end


@dataclass(frozen=True)
class _Consumed:
    lines: int
    rest: bytes  # the start of a record that goes on in the next block


@dataclass(frozen=True)
class _Parser:
    header: Sequence[str]
    dialect: Dialect

    def parse(self, block: bytes, line: int, last: bool) -> tuple[Lines, _Consumed]:
        regular = self._regular(block, line)
        return (regular, _Consumed(regular.frame.height, b"")) if regular else self._irregular(block, line, last)

    def _regular(self, block: bytes, line: int) -> Lines | None:
        delimiter = self.dialect.delimiter
        # Polars treats a lone carriage return and a blank line in its own way.
        if b'"' in block or b"\r" in block or len(self.header) == 1:
            return None
        octets = np.frombuffer(block, np.uint8)
        ends = np.flatnonzero(octets == ord("\n"))
        fields = np.searchsorted(np.flatnonzero(octets == ord(delimiter)), ends)
        if (np.diff(fields, prepend=0) != len(self.header) - 1).any():
            return None
        if np.diff(ends, prepend=-1).max() > MAX_FIELD_CHARS:
            return None
        if not self._decodes(block):
            return None
        return Lines(_numbered(self._plain(block), np.arange(line, line + len(ends))))

    def _irregular(self, block: bytes, first: int, last: bool) -> tuple[Lines, _Consumed]:
        lines = block.split(b"\n")[:-1]
        plain: list[bytes] = []
        plain_numbers: list[int] = []
        rows: list[Sequence[str]] = []
        numbers: list[int] = []
        malformed: list[tuple[int, str, str]] = []
        is_plain = self._plain_lines(block)
        at = 0
        while at < len(lines):
            if is_plain(lines[at]):
                plain.append(lines[at])
                plain_numbers.append(first + at)
                at += 1
                continue
            record = self._record(lines, at)
            if record.open and not last:
                break
            if record.reason is None:
                rows.append(record.values)
                numbers.append(first + at)
                at += record.lines
            else:
                # Only this line is malformed: what an unclosed quote swallowed is read again from the next line.
                text = lines[at].decode(self.dialect.encoding, "backslashreplace")
                malformed.append((first + at, text, record.reason))
                at += 1
        schema = dict.fromkeys(self.header, pl.String)
        others = pl.DataFrame(rows, schema=schema, orient="row").with_columns(pl.all().replace("", None))
        regular = self._plain(b"".join(line + b"\n" for line in plain)) if plain else others.clear()
        both = pl.concat([_numbered(regular, np.array(plain_numbers)), _numbered(others, np.array(numbers))])
        rest = b"".join(line + b"\n" for line in lines[at:])
        found = Lines(both.sort("source_line"), pl.DataFrame(malformed, schema=MALFORMED, orient="row"))
        return found, _Consumed(at, rest)

    def _plain_lines(self, block: bytes) -> Callable[[bytes], bool]:
        """Return a function that says whether a line of `block` is a record without any peculiarity."""
        delimiter, delimiters = self.dialect.delimiter.encode(), len(self.header) - 1
        decodes = self._decodes(block)

        def is_plain(line: bytes) -> bool:
            return (
                line.count(delimiter) == delimiters
                and 0 < len(line) <= MAX_FIELD_CHARS
                and b'"' not in line
                and b"\r" not in line
                and (decodes or line.isascii())
            )

        return is_plain

    def _decodes(self, block: bytes) -> bool:
        try:
            block.decode(self.dialect.encoding)
        except UnicodeDecodeError:
            return False
        return True

    def _plain(self, block: bytes) -> pl.DataFrame:
        """Return the records of a block in which every line is a record without quotes."""
        utf8 = block if self.dialect.encoding == "utf-8" else block.decode(self.dialect.encoding).encode()
        return pl.read_csv(
            utf8,
            has_header=False,
            schema=dict.fromkeys(self.header, pl.String),
            separator=self.dialect.delimiter,
            quote_char=None,
        )

    def _record(self, lines: list[bytes], at: int) -> "_Record":
        """Return the record that begins in line `at`."""
        line = lines[at].removesuffix(b"\r")
        try:
            text = line.decode(self.dialect.encoding)
        except UnicodeDecodeError as error:
            return _Record(reason=self._undecodable(line, error))
        if not text:
            return _Record(reason="the line is blank")
        if '"' not in text:
            return self._checked(_Record(text.split(self.dialect.delimiter)))
        following = _Following(lines, at, self.dialect.encoding)
        reader = csv.reader(following, delimiter=self.dialect.delimiter, strict=True)
        try:
            return self._checked(_Record(next(reader), reader.line_num))
        except csv.Error as error:
            reason = f"a quoted field is not closed or has text after it ({error})"
            return _Record(reason=reason, open=following.ran_out)
        except UnicodeDecodeError:
            return _Record(reason=f"a quoted field is not closed before a line that is not {self.dialect.encoding}")

    def _checked(self, record: "_Record") -> "_Record":
        if len(record.values) != len(self.header):
            return _Record(reason=f"the line has {len(record.values)} fields; the header has {len(self.header)}")
        if sum(map(len, record.values)) <= MAX_FIELD_CHARS:
            return record
        for column, value in zip(self.header, record.values, strict=True):
            if len(value) > MAX_FIELD_CHARS:
                long = f"{column}: the field has {len(value)} characters ({value[:20]!r}...); at most {MAX_FIELD_CHARS}"
                return _Record(reason=f"{long} are read")
        return record

    def _undecodable(self, line: bytes, error: UnicodeDecodeError) -> str:
        before = line[: error.start].count(self.dialect.delimiter.encode())
        column = self.header[min(before, len(self.header) - 1)]
        value = line.split(self.dialect.delimiter.encode())[before]
        return f"{column}: {value!r:.60} is not {self.dialect.encoding}; the file mixes encodings"


@dataclass(frozen=True)
class _Record:
    values: Sequence[str] = ()
    lines: int = 1
    reason: str | None = None
    open: bool = False  # a quoted field may go on in the next block


class _Following:
    """Lines for the csv module. They end after the length of a field: an unclosed quote must not swallow the file."""

    def __init__(self, lines: list[bytes], at: int, encoding: str) -> None:
        self._lines, self._at, self._encoding = lines, at, encoding
        self._given = 0
        self.ran_out = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._at == len(self._lines):
            self.ran_out = True
            raise StopIteration
        if self._given > MAX_FIELD_CHARS:
            raise StopIteration
        text = self._lines[self._at].decode(self._encoding) + "\n"
        self._at += 1
        self._given += len(text)
        return text


def _numbered(frame: pl.DataFrame, lines: np.ndarray) -> pl.DataFrame:
    return frame.select(pl.Series("source_line", lines, pl.Int64), pl.all())
