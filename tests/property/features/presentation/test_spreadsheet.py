"""What people open in a spreadsheet: no text is read as a formula by any program, and every text can be restored."""

import csv
import io
import re
import unicodedata
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
from hypothesis import example, given
from hypothesis import strategies as st

from features.presentation import spreadsheet

STARTS = "".join(
    c for c in map(chr, range(0x110000)) if unicodedata.normalize("NFKC", c).startswith(("=", "+", "-", "@"))
)
DANGEROUS = STARTS + "\t\r\n"
INVISIBLE = "\x00\x1f\x7f\u200b\u2009\u2060\ufeff\xad\xa0\u3000 \"'"
FORMULAS = st.text(st.sampled_from(DANGEROUS + INVISIBLE + ";,A1"), max_size=8)
TEXTS = st.one_of(FORMULAS, st.text(max_size=8))
FRAMES = st.lists(st.tuples(st.one_of(st.none(), TEXTS), st.floats(allow_nan=False)), min_size=1, max_size=6)


def written(rows):
    frame = pl.DataFrame(rows, {"name": pl.String, "number": pl.Float64}, orient="row")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "file.csv"
        spreadsheet.write(path, frame)
        return frame, path.read_bytes().decode(), spreadsheet.read(path)


@given(FRAMES)
@example([('=HYPERLINK("http://a.example";"b")', -1.5)])
@example([("a\";=cmd|' /C calc'!A0;\"", -1.0)])
@example([("\ufeff\u200b @SUM(A1)", 0.0), (None, -0.0), ("", 1.0), ("'", 2.0), ("'=1", 3.0), ("''\t=1", 4.0)])
def test_no_text_begins_as_a_formula_and_each_can_be_had_back(rows):
    frame, text, back = written(rows)
    # Python's own reader, so that Polars does not judge itself.
    cells = list(csv.reader(io.StringIO(text, newline="")))[1:]
    for (name, number), (original, value) in zip(cells, rows, strict=True):
        for begun in re.split("[;\t\r\n]", name):
            assert not begun.lstrip(INVISIBLE).startswith(tuple(STARTS)) or begun.startswith("'")
        assert not name.startswith(tuple(DANGEROUS))
        assert name.replace("'", "") == (original or "").replace("'", "")
        assert float(number) == value
    assert back["name"].equals(frame["name"])
    assert back["number"].cast(pl.Float64).equals(frame["number"])


@given(TEXTS)
def test_only_what_could_be_a_formula_is_changed(text):
    if not any(start in text for start in DANGEROUS):
        assert spreadsheet.defused(text) == text
    assert spreadsheet.restored(spreadsheet.defused(text)) == text
    assert spreadsheet.restored(spreadsheet.defused(spreadsheet.defused(text))) == spreadsheet.defused(text)
