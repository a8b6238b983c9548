"""The command as a person runs it: in a process of its own, with servers of its own unless one is given."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prefect.settings import PREFECT_API_URL
from prefect.testing.utilities import prefect_test_harness

TIDEWAITER = (sys.executable, "-c", "from flows.cli import app; app()")


@contextmanager
def prefect_server() -> Iterator[str]:
    """The URL of a Prefect server that several commands share: to start one takes longer than most of them."""
    with prefect_test_harness(server_startup_timeout=120):
        yield str(PREFECT_API_URL.value())


def start(folder: Path, *arguments: str, prefect: str | None = None) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "MLFLOW_"))}
    return subprocess.Popen(
        [*TIDEWAITER, *arguments],
        cwd=folder,
        env=environment | {"COLUMNS": "200"} | ({"PREFECT_API_URL": prefect} if prefect else {}),
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
