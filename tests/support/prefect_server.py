"""The Prefect server of the flows that tests run: one for all workers, because a start takes a dozen CPU seconds.

The first worker that asks for it starts it, in a folder that all workers are told of. The process that made the folder
ends the server.
"""

import fcntl
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from flows.servers import embedded, prefect_api
from flows.settings import Settings

FOLDER = "TESTS_PREFECT_FOLDER"  # an environment variable, which workers inherit
_TOLD, _LOG = "server.json", "server.log"
_TIMEOUT_S = 180.0


@contextmanager
def hosting() -> Iterator[None]:
    """Give this process and its children the folder of a server, and end the server if anybody asked for it."""
    with tempfile.TemporaryDirectory(prefix="tidewaiter-prefect-") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDER, folder)
        yield
        told = Path(folder, _TOLD)
        if told.exists():
            process = psutil.Process(json.loads(told.read_text())["pid"])
            process.kill()
            process.wait()


@contextmanager
def prefect_server() -> Iterator[str]:
    """Send the flows of this process to the server, and yield its URL, for children.

    Events that wait to be sent are sent before it ends: when the process exits the server may be gone, and Prefect's
    client would wait for it for ever.
    """
    # Imported here, because the import takes seconds that most tests need not wait for.
    from prefect.events.worker import EventsWorker
    from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    settings = embedded.environment(Settings())
    retries = int(settings["PREFECT_CLIENT_MAX_RETRIES"])
    url = _url(Path(os.environ[FOLDER]))
    with temporary_settings({PREFECT_API_URL: url, PREFECT_CLIENT_MAX_RETRIES: retries}):
        yield url
        EventsWorker.drain_all()


def _url(folder: Path) -> str:
    told = folder / _TOLD
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not told.exists():
            told.write_text(json.dumps(_start(folder)))
    return json.loads(told.read_text())["url"]


def _start(folder: Path) -> dict[str, object]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = (sys.executable, "-m", "uvicorn", "--factory", "prefect.server.api.server:create_app", "--port", port)
    environment = os.environ | embedded.environment(Settings(state_folder=folder))
    with (folder / _LOG).open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    url = f"http://127.0.0.1:{port}/api"
    until = time.monotonic() + _TIMEOUT_S
    while not prefect_api.answers(f"{url}/health"):
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"the Prefect server does not answer:\n{(folder / _LOG).read_text()}")
        time.sleep(0.2)
    return {"url": url, "pid": process.pid}
