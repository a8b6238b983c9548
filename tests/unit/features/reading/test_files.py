"""Good files, and every kind of bad one: what is read, what is refused, and with which words."""

import os
from pathlib import Path

import polars as pl
import pytest

from features.reading import csv_blocks, files
from features.reading.files import Dialect, Lines, ReadError, expand, read_csv, read_parquet

HEADER = "id,hs,mass"


def write(folder: Path, text: str | bytes, name: str = "d.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def read(path: Path, required: tuple[str, ...] = ("id", "hs", "mass"), dialect: Dialect = files.CSV) -> Lines:
    found = list(read_csv(path, required, dialect))
    return Lines(pl.concat(lines.frame for lines in found), pl.concat(lines.malformed for lines in found))


def test_values_are_text_with_the_line_they_stand_in(tmp_path: Path) -> None:
    lines = read(write(tmp_path, f"{HEADER}\n1,090121,\n2,\u00e9,7\n"))
    assert lines.frame.to_dict(as_series=False) == {
        "source_line": [2, 3],
        "id": ["1", "2"],
        "hs": ["090121", "\u00e9"],
        "mass": [None, "7"],
    }
    assert lines.malformed.is_empty()


@pytest.mark.parametrize(
    "text", ["id,hs,mass\r\n1,a,2\r\n", "\ufeffid,hs,mass\n1,a,2", "id, hs ,mass\n1,a,2\n\n\r\n\n"]
)
def test_line_ends_byte_order_mark_and_blank_lines_at_the_end_do_not_matter(tmp_path: Path, text: str) -> None:
    lines = read(write(tmp_path, text))
    assert lines.frame.rows() == [(2, "1", "a", "2")]
    assert lines.malformed.is_empty()


def test_quoted_fields_may_hold_delimiters_quotes_and_line_ends(tmp_path: Path) -> None:
    lines = read(write(tmp_path, f'{HEADER}\n1,"a,""b""\nc",2\n3,d,4\n'))
    assert lines.frame.rows() == [(2, "1", 'a,"b"\nc', "2"), (4, "3", "d", "4")]


def test_one_bad_line_costs_that_line(tmp_path: Path) -> None:
    text = f'{HEADER}\n1,a,2\n2,b\n3,c,4,5\n\n5,"open,6\n6,"d"x,7\n7,"e",8\n'
    lines = read(write(tmp_path, text))
    assert lines.frame["source_line"].to_list() == [2, 8]
    assert lines.malformed.select("source_line", "text").rows() == [
        (3, "2,b"),
        (4, "3,c,4,5"),
        (5, ""),
        (6, '5,"open,6'),
        (7, '6,"d"x,7'),
    ]
    reasons = lines.malformed["reason"].to_list()
    assert reasons[:3] == [
        "the line has 2 fields; the header has 3",
        "the line has 4 fields; the header has 3",
        "the line is blank",
    ]
    assert all("quoted field" in reason for reason in reasons[3:])


def test_an_unclosed_quote_does_not_swallow_the_file(tmp_path: Path) -> None:
    rest = "".join(f"{n},{'x' * 50},1\n" for n in range(10_000))
    lines = read(write(tmp_path, f'{HEADER}\n0,"open,1\n{rest}'))
    assert lines.malformed["source_line"].to_list() == [2]
    assert lines.frame.height == 10_000


def test_a_line_in_another_encoding_is_refused_with_column_and_value(tmp_path: Path) -> None:
    lines = read(write(tmp_path, b"id,hs,mass\n1,\xc3\xa9,2\n2,caf\xe9,3\n"))
    assert lines.frame["source_line"].to_list() == [2]
    assert lines.malformed.rows() == [
        (3, "2,caf\\xe9,3", "hs: b'caf\\xe9' is not utf-8; the file mixes encodings"),
    ]


def test_an_encoding_can_be_named(tmp_path: Path) -> None:
    lines = read(write(tmp_path, b"id;hs;mass\n2;caf\xe9;3\n"), dialect=Dialect(";", "cp1252"))
    assert lines.frame["hs"].to_list() == ["caf\u00e9"]


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_field_of_a_million_characters_is_refused_and_the_next_line_read(tmp_path: Path, quote: str) -> None:
    lines = read(write(tmp_path, f"{HEADER}\n1,{quote}{'x' * 1_000_000}{quote},2\n2,b,3\n"))
    assert lines.frame["source_line"].to_list() == [3]
    assert lines.malformed["source_line"].to_list() == [2]
    reason = lines.malformed["reason"][0]
    assert ("hs: the field has 1000000 characters" in reason) if not quote else ("131072" in reason)
    assert "at most 131072" in reason or "limit (131072)" in reason


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "d.csv: the file is empty; expected a header line"),
        (b"\n1,2,3\n", "d.csv line 1: the header is blank"),
        (
            b"id;hs;mass\n1;2;3\n",
            r"d.csv line 1: the header is not delimited by ',' but, it seems, by ';': 'id;hs;mass'",
        ),
        (b"id,hs\n1,2\n", "d.csv line 1: column 'mass' missing; the file has id, hs"),
        (b"id,hs,hs,mass\n", "d.csv line 1: column 'hs' is there twice"),
        (b"id,hs,m\xe4ss\n", "d.csv line 1: the header is not utf-8: invalid continuation byte"),
        ("id,hs,mass\n".encode("utf-16"), "d.csv line 1: the file is UTF-16; convert it to utf-8"),
        (b"id,hs,mass\r1,2,3\r4,5,6", "d.csv line 1: the header has control characters"),
        (b'id,hs,"mass\n1,2,3\n', "d.csv line 1: the header cannot be read"),
        (b"PAR1\0\0\0\n", "d.csv: the file is no CSV but Parquet; a mapping of the source 'files' can read it"),
    ],
)
def test_a_file_that_cannot_be_read_at_all_says_why(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(ReadError, match=message):
        read(write(tmp_path, content))


def test_a_line_without_end_is_not_gathered_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_blocks, "BLOCK_BYTES", 64)
    monkeypatch.setattr(csv_blocks, "MAX_LINE_BYTES", 256)
    with pytest.raises(ReadError, match=r"d.csv line 3: no line end within 256 bytes"):
        read(write(tmp_path, f"{HEADER}\n1,2,3\n{'x' * 5000}\n"))


def test_a_header_alone_is_a_file_without_lines(tmp_path: Path) -> None:
    assert list(read_csv(write(tmp_path, f"{HEADER}\n"), ("id",))) == []


def test_chunks_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "CHUNK_LINES", 2)
    found = list(read_csv(write(tmp_path, HEADER + "\n1,2,3" * 5), ()))
    assert [lines.frame["source_line"].to_list() for lines in found] == [[2, 3], [4, 5], [6]]


def test_parquet_rows_are_numbered_from_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "CHUNK_LINES", 2)
    path = tmp_path / "d.parquet"
    pl.DataFrame({"id": ["a", "b", "c"], "mass": [1.5, None, 2.0]}).write_parquet(path)
    found = list(read_parquet(path, ("id",)))
    assert [lines.frame.rows() for lines in found] == [[(1, "a", 1.5), (2, "b", None)], [(3, "c", 2.0)]]


def test_a_parquet_file_that_lacks_a_column_says_which(tmp_path: Path) -> None:
    path = tmp_path / "d.parquet"
    pl.DataFrame({"id": ["a"]}).write_parquet(path)
    with pytest.raises(ReadError, match=r"d.parquet: column 'hs' missing; the file has id"):
        list(read_parquet(path, ("id", "hs")))


@pytest.mark.parametrize("kept", [0, 3, 0.5, -1])
def test_a_truncated_parquet_file_says_so(tmp_path: Path, kept: float) -> None:
    path = tmp_path / "d.parquet"
    pl.DataFrame({"id": [str(n) for n in range(10_000)]}).write_parquet(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept) if 0 < kept < 1 else int(kept)])
    with pytest.raises(ReadError, match=r"d.parquet: (the file is empty|not a whole Parquet file)"):
        list(read_parquet(path, ("id",)))


def test_a_parquet_file_damaged_inside_says_so(tmp_path: Path) -> None:
    path = tmp_path / "d.parquet"
    pl.DataFrame({"id": [str(n) for n in range(100_000)]}).write_parquet(path, compression="zstd")
    damaged = bytearray(path.read_bytes())
    damaged[50:5000] = bytes(4950)
    path.write_bytes(damaged)
    with pytest.raises(ReadError, match=r"d.parquet: not a whole Parquet file"):
        list(read_parquet(path, ("id",)))


def test_inputs_are_expanded_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "c.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in expand([str(tmp_path / "b.csv"), str(tmp_path / "*.csv")])] == ["a.csv", "b.csv"]


def test_a_pattern_may_name_folders_too(tmp_path: Path) -> None:
    for name in ("2023/a.csv", "2024/b.csv", "2024/deep/c.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for path in expand([f"{tmp_path}/*/*.csv"])] == ["a.csv", "b.csv"]
    assert [path.name for path in expand([f"{tmp_path}/**/*.csv"])] == ["a.csv", "b.csv", "c.csv"]


def test_a_name_with_brackets_is_no_pattern(tmp_path: Path) -> None:
    file = tmp_path / "declarations[1].csv"
    file.touch()
    assert expand([str(file)]) == (file,)


def test_a_folder_is_told_from_a_pattern_without_files(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is a folder; name its files, as in"):
        expand([str(tmp_path)])


def test_a_file_that_may_not_be_read_is_named_before_any_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "secret.csv"
    file.touch()
    monkeypatch.setattr(os, "access", lambda *of: False)  # root may read anything
    with pytest.raises(ReadError, match=r"secret\.csv: this user may not read the file"):
        expand([str(file)])
