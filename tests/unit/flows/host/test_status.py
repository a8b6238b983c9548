import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from flows.host.status import GRACE, Check, Status, _disk, _runs, last_look, last_night, look
from flows.processes import machine, running
from flows.processes.running import Running
from flows.servers.prefect_api import Deployment, Run, Schedule
from flows.settings import Settings

DUE = datetime(2024, 3, 5, 1, 30, tzinfo=UTC)
NOW = DUE + timedelta(hours=8)
TAGS = frozenset({"nightly"})
NIGHTLY = Deployment(
    "1", "retrain/nightly", DUE - timedelta(days=9), False, (Schedule("30 1 * * *", "UTC", True),), TAGS
)


def run(state, at=DUE, message=""):
    started = None if state in ("SCHEDULED", "CANCELLED") else at
    return Run("r", state, state.title(), message, at, at, started, None, True, frozenset())


@pytest.mark.parametrize(
    ("runs", "is_ok", "told"),
    [
        ([run("COMPLETED")], True, "Completed (2024-03-05 01:30 UTC)"),
        ([run("RUNNING")], True, "Running"),
        ([run("FAILED", message="gate min_roc_auc")], False, "gate min_roc_auc"),
        ([run("CRASHED", message="No heartbeat")], False, "No heartbeat"),
        ([run("CANCELLED")], False, "Cancelled"),
        ([run("FAILED"), run("COMPLETED", NOW - timedelta(hours=1))], True, "Completed"),
        ([], False, "has not started"),
        ([run("SCHEDULED")], False, "has not started"),
        ([run("COMPLETED", DUE - timedelta(days=1))], False, "has not started"),
        ([run("SCHEDULED", DUE + timedelta(days=1))], False, "has not started"),
    ],
)
def test_the_last_night(runs, is_ok, told):
    check = last_night(NIGHTLY, runs, NOW)
    assert check.is_ok is is_ok
    assert told in check.detail


def test_a_night_that_is_due_this_minute_is_not_yet_a_missed_one():
    assert last_night(NIGHTLY, [run("SCHEDULED")], DUE + timedelta(minutes=1)).is_ok


def test_before_the_first_night_nothing_is_wrong():
    fresh = Deployment("1", "retrain/nightly", DUE + timedelta(hours=1), False, NIGHTLY.schedules, TAGS)
    check = last_night(fresh, [], NOW)
    assert check.is_ok
    assert "the first is at 2024-03-06 01:30 UTC" in check.detail


def test_a_paused_night_is_told():
    paused = Deployment("1", "retrain/nightly", NIGHTLY.created_at, True, NIGHTLY.schedules, TAGS)
    assert not last_night(paused, [run("COMPLETED")], NOW).is_ok


def test_exit_codes():
    good, bad = Check(name="a", is_ok=True, detail=""), Check(name="b", is_ok=False, detail="")
    assert Status(is_running=True, checks=(good,)).exit_code == 0
    assert Status(is_running=True, checks=(good, bad)).exit_code == 1
    assert Status(is_running=False, checks=(bad,)).exit_code == 3


def test_servers_that_do_not_answer_are_named(tmp_path):
    settings = Settings(state_folder=tmp_path)
    with running.claim(tmp_path) as claim:
        # Port 9 is 'discard': nobody listens.
        claim.announce(Running(1, "http://127.0.0.1:9", "http://127.0.0.1:9", is_ready=True))
        found = look(settings, tmp_path, NOW)
    assert found.exit_code == 1
    assert {check.name: check.is_ok for check in found.checks} == {
        "up": True,
        "mlflow": False,
        "prefect": False,
        "signer": False,
        "disk": True,
        "runs": True,
    }
    assert next(check.detail for check in found.checks if check.name == "signer").startswith("nobody listens at ")


def test_a_full_disk_is_not_well(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "LEAST_FREE_BYTES", 2**60)
    check = _disk(Settings(state_folder=tmp_path))
    assert not check.is_ok
    assert f"{tmp_path} has " in check.detail


LOOKING = Deployment("2", "promote/reconcile", DUE, False, (Schedule("* * * * *", "UTC", True),), frozenset())


@pytest.mark.parametrize(
    ("runs", "is_ok", "told"),
    [
        ([], True, "none has ended yet"),
        ([run("RUNNING")], True, "none has ended yet"),
        ([run("COMPLETED"), run("FAILED", DUE - timedelta(minutes=1))], True, "Completed"),
        (
            [run("FAILED", message="503 the files of version 1 cannot be read now"), run("COMPLETED", DUE - GRACE)],
            False,
            "version 1",
        ),
        ([run("RUNNING", NOW), run("CRASHED")], False, "Crashed"),
        ([run("CANCELLED", NOW), run("COMPLETED")], True, "Completed"),
    ],
)
def test_the_last_look_of_what_runs_each_minute(runs, is_ok, told):
    check = last_look(LOOKING, runs)
    assert check.is_ok is is_ok
    assert told in check.detail


def test_a_look_that_is_paused_is_told():
    assert not last_look(replace(LOOKING, is_paused=True), [run("COMPLETED")]).is_ok
    resting = replace(LOOKING, schedules=(Schedule("* * * * *", "UTC", False),))
    assert not last_look(resting, [run("COMPLETED")]).is_ok


@pytest.mark.parametrize(
    ("is_stopping", "told"),
    [(False, "process 1 is starting; the servers answer within a minute"), (True, "process 1 is stopping")],
)
def test_while_it_starts_or_stops_nothing_is_bad_and_nothing_is_well(tmp_path, is_stopping, told):
    with running.claim(tmp_path) as claim:
        claim.announce(Running(1, "http://127.0.0.1:9", "http://127.0.0.1:9", False, is_stopping))
        found = look(Settings(state_folder=tmp_path), tmp_path, NOW)
    (check,) = found.checks
    assert (check.name, check.is_ok, check.is_warning) == ("up", False, True)
    assert check.detail.startswith(told)
    assert found.exit_code == 3


@pytest.mark.parametrize(
    ("run_as", "pid", "told"),
    [(None, 1, True), ("runs", 1, False), (None, os.getpid(), os.geteuid() == 0)],
    ids=["root", "another user", "this process"],  # its number differs from one process of the tests to the next
)
def test_runs_that_are_roots_are_warned_of(run_as, pid, told):
    check = _runs(Settings(run_as=run_as), pid)
    assert (check.is_ok, check.is_warning) == (True, told)
    assert ("can read the ledger's key" in check.detail) is told
