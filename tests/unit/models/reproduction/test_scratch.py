"""The scratch folder is one process's alone, begins empty, and is empty in the end, whatever happened."""

import subprocess
import sys

import pytest

from models.reproduction import NotTried, alone


def test_what_a_killed_process_left_is_removed_and_so_is_all_that_is_written(tmp_path):
    left = tmp_path / "reproduction" / "data"
    left.mkdir(parents=True)
    (left / "large").touch()
    (tmp_path / "reproduction" / "file").touch()
    (tmp_path / "mlflow.db").touch()
    folder = tmp_path / "reproduction"
    with pytest.raises(ZeroDivisionError), alone(tmp_path):
        _ = 1 / _write(folder)
    assert list(folder.iterdir()) == []
    assert (tmp_path / "mlflow.db").exists()


def _write(folder):
    """Return 0, after the folder was found empty and something was written into it."""
    found = len(list(folder.iterdir()))
    (folder / "made").mkdir()
    return found


def test_only_one_works_there_and_a_child_that_was_left_alone_counts(tmp_path):
    with alone(tmp_path) as scratch:
        (scratch.folder / "made").touch()
        with pytest.raises(NotTried, match="another reproduction is at work in"), alone(tmp_path):
            pass
        assert (scratch.folder / "made").exists()
        child = subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(scratch.lock,), text=True
        )
    with pytest.raises(NotTried, match="another reproduction"), alone(tmp_path):
        pass
    child.communicate("\n")
    with alone(tmp_path):
        pass
