"""Any bytes are read without losing a line, however the file is cut into blocks."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.reading import csv_blocks
from features.reading.csv_blocks import blocks
from features.reading.csv_dialect import MALFORMED, Dialect, Lines, read_header
from tests.support.examples import examples

FIELD = st.text(alphabet='ab,"\n é\u2028', max_size=6)
CUTS = (1, 7, 40, 1 << 20)


def read(content: bytes, block_bytes: int) -> Lines:
    dialect = Dialect()
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_blocks, "BLOCK_BYTES", block_bytes)
        path = Path(folder) / "d.csv"
        path.write_bytes(content)
        with path.open("rb") as file:
            header = read_header("d.csv", file, dialect)
            found = list(blocks("d.csv", file, header, dialect))
    empty = pl.DataFrame(schema={"source_line": pl.Int64, **dict.fromkeys(header, pl.String)})
    malformed = pl.DataFrame(schema=MALFORMED)
    return Lines(
        pl.concat([empty, *(lines.frame for lines in found)]),
        pl.concat([malformed, *(lines.malformed for lines in found)]),
    )


@settings(max_examples=examples(50), deadline=None)
@given(st.lists(st.tuples(FIELD, FIELD, FIELD), max_size=12), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_what_the_csv_module_writes_is_read_back(rows: Sequence[tuple[str, ...]], end: str, quote_all: bool) -> None:
    text = io.StringIO()
    quoting = csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL
    csv.writer(text, lineterminator=end, quoting=quoting).writerows([("x", "y", "z"), *rows])
    expected_line = 2
    expected = []
    for row in rows:
        expected.append((expected_line, *(value or None for value in row)))
        expected_line += 1 + sum(value.count("\n") for value in row)
    for cut in CUTS:
        lines = read(text.getvalue().encode(), cut)
        assert lines.malformed.is_empty()
        assert lines.frame.rows() == expected


@settings(max_examples=examples(80), deadline=None)
@given(st.lists(st.sampled_from([b"a", b",", b",", b"\n", b"\n", b'"', b"\xff", b"\r", "é".encode()]), max_size=60))
def test_no_line_of_any_bytes_is_lost(pieces: list[bytes]) -> None:
    body = b"".join(pieces)
    content = body.rstrip(b"\r\n")
    whole = read(b"x,y\n" + body, CUTS[-1])
    for cut in CUTS[:-1]:
        again = read(b"x,y\n" + body, cut)
        assert again.frame.equals(whole.frame)
        assert again.malformed.equals(whole.malformed)
    starts = [*whole.frame["source_line"], *whole.malformed["source_line"]]
    assert len(starts) == len(set(starts))
    inside = sum(
        str(value).count("\n") for row in whole.frame.drop("source_line").rows() for value in row if value is not None
    )
    assert len(starts) + inside == (content.count(b"\n") + 1 if content else 0)
