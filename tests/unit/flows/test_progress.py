"""What a person sees of a run, and what its log keeps."""

import io
import sqlite3
import subprocess
import sys

import pytest
from rich.console import Console

from flows.progress import on_terminal, stage, wait

# In a process of its own, where nothing has set Prefect's logging up yet.
FAILS = """
import logging
from pathlib import Path
from flows.servers import embedded
from flows.settings import Settings
embedded.use(Settings(state_folder=Path("state")))
from prefect import flow, task
from rich.console import Console
from flows.progress import on_terminal, stage

@task
def read():
    with stage("Read"):
        logging.getLogger("features.matrix.cache").warning("links.arrow is [spoilt]")
        raise ValueError("no file matches")

@flow
def night():
    read()

with on_terminal(Console(stderr=True)):
    try:
        night()
    except ValueError as error:
        print(error)
"""


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


def test_a_flow_shows_what_is_warned_of_and_no_traceback_and_its_log_has_both(tmp_path):
    done = subprocess.run([sys.executable, "-c", FAILS], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "no file matches\n"
    assert done.stderr == "links.arrow is [spoilt]\n"
    with sqlite3.connect(tmp_path / "state" / "prefect" / "prefect.db") as database:
        logged = [message for (message,) in database.execute("select message from log")]
    assert "Read" in logged
    assert "links.arrow is [spoilt]" in logged
    assert any("Traceback" in message for message in logged)


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
