"""What a file is by its bytes: it is read as it is, read out of gzip or zip, or refused with what to do."""

import gzip
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from features.reading import packing
from features.reading.csv_dialect import Dialect, ReadError
from features.reading.files import Layout, read_any, read_csv
from features.reading.json_lines import read_json_lines
from tests.support import workbooks

CSV = b"id,hs\n1001,0901\n"


def rows(path: Path, *columns: str, **how: object) -> list[tuple[object, ...]]:
    found = [lines.frame for lines in read_any(path, columns, Dialect(), path.name, Layout(**how))]  # ty: ignore[invalid-argument-type]
    return pl.concat(found).select("source_line", *columns).rows() if found else []


def zipped(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_bytes(CSV),
        lambda path: path.write_bytes(gzip.compress(CSV, mtime=0)),
        lambda path: zipped(path, {"folder/a.csv": CSV, "__MACOSX/a.csv": b"x"}),
        lambda path: path.write_bytes(b'{"id": 1001, "hs": "0901"}\n'),
        lambda path: path.write_bytes(gzip.compress(b'{"id": 1001, "hs": "0901"}\n', mtime=0)),
        lambda path: workbooks.write(path, {"Data": [["id", "hs"], [1001, "0901"]]}),
        lambda path: pl.DataFrame({"id": ["1001"], "hs": ["0901"]}).write_parquet(path),
    ],
)
@pytest.mark.parametrize("name", ["a.csv", "a.dat", "A.XLS"])
def test_the_same_rows_whatever_the_file_is_and_is_called(
    tmp_path: Path, write: Callable[[Path], object], name: str
) -> None:
    write(tmp_path / name)
    assert [row[1:] for row in rows(tmp_path / name, "id", "hs")] == [("1001", "0901")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"BZh91AY\0", "compressed by bzip2; unpack it"),
        (b"7z\xbc\xaf\x27\x1c\0", "a 7z archive; unpack it"),
        (b"%PDF-1.7", "a PDF; export the table as CSV"),
        (b"<!DOCTYPE html><table>", "a page of HTML or XML"),
        (b'[{"id": 1}]', "one JSON array; write one object a line"),
        (b"SQLite format 3\0", "an SQLite database"),
        (gzip.compress(CSV, mtime=0)[:-9], "not a whole gzip file, truncated"),
        (b"PK\x03\x04 and no more", "not a whole zip file, truncated"),
        (gzip.compress(gzip.compress(CSV, mtime=0), mtime=0), "another gzip file within the gzip file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 and no more", "a workbook that cannot be read"),
    ],
)
def test_what_cannot_be_read_is_named_with_what_to_do(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(ReadError, match=rf"^a\.csv: .*{message}"):
        rows(tmp_path / "a.csv", "id")


def test_a_zip_of_several_files_is_named(tmp_path: Path) -> None:
    zipped(tmp_path / "a.zip", {"a.csv": CSV, "b.csv": CSV})
    with pytest.raises(ReadError, match=r"the zip file holds 2 files \(a\.csv, b\.csv\); one is read, so unpack it"):
        rows(tmp_path / "a.zip", "id")


def test_what_unpacks_without_end_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "MOST_BYTES_OUT", 1000)
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"id\n" + b"0" * 5_000_000, mtime=0))
    with pytest.raises(ReadError, match="unpacks to more than"):
        rows(tmp_path / "a.gz", "id")


def test_a_source_of_csv_alone_names_what_it_was_given(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(gzip.compress(CSV, mtime=0))
    with pytest.raises(ReadError, match=r"a\.csv: the file is no CSV but compressed by gzip"):
        list(read_csv(tmp_path / "a.csv", ["id"]))


def test_a_sheet_has_its_rows_where_they_stand(tmp_path: Path) -> None:
    cells = [["Imports", None], [], ["id", "day", "id"], [20523711980, date(2024, 2, 29), 1], [], ["x", None, "y"], []]
    workbooks.write(tmp_path / "a.xlsx", {"Data": cells, "Notes": [["n"]]})
    with pytest.raises(ReadError, match=r"has 2 sheets; name one: sheet = ... \(Data, Notes\)"):
        rows(tmp_path / "a.xlsx", "day")
    with pytest.raises(ReadError, match=r"no sheet 'data'; the workbook has Data, Notes"):
        rows(tmp_path / "a.xlsx", "day", sheet="data")
    with pytest.raises(ReadError, match="line 3: column 'id' is there twice"):
        rows(tmp_path / "a.xlsx", "id", sheet="Data", header_line=3)
    found = rows(tmp_path / "a.xlsx", "id (2)", "day", sheet="Data", header_line=3)
    assert found == [(4, "1", "2024-02-29 00:00:00"), (5, None, None), (6, "y", None)]


def test_json_lines_keep_digits_reach_inside_and_cost_a_line_at_most(tmp_path: Path) -> None:
    text = '{"id": 20523711980, "p": {"q": 1.50}}\n\n{"id": 1\n[1]\n{"id": "\\ud800"}\n{"p": {}}\n\n'
    (tmp_path / "a.jsonl").write_text(text)
    (lines,) = read_json_lines(tmp_path / "a.jsonl", ["id", "p.q", "none"], "a.jsonl")
    assert lines.frame.select("source_line", "id", "p.q", "none").rows() == [
        (1, "20523711980", "1.50", None),
        (6, None, None, None),
    ]
    assert lines.malformed["source_line"].to_list() == [2, 3, 4, 5]
    assert [reason.split(":")[0] for reason in lines.malformed["reason"]] == [
        "the line is blank",
        "the line is not JSON",
        "the line is not an object; expected",
        "half a character in 'id'",
    ]
    (tmp_path / "empty.jsonl").write_text("")
    assert rows(tmp_path / "empty.jsonl", "id") == []
