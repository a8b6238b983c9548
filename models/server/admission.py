"""Asks whether a version may be opened: what is asked, of which process, and how long it may take.

Evidence is read in another process than the server's: what it holds is not trusted before it was judged, and LightGBM's
reader of models is not made for that. The process is started when it is needed, since its imports take seconds, and
ends when nobody has asked for a minute. judging.py says what is judged.
"""

import os
import select
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from models.evidence import source_code

RUN, LOGGED = "run", "logged"  # the two folders with a version's files
IDLE_S = 60.0
_SECONDS = 180.0
_HIDDEN = ("MLFLOW_", "_MLFLOW_", "SIGNOFF_", "PREFECT_", "TIDEWAITER_")  # the server's secrets and settings


class Unjudged(RuntimeError):
    """The judgement did not come to its end; another attempt may."""


class Shown(BaseModel):
    """Tells what MLflow shows of a version and of its run. `page` is where it shows the run's artifacts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version_tags: dict[str, str]
    description: str
    page: str
    run_tags: dict[str, str]
    params: dict[str, str]
    metrics: dict[str, float]


class Request(BaseModel):
    """A question to the process that judges.

    `files` holds the folders `run` and `logged`; `data` is the folder whose versions are kept in the folder `state`,
    see features/store/versioning.py; `policy` is the file in force; `project` is where the source is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: Path
    shown: Shown
    data: Path
    state: Path | None = None
    policy: str
    project: Path = source_code.PROJECT


@dataclass
class Judge:
    """The process that judges; it takes one question at a time."""

    _lock: Lock = field(default_factory=Lock)
    _process: subprocess.Popen[str] | None = None

    def __call__(self, request: Request) -> tuple[str, ...]:
        """Return what is wrong with a version, a sentence each; nothing if it may be opened.

        Raises Unjudged if that ends otherwise than with a judgement.
        """
        with self._lock:
            found: tuple[str, ...] | None = None
            try:
                found = self._ask(request)
            finally:
                if found != ():  # what it has read is not trusted, so the process does not go on
                    self._end()
            return found

    def _ask(self, request: Request) -> tuple[str, ...]:
        process = self._running()
        assert process.stdin is not None  # it was started with pipes
        assert process.stdout is not None
        try:
            process.stdin.write(request.model_dump_json() + "\n")
            process.stdin.flush()
        except BrokenPipeError:  # it ended at this instant, since nobody had asked
            raise Unjudged("the process that judges had just ended; the next attempt starts another") from None
        if not select.select([process.stdout], [], [], _SECONDS)[0]:
            raise Unjudged(f"judging the evidence took longer than {_SECONDS:.0f} seconds")
        try:
            return TypeAdapter(tuple[str, ...]).validate_json(process.stdout.readline())
        except ValidationError:
            raise Unjudged("the process that judges ended without a word; its log has more") from None

    def _running(self) -> "subprocess.Popen[str]":
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "models.server.judging"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={name: value for name, value in os.environ.items() if not name.startswith(_HIDDEN)},
                cwd=source_code.PROJECT,
            )
        return self._process

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
