import errno
import os
import socket
import sqlite3
import sys
from contextlib import closing
from threading import Event

import pytest

from flows.host import up
from flows.host import up as ups
from flows.host.up import PortInUseError, Up, check_ports
from flows.processes import running
from flows.processes.children import ChildError, Children, Program
from flows.servers import deploy, mlflow_server
from flows.settings import Settings
from models import artifact_places
from tests.support.ports import free_port


def test_a_port_in_use_is_named_with_its_setting():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortInUseError, match=f"mlflow_port {port} on 127.0.0.1 is in use.*TIDEWAITER_MLFLOW_PORT"):
            check_ports(Settings(mlflow_port=port))


def test_free_ports_pass():
    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0))
        second.bind(("127.0.0.1", 0))
        ports = first.getsockname()[1], second.getsockname()[1]
    check_ports(Settings(mlflow_port=ports[0], prefect_port=ports[1]))


def full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_on_a_full_disk_it_still_ends_what_it_started(tmp_path, monkeypatch):
    """What it says and notes at its end cannot be written, which is no reason to leave servers behind."""
    stopped = []
    for name in ("prepare", "refuse_moved"):
        monkeypatch.setattr(mlflow_server, name, lambda *_: None)
    monkeypatch.setattr(deploy, "render", lambda *_: "")
    monkeypatch.setattr(up, "check_ports", lambda _: None)
    monkeypatch.setattr(up.run_as, "prepare", lambda *_: None)
    monkeypatch.setattr(Up, "_stop", lambda self, _: stopped.append(self))

    def start(*_):
        monkeypatch.setattr(running, "_write", full)
        raise ChildError("prefect ended")

    monkeypatch.setattr(Up, "_start", start)
    says = []

    def say(text):
        if text.startswith("Stopping"):
            full()
        says.append(text)

    with pytest.raises(ChildError, match="prefect ended"):
        Up(Settings(state_folder=tmp_path), tmp_path, say).run()
    assert len(stopped) == 1
    assert says[-1:] != ["Stopping ..."]


def test_who_has_taken_the_port_of_a_dead_server_is_told(tmp_path):
    said = []
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        settings = Settings(state_folder=tmp_path, mlflow_port=other.getsockname()[1])
        stopping = Event()
        processes = Children(tmp_path, tmp_path / "logs", stopping, max_restarts=1)
        for name in ("mlflow", "worker"):
            processes.start(Program(name, (sys.executable, "-c", "raise SystemExit(3)"), {}, lambda: True))
        with pytest.raises(ChildError, match="ended with code 3, and was restarted 1 times"):
            Up(settings, tmp_path, said.append)._watch(processes, stopping)
    assert sum("mlflow ended with code 3" in each for each in said) == 1
    assert sum(f"mlflow_port {settings.mlflow_port} on 127.0.0.1 is in use" in each for each in said) == 1


@pytest.mark.parametrize(
    ("place", "is_moved"),
    [
        ("file:///srv/state/artifacts/customs-risk", False),
        ("file:///srv/state/artifacts/7", False),
        ("mlflow-artifacts:/7", False),
        ("file:///srv/state/artifacts-old/7", True),
        ("file:///old/artifacts/customs-risk", True),
    ],
)
def test_a_state_folder_that_was_moved_is_told_before_anything_starts(tmp_path, place, is_moved):
    database = tmp_path / "mlflow.db"
    artifact_places.refuse_moved(f"sqlite:///{database}", "file:///srv/state/artifacts")  # nothing in it yet
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE experiments (name, artifact_location)")
        for row in (("Default", "file:///anywhere/0"), ("customs-risk", place)):
            connection.execute("INSERT INTO experiments VALUES (?, ?)", row)
        connection.commit()
    if is_moved:
        with pytest.raises(ValueError, match=f"in {place}, not in file:///srv/state/artifacts: the state folder was"):
            artifact_places.refuse_moved(f"sqlite:///{database}", "file:///srv/state/artifacts")
    else:
        artifact_places.refuse_moved(f"sqlite:///{database}", "file:///srv/state/artifacts")


def test_tables_that_the_window_cannot_read_are_told_before_anything_starts(tmp_path, monkeypatch):
    settings = Settings(
        state_folder=tmp_path / "state", window_tables=tmp_path, mlflow_port=free_port(), prefect_port=free_port()
    )
    monkeypatch.setattr(deploy, "render", lambda *_: "")
    monkeypatch.setattr(Up, "_start", lambda *_: pytest.fail("it has started"))
    with pytest.raises(ValueError, match="has no tables"):
        Up(settings, tmp_path, lambda text: None).run()


def test_what_dies_while_a_disk_is_full_is_started_again_when_there_is_room(tmp_path, monkeypatch):
    """Otherwise each new attempt would die at once, and the fourth would end everything."""
    said, looks, revived = [], iter(["/x has 0 MB left", "/x has 0 MB left", None, None]), []
    stopping = Event()

    class Programs:
        def revive(self, tell):
            revived.append(len(said))
            if len(revived) == 2:
                stopping.set()

    monkeypatch.setattr(ups, "TICK_S", 0.01)
    monkeypatch.setattr(ups.machine, "unfit", lambda settings, least: filter(None, [next(looks)]))
    Up(Settings(state_folder=tmp_path), tmp_path, said.append)._watch(Programs(), stopping)
    assert said == ["/x has 0 MB left. What dies meanwhile is started again when there is room."]
    assert revived == [1, 1]
