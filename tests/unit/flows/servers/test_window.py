"""The window's program is started with customs' tables, and not with such as cannot be read."""

import pytest

from flows.servers import window
from flows.settings import Settings


def test_the_window_is_told_where_customs_tables_are(tmp_path):
    assert "WINDOW_TABLES" not in window.program(Settings(), "simulator", "UTC").environment
    settings = Settings(window_tables=tmp_path / "tables")
    assert window.program(settings, "simulator", "UTC").environment["WINDOW_TABLES"] == str(tmp_path / "tables")


def test_tables_that_cannot_be_read_are_refused_before_anything_starts(tmp_path):
    window.check(Settings())
    with pytest.raises(ValueError, match=r"has no tables; allowed: a folder with offices\.csv, rates\.csv or both"):
        window.check(Settings(window_tables=tmp_path))
    (tmp_path / "offices.csv").write_text("element,code,office\noffice,A,no such\n")
    with pytest.raises(ValueError, match=r"offices\.csv, line 2, column office: 'no such'"):
        window.check(Settings(window_tables=tmp_path))
