"""The Prefect server that a command starts where no `up` runs: nobody else on the machine may use it.

What a person sees of a run that fails there, and what its log keeps, is here too, since each start takes a dozen CPU
seconds.
"""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

# In a process of its own, as a command is one: nothing has set Prefect's logging up yet.
COMMAND = """
import json, logging, os
from flows.servers import embedded
from flows.settings import Settings
embedded.use(Settings())
import httpx
from prefect import flow, task
from prefect.client.orchestration import get_client
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from rich.console import Console
from flows.progress import on_terminal, stage

@flow
def ask():
    with get_client(sync_client=True) as client:
        url = str(client.api_url).rstrip("/")
    own = tuple(os.environ["PREFECT_API_AUTH_STRING"].split(":", 1))
    step = {"prefect.deployments.steps.run_shell_script": {"script": "id"}}
    deployment = {"name": "x", "flow_id": "0" * 8 + "-0000-4000-8000-" + "0" * 12, "pull_steps": [step]}
    found = {
        "nobody": httpx.post(f"{url}/flow_runs/filter", json={}).status_code,
        "guess": httpx.post(f"{url}/flow_runs/filter", json={}, auth=("command", "guess")).status_code,
        "deployment": httpx.post(f"{url}/deployments/", json=deployment).status_code,
        "command": httpx.post(f"{url}/flow_runs/filter", json={}, auth=own).status_code,
        "types of blocks": httpx.post(f"{url}/block_types/filter", json={}, auth=own).json(),
    }
    for name, protocols in (("socket", ["prefect"]), ("old socket", None)):
        try:
            with connect(url.replace("http", "ws", 1) + "/events/in", subprotocols=protocols) as socket:
                socket.send(json.dumps({"type": "auth", "token": None}))
                found[name] = socket.recv(timeout=20)
        except (ConnectionClosed, InvalidStatus):
            found[name] = "closed"
    return found

@task
def read():
    with stage("Read"):
        logging.getLogger("features.matrix.cache").warning("links.arrow is [spoilt]")
        raise ValueError("no file matches")

@flow
def night():
    read()

with on_terminal(Console(stderr=True)):
    print(json.dumps(ask()))
    try:
        night()
    except ValueError as error:
        print(error)
"""

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("command")


@pytest.fixture(scope="module")
def done(folder):
    with pytest.MonkeyPatch.context() as patch:
        for name in ("PREFECT_API_URL", "PREFECT_HOME", "MLFLOW_TRACKING_USERNAME"):
            patch.delenv(name, raising=False)
        return subprocess.run([sys.executable, "-c", COMMAND], cwd=folder, capture_output=True, text=True, check=True)


def test_only_the_command_that_started_it_uses_it(done):
    assert json.loads(done.stdout.splitlines()[0]) == {
        "nobody": 401,
        "guess": 401,
        "deployment": 401,
        "command": 200,
        "types of blocks": [],
        "socket": "closed",
        "old socket": "closed",
    }


def test_a_flow_shows_what_is_warned_of_and_no_traceback_and_its_log_has_both(done, folder):
    assert done.stdout.splitlines()[1:] == ["no file matches"]
    assert done.stderr == "links.arrow is [spoilt]\n"
    with closing(sqlite3.connect(folder / ".tidewaiter" / "prefect" / "prefect.db")) as database:
        logged = [message for (message,) in database.execute("select message from log")]
    assert "Read" in logged
    assert "links.arrow is [spoilt]" in logged
    assert any("Traceback" in message for message in logged)
