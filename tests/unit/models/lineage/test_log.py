"""The log of lineage: each run begins once and ends once, whatever becomes of its process."""

import os
import stat
from datetime import UTC, datetime, timedelta

import pytest
from openlineage.client.event_v2 import RunState

from models.lineage import Log, datasets
from tests.support.lineage import run, told

AT = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)
LATER = AT + timedelta(minutes=2)  # another month


@pytest.fixture
def log(tmp_path):
    return Log(tmp_path / "lineage")


def states(log: Log) -> list[tuple[str, str]]:
    return [(event["job"]["name"], event["eventType"]) for event in told(log)]


def kill(begun) -> None:
    """Do what the kernel does for a process that is killed."""
    os.close(begun._descriptor)


def test_a_run_begins_and_ends_with_what_it_read_and_wrote(log):
    ours = run()
    begun = log.begin(ours, AT)
    data, model = datasets.data("13bd.dir"), datasets.model("3")
    begun.end(RunState.COMPLETE, LATER, [data.read("tidewaiter")], [model.written("tidewaiter")])
    start, end = told(log)
    assert [start["eventType"], end["eventType"]] == ["START", "COMPLETE"]
    assert start["run"]["runId"] == end["run"]["runId"] == ours.id
    assert [each["name"] for each in end["inputs"]] == ["data"]
    assert end["inputs"][0]["facets"]["version"]["datasetVersion"] == "13bd.dir"
    assert [each["name"] for each in end["outputs"]] == ["models/customs-risk"]
    assert end["job"]["facets"]["sourceCodeLocation"]["version"] == "0123abc"
    assert end["producer"].startswith("urn:tidewaiter:")
    assert start["inputs"] == start["outputs"] == []
    assert [file.name for file in log.files()] == ["runs-2026-11.jsonl", "runs-2026-12.jsonl"]
    assert not list(log.folder.glob("*.running"))


def test_a_run_whose_process_was_killed_has_failed_once_another_begins(log):
    kill(log.begin(run(), AT))
    log.begin(run("select"), LATER)
    log.begin(run("promote"), LATER)
    assert states(log) == [("retrain", "START"), ("retrain", "FAIL"), ("select", "START"), ("promote", "START")]
    failed = told(log)[1]
    assert failed["run"]["facets"]["errorMessage"]["message"] == "The process of the run ended without a word."
    assert failed["eventTime"] == LATER.isoformat()


def test_a_run_that_was_killed_after_it_told_its_end_ends_once(log, monkeypatch):
    begun = log.begin(run(), AT)
    monkeypatch.setattr(type(begun._mark), "unlink", lambda *given: None)
    begun.end(RunState.COMPLETE, AT)
    monkeypatch.undo()
    log.begin(run("select"), LATER)
    assert states(log) == [("retrain", "START"), ("retrain", "COMPLETE"), ("select", "START")]


def test_a_run_that_was_killed_before_it_told_its_beginning_is_not_told(log):
    log.folder.mkdir()
    (log.folder / f"{run().id}.running").touch()
    log.begin(run("select"), AT)
    assert states(log) == [("select", "START")]


def test_a_run_that_lives_is_left_alone(log):
    begun = log.begin(run(), AT)
    log.begin(run("promote"), LATER).end(RunState.COMPLETE, LATER)
    begun.end(RunState.ABORT, LATER)
    assert sorted(states(log)) == [
        ("promote", "COMPLETE"),
        ("promote", "START"),
        ("retrain", "ABORT"),
        ("retrain", "START"),
    ]


def test_part_of_a_line_that_a_killed_process_left_is_cut_off(log):
    log.begin(run(), AT)
    (file,) = log.files()
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"eventTime": "2026-1')
    log.begin(run("select"), AT)
    assert states(log) == [("retrain", "START"), ("select", "START")]
    assert file.read_bytes().startswith(whole)


def test_what_happens_once_is_told_once_and_only_what_is_missing_of_it(log):
    ours = run()
    both = [(ours.id, ours.event(state, AT)) for state in (RunState.START, RunState.COMPLETE)]
    log.tell_once(both[:1], AT)
    log.tell_once(both, LATER)
    log.tell_once(both, LATER)
    assert states(log) == [("retrain", "START"), ("retrain", "COMPLETE")]


def test_files_belong_to_the_group_too_whatever_the_umask_is(log):
    before = os.umask(0o077)
    try:
        log.folder.mkdir()
        log.begin(run(), AT)
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in log.folder.iterdir()} == {0o660}
