"""The server under attack, with versions in every state, and how an attack is judged.

After every refused request, everything that the server keeps must be as it was, and the ledger must tell of the
attempt.
"""

import base64
import json
import os
import socket
import sqlite3
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from models import policy
from models.evidence import manifest
from models.ledger.book import SERVICE
from models.ledger.chain import Entry
from models.registry.registry import Registry
from models.signoff import audit
from tests.support.signoff_server import ADMINISTRATOR, ADMINISTRATOR_PASSWORD, API, Server, password

POLICY = policy.load().signoff
ACCOUNTS = (ADMINISTRATOR, SERVICE, "dan", "ana", "rea", "aud")
MODEL = {"name": "customs-risk"}
ALIAS = {**MODEL, "alias": "champion"}

# The versions, named by what was done to them before the attacks. EXCHANGED, ALTERED and RETOLD are each spoiled by one
# attack.
OLD, REIGNING, WAITING, REJECTED, VOID = "1", "2", "3", "4", "5"
APPROVED, EXCHANGED, ALTERED, RETOLD, UNSIGNED, OWN = "6", "7", "8", "9", "10", "11"


@dataclass
class Scene:
    """The server, with runs, logged models and artifact paths by version, and what belongs to no version."""

    server: Server
    runs: dict[str, str]
    models: dict[str, str]
    loose_run: str
    loose_model: str
    experiment: str
    clients: dict[str, httpx.Client] = field(default_factory=dict)
    databases: dict[str, "Database"] = field(default_factory=dict)

    def close(self) -> None:
        for each in (*self.clients.values(), *self.databases.values()):
            each.close()

    def send(self, who: str, method: str, path: str, body: Any = None, **given: Any) -> httpx.Response:
        if who not in self.clients:
            self.clients[who] = self.server.client(who)
        client = self.clients[who]
        if body is not None:  # in ASCII, whatever the characters
            given |= {"content": json.dumps(body), "headers": {"Content-Type": "application/json"}}
        return client.request(method, path, **given)

    def raw(self, who: str, line: str, headers: Sequence[str] = (), body: bytes = b"") -> int:
        """Send a request exactly as it stands, even one that no well-behaved client would send; return the status."""
        secret = ADMINISTRATOR_PASSWORD if who == ADMINISTRATOR else password(who)
        token = base64.b64encode(f"{who}:{secret}".encode()).decode()
        place = urlsplit(self.server.url)
        lines = [line, f"Host: {place.netloc}", f"Authorization: Basic {token}", f"Content-Length: {len(body)}"]
        if not any(header.lower().startswith("content-type") for header in headers):
            lines.append("Content-Type: application/json")
        with socket.create_connection((place.hostname or "", place.port or 0), timeout=60) as connection:
            connection.sendall("\r\n".join([*lines, *headers, "Connection: close", "", ""]).encode("latin-1") + body)
            answer = connection.makefile("rb").readline().split()
        return int(answer[1]) if len(answer) > 1 else 400  # closed without a word

    def ledger(self, after: int = 0) -> list[Entry]:
        rows = self.query("SELECT entry FROM tidewaiter_ledger WHERE number > ? ORDER BY number", after)
        return [Entry.model_validate_json(text) for (text,) in rows]

    def last(self) -> int:
        return self.query("SELECT max(number) FROM tidewaiter_ledger")[0][0]

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with self.database("mlflow.db") as database:
            return database.execute(statement, values).fetchall()

    @contextmanager
    def database(self, file: str) -> Generator[sqlite3.Connection]:
        with closing(sqlite3.connect(f"file:{self.server.folder / file}?mode=ro", uri=True)) as database:
            yield database

    def everything(self) -> dict[str, Any]:
        """Return every row of the databases and when each file was written, except for the ledger and its head."""
        kept: dict[str, Any] = {}
        for file in ("mlflow.db", "accounts.db", "decisions.db"):
            if file not in self.databases:
                self.databases[file] = Database(self.server.folder / file)
            kept |= self.databases[file].rows()
        for top in ("artifacts", "signoff"):
            for folder, _, names in os.walk(self.server.folder / top):
                for name in names:
                    if name != "head.json":
                        path = f"{folder}/{name}"  # not of pathlib, which takes as long as the rest
                        found = os.stat(path)  # noqa: PTH116
                        kept[path] = (found.st_size, found.st_mtime_ns)
        return kept

    @contextmanager
    def unchanged(self) -> Generator[None]:
        before = self.everything()
        yield
        assert changes(before, self.everything()) == {}

    @contextmanager
    def refused(self, *who: str) -> Generator[None]:
        """Assert that nothing changes in the block and that the ledger tells of a refused attempt by each of `who`."""
        before = self.last()
        with self.unchanged():
            yield
        added = self.ledger(before)
        assert [entry.actor for entry in added] == list(who)
        for entry in added:
            assert entry.refusal
            assert (entry.address, bool(entry.request)) == ("127.0.0.1", True)

    def show(self, version: str) -> str:
        """Make MLflow's tags of a version say what the ledger says, and return its state."""
        told = self.server.inspect(version)
        for key, value in told["tags"].items():
            self.send(SERVICE, "POST", f"{API}/model-versions/set-tag", tag(key, value, version)).raise_for_status()
        return told["state"]

    def fill(self, value: Any, version: str) -> Any:
        """Return a request with the run, logged model and number of a version, or of none, put into it."""
        if isinstance(value, str):
            names = {"RUN": self.runs[version], "MODEL": self.models[version], "LOOSE": self.loose_run}
            names |= {"VERSION": version, "EXPERIMENT": self.experiment, "FOLDER": str(self.server.folder)}
            for name, found in names.items():
                value = value.replace(f"<{name}>", found)
            return value
        if isinstance(value, dict):
            return {key: self.fill(each, version) for key, each in value.items()}
        return [self.fill(each, version) for each in value] if isinstance(value, list) else value


class Database:
    """A database of the server, whose rows are read again only after somebody has committed something."""

    def __init__(self, file: Path) -> None:
        self._name = file.name
        self._connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
        self._version: int | None = None
        self._rows: dict[str, list[tuple[Any, ...]]] = {}

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return every row by table, except for those of the ledger."""
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()  # asked before, so that none is missed
        if version != self._version:
            tables = self._connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            self._rows = {
                f"{self._name}:{table}": self._connection.execute(f'SELECT * FROM "{table}"').fetchall()
                for (table,) in tables
                if table != "tidewaiter_ledger"
            }
            self._version = version
        return self._rows

    def close(self) -> None:
        self._connection.close()


def changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    return {
        key: (before.get(key), after.get(key))
        for key in before.keys() | after.keys()
        if before.get(key) != after.get(key)
    }


def model_file(scene: Scene, version: str) -> Path:
    folder = scene.server.folder / "artifacts" / "customs-risk" / "models" / scene.models[version]
    return min(
        path for path in (folder / "artifacts" / "artifacts" / manifest.MODEL_FOLDER).rglob("*") if path.is_file()
    )


def run_file(scene: Scene, version: str, name: str = "evaluation.json") -> Path:
    return scene.server.folder / "artifacts" / "customs-risk" / scene.runs[version] / "artifacts" / name


def tag(key: str, value: str, version: str = WAITING) -> dict[str, str]:
    return {**MODEL, "version": version, "key": key, "value": value}


@contextmanager
def edited(scene: Scene, *statements: str, table: str = "tidewaiter_ledger") -> Generator[None]:
    """Run some statements on a table of the database, and put the table back after the block."""
    file = scene.server.folder / "mlflow.db"

    def run(*commands: tuple[str, Sequence[Any]]) -> list[tuple[Any, ...]]:
        with sqlite3.connect(file, timeout=60) as database:
            found = [database.execute(*command).fetchall() for command in commands]
        database.close()
        return found[-1]

    rows = run((f"SELECT * FROM {table}", ()))
    run(*((statement, ()) for statement in statements))
    try:
        yield
    finally:
        marks = ", ".join("?" * len(rows[0]))
        run((f"DELETE FROM {table}", ()), *((f"INSERT INTO {table} VALUES ({marks})", row) for row in rows))


def faults(scene: Scene, registry: Registry) -> tuple[str, ...]:
    return audit.verify(registry, scene.server.keys, POLICY).faults
