"""Temporary files of tests: in memory where that is fit for them, and gone at the end."""

import fcntl
import os
import tempfile
from pathlib import Path

import pytest

from tests.support import memory


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that nobody has told where temporary files go."""
    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", None)


def test_where_there_is_room_they_lie_there_and_are_gone_afterwards(tmp_path: Path) -> None:
    with memory.temporary_files(tmp_path, enough_bytes=1):
        (folder,) = tmp_path.iterdir()
        assert (os.environ["TMPDIR"], tempfile.gettempdir()) == (str(folder), str(folder))
        (folder / "left").touch()
    assert list(tmp_path.iterdir()) == []
    assert "TMPDIR" not in os.environ


def test_what_killed_tests_have_left_is_removed_and_what_others_use_is_not(tmp_path: Path) -> None:
    for name in ("killed", "used"):
        (tmp_path / f"tidewaiter-tests-{name}").mkdir()
        (tmp_path / f"tidewaiter-tests-{name}" / "lock").touch()
    (tmp_path / "other").mkdir()
    with (tmp_path / "tidewaiter-tests-used" / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with memory.temporary_files(tmp_path, enough_bytes=1):
            assert not (tmp_path / "tidewaiter-tests-killed").exists()
    assert {each.name for each in tmp_path.iterdir()} == {"tidewaiter-tests-used", "other"}


@pytest.mark.parametrize("why", ["no room", "no such folder", "somebody said where", "no program runs there"])
def test_elsewhere_they_stay_on_the_disk(why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "missing" if why == "no such folder" else tmp_path
    if why == "somebody said where":
        monkeypatch.setenv("TMPDIR", str(tmp_path / "said"))
    if why == "no program runs there":
        monkeypatch.setattr(os, "ST_NOEXEC", os.statvfs(tmp_path).f_flag | 1)
    before = os.environ.get("TMPDIR")
    with memory.temporary_files(place, enough_bytes=2**62 if why == "no room" else 1):
        assert os.environ.get("TMPDIR") == before
        assert list(tmp_path.iterdir()) == []
