"""The Prefect server that a command starts where no `up` runs: nobody else on the machine may use it."""

import json
import subprocess
import sys

import pytest

# In a process of its own, as a command is one.
ASKED = """
import json, os
from flows.servers import embedded
from flows.settings import Settings
embedded.use(Settings())
import httpx
from prefect import flow
from prefect.client.orchestration import get_client
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

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
    }
    for name, protocols in (("socket", ["prefect"]), ("old socket", None)):
        try:
            with connect(url.replace("http", "ws", 1) + "/events/in", subprotocols=protocols) as socket:
                socket.send(json.dumps({"type": "auth", "token": None}))
                found[name] = socket.recv(timeout=20)
        except (ConnectionClosed, InvalidStatus):
            found[name] = "closed"
    return found

print(json.dumps(ask()))
"""


@pytest.mark.timeout(300)
def test_only_the_command_that_started_it_uses_it(tmp_path, monkeypatch):
    for name in ("PREFECT_API_URL", "PREFECT_HOME", "MLFLOW_TRACKING_USERNAME"):
        monkeypatch.delenv(name, raising=False)
    said = subprocess.check_output([sys.executable, "-c", ASKED], cwd=tmp_path, text=True)
    assert json.loads(said.splitlines()[-1]) == {
        "nobody": 401,
        "guess": 401,
        "deployment": 401,
        "command": 200,
        "socket": "closed",
        "old socket": "closed",
    }
