"""What a person sees of a run."""

import io
import subprocess
import sys

import pytest
from rich.console import Console

from flows.progress import on_terminal, stage, wait


def test_without_a_terminal_each_stage_is_a_line_without_escape_codes():
    text = io.StringIO()
    with on_terminal(Console(file=text), is_flow=False), stage("Read") as advance:
        advance(1, 2)
    assert text.getvalue().startswith("Read: ")
    assert "\x1b" not in text.getvalue()


def test_what_is_waited_for_is_told_when_the_wait_begins():
    text = io.StringIO()
    with on_terminal(Console(file=text), is_flow=False), wait("Wait for another [run]"):
        assert text.getvalue() == "Wait for another [run] ...\n"
    assert text.getvalue().splitlines()[1].startswith("Wait for another [run]: ")


def test_a_stage_that_fails_is_not_shown_as_done():
    text = io.StringIO()
    with pytest.raises(ValueError, match="bad"), on_terminal(Console(file=text), is_flow=False), stage("Read"):
        raise ValueError("bad")
    assert text.getvalue() == ""


def test_a_command_that_is_no_flow_does_without_prefect(tmp_path):
    code = "import sys, flows.progress, flows.backtest; sys.exit('prefect' in sys.modules)"
    environment = {"HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert not any(tmp_path.iterdir())


def test_while_a_flow_starts_a_terminal_shows_that_it_does():
    text = io.StringIO()
    with on_terminal(Console(file=text, force_terminal=True)):
        pass
    assert "Start Prefect" in text.getvalue()
