import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace

import pytest

from flows.processes import running
from flows.processes.running import AlreadyRunningError, Running

STATE = Running(pid=1, mlflow_url="http://127.0.0.1:5000", prefect_url="http://127.0.0.1:4200", is_ready=True)

HOLD = """
import sys, pathlib, time
from flows.processes import running
with running.claim(pathlib.Path(sys.argv[1])) as claim:
    claim.announce(running.Running(42, "m", "p", True))
    print("held", flush=True)
    time.sleep(60)
"""


def test_nothing_runs_where_nothing_ever_ran(tmp_path):
    assert running.find(tmp_path / "state") is None


def test_what_is_announced_is_found_until_the_claim_ends(tmp_path):
    with running.claim(tmp_path) as claim:
        assert running.find(tmp_path) is None
        claim.announce(STATE)
        assert running.find(tmp_path) == STATE
    assert running.find(tmp_path) is None


def test_a_second_claim_is_refused_and_a_killed_one_is_not_believed(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        found = running.find(tmp_path)
        assert found is not None
        assert found.pid == 42
        with pytest.raises(AlreadyRunningError, match="process 42"), running.claim(tmp_path):
            pass
        other.kill()
    assert running.find(tmp_path) is None
    with running.claim(tmp_path):
        pass


TURN = """
import sys, pathlib, time
from contextlib import nullcontext
from flows.processes import running
with running.turn(pathlib.Path(sys.argv[1]), "retrain/nightly, run calm-owl", nullcontext):
    print("held", flush=True)
    time.sleep(60)
"""


def test_who_waits_is_told_for_whom_from_the_beginning_and_goes_on_after_it(tmp_path):
    heard, begun = [], threading.Event()

    @contextmanager
    def waiting(name):
        heard.append(name)
        begun.set()
        yield
        heard.append("over")

    def wait():
        with running.turn(tmp_path, "tidewaiter select", waiting):
            heard.append(running.holder(tmp_path))

    with subprocess.Popen([sys.executable, "-c", TURN, tmp_path], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        assert running.holder(tmp_path).startswith(f"retrain/nightly, run calm-owl, process {other.pid} on ")
        waiter = threading.Thread(target=wait)
        waiter.start()
        assert begun.wait(10)
        assert len(heard) == 1
        other.kill()
    waiter.join(10)
    assert heard[0].startswith(f"Wait for retrain/nightly, run calm-owl, process {other.pid} on ")
    assert heard[0].endswith(" UTC to end")
    assert heard[1] == "over"
    assert heard[2].startswith("tidewaiter select, process ")
    assert running.holder(tmp_path) is None


def test_nobody_has_the_turn_where_nothing_ran_or_what_had_it_was_killed(tmp_path):
    assert running.holder(tmp_path / "state") is None
    (tmp_path / running.TURN).write_text('{"what": "retrain", "pid": 1, "host": "h", "since": "s"}')
    assert running.holder(tmp_path) is None


@pytest.mark.parametrize("use", [running.claim, lambda folder: running.turn(folder, "retrain", contextmanager(iter))])
def test_a_state_folder_that_cannot_be_written_to_is_named(tmp_path, use):
    (tmp_path / "file").touch()
    told = rf"state_folder: nothing can be written to '{tmp_path}/file/state' \(Not a directory\); allowed: a folder"
    with pytest.raises(ValueError, match=told), use(tmp_path / "file" / "state"):
        pass


def test_what_is_announced_is_written_over_what_was(tmp_path):
    """Cut first, a full disk would leave nothing of it: `status` would say that nothing runs."""
    long = Running(1, "http://127.0.0.1:5000", "http://127.0.0.1:4200", is_ready=False, is_stopping=True)
    with running.claim(tmp_path) as claim:
        for told in (long, replace(long, is_ready=True, is_stopping=False, mlflow_url="")):
            claim.announce(told)
            assert running.find(tmp_path) == told
