"""The programs that `tidewaiter up` starts, watches and ends. It knows processes, and nothing of MLflow or Prefect.

Every process started here, and whatever it starts in turn, carries a mark in its environment. The mark finds them all.
Process ids and groups do not: Prefect gives each run a session of its own, and a run whose worker died belongs to
nobody.

A program is its whole session: what it started lives on when it is killed, and a server's child would keep the port.
The runs of a worker may belong to its session, but outlive it; a variable of their environment tells them apart.

A program may belong to another user (run_as.py). A process that may change user, and is not root, may still neither
read the environments of that user's processes nor end them: a helper process of that user does it.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import psutil

from flows.processes.run_as import UMASK, User, without_secrets

MARK = "_TIDEWAITER_UP"  # the underscore keeps it out of the settings' names
GRACE_S = 10.0


@dataclass(frozen=True)
class Program:
    """A program to start: its name, command, extra environment, and how to tell that it is ready.

    `user` owns the process, if that is not the user of this one. A program that runs anybody's code has `is_trusted`
    false and does not inherit what belongs to the servers in the environment.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    is_ready: Callable[[], bool]
    user: User | None = None
    is_trusted: bool = True
    umask: int = -1  # -1 leaves it as it is
    spared: str | None = None  # processes with this variable in their environment go on when this one dies


class ChildError(RuntimeError):
    """A program ended when it should not have, or did not become ready."""


@dataclass
class Children:
    """The running programs of one state folder. `stopping` interrupts every wait."""

    state_folder: Path
    logs: Path
    stopping: Event
    max_restarts: int = 3
    restart_window_s: float = 300.0
    user: User | None = None  # the user of those programs that do not belong to this process's user
    _processes: dict[str, tuple[Program, subprocess.Popen[bytes]]] = field(default_factory=dict)
    _restarts: dict[str, list[float]] = field(default_factory=dict)

    def start(self, program: Program) -> None:
        """Start a program in a session of its own: Ctrl-C reaches `up` alone, which then ends them in order."""
        self.logs.mkdir(parents=True, exist_ok=True)
        user = program.user
        with self.log(program.name).open("ab") as log:
            process = subprocess.Popen(
                program.command,
                env=environment(program) | {MARK: _mark(self.state_folder)},
                user=user.uid if user else None,
                group=user.gid if user else None,
                extra_groups=list(user.groups) if user else None,
                umask=UMASK if user else program.umask,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._processes[program.name] = (program, process)

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def wait_ready(self, name: str, timeout_s: float) -> None:
        """Wait until a program is ready or `stopping` is set; ChildError if it ends or time is up before."""
        program, process = self._processes[name]
        deadline = time.monotonic() + timeout_s
        while not self.stopping.is_set():
            if process.poll() is not None:
                raise ChildError(f"{name} ended with code {process.returncode} while starting{self._tail(name)}")
            if program.is_ready():
                return
            if time.monotonic() > deadline:
                raise ChildError(f"{name} was not ready after {timeout_s:.0f} s{self._tail(name)}")
            self.stopping.wait(0.2)

    def run(self, program: Program, timeout_s: float) -> None:
        """Run a program to its end; ChildError unless it succeeds. Return early when `stopping` is set."""
        self.start(program)
        _, process = self._processes.pop(program.name)
        deadline = time.monotonic() + timeout_s
        while process.poll() is None and not self.stopping.is_set():
            if time.monotonic() > deadline:
                raise ChildError(f"{program.name} did not end within {timeout_s:.0f} s{self._tail(program.name)}")
            self.stopping.wait(0.1)
        if process.returncode:
            raise ChildError(f"{program.name} ended with code {process.returncode}{self._tail(program.name)}")

    def revive(self, on_restart: Callable[[str, int], None]) -> None:
        """Restart programs that have died, telling `on_restart` name and exit code; ChildError if one keeps dying.

        What a dead program left behind is ended first: a dead server's child would keep the port from the new one.
        """
        for name, (program, process) in list(self._processes.items()):
            if process.poll() is None:
                continue
            now = time.monotonic()
            recent = [at for at in self._restarts.get(name, []) if now - at < self.restart_window_s]
            if len(recent) >= self.max_restarts:
                raise ChildError(
                    f"{name} ended with code {process.returncode}, and was restarted {len(recent)} times in "
                    f"{self.restart_window_s:.0f} s before{self._tail(name)}"
                )
            self._restarts[name] = [*recent, now]
            end(_left(_session(process.pid), program), user=program.user)
            on_restart(name, process.returncode)
            self.start(program)

    def stop(self, name: str, grace_s: float = GRACE_S) -> None:
        """End a program and what it started: SIGTERM, then SIGKILL after the grace. Do nothing if it never started."""
        if name not in self._processes:
            return
        program, process = self._processes.pop(name)
        end(_session(process.pid), grace_s, program.user)
        process.wait()

    def end_run(self, variable: str, value: str) -> None:
        """End the marked processes whose environment has a variable of this value."""
        end(carrying(marked(self.state_folder, self.user), variable, value, self.user), user=self.user)

    def stop_strays(self, grace_s: float = GRACE_S) -> int:
        """End marked processes that belong to no program: runs of a worker that has gone. Return how many."""
        own = {process.pid for _, process in self._processes.values()}
        own |= {child.pid for pid in own if psutil.pid_exists(pid) for child in psutil.Process(pid).children(True)}
        strays = [process for process in marked(self.state_folder, self.user) if process.pid not in own]
        return end(strays, grace_s, self.user)

    def _tail(self, name: str) -> str:
        lines = self.log(name).read_text(errors="replace").splitlines()[-8:]
        return "".join(f"\n    {line}" for line in lines) + f"\n  whole log: {self.log(name)}"


def environment(program: Program) -> dict[str, str]:
    """Return the whole environment of a program."""
    inherited = dict(os.environ) if program.is_trusted else without_secrets(os.environ)
    return {**inherited, **(program.user.identity if program.user else {}), **program.environment}


def marked(state_folder: Path, user: User | None = None) -> list[psutil.Process]:
    """Return the living processes that an `up` of this state folder started, directly or not, also those of `user`."""
    mark, found = _mark(state_folder), []
    for process in psutil.process_iter():
        try:
            if _environment(process, user).get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:  # it has ended meanwhile, or belongs to somebody else
            continue
    return found


def carrying(
    processes: list[psutil.Process], variable: str, value: str, user: User | None = None
) -> list[psutil.Process]:
    """Return the processes whose environment has a variable of this value."""
    found = []
    for process in processes:
        try:
            if _environment(process, user).get(variable) == value:
                found.append(process)
        except psutil.Error:  # ended meanwhile
            continue
    return found


def end(processes: list[psutil.Process], grace_s: float = GRACE_S, user: User | None = None) -> int:
    """End processes: SIGTERM, then SIGKILL after the grace. Return how many there were."""
    for process in processes:
        _signal(process, signal.SIGTERM, user)
    _, alive = psutil.wait_procs(processes, timeout=grace_s)
    for process in alive:
        _signal(process, signal.SIGKILL, user)
    psutil.wait_procs(alive, timeout=grace_s)
    return len(processes)


def _session(leader: int) -> list[psutil.Process]:
    """Return the living processes of the session that process `leader` began, whether or not it is alive itself."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (ProcessLookupError, psutil.NoSuchProcess):  # ended meanwhile
            continue
    return found


def _left(session: list[psutil.Process], program: Program) -> list[psutil.Process]:
    """Return the processes of a dead program's session that nobody needs any more."""
    if program.spared is None:
        return session
    found = []
    for process in session:
        with suppress(psutil.Error):  # ended meanwhile
            if program.spared not in _environment(process, program.user):
                found.append(process)
    return found


def _environment(process: psutil.Process, user: User | None) -> dict[str, str]:
    try:
        return process.environ()
    except psutil.AccessDenied:
        if user is None or process.uids().real != user.uid:
            raise
    done = subprocess.run(["cat", f"/proc/{process.pid}/environ"], capture_output=True, check=False, **user.arguments)
    pairs = (line.partition(b"=") for line in done.stdout.split(b"\0"))
    return {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}


def _signal(process: psutil.Process, number: signal.Signals, user: User | None) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
    except psutil.AccessDenied:
        if user is None or not process.is_running() or process.uids().real != user.uid:
            raise
        subprocess.run(["sh", "-c", f"kill -{int(number)} {process.pid}"], check=False, **user.arguments)


def _mark(state_folder: Path) -> str:
    return str(state_folder.resolve())
