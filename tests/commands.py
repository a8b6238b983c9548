"""The command as a person runs it: in a process of its own, with servers of its own."""

import os
import subprocess
import sys
from pathlib import Path

TIDEWAITER = (sys.executable, "-c", "from flows.cli import app; app()")


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "MLFLOW_"))}
    return subprocess.Popen(
        [*TIDEWAITER, *arguments],
        cwd=folder,
        env=environment | {"COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run(folder: Path, *arguments: str) -> str:
    process = start(folder, *arguments)
    out, err = process.communicate()
    assert process.returncode == 0, err
    return out + err
