"""What kind of file the first bytes tell, whatever its name says, and unpacking of gzip and zip.

Not here: reading what comes out, which `features.reading.files`, `features.reading.json_lines` and
`features.reading.workbook` do.
"""

import gzip
import re
import zipfile
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Literal

from features.reading.csv_dialect import ReadError

Kind = Literal["csv", "json", "parquet", "workbook", "gzip", "zip"]

PARQUET_SUFFIXES = (".parquet", ".pq")
JSON_SUFFIXES = (".jsonl", ".ndjson")
MOST_BYTES_OUT = 64 << 20  # allowed for any size; beyond it:
MOST_TIMES_LARGER = 200

_PEEK = 4096
_KINDS: tuple[tuple[bytes, Kind], ...] = (
    (b"PAR1", "parquet"),
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "workbook"),  # Excel before 2007
)
_NOT_READ = (
    (b"BZh", "compressed by bzip2; unpack it, or send it as gzip"),
    (b"\xfd7zXZ", "compressed by xz; unpack it, or send it as gzip"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd; unpack it, or send it as gzip"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it, or send it as zip"),
    (b"Rar!", "a RAR archive; unpack it, or send it as zip"),
    (b"%PDF", "a PDF; export the table as CSV"),
    (b"SQLite format 3", "an SQLite database; export the table as CSV or Parquet"),
    (b"ARROW1", "an Arrow file; write it as Parquet"),
    (b"ORC", "an ORC file; write it as Parquet"),
    (b"Obj\x01", "an Avro file; write it as Parquet"),
)
_PAGE = re.compile(rb"\s*<(?:!doctype|html|\?xml|table)", re.IGNORECASE)
_OBJECT = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*(?:"|\})')
_ARRAY = re.compile(rb'(?:\xef\xbb\xbf)?\s*\[\s*\{\s*"')


def kind_of(path: Path, name: str) -> Kind:
    """Return the kind of the file; ReadError, which says what to do, if it is a kind that cannot be read."""
    with path.open("rb") as file:
        start = file.read(_PEEK)
    for magic, kind in _KINDS:
        if start.startswith(magic):
            return "workbook" if kind == "zip" and _is_workbook(path) else kind
    for magic, what in _NOT_READ:
        if start.startswith(magic) and (not magic.isalnum() or b"\0" in start):
            raise ReadError(f"{name}: the file is {what}")
    if _PAGE.match(start):
        raise ReadError(f"{name}: the file is a page of HTML or XML, whatever its name says; export the table as CSV")
    if _ARRAY.match(start):
        raise ReadError(f"{name}: the file is one JSON array; write one object a line (JSON lines)")
    suffix = path.suffix.lower()
    if _OBJECT.match(start) or suffix in JSON_SUFFIXES:
        return "json"
    return "parquet" if suffix in PARQUET_SUFFIXES else "csv"


@contextmanager
def unpacked(path: Path, name: str) -> Generator[tuple[Path, Kind]]:
    """Give the file or, if it is gzip or a zip of one file, the file in it, and its kind, until the block ends."""
    kind = kind_of(path, name)
    if kind not in ("gzip", "zip"):
        yield path, kind
        return
    with TemporaryDirectory(prefix="tidewaiter-") as folder:
        try:
            inner = _from_gzip(path, Path(folder), name) if kind == "gzip" else _from_zip(path, Path(folder), name)
        except (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            raise ReadError(f"{name}: not a whole {kind} file, truncated or still being written? ({error})") from error
        found = kind_of(inner, name)
        if found in ("gzip", "zip"):
            raise ReadError(f"{name}: there is another {found} file within the {kind} file; pack it once")
        yield inner, found


def _from_gzip(path: Path, folder: Path, name: str) -> Path:
    inner = folder / (path.stem if path.suffix.lower() in (".gz", ".gzip") else path.name)
    with gzip.open(path) as packed:
        _copy(packed, inner, path, name)
    return inner


def _from_zip(path: Path, folder: Path, name: str) -> Path:
    with zipfile.ZipFile(path) as archive:
        files = [each for each in archive.infolist() if not each.is_dir() and not each.filename.startswith("__MACOSX/")]
        if len(files) != 1:
            names = ", ".join(each.filename for each in files[:5]) + ", ..." * (len(files) > 5)
            raise ReadError(f"{name}: the zip file holds {len(files)} files ({names}); one is read, so unpack it")
        if files[0].flag_bits & 1:
            raise ReadError(f"{name}: the zip file is locked by a password; unpack it")
        # Only the suffix of its name is used: the path that an archive states is not followed.
        inner = folder / f"inner{Path(files[0].filename).suffix}"
        with archive.open(files[0]) as packed:
            _copy(packed, inner, path, name)
    return inner


def _copy(packed: gzip.GzipFile | IO[bytes], inner: Path, path: Path, name: str) -> None:
    most = max(MOST_BYTES_OUT, path.stat().st_size * MOST_TIMES_LARGER)
    with inner.open("wb") as file:
        while block := packed.read(1 << 20):
            if file.tell() + len(block) > most:
                raise ReadError(f"{name}: it unpacks to more than {most:,} bytes, {MOST_TIMES_LARGER} times its size")
            file.write(block)


def _is_workbook(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile:
        return path.suffix.lower() in (".xlsx", ".xlsm", ".xlsb", ".ods")
    return any(name.startswith("xl/workbook.") for name in names) or "content.xml" in names


def size_unpacked(path: Path) -> int:
    """Return the bytes to which the members of a zip file say that they unpack; for another file, its own size."""
    if not zipfile.is_zipfile(path):
        return path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        return sum(each.file_size for each in archive.infolist())
