"""The process that sends lineage, and what `status` says of it."""

import sys
from datetime import timedelta
from threading import Event

import pytest
from openlineage.client.event_v2 import RunState

from flows.host.status import _lineage
from flows.settings import PREFIX, Settings
from flows.watching import forwarding, rounds
from models.ledger import storage
from models.lineage import Log
from tests.support.lineage import run, told
from tests.support.receiver import receiving


@pytest.fixture
def receiver():
    with receiving() as found:
        yield found


@pytest.fixture
def log(tmp_path, monkeypatch, receiver):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(f"{PREFIX}LINEAGE_URL", receiver.url.replace("json://", "http://"))
    found = Log(Settings().lineage_folder)
    found.begin(run(), storage.now()).end(RunState.COMPLETE, storage.now())
    return found


def test_nothing_runs_where_lineage_goes_nowhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert forwarding.program(Settings()) is None
    assert _lineage(Settings(), storage.now()) == []
    forwarding.forward()


def test_before_the_first_run_there_is_nothing_to_send(tmp_path, monkeypatch, receiver):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(f"{PREFIX}LINEAGE_URL", receiver.url.replace("json://", "http://"))
    forwarding.forward()
    (check,) = _lineage(Settings(), storage.now())
    assert (receiver.messages, check.is_ok) == ([], True)


def test_what_was_told_is_sent_and_status_says_where_to(log, receiver):
    assert forwarding.program(Settings()).command == (sys.executable, "-m", "flows.watching.forwarding")
    forwarding.forward()
    assert receiver.messages == told(log)
    (check,) = _lineage(Settings(), storage.now() + timedelta(hours=2))
    assert (check.is_ok, check.detail) == (True, f"is sent to {Settings().lineage_url}")


def test_status_is_not_well_when_something_has_waited_for_an_hour(log):
    soon, late = (_lineage(Settings(), storage.now() + timedelta(minutes=each))[0] for each in (59, 61))
    assert (soon.is_ok, late.is_ok) == (True, False)
    assert late.detail.startswith("waits to be sent since ")


def test_an_endpoint_that_is_away_is_said_once_and_asked_again(log, receiver, capsys):
    stopping, asked = Event(), []

    def forward():
        asked.append(receiver.status)
        receiver.status = 503 if len(asked) < 3 else 200
        if len(asked) == 3:
            stopping.set()
        forwarding.forward()

    rounds.run(forward, 0.0, "Lineage waits in its files", stopping)
    assert receiver.messages == told(log)
    (line,) = capsys.readouterr().err.splitlines()
    assert "Lineage waits in its files: Refused: it answers 503" in line
