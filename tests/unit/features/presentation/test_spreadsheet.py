import re
from datetime import date
from pathlib import Path

import polars as pl

import features
import models.network_page
from features.presentation import spreadsheet


def test_numbers_and_dates_are_left_alone_and_texts_of_every_kind_are_not(tmp_path):
    frame = pl.DataFrame(
        {"number": [-5], "share": [-0.25], "on": [date(2024, 1, 2)], "text": ["-5"], "lane": ["-red"], "role": ["+1"]},
        schema_overrides={"lane": pl.Enum(["-red"]), "role": pl.Categorical},
    )
    spreadsheet.write(tmp_path / "file.csv", frame)
    assert (
        tmp_path / "file.csv"
    ).read_text() == "\ufeffnumber,share,on,text,lane,role\n-5,-0.25,2024-01-02,'-5,'-red,'+1\n"
    assert spreadsheet.read(tmp_path / "file.csv").row(0) == ("-5", "-0.25", "2024-01-02", "-5", "-red", "+1")


def test_the_mark_by_which_a_spreadsheet_knows_utf8_is_not_read_back(tmp_path):
    frame = pl.DataFrame({"motif": ["tirage au sort", "déclaré", "申报"]})
    for is_marked in (True, False):
        spreadsheet.write(tmp_path / "file.csv", frame, is_marked)
        assert (tmp_path / "file.csv").read_bytes().startswith(b"\xef\xbb\xbf") == is_marked
        assert spreadsheet.read(tmp_path / "file.csv").equals(frame)


def test_ordinary_texts_are_as_they_are():
    for text in ("O'Neill - Sons", "Price is 71% below; 12 more", "'quoted'", "a=b", "ann@customs.example", "", "'"):
        assert spreadsheet.defused(text) == text == spreadsheet.restored(text)


def test_a_frame_without_texts_and_one_without_rows_are_written(tmp_path):
    for frame in (pl.DataFrame({"n": [1]}), pl.DataFrame(schema={"name": pl.String})):
        spreadsheet.write(tmp_path / "file.csv", frame)
        assert spreadsheet.read(tmp_path / "file.csv").columns == frame.columns


def test_the_browser_has_the_same_rule():
    script = (Path(models.network_page.__file__).parent / "static" / "cell.js").read_text()
    rule = rf"/(?:^|(?<=[{spreadsheet.BREAKS}]))(?=[{spreadsheet.LEADS}]*[{spreadsheet.STARTS}])/g"
    assert rule in script


def test_no_other_module_writes_csv():
    root = Path(features.__file__).parents[1]
    sources = [path for room in ("features", "models", "flows") for path in (root / room).rglob("*.py")]
    writing = {
        path.name for path in sources if re.search(r"\bwrite_csv|to_csv|\bcsv\.writer|DictWriter", path.read_text())
    }
    assert writing == {"spreadsheet.py"}
