"""The command, run as a person runs it or inside this process; and a run that can be killed at any moment.

A process of its own imports Prefect, MLflow and what trains, and starts a Prefect server where none is given: that
takes twenty seconds of a processor before it does anything. One test runs the command in this way (`run`), and a run
that is to be killed needs a process too (`Retraining`). The other tests `invoke` the command here.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.commands import cli, data, reproduce, signoff, transfer
from flows.parameters import RetrainParameters
from flows.settings import PREFIX, Settings

TIDEWAITER = (sys.executable, "-c", "from flows.commands.cli import app; app()")
_OWN = (PREFIX, "PREFECT_", "MLFLOW_")


def start(
    folder: Path, *arguments: str, prefect: str | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "MLFLOW_"))}
    own |= environment or {}
    return subprocess.Popen(
        [*TIDEWAITER, *arguments],
        cwd=folder,
        env=own | {"COLUMNS": "200"} | ({"PREFECT_API_URL": prefect} if prefect else {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run(folder: Path, *arguments: str, prefect: str | None = None) -> str:
    process = start(folder, *arguments, prefect=prefect)
    out, err = process.communicate()
    assert process.returncode == 0, err
    return out + err


@dataclass(frozen=True)
class Told:
    """How a command ended, and what it said: results on `out`, the rest on `err`."""

    code: int
    out: str
    err: str


def invoke(folder: Path, *arguments: str, **settings: str) -> Told:
    """Run the command in this process, in a folder; its flows go to the Prefect server that is in force here."""
    folder.mkdir(exist_ok=True)
    with _in(folder, {PREFIX + name.upper(): value for name, value in settings.items()}) as patch:
        patch.setenv("COLUMNS", "200")
        for module in (cli, data, reproduce, signoff, transfer):
            patch.setattr(module, "begin", begin)
        done = CliRunner().invoke(cli.app, arguments, catch_exceptions=False)
    return Told(done.exit_code, done.stdout, done.stderr)


class Retraining:
    """A retraining on simulated declarations in a process of its own, which can be killed at any moment.

    It is not forked from a process that has imported everything, because Polars' threads would be lost in the fork.
    `environment` is added to that of the process, for example for artifacts in a bucket.
    """

    def __init__(
        self, folder: Path, prefect: str, parameters: RetrainParameters, environment: Mapping[str, str] | None = None
    ) -> None:
        rows = ("--rows", str(parameters.rows), "--months", str(parameters.months))
        self.process = start(folder, "retrain", *rows, prefect=prefect, environment=environment)

    def wait_for(self, stage: str) -> None:
        """Wait until a stage is done; AssertionError where the run ends before."""
        assert self.process.stderr is not None
        if not any(line.startswith(stage) for line in self.process.stderr):
            raise AssertionError(f"it ended before {stage!r}")

    def ends_within(self, seconds: float) -> bool:
        """Tell whether the run comes to its end within so many seconds."""
        try:
            self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """Kill the run as by kill -9, children included; AssertionError where it has already ended."""
        assert self.process.poll() is None, "it ended before it could be killed"
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()


def begin() -> Settings:
    """Do what flows.commands.terminal.begin does, except that Prefect is already imported and has its server."""
    settings = Settings()
    os.environ["MLFLOW_TRACKING_URI"] = settings.tracking_uri
    return settings


@contextmanager
def _in(folder: Path, environment: Mapping[str, str]) -> Iterator[pytest.MonkeyPatch]:
    """Work in a folder, with nothing of Tidewaiter's in the environment except what is given."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in [name for name in os.environ if name.startswith(_OWN)]:
            patch.delenv(name)
        patch.setenv("MLFLOW_TRACKING_URI", "")  # noted, so that it is put back
        patch.delenv("MLFLOW_TRACKING_URI")
        for name, value in environment.items():
            patch.setenv(name, value)
        yield patch
