"""Second looks are kept once, and what came later is not known before."""

from datetime import timedelta

import polars as pl

from models.detection import LookLog, looks
from tests.support.looks import AT, FOUND, MISSED, rows


def test_rows_are_kept_once_in_numbered_files(tmp_path):
    log = LookLog(tmp_path / "second_looks" / "files")
    assert log.read().schema == looks.SCHEMA
    log.append(rows([]))
    assert not log.root.exists()
    first = rows([FOUND])
    log.append(first)
    log.append(rows([FOUND, MISSED]))
    log.append(rows([FOUND, MISSED]))
    assert [path.name for path in sorted(log.root.iterdir())] == ["000001.parquet", "000002.parquet"]
    assert log.read().equals(rows([FOUND, MISSED]))


def test_a_ruling_is_a_later_row_about_the_same_item(tmp_path):
    log = LookLog(tmp_path)
    log.append(rows([MISSED]))
    log.append(rows([MISSED], counts=1, known_at=AT + timedelta(hours=30)))
    assert log.read().height == 2
    days = [AT.date() + timedelta(days=days) for days in (0, 1, 2)]
    assert [looks.known(log.read(), day)["counts"].to_list() for day in days] == [[], [None], [1]]


def test_only_what_a_desk_has_handed_over_is_read_from_its_folder(tmp_path):
    rows([FOUND]).write_parquet(tmp_path / "second-looks-2024-05-03.parquet")
    rows([]).write_parquet(tmp_path / "second-looks-2024-05-04.parquet")
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "outcomes-000000001.parquet")
    assert looks.handed_over(tmp_path).equals(rows([FOUND]))
