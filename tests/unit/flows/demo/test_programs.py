"""The demo's programs end with it, and one that fails is told with its last words."""

import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from flows.demo import programs
from flows.processes import ChildError

SERVES = """
import pathlib, sys, time
pathlib.Path("ready").touch()
try:
    time.sleep(60)
except KeyboardInterrupt:
    pathlib.Path("stopped").touch()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    found = lambda _: SimpleNamespace(is_ready=Path("ready").exists())  # noqa: E731
    monkeypatch.setattr(programs.running, "find", found)
    return tmp_path


def say(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Let every command be a program of this code."""
    monkeypatch.setattr(programs, "_TIDEWAITER", (sys.executable, "-c", code))


def test_a_command_has_its_words_and_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    say(monkeypatch, "import os, sys; print(sys.argv[1:], os.environ['WHO'])")
    programs.run(folder / "log", ("play", "--days", "1"), os.environ | {"WHO": "ana"})
    assert (folder / "log").read_text() == "['play', '--days', '1'] ana\n"


def test_a_command_that_fails_is_told_with_its_last_words(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    say(monkeypatch, "print('no gate passed', flush=True); raise SystemExit(4)")
    with pytest.raises(ChildError, match=r"retrain` ended with code 4\n +no gate passed\n +whole log: .*log"):
        programs.run(folder / "log", ("retrain",), os.environ)


def test_servers_that_do_not_come_up_are_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    say(monkeypatch, "raise SystemExit('mlflow_port 5000 is in use')")
    with (
        pytest.raises(ChildError, match=r"`tidewaiter up` ended with code 1\n +mlflow_port 5000 is in use"),
        programs.up(folder / "log", folder, os.environ),
    ):
        raise AssertionError("it is not ready")


def test_ctrl_c_ends_servers_as_a_person_would(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    say(monkeypatch, SERVES)
    with pytest.raises(KeyboardInterrupt), programs.up(folder / "log", folder, os.environ) as process:
        raise KeyboardInterrupt
    assert process.returncode == 0
    assert (folder / "stopped").exists()


def test_ctrl_c_ends_a_command_before_it_is_passed_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    say(monkeypatch, SERVES)
    wait, waits = programs.subprocess.Popen.wait, []

    def interrupted(process, timeout=None):
        if not waits:
            waits.append(process)
            while not Path("ready").exists():
                time.sleep(0.01)
            raise KeyboardInterrupt
        return wait(process, timeout)

    monkeypatch.setattr(programs.subprocess.Popen, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        programs.run(folder / "log", ("retrain",), os.environ)
    assert waits[0].returncode == 0
    assert (folder / "stopped").exists()
