"""A real MLflow server behind the guard, with people and registered versions; for integration tests and benchmarks."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from flows.servers.mlflow_server import UVICORN
from models import policy
from models.evidence import seal
from models.ledger.book import SERVICE
from models.ledger.keys import Keys
from models.ledger.storage import Ledger, Table, now
from models.names import AUTHOR
from models.registry.registry import Candidate, Registration
from tests.support import candidates

ADMINISTRATOR, ADMINISTRATOR_PASSWORD = "admin", "only-for-tests-0123"
# The roles of each account; every password is the name twice, with digits after it.
PEOPLE: Mapping[str, tuple[str, ...]] = {
    "ana": ("risk-analyst",),
    "ari": ("risk-analyst",),
    "rea": ("reviewer",),
    "rob": ("reviewer",),
    "ria": ("reviewer",),
    "dan": ("data-scientist",),
    "aud": ("auditor",),
    "pia": ("analyst",),  # proposes criteria, which pol confirms
    "pol": ("analyst",),
    "two": ("risk-analyst", "reviewer"),
    "max": ("data-scientist", "risk-analyst", "reviewer"),  # makes models and could sign them
    "ola": ("officer",),
    "oli": ("officer",),
    "sue": ("supervisor",),
}
API, AJAX = "/api/2.0/mlflow", "/ajax-api/2.0/mlflow"
_READY_S = 300  # a busy machine takes its time

AUTHENTICATION = """[mlflow]
default_permission = NO_PERMISSIONS
database_uri = {accounts}
admin_username = admin
auth_cache_ttl_seconds = 60
"""


def password(name: str) -> str:
    """Return the password of one of the people."""
    return f"{name}-{name}-0123456789"


@dataclass
class Server:
    """A running server; `folder` holds keys, databases and artifacts."""

    url: str
    folder: Path
    database_uri: str
    process: subprocess.Popen[bytes]
    signer: subprocess.Popen[bytes]

    @property
    def keys(self) -> Keys:
        return Keys(self.folder / "signoff")

    def client(self, who: str) -> httpx.Client:
        """Return a client that is signed in as somebody."""
        passwords = {ADMINISTRATOR: ADMINISTRATOR_PASSWORD, SERVICE: self.keys.service_password}
        account = (who, passwords.get(who, password(who)))
        # Reading the machine's certificates takes longer than most requests, and they are not used.
        return httpx.Client(base_url=self.url, auth=account, timeout=200, verify=False)

    def call(self, who: str, method: str, path: str, **body: Any) -> httpx.Response:
        """Send one request with a JSON body, as somebody."""
        with self.client(who) as client:
            return client.request(method, path, json=body)

    def sign(self, who: str, step: str, value: str, version: str = "1", api: str = AJAX) -> httpx.Response:
        """Edit the tag of a step, as the UI does."""
        body = {"name": "customs-risk", "version": version, "key": f"signoff.{step}", "value": value}
        return self.call(who, "POST", f"{api}/model-versions/set-tag", **body)

    def set_alias(self, who: str, alias: str, version: str = "1") -> httpx.Response:
        body = {"name": "customs-risk", "alias": alias, "version": version}
        return self.call(who, "POST", f"{API}/registered-models/alias", **body)

    def inspect(self, version: str = "1") -> Any:
        """Return where a version stands, after a look at its evidence."""
        return self.call(SERVICE, "POST", "/api/2.0/tidewaiter/inspect", version=version).raise_for_status().json()

    def tags(self, version: str = "1") -> dict[str, str]:
        """Return the tags that MLflow has of a version."""
        with self.client("aud") as client:
            query = {"name": "customs-risk", "version": version}
            answer = client.get(f"{API}/model-versions/get", params=query).raise_for_status().json()
        return {tag["key"]: tag["value"] for tag in answer["model_version"]["tags"]}

    def aliases(self) -> dict[str, str]:
        """Return the aliases of the registered model."""
        with self.client("aud") as client:
            answer = client.get(f"{API}/registered-models/get", params={"name": "customs-risk"}).raise_for_status()
        return {each["alias"]: each["version"] for each in answer.json()["registered_model"].get("aliases", [])}

    def approve(self, version: str = "1") -> None:
        """Give all signatures that the policy asks for."""
        for name, step in (("ana", "technical"), ("rea", "governance"), ("rob", "governance")):
            self.sign(name, step, "approved: sound", version).raise_for_status()


@contextmanager
def server(
    folder: Path,
    database_uri: str | None = None,
    prefect_api: str = "",
    app: str = "models.server.app:create_app",
    artifact_root: str | None = None,
    public_urls: Sequence[str] = (),
) -> Generator[Server]:
    """Start a server on the databases in `folder`, which are made if they are not there, and end it."""
    database_uri = database_uri or f"sqlite:///{folder}/mlflow.db"
    accounts = f"sqlite:///{folder}/accounts.db" if database_uri.startswith("sqlite") else database_uri
    (folder / "accounts.ini").write_text(AUTHENTICATION.format(accounts=accounts.replace("%", "%%")))
    keys = Keys(folder / "signoff")
    keys.make()
    artifact_root = artifact_root or (folder / "artifacts").as_uri()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = [sys.executable, "-m", "uvicorn", "--factory", app, "--port", port]
    environment = {
        **os.environ,
        "SIGNOFF_FOLDER": str(keys.folder),
        "SIGNOFF_DATABASE_URI": database_uri,
        "SIGNOFF_ARTIFACT_ROOT": artifact_root,
        "SIGNOFF_DATA": str(folder / "data"),
        "SIGNOFF_STATE": str(folder / "state"),
        "SIGNOFF_NETWORKS": str(folder / "networks"),
        "SIGNOFF_DECISIONS_URI": f"sqlite:///{folder}/decisions.db",
        "SIGNOFF_DESK": str(folder / "desk"),
        "SIGNOFF_WINDOW_SOURCE": "simulator",
        "SIGNOFF_PREFECT_API": prefect_api,
        "SIGNOFF_PUBLIC_URLS": json.dumps(public_urls),
        "MLFLOW_AUTH_CONFIG_PATH": str(folder / "accounts.ini"),
        "MLFLOW_AUTH_ADMIN_PASSWORD": ADMINISTRATOR_PASSWORD,
    }
    log = folder / "mlflow.log"
    signing = signer(folder, database_uri)
    with log.open("wb") as out:
        process = subprocess.Popen([*command, *UVICORN], env=environment, stdout=out, stderr=out)
    started = Server(f"http://127.0.0.1:{port}", folder, database_uri, process, signing)
    try:
        _wait(started, log)
        yield started
    finally:
        process.terminate()
        process.wait(30)
        started.signer.terminate()
        started.signer.wait(30)


def signer(folder: Path, database_uri: str) -> subprocess.Popen[bytes]:
    """Start the process that signs for a server; it is ready long before the server is."""
    environment = {"SIGNOFF_FOLDER": str(folder / "signoff"), "SIGNOFF_DATABASE_URI": database_uri}
    with (folder / "signer.log").open("ab") as log:
        command = [sys.executable, "-m", "models.signer.signer"]
        return subprocess.Popen(command, env=os.environ | environment, stdout=log, stderr=log)


def add_people(started: Server) -> None:
    """Make the accounts of PEOPLE, as the administrator."""
    with started.client(ADMINISTRATOR) as client:
        roles = {role["name"]: role["id"] for role in client.get("/api/3.0/mlflow/roles/list").json()["roles"]}
        for name, theirs in PEOPLE.items():
            account = {"username": name, "password": password(name)}
            client.post("/api/2.0/mlflow/users/create", json=account).raise_for_status()
            for role in theirs:
                grant = {"username": name, "role_id": roles[role]}
                client.post("/api/3.0/mlflow/roles/assign", json=grant).raise_for_status()


def register(folder: Path, data_version: str = "abc", artifact_root: str | None = None) -> Registration:
    """Write a version straight into the database of `folder`, without a server; `data_version` tells it apart."""
    return candidates.open_registry(folder, artifact_root).register(candidate(folder, data_version))


def open_beside_others(folder: Path, versions: Sequence[str]) -> None:
    """Open versions without a server, as it was done when several could be signed at once."""
    registry, keys = candidates.open_registry(folder), Keys(folder / "signoff")
    keys.make()
    table = Table(registry.tracking_uri)
    ledger = Ledger(table, keys.private_key, keys.head_file, policy.load().signoff)
    with ledger.writing() as writer:
        for number in versions:
            version, scratch = registry.version(number), folder / "fetched" / number
            digest, sealed = registry.fetch_evidence(version, scratch).digest, seal.read(scratch)
            assert sealed
            opened = ledger.book.opening(int(number), digest, (version.tags[AUTHOR],), now(), sealed.digest)
            writer.append(opened.model_copy(update={"one_at_a_time": False}))
    table.close()


def candidate(folder: Path, data_version: str) -> Candidate:
    """Return a candidate whose data version is kept where the server of `folder` looks for it."""
    place = folder / "evidence" / data_version
    place.mkdir(parents=True)
    made = candidates.candidate(candidates.evidence_folder(place), data_version)
    candidates.keep_version(folder / "data", made.manifest.data_version)
    return made


def _wait(started: Server, log: Path) -> None:
    deadline = time.monotonic() + _READY_S
    # One client for all requests: making one reads the machine's certificates, which costs more than a request.
    with httpx.Client(base_url=started.url, timeout=2, verify=False) as client:
        while True:
            if started.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server is not ready:\n{log.read_text()}")
            try:
                if client.get("/health").status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.2)
