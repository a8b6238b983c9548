"""Files that are either there whole or not there at all."""

from pathlib import Path

import pytest

from features.disk.atomic import write_atomically


def test_a_file_is_created_and_replaced(tmp_path: Path) -> None:
    for text in ("one", "two"):
        write_atomically(tmp_path / "f", lambda partial, text=text: partial.write_text(text))
        assert (tmp_path / "f").read_text() == text
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_what_fails_half_way_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("one")

    def fail(partial: Path) -> None:
        partial.write_text("tw")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_atomically(tmp_path / "f", fail)
    assert (tmp_path / "f").read_text() == "one"
