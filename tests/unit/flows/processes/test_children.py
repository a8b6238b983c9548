import os
import socket
import sys
import time
from dataclasses import replace
from threading import Event

import psutil
import pytest

from flows.processes import children
from flows.processes.children import ChildError, Children, Program

# Starts a process, as Prefect's worker does for a run: of its own session, or of another if told so. Then it waits.
PARENT = """
import os, subprocess, sys, time, pathlib
command, marked = [sys.executable, "-c", "import time; time.sleep(60)"], os.environ | {"RUN": "x"}
subprocess.Popen(command, env=marked, start_new_session=len(sys.argv) > 2)
pathlib.Path(sys.argv[1]).touch()
time.sleep(60)
"""

# Leaves a port to a child and waits, as servers with workers do; the child is deaf to SIGTERM if told so.
SERVER = """
import os, pathlib, signal, socket, sys, time
port, flag, deaf = sys.argv[1:]
listening = socket.socket()
listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listening.bind(("127.0.0.1", int(port)))
listening.listen()
if os.fork() == 0:
    if deaf == "True":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    pathlib.Path(flag).touch()
    time.sleep(60)
listening.close()
time.sleep(60)
"""


@pytest.fixture
def processes(tmp_path):
    started = Children(tmp_path / "state", tmp_path / "logs", Event(), max_restarts=2)
    yield started
    children.end(children.marked(tmp_path / "state"), grace_s=1)


def python(name, code, *arguments, is_ready=lambda: True):
    return Program(name, (sys.executable, "-c", code, *map(str, arguments)), {}, is_ready)


def test_strays_are_found_and_ended_whoever_started_them(processes, tmp_path):
    flag = tmp_path / "started"
    processes.start(python("parent", PARENT, flag, "a session of its own", is_ready=flag.exists))
    processes.wait_ready("parent", 20)
    assert len(children.marked(tmp_path / "state")) == 2
    assert children.marked(tmp_path / "another") == []
    processes.stop("parent")
    assert len(children.marked(tmp_path / "state")) == 1
    assert processes.stop_strays() == 1
    assert children.marked(tmp_path / "state") == []


def test_a_process_is_found_by_what_its_environment_carries(processes):
    code = "import time; time.sleep(60)"
    processes.start(Program("run", (sys.executable, "-c", code), {"RUN": "a"}, lambda: True))
    processes.start(Program("other", (sys.executable, "-c", code), {"RUN": "b"}, lambda: True))
    marked = children.marked(processes.state_folder)
    (found,) = children.carrying(marked, "RUN", "a")
    assert found.environ()["RUN"] == "a"
    assert children.carrying(marked, "RUN", "c") == []


def test_a_program_that_ends_while_starting_is_named_with_its_last_words(processes):
    processes.start(python("mlflow", "raise SystemExit('no such database')", is_ready=lambda: False))
    with pytest.raises(ChildError, match=r"(?s)mlflow ended with code 1 while starting.*no such database.*mlflow.log"):
        processes.wait_ready("mlflow", 20)


def test_a_program_that_is_never_ready_is_named(processes):
    processes.start(python("prefect", "import time; time.sleep(60)", is_ready=lambda: False))
    with pytest.raises(ChildError, match="prefect was not ready after 0 s"):
        processes.wait_ready("prefect", 0.3)


def test_stopping_interrupts_a_wait(processes):
    processes.start(python("prefect", "import time; time.sleep(60)", is_ready=lambda: False))
    processes.stopping.set()
    processes.wait_ready("prefect", 60)


def test_a_command_that_fails_is_named(processes):
    with pytest.raises(ChildError, match=r"(?s)deploy ended with code 3.*bad yaml"):
        processes.run(python("deploy", "print('bad yaml'); raise SystemExit(3)"), 20)


def test_what_dies_is_restarted_until_it_keeps_dying(processes):
    told = []
    processes.start(python("worker", "raise SystemExit(7)"))

    def watch():
        for _ in range(200):
            processes.revive(lambda name, code: told.append((name, code)))
            time.sleep(0.05)

    with pytest.raises(ChildError, match="worker ended with code 7, and was restarted 2 times"):
        watch()
    assert told == [("worker", 7), ("worker", 7)]


def test_a_program_deaf_to_sigterm_is_killed(processes, tmp_path):
    flag = tmp_path / "deaf"
    code = "import signal, sys, pathlib, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    processes.start(
        python("deaf", code + "pathlib.Path(sys.argv[1]).touch(); time.sleep(60)", flag, is_ready=flag.exists)
    )
    processes.wait_ready("deaf", 20)
    processes.stop("deaf", grace_s=0.3)
    assert children.marked(tmp_path / "state") == []


@pytest.fixture
def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def serve(processes, port, flag, deaf=False):
    processes.start(python("server", SERVER, port, flag, deaf, is_ready=flag.exists))
    processes.wait_ready("server", 20)
    return leader(processes)


def leader(processes):
    (found,) = [process for process in children.marked(processes.state_folder) if process.ppid() == os.getpid()]
    return found


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def test_a_killed_server_is_restarted_on_the_port_that_its_child_kept(processes, tmp_path, port):
    flag = tmp_path / "serving"
    parent = serve(processes, port, flag)
    assert not is_free(port)
    parent.kill()
    psutil.wait_procs([parent], timeout=5)
    assert not is_free(port)  # the child's
    flag.unlink()
    told = []
    processes.revive(lambda name, code: told.append(name))
    processes.wait_ready("server", 20)
    processes.revive(lambda name, code: told.append(name))
    assert told == ["server"]


@pytest.mark.parametrize("is_killed", [False, True])
@pytest.mark.parametrize("deaf", [False, True])
def test_stopping_a_server_ends_its_children_too(processes, tmp_path, port, deaf, is_killed):
    parent = serve(processes, port, tmp_path / "serving", deaf)
    if is_killed:
        parent.kill()
        psutil.wait_procs([parent], timeout=5)
    processes.stop("server", grace_s=0.3)
    assert is_free(port)
    assert children.marked(tmp_path / "state") == []


def test_a_killed_worker_is_restarted_and_its_runs_go_on(processes, tmp_path):
    flag = tmp_path / "started"
    processes.start(replace(python("worker", PARENT, flag, is_ready=flag.exists), spared="RUN"))
    processes.wait_ready("worker", 20)
    worker = leader(processes)
    (run,) = worker.children()
    assert os.getsid(run.pid) == worker.pid
    worker.kill()
    psutil.wait_procs([worker], timeout=5)
    flag.unlink()
    processes.revive(lambda name, code: None)
    processes.wait_ready("worker", 20)
    assert run.is_running()
    assert len(children.marked(tmp_path / "state")) == 3  # the new worker, its run, and the first one's
