"""The events on the disk: a line of JSON each, one file a month for runs and one for what happens once.

    runs-2026-11.jsonl    START of each run of a flow, and COMPLETE, FAIL or ABORT
    data-2026-11.jsonl    each ingested file and each published version, once
    <run>.running         held by the process of the run, for as long as it lives

The kernel gives the lock back however a process ends. So whoever begins a run finds those that ended without a word,
and tells that they failed. Files of runs that are old may be deleted. Those of data are the memory of what was told.
"""

import fcntl
import json
import os
import re
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from openlineage.client.event_v2 import InputDataset, OutputDataset, RunState
from openlineage.client.serde import Serde

from models.lineage.events import Run, failure

RUNS, DATA, SUFFIX = "runs", "data", ".jsonl"
_LOCK, _RUNNING = ".lock", ".running"
_SILENT = "The process of the run ended without a word."
_MONTH = re.compile(r"(?:runs|data)-([0-9]{4}-[0-9]{2})\.jsonl")


class Begun:
    """A run that has begun: its lock is held until it has ended, or its process has."""

    def __init__(self, log: "Log", run: Run, mark: Path, descriptor: int) -> None:
        self._log, self._run, self._mark, self._descriptor = log, run, mark, descriptor

    def end(
        self,
        state: RunState,
        at: datetime,
        reads: Iterable[InputDataset] = (),
        writes: Iterable[OutputDataset] = (),
        why: str = "",
    ) -> None:
        """Tell in which state the run has ended, what it read and wrote, and why it failed."""
        try:
            with self._log.locked():
                self._log.append(RUNS, at, [self._run.event(state, at, reads, writes, why)])
                self._mark.unlink()
        finally:
            os.close(self._descriptor)


@dataclass(frozen=True)
class Log:
    """The log in `folder`, which is made when something is told. Instants have a zone."""

    folder: Path

    def begin(self, run: Run, at: datetime) -> Begun:
        """Tell that a run has started, and before it which ones have ended without a word."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.locked():
            self._bury(at)
            mark = self.folder / f"{run.id}{_RUNNING}"
            descriptor = _opened(mark)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            self.append(RUNS, at, [run.event(RunState.START, at)])
        return Begun(self, run, mark, descriptor)

    def tell_once(self, events: Iterable[tuple[str, str]], at: datetime) -> None:
        """Write those of the events, each with the id of its run, that were not written before."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.locked():
            told = {_key(line) for file in self.files() if file.name.startswith(DATA) for line in _lines(file)}
            self.append(DATA, at, [event for _, event in events if _key(event) not in told])

    def files(self) -> list[Path]:
        """Return the files of events, in order of their months."""
        found = [(match[1], path) for path in self.folder.glob(f"*{SUFFIX}") if (match := _MONTH.fullmatch(path.name))]
        return [path for _, path in sorted(found)]

    @contextmanager
    def locked(self) -> Generator[None]:
        """Keep other processes from writing meanwhile."""
        descriptor = _opened(self.folder / _LOCK)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def append(self, kind: str, at: datetime, events: Iterable[str]) -> None:
        """Write events behind those of the month; part of a line that a killed process has left is cut off."""
        lines = "".join(f"{event}\n" for event in events).encode()
        if not lines:
            return
        with os.fdopen(_opened(self.folder / f"{kind}-{at:%Y-%m}{SUFFIX}"), "r+b") as file:
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                if file.read() != b"\n":
                    file.seek(0)
                    file.truncate(file.read().rfind(b"\n") + 1)
                    file.seek(0, os.SEEK_END)
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())

    def _bury(self, at: datetime) -> None:
        """Tell of each run whose process is gone that it failed, unless its end was told."""
        for mark in sorted(self.folder.glob(f"*{_RUNNING}")):
            descriptor = _opened(mark)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            else:
                self._fail(mark.stem, at)
                mark.unlink()
            finally:
                os.close(descriptor)

    def _fail(self, run: str, at: datetime) -> None:
        told = [json.loads(line) for file in self.files() if file.name.startswith(RUNS) for line in _of(file, run)]
        if told and told[-1]["eventType"] == RunState.START.value:
            event = told[-1] | {"eventTime": at.isoformat(), "eventType": RunState.FAIL.value}
            event["run"]["facets"] = {"errorMessage": Serde.to_dict(failure(_SILENT))}
            self.append(RUNS, at, [Serde.to_json(event)])


def _opened(path: Path) -> int:
    """Open a file to read and write; a new one belongs to the group too, as runs may have a user of their own."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    except FileExistsError:
        return os.open(path, os.O_RDWR)
    os.fchmod(descriptor, 0o660)
    return descriptor


def _of(file: Path, run: str) -> Iterator[str]:
    return (line for line in _lines(file) if f'"runId": "{run}"' in line)


def _lines(file: Path) -> Iterator[str]:
    with file.open() as lines:
        yield from (line for line in lines if line.endswith("\n"))


def _key(line: str) -> tuple[str, str]:
    event = json.loads(line)
    return event["run"]["runId"], event["eventType"]
