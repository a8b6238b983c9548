"""Prefect behind its guard, as `tidewaiter up` starts it, without the rest of `up`: for attacks and measurements.

Accounts are as MLflow makes them; deployments are written under the name that `up` has. No worker runs, so a run waits.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from prefect.utilities.callables import parameter_schema

from flows.run_requests.forms import FORMS
from flows.servers import embedded, prefect_api
from flows.servers.mlflow_server import UVICORN
from flows.settings import Settings
from models import policy
from models.access import accounts
from models.access.accounts import TELLER, UP
from models.ledger.book import SERVICE

PASSWORDS = {
    UP: "up-0123456789-0123456789",
    TELLER: "teller-0123456789-0123456789",
    SERVICE: "service-0123456789-0123456789",
    **{name: f"{name}-0123456789" for name in ("dan", "dora", "rea", "aud", "nob", "adam")},
}
ROLES = {"dan": "data-scientist", "dora": "data-scientist", "rea": "reviewer", "aud": "auditor"}
DEPLOYED = ("retrain/adhoc", "retrain/nightly", "select/nightly", "rehearse/rehearsal", "promote/reconcile")
_READY_S = 240


@dataclass
class Runs:
    """The server, and a client for everybody who asks."""

    url: str
    folder: Path
    deployments: dict[str, str] = field(default_factory=dict)
    _clients: dict[str, httpx.Client] = field(default_factory=dict)

    def client(self, who: str) -> httpx.Client:
        if who not in self._clients:
            account = (who, PASSWORDS[who]) if who else None
            self._clients[who] = httpx.Client(base_url=self.url, auth=account, timeout=60, trust_env=False)
        return self._clients[who]

    def ask(self, who: str, method: str, path: str, body: object = None, **given: object) -> httpx.Response:
        return self.client(who).request(method, path, **({} if body is None else {"json": body}), **given)

    def start(self, who: str, deployment: str = "retrain/adhoc", /, **body: object) -> httpx.Response:
        """Ask for a run of a deployment."""
        return self.ask(who, "POST", f"/api/deployments/{self.deployments[deployment]}/create_flow_run", body)

    def count(self) -> int:
        """Return how many runs there are."""
        return self.ask(UP, "POST", "/api/flow_runs/count", {}).raise_for_status().json()

    def close(self) -> None:
        for client in self._clients.values():
            client.close()


@contextmanager
def running(folder: Path, **settings: str) -> Generator[Runs]:
    """Serve a project's folder; `settings` are those of Tidewaiter, as its environment has them."""
    from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore

    state = folder / ".tidewaiter"
    state.mkdir(exist_ok=True)
    _make_accounts(SqlAlchemyStore(), f"sqlite:///{state / 'accounts.db'}")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "TIDEWAITER_"))}
    environment = {
        **inherited,
        **embedded.environment(Settings(state_folder=state)),
        **{f"TIDEWAITER_{name.upper()}": value for name, value in settings.items()},
        "PREFECT_UI_API_URL": "/api",
        "GUARD_UP_PASSWORD": PASSWORDS[UP],
        "GUARD_TELLER_PASSWORD": PASSWORDS[TELLER],
    }
    command = [sys.executable, "-m", "uvicorn", "--factory", "flows.prefect_app:create_app", "--port", str(port)]
    with (folder / "prefect.log").open("w") as log:
        process = subprocess.Popen(
            [*command, *UVICORN, "--no-access-log"], cwd=folder, env=environment, stdout=log, stderr=log
        )
    found = Runs(f"http://127.0.0.1:{port}", folder)
    try:
        deadline = time.monotonic() + _READY_S
        while not prefect_api.answers(f"{found.url}/api/health"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((folder / "prefect.log").read_text())
            time.sleep(0.2)
        _deploy(found)
        yield found
    finally:
        found.close()
        process.terminate()
        process.wait(30)


def form_schema(flow: str) -> dict[str, Any]:
    """Return the schema from which Prefect makes a flow's run form, and by which it checks its parameters."""
    form = FORMS[flow]

    def run(parameters): ...

    run.__annotations__ = {"parameters": form}
    run.__defaults__ = (form(),) if form else ()
    return parameter_schema(run if form else lambda: None).model_dump_for_openapi()


def _make_accounts(store, uri: str) -> None:
    store.init_db(uri)
    accounts.prepare(store, policy.load().signoff, PASSWORDS[SERVICE])
    roles = {role.name: role.id for role in store.list_roles(["default"])}
    for name in ("dan", "dora", "rea", "aud", "nob", "adam"):
        account = store.create_user(name, PASSWORDS[name], is_admin=name == "adam")
        if name in ROLES:
            store.assign_role_to_user(account.id, roles[ROLES[name]])


def _deploy(runs: Runs) -> None:
    """Deploy what `up` deploys, as much of it as a run needs to wait."""
    with prefect_api.connect(runs.url, (UP, PASSWORDS[UP])) as client:
        prefect_api.ensure_pool(client)
        for name in DEPLOYED:
            flow, _, deployment = name.partition("/")
            flow_id = client.post("/flows/", json={"name": flow}).raise_for_status().json()["id"]
            body = {
                "name": deployment,
                "flow_id": flow_id,
                "entrypoint": f"flows/{flow}.py:{flow}",
                "work_pool_name": prefect_api.POOL,
                "parameters": {"parameters": {"source": "simulator"}} if deployment == "nightly" else {},
                "parameter_openapi_schema": form_schema(flow),
                "schedules": [{"schedule": {"cron": "30 1 * * *", "timezone": "UTC"}, "active": False}],
                "job_variables": {"command": "true"},
            }
            made = client.post("/deployments/", json=body).raise_for_status().json()
            runs.deployments[name] = made["id"]
