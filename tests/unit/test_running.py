import subprocess
import sys

import pytest

from flows import running
from flows.running import AlreadyRunningError, Running

STATE = Running(pid=1, mlflow_url="http://127.0.0.1:5000", prefect_url="http://127.0.0.1:4200", is_ready=True)

HOLD = """
import sys, pathlib, time
from flows import running
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
