"""Attacks on the sign-off, through the real server and past it: each is refused, or found out.

After every refused request everything that the server keeps must be as it was, and the ledger must tell of the attempt.
"""

import base64
import json
import os
import shutil
import socket
import sqlite3
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import mlflow
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from models import evidence, policy
from models.registry import Registry
from models.signoff import audit, champion, reading
from models.signoff.book import SERVICE, Book
from models.signoff.chain import Chain, Entry, LedgerError
from models.signoff.ledger import Table
from tests import candidates, signoff_server
from tests.signoff_server import ADMINISTRATOR, ADMINISTRATOR_PASSWORD, AJAX, API, Server, password

pytestmark = pytest.mark.timeout(400)

POLICY = policy.load().signoff
ACCOUNTS = (ADMINISTRATOR, SERVICE, "dan", "ana", "rea", "aud")
MODEL = {"name": "customs-risk"}
ALIAS = {**MODEL, "alias": "champion"}

# The versions, by what was done to them before the attacks.
OLD, REIGNING, WAITING, REJECTED, VOID, APPROVED, OWN = "1", "2", "3", "4", "5", "6", "7"


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

    def send(self, who: str, method: str, path: str, body: Any = None, **given: Any) -> httpx.Response:
        if who not in self.clients:
            self.clients[who] = self.server.client(who)
        client = self.clients[who]
        if body is not None:  # in ASCII, whatever the characters
            given |= {"content": json.dumps(body), "headers": {"Content-Type": "application/json"}}
        return client.request(method, path, **given)

    def raw(self, who: str, line: str, headers: Sequence[str] = (), body: bytes = b"") -> int:
        """A request as it stands, for what a well-behaved client would not send; the status."""
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
        """Every row of both databases but the ledger's, and of every file but the ledger's head when it was written."""
        kept: dict[str, Any] = {}
        for file in ("mlflow.db", "accounts.db"):
            with self.database(file) as database:
                for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                    if table != "tidewaiter_ledger":
                        kept[f"{file}:{table}"] = database.execute(f'SELECT * FROM "{table}"').fetchall()
        for top in ("artifacts", "signoff"):
            for folder, _, names in os.walk(self.server.folder / top):
                for name in names:
                    if name != "head.json":
                        found = Path(folder, name).stat()
                        kept[f"{folder}/{name}"] = (found.st_size, found.st_mtime_ns)
        return kept

    @contextmanager
    def unchanged(self) -> Generator[None]:
        before = self.everything()
        yield
        assert changes(before, self.everything()) == {}

    @contextmanager
    def refused(self, *who: str) -> Generator[None]:
        """Nothing changes in the block, and the ledger tells of one refused attempt by each of `who`."""
        before = self.last()
        with self.unchanged():
            yield
        added = self.ledger(before)
        assert [entry.actor for entry in added] == list(who)
        for entry in added:
            assert entry.refusal
            assert (entry.address, bool(entry.request)) == ("127.0.0.1", True)

    def fill(self, value: Any, version: str) -> Any:
        """Run, logged model and number of a version, or of none, put into a request."""
        if isinstance(value, str):
            names = {"RUN": self.runs[version], "MODEL": self.models[version], "LOOSE": self.loose_run}
            names |= {"VERSION": version, "EXPERIMENT": self.experiment, "FOLDER": str(self.server.folder)}
            for name, found in names.items():
                value = value.replace(f"<{name}>", found)
            return value
        if isinstance(value, dict):
            return {key: self.fill(each, version) for key, each in value.items()}
        return [self.fill(each, version) for each in value] if isinstance(value, list) else value


def changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    return {
        key: (before.get(key), after.get(key))
        for key in before.keys() | after.keys()
        if before.get(key) != after.get(key)
    }


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Generator[Scene]:
    folder = tmp_path_factory.mktemp("attacks")
    for number in (OLD, REIGNING, WAITING, REJECTED, VOID, APPROVED):
        signoff_server.register(folder, f"data-{number}")
    with signoff_server.server(folder) as server, pytest.MonkeyPatch.context() as patch:
        signoff_server.add_people(server)
        patch.setenv("MLFLOW_TRACKING_USERNAME", "max")
        patch.setenv("MLFLOW_TRACKING_PASSWORD", password("max"))
        place = folder / "evidence" / "own"
        place.mkdir()
        registry = Registry(server.url)
        registry.register(candidates.candidate(candidates.evidence_folder(place), "own"))
        client = registry.client
        found = {each.version: each for each in client.search_model_versions("name = 'customs-risk'")}
        experiment = client.get_experiment_by_name("customs-risk").experiment_id
        loose_run = client.create_run(experiment).info.run_id
        scene = Scene(
            server,
            {number: each.run_id for number, each in found.items()},
            {number: each.source.removeprefix("models:/") for number, each in found.items()},
            loose_run,
            client.create_logged_model(experiment, "loose").model_id,
            experiment,
        )
        for number in (OLD, REIGNING):
            server.approve(number)
            server.set_alias(SERVICE, "champion", number).raise_for_status()
        server.set_alias(SERVICE, "previous", OLD).raise_for_status()
        server.approve(APPROVED)
        server.sign("ana", "technical", "approved: sound", WAITING).raise_for_status()
        server.sign("ana", "technical", "rejected: worse in the port", REJECTED).raise_for_status()
        server.inspect(VOID)
        model_file(scene, VOID).write_bytes(b"another model")
        told = server.inspect(VOID)
        assert told["state"] == "void"
        for key, value in told["tags"].items():
            body = {**MODEL, "version": VOID, "key": key, "value": value}
            scene.send(SERVICE, "POST", f"{API}/model-versions/set-tag", body).raise_for_status()
        assert server.inspect(OWN)["state"] == "awaiting"
        yield scene
        for each in scene.clients.values():
            each.close()


def model_file(scene: Scene, version: str) -> Path:
    folder = scene.server.folder / "artifacts" / "customs-risk" / "models" / scene.models[version]
    return min(
        path for path in (folder / "artifacts" / "artifacts" / evidence.MODEL_FOLDER).rglob("*") if path.is_file()
    )


def run_file(scene: Scene, version: str, name: str = "evaluation.json") -> Path:
    return scene.server.folder / "artifacts" / "customs-risk" / scene.runs[version] / "artifacts" / name


# What nobody may do, whatever the role; <RUN>, <MODEL> and <VERSION> are those of WAITING.

NOBODY: dict[str, tuple[str, str, dict[str, Any]]] = {
    "champion to a version that waits": ("POST", "registered-models/alias", {**ALIAS, "version": "<VERSION>"}),
    "champion to a rejected version": ("POST", "registered-models/alias", {**ALIAS, "version": REJECTED}),
    "champion to a void version": ("POST", "registered-models/alias", {**ALIAS, "version": VOID}),
    "champion back to the one before": ("POST", "registered-models/alias", {**ALIAS, "version": OLD}),
    "champion to no version": ("POST", "registered-models/alias", {**ALIAS, "version": "99"}),
    "previous to a version that waits": (
        "POST",
        "registered-models/alias",
        {**ALIAS, "alias": "previous", "version": "<VERSION>"},
    ),
    "champion taken away": ("DELETE", "registered-models/alias", ALIAS),
    "previous taken away": ("DELETE", "registered-models/alias", {**ALIAS, "alias": "previous"}),
    "a tally of one's own": (
        "POST",
        "model-versions/set-tag",
        {**MODEL, "version": "<VERSION>", "key": "signoff.governance", "value": "2 of 2: approved by rea, rob"},
    ),
    "a step set back": (
        "POST",
        "model-versions/set-tag",
        {**MODEL, "version": "<VERSION>", "key": "signoff.technical", "value": "pending"},
    ),
    "a signature deleted": (
        "DELETE",
        "model-versions/delete-tag",
        {**MODEL, "version": "<VERSION>", "key": "signoff.technical"},
    ),
    "the digest deleted": (
        "DELETE",
        "model-versions/delete-tag",
        {**MODEL, "version": "<VERSION>", "key": "evidence_digest"},
    ),
    "the author deleted": ("DELETE", "model-versions/delete-tag", {**MODEL, "version": OWN, "key": "author"}),
    "the digest rewritten": (
        "POST",
        "model-versions/set-tag",
        {**MODEL, "version": "<VERSION>", "key": "evidence_digest", "value": "0" * 64},
    ),
    "the author rewritten": (
        "POST",
        "model-versions/set-tag",
        {**MODEL, "version": OWN, "key": "author", "value": "dan"},
    ),
    "an author for a version without": (
        "POST",
        "model-versions/set-tag",
        {**MODEL, "version": "<VERSION>", "key": "author", "value": "rea"},
    ),
    "the data version rewritten": (
        "POST",
        "model-versions/set-tag",
        {**MODEL, "version": "<VERSION>", "key": "data_version", "value": "other"},
    ),
    "the version deleted": ("DELETE", "model-versions/delete", {**MODEL, "version": "<VERSION>"}),
    "the champion deleted": ("DELETE", "model-versions/delete", {**MODEL, "version": REIGNING}),
    "the description rewritten": (
        "PATCH",
        "model-versions/update",
        {**MODEL, "version": "<VERSION>", "description": "much better than it is"},
    ),
    "the stage": (
        "POST",
        "model-versions/transition-stage",
        {**MODEL, "version": "<VERSION>", "stage": "Production", "archive_existing_versions": True},
    ),
    "the model deleted": ("DELETE", "registered-models/delete", MODEL),
    "the model renamed": ("POST", "registered-models/rename", {**MODEL, "new_name": "gone"}),
    "another model with its name": ("POST", "registered-models/rename", {"name": "other", "new_name": "customs-risk"}),
    "another model that looks like it": ("POST", "registered-models/create", {"name": "Customs-Risk"}),
    "the model's description": ("PATCH", "registered-models/update", {**MODEL, "description": "x"}),
    "the model's tags": ("POST", "registered-models/set-tag", {**MODEL, "key": "a", "value": "b"}),
    "the model's tags deleted": ("DELETE", "registered-models/delete-tag", {**MODEL, "key": "a"}),
    "the model as a prompt": (
        "POST",
        "registered-models/set-tag",
        {**MODEL, "key": "mlflow.prompt.is_prompt", "value": "true"},
    ),
    "a version from a file": ("POST", "model-versions/create", {**MODEL, "source": "file://<FOLDER>/signoff"}),
    "a version from a path": ("POST", "model-versions/create", {"name": "other", "source": "<FOLDER>/signoff"}),
    "a version that is born approved": (
        "POST",
        "model-versions/create",
        {
            **MODEL,
            "source": "models:/<MODEL>",
            "tags": [{"key": "signoff.technical", "value": "approved by ana. ana: sound"}],
        },
    ),
    "a prompt": (
        "POST",
        "registered-models/create",
        {"name": "other", "tags": [{"key": "mlflow.prompt.is_prompt", "value": "true"}]},
    ),
    "the run deleted": ("POST", "runs/delete", {"run_id": "<RUN>"}),
    "the run restored": ("POST", "runs/restore", {"run_id": "<RUN>"}),
    "the run's name": ("POST", "runs/update", {"run_id": "<RUN>", "run_name": "x"}),
    "the run's old id": ("POST", "runs/update", {"run_uuid": "<RUN>", "status": "RUNNING"}),
    "the run's tag": ("POST", "runs/set-tag", {"run_id": "<RUN>", "key": "a", "value": "b"}),
    "the run's tag deleted": ("POST", "runs/delete-tag", {"run_id": "<RUN>", "key": "evidence_digest"}),
    "the run's metric": ("POST", "runs/log-metric", {"run_id": "<RUN>", "key": "roc_auc", "value": 1, "timestamp": 1}),
    "the run's parameter": ("POST", "runs/log-parameter", {"run_id": "<RUN>", "key": "a", "value": "b"}),
    "a batch into the run": (
        "POST",
        "runs/log-batch",
        {"run_id": "<RUN>", "metrics": [{"key": "roc_auc", "value": 1, "timestamp": 1, "step": 0}]},
    ),
    "a batch for its model from another run": (
        "POST",
        "runs/log-batch",
        {
            "run_id": "<LOOSE>",
            "metrics": [{"key": "roc_auc", "value": 1, "timestamp": 1, "step": 0, "model_id": "<MODEL>"}],
        },
    ),
    "a model into the run": ("POST", "runs/log-model", {"run_id": "<RUN>", "model_json": "{}"}),
    "inputs into the run": ("POST", "runs/log-inputs", {"run_id": "<RUN>", "models": [{"model_id": "<MODEL>"}]}),
    "outputs into the run": ("POST", "runs/outputs", {"run_id": "<RUN>", "models": [{"model_id": "<MODEL>"}]}),
    "another author for a run": ("POST", "runs/set-tag", {"run_id": "<LOOSE>", "key": "author", "value": "rea"}),
    "no author for a run": ("POST", "runs/delete-tag", {"run_id": "<LOOSE>", "key": "author"}),
    "another author by a batch": (
        "POST",
        "runs/log-batch",
        {"run_id": "<LOOSE>", "tags": [{"key": "author", "value": "rea"}]},
    ),
    "a logged model under the run": (
        "POST",
        "logged-models",
        {"experiment_id": "<EXPERIMENT>", "name": "x", "source_run_id": "<RUN>"},
    ),
    "the logged model failed": (
        "PATCH",
        "logged-models/<MODEL>",
        {"model_id": "<MODEL>", "status": "LOGGED_MODEL_UPLOAD_FAILED"},
    ),
    "the logged model deleted": ("DELETE", "logged-models/<MODEL>", {}),
    "the logged model's tags": ("PATCH", "logged-models/<MODEL>/tags", {"tags": [{"key": "a", "value": "b"}]}),
    "the logged model's tags deleted": ("DELETE", "logged-models/<MODEL>/tags/evidence_digest", {}),
    "the logged model's parameters": ("POST", "logged-models/<MODEL>/params", {"params": [{"key": "a", "value": "b"}]}),
    "the experiment deleted": ("POST", "experiments/delete", {"experiment_id": "<EXPERIMENT>"}),
    "the experiment renamed": ("POST", "experiments/update", {"experiment_id": "<EXPERIMENT>", "new_name": "x"}),
    "the service's password": ("PATCH", "users/update-password", {"username": "tidewaiter", "password": "x" * 20}),
    "the service as administrator": ("PATCH", "users/update-admin", {"username": "tidewaiter", "is_admin": True}),
    "the service deleted": ("DELETE", "users/delete", {"username": "tidewaiter"}),
}


@pytest.mark.parametrize("attack", NOBODY)
def test_what_nobody_may_do(scene, attack):
    method, name, body = NOBODY[attack]
    with scene.refused(*ACCOUNTS):
        for number, who in enumerate(ACCOUNTS):
            path = f"{API if number % 2 else AJAX}/{scene.fill(name, WAITING)}"
            answer = scene.send(who, method, path, scene.fill(body, WAITING))
            assert answer.status_code in (400, 403, 404), (who, answer.text)
            assert answer.json()["message"]


# One request that nobody may make, in many disguises: the administrator points champion at a version that waits.

MOVE = json.dumps({**ALIAS, "version": WAITING}).encode()
PATHS = [
    "/api/2.0/mlflow/registered-models/alias",
    "/ajax-api/2.0/mlflow/registered-models/alias",
    "/api/3.0/mlflow/registered-models/alias",
    "/api/2.0/preview/mlflow/registered-models/alias",
    "/API/2.0/mlflow/registered-models/alias",
    "/api/2.0/mlflow//registered-models/alias",
    "//api/2.0/mlflow/registered-models/alias",
    "/api/2.0/mlflow/./registered-models/alias",
    "/api/2.0/mlflow/runs/../registered-models/alias",
    "/health/../api/2.0/mlflow/registered-models/alias",
    "/static-files/../api/2.0/mlflow/registered-models/alias",
    "/api/2.0/mlflow/runs/%2e%2e/registered-models/alias",
    "/api/2.0/mlflow/registered-models%2falias",
    "/api/2.0/mlflow/registered-models%252falias",
    "/api/2.0/mlflow/registered-models/%61lias",
    "/api/2.0/mlflow/registered-models/%2561lias",
    "/api/2.0/mlflow/registered-models/alias/",
    "/api/2.0/mlflow/registered-models/alias%2f",
    "/api/2.0/mlflow/registered-models/alias%00",
    "/api/2.0/mlflow/registered-models/alias%20",
    "/api/2.0/mlflow/registered-models/alias%0a",
    "/api/2.0/mlflow/registered-models/alias;x=1",
    "/api/2.0/mlflow/registered-models\\alias",
    "/api/2.0/mlflow/registered-models%5calias",
    "/api/2.0/mlflow/registered-models/alias?x=1",
    "/api/2.0/mlflow/registered-models/alias%3fx=1",
    "/api/2.0/mlflow/registered-models/alias#x",
    "http://127.0.0.1/api/2.0/mlflow/registered-models/alias",
    "http://elsewhere.example//api/2.0/mlflow/registered-models/alias",
    "api/2.0/mlflow/registered-models/alias",
    "*",
]
# Those that the server takes for the route itself: refused as an attempt, and in the ledger.
UNDERSTOOD = {
    "/api/2.0/mlflow/registered-models/alias",
    "/ajax-api/2.0/mlflow/registered-models/alias",
    "/api/3.0/mlflow/registered-models/alias",
    "/api/2.0/mlflow/registered-models/%61lias",
    "/api/2.0/mlflow/registered-models%2falias",
    "/api/2.0/mlflow/registered-models/alias?x=1",
    "/api/2.0/mlflow/registered-models/alias#x",
    "http://127.0.0.1/api/2.0/mlflow/registered-models/alias",
}


@pytest.mark.parametrize("path", PATHS)
def test_other_paths_to_the_same_route(scene, path):
    with scene.refused(*[ADMINISTRATOR] * (path in UNDERSTOOD)):
        status = scene.raw(ADMINISTRATOR, f"POST {path} HTTP/1.1", body=MOVE)
    assert status in ((400, 403) if path in UNDERSTOOD else (400, 404))


@pytest.mark.parametrize(
    ("method", "status"),
    [
        ("post", 400),
        ("Post", 400),
        ("PUT", 404),
        ("put", 404),
        ("PATCH", 404),
        ("TRACE", 404),
        ("CONNECT", 404),
        ("PROPFIND", 404),
        ("POST\x0b", 400),
    ],
)
def test_other_methods_on_the_same_route(scene, method, status):
    with scene.refused():
        found = scene.raw(ADMINISTRATOR, f"{method} /api/2.0/mlflow/registered-models/alias HTTP/1.1", body=MOVE)
    assert found in (status, 400)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "get"])
def test_what_reads_changes_nothing(scene, method):
    with scene.refused():
        for name in ("registered-models/alias", "registered-models/rename", "model-versions/set-tag", "runs/delete"):
            scene.raw(ADMINISTRATOR, f"{method} /api/2.0/mlflow/{name}?name=customs-risk HTTP/1.1", body=MOVE)


BODIES: dict[str, tuple[str, bytes]] = {
    "a form": ("application/x-www-form-urlencoded", b"name=customs-risk&alias=champion&version=3"),
    "JSON called a form": ("application/x-www-form-urlencoded", MOVE),
    "many parts": (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\n--x--',
    ),
    "JSON called text": ("text/plain", MOVE),
    "JSON without a type": ("", MOVE),
    "another JSON": ("application/vnd.api+json", MOVE),
    "JSON inside a JSON string": ("application/json", json.dumps(MOVE.decode()).encode()),
    "a name twice": (
        "application/json",
        b'{"name": "other", "name": "customs-risk", "alias": "champion", "version": "3"}',
    ),
    "an alias twice": ("application/json", MOVE[:-1] + b', "alias": "x"}'),
    "an escaped name twice": ("application/json", MOVE[:-1] + b', "al\\u0069as": "x"}'),
    "a list": ("application/json", b"[" + MOVE + b"]"),
    "null": ("application/json", b"null"),
    "nothing": ("application/json", b""),
    "an empty object": ("application/json", b"{}"),
    "two objects": ("application/json", b"{}" + MOVE),
    "UTF-16": ("application/json", MOVE.decode().encode("utf-16")),
    "UTF-16 that says so": ("application/json; charset=utf-16", MOVE.decode().encode("utf-16-le")),
    "UTF-32": ("application/json", MOVE.decode().encode("utf-32")),
    "UTF-7": ("application/json; charset=utf-7", MOVE.replace(b"champion", b"+AGM-hampion")),
    "a byte order mark": ("application/json", b"\xef\xbb\xbf" + MOVE),
    "bytes that are no text": ("application/json", MOVE.replace(b"champion", b"champion\xff")),
    "nested deeply": ("application/json", b'{"name": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "nested": ("application/json", MOVE[:-1] + b', "x": ' + b"[" * 900 + b"]" * 900 + b"}"),
    "a comment": ("application/json", b"/* */" + MOVE),
    "escapes": ("application/json", b'{"\\u006eame": "customs\\u002drisk", "alias": "champ\\u0069on", "version": "3"}'),
    "a half character": ("application/json", MOVE.replace(b"champion", b"champion\\ud800")),
    "camel case": ("application/json", MOVE[:-1] + b', "modelVersion": "3"}'),
    "the version as a number": ("application/json", MOVE.replace(b'"3"', b"3")),
    "the version with a nought": ("application/json", MOVE.replace(b'"3"', b'"03"')),
    "the version with a blank": ("application/json", MOVE.replace(b'"3"', b'" 3"')),
    "the version in other digits": ("application/json", MOVE.replace(b'"3"', '"\uff13"'.encode())),
    "the version with a sign": ("application/json", MOVE.replace(b'"3"', b'"+3"')),
    "the version with an underscore": ("application/json", MOVE.replace(b'"3"', b'"0_3"')),
    "the version as a list": ("application/json", MOVE.replace(b'"3"', b'["3"]')),
    "the name as a list": ("application/json", MOVE.replace(b'"customs-risk"', b'["customs-risk"]')),
    "the name with a NUL": ("application/json", MOVE.replace(b"customs-risk", b"customs-risk\\u0000")),
    "the name with a blank": ("application/json", MOVE.replace(b"customs-risk", b"customs-risk ")),
    "the name in capitals": ("application/json", MOVE.replace(b"customs-risk", b"CUSTOMS-RISK")),
    "the alias in capitals": ("application/json", MOVE.replace(b"champion", b"Champion")),
    "the alias with a blank": ("application/json", MOVE.replace(b"champion", b"champion ")),
    "the alias with a line": ("application/json", MOVE.replace(b"champion", b"champion\\n")),
    "the alias in wide letters": (
        "application/json",
        MOVE.replace(b"champion", "\uff43hampion".encode()),
    ),
    "the alias with nothing between": ("application/json", MOVE.replace(b"champion", "cham\u200bpion".encode())),
    "the alias in Cyrillic": ("application/json", MOVE.replace(b"champion", "\u0441hampion".encode())),
    "the alias with an accent": ("application/json", MOVE.replace(b"champion", "champio\u0301n".encode())),
    "the alias too long": ("application/json", MOVE.replace(b"champion", b"champion" * 100_000)),
}


@pytest.mark.parametrize("disguise", BODIES)
def test_other_bodies(scene, disguise):
    kind, body = BODIES[disguise]
    with scene.refused(*[ADMINISTRATOR] * (disguise != "UTF-7")):  # which is read as another alias, and no good one
        status = scene.raw(
            ADMINISTRATOR, "POST /api/2.0/mlflow/registered-models/alias HTTP/1.1", [f"Content-Type: {kind}"], body
        )
    assert status in (400, 403)
    assert len(scene.ledger(scene.last() - 1)[0].refusal or "") <= 5000


@pytest.mark.parametrize(
    ("header", "status", "is_noted"),
    [
        ("Content-Type: text/plain", 400, True),
        ("Content-Encoding: gzip", 400, True),
        ("X-HTTP-Method-Override: GET", 403, True),
        ("X-Original-URL: /health", 403, True),
        ("X-Forwarded-Prefix: /x", 403, True),
        ("X-Forwarded-For: 10.0.0.1", 403, True),
        ("X-MLFLOW-WORKSPACE: other", 403, True),
        ("Origin: https://elsewhere.example", 403, False),
        ("Origin: null", 403, False),
        ("Host: elsewhere.example", 400, False),
        ("Authorization: Basic dGlkZXdhaXRlcjp4", 401, False),
        ("Transfer-Encoding: chunked", 400, False),
    ],
)
def test_other_headers(scene, header, status, is_noted):
    headers = ["Content-Type: application/json", header]
    with scene.refused(*[ADMINISTRATOR] * is_noted):
        found = scene.raw(ADMINISTRATOR, "POST /api/2.0/mlflow/registered-models/alias HTTP/1.1", headers, MOVE)
    assert found == status


def test_fields_in_the_query(scene):
    with scene.refused(ADMINISTRATOR):
        path = f"{API}/registered-models/alias?name=customs-risk&alias=champion&version=3"
        assert scene.send(ADMINISTRATOR, "POST", path).status_code == 400


@pytest.mark.parametrize("path", ["/api/2.0/tidewaiter/ledger", f"{API}/registered-models/alias", "/graphql"])
@pytest.mark.parametrize("secret", [None, "", "wrong", "admin"])
def test_without_the_password(scene, path, secret):
    with scene.refused():
        account = (ADMINISTRATOR, secret) if secret is not None else None
        assert httpx.post(f"{scene.server.url}{path}", json=json.loads(MOVE), auth=account).status_code in (401, 404)


# Signatures.


def tag(key: str, value: str, version: str = WAITING) -> dict[str, str]:
    return {**MODEL, "version": version, "key": key, "value": value}


SIGNATURES: dict[str, tuple[str, str, str, str, str]] = {
    "the administrator": (ADMINISTRATOR, "governance", "approved: x", WAITING, "signs nothing"),
    "the administrator rejects": (ADMINISTRATOR, "governance", "rejected: x", WAITING, "signs nothing"),
    "the service": (SERVICE, "governance", "approved: x", WAITING, "signs nothing"),
    "the service rejects": (SERVICE, "governance", "rejected: x", WAITING, "signs nothing"),
    "a data scientist": ("dan", "governance", "approved: x", WAITING, "signed by the role reviewer"),
    "an auditor": ("aud", "governance", "approved: x", WAITING, "signed by the role reviewer"),
    "another step's role": ("ari", "governance", "approved: x", WAITING, "signed by the role reviewer"),
    "another step's role rejects": ("ari", "governance", "rejected: x", WAITING, "signed by the role reviewer"),
    "out of turn": ("rea", "governance", "approved: x", OWN, "comes after technical"),
    "rejection out of turn": ("rea", "governance", "rejected: x", OWN, "comes after technical"),
    "of what one made": ("max", "technical", "approved: x", OWN, "made version 7"),
    "rejection of what one made": ("max", "technical", "rejected: x", OWN, "made version 7"),
    "twice": ("ana", "technical", "approved: again", WAITING, "signed technical already"),
    "a step that is complete": ("ari", "technical", "approved: x", WAITING, "has all its signatures"),
    "without a reason": ("rea", "governance", "approved:", WAITING, "needs a reason"),
    "with a blank reason": ("rea", "governance", "approved: \u00a0\t", WAITING, "needs a reason"),
    "with a long reason": ("rea", "governance", "approved: " + "x" * 1001, WAITING, "needs a reason"),
    "with a book for a reason": ("rea", "governance", "approved: " + "x" * 100_000, WAITING, "up to 5000 characters"),
    "without a decision": ("rea", "governance", "yes", WAITING, "is not a decision"),
    "another decision": ("rea", "governance", "promoted: x", WAITING, "is not a decision"),
    "a step that is not": ("rea", "legal", "approved: x", WAITING, "there is no step 'legal'"),
    "a step in capitals": ("rea", "Governance", "approved: x", WAITING, "there is no step 'Governance'"),
    "a step without a name": ("rea", "", "approved: x", WAITING, "there is no step ''"),
    "half a character": ("rea", "governance", "approved: \ud800", WAITING, "is not Unicode text"),
    "of a version that is not": ("rea", "governance", "approved: x", "99", "no version 99"),
    "of a version below": ("rea", "governance", "approved: x", "0", "allowed: a number"),
    "of a rejected version": ("rea", "governance", "approved: x", REJECTED, "nothing more can be signed"),
    "a rejection taken back": ("ana", "technical", "revoked: sorry", REJECTED, "nothing more can be signed"),
    "of a void version": ("ana", "technical", "approved: x", VOID, "was altered"),
    "of the champion": ("ria", "governance", "approved: x", REIGNING, "nothing more can be signed"),
    "the champion rejected": ("ria", "governance", "rejected: x", REIGNING, "nothing more can be signed"),
    "a champion's revoked": ("rea", "governance", "revoked: x", REIGNING, "nothing more can be signed"),
    "of an earlier champion": ("ria", "governance", "rejected: x", OLD, "nothing more can be signed"),
    "another's revoked": ("ari", "technical", "revoked: x", WAITING, "no signature on technical"),
    "revoked by the administrator": (ADMINISTRATOR, "technical", "revoked: x", WAITING, "signs nothing"),
}


@pytest.mark.parametrize("attack", SIGNATURES)
def test_signatures_that_do_not_count(scene, attack):
    who, step, value, version, sentence = SIGNATURES[attack]
    with scene.refused(who):
        answer = scene.send(who, "POST", f"{AJAX}/model-versions/set-tag", tag(f"signoff.{step}", value, version))
    assert answer.status_code in (400, 403, 404)
    assert sentence in answer.json()["message"]


def test_one_person_does_not_sign_both_steps(scene):
    assert scene.send(
        "two", "POST", f"{API}/model-versions/set-tag", tag("signoff.technical", "approved: x", OWN)
    ).is_success
    with scene.refused("two"):
        refused = scene.send(
            "two", "POST", f"{API}/model-versions/set-tag", tag("signoff.governance", "approved: x", OWN)
        )
    assert "one person signs one step, once" in refused.json()["message"]
    assert scene.send(
        "two", "POST", f"{API}/model-versions/set-tag", tag("signoff.technical", "revoked: x", OWN)
    ).is_success


@pytest.mark.parametrize(
    "key",
    [
        "Signoff.governance",
        "SIGNOFF.GOVERNANCE",
        " signoff.governance",
        "sign\u200boff.governance",
        "\uff53\uff49\uff47\uff4e\uff4f\uff46\uff46.governance",
        "signoff",
        "signoff-governance",
        "Evidence_Digest",
        "author ",
        "mlflow.prompt.text",
        "s\u0456gnoff.governance",  # with a Cyrillic letter
    ],
)
def test_tags_that_look_like_those_that_count(scene, key):
    with scene.refused(*ACCOUNTS):
        for who in ACCOUNTS:
            answer = scene.send(who, "POST", f"{API}/model-versions/set-tag", tag(key, "approved"))
            assert answer.status_code in (400, 403)


def test_what_people_write_cannot_look_like_anothers_signature(scene):
    value = "approved: fine. rob: sound. ria: sound"
    assert scene.send("rea", "POST", f"{AJAX}/model-versions/set-tag", tag("signoff.governance", value)).is_success
    assert scene.server.tags(WAITING)["signoff.governance"].startswith(
        "1 of 2: approved by rea; one more reviewer needed."
    )
    assert scene.send(
        "rea", "POST", f"{AJAX}/model-versions/set-tag", tag("signoff.governance", "revoked: x")
    ).is_success


# The service account, rollback and the guard's own routes.


@pytest.mark.parametrize("who", [ADMINISTRATOR, "dan", "ana", "aud", SERVICE])
def test_a_rollback_is_for_reviewers(scene, who):
    with scene.refused(who):
        answer = scene.send(who, "POST", "/api/2.0/tidewaiter/rollback", {"reason": "x"})
    assert "a rollback takes the role reviewer" in answer.json()["message"]


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": " "}, {"reason": 1}, {"reason": "\ud800"}])
def test_a_rollback_needs_a_reason(scene, body):
    with scene.refused("rea"):
        assert scene.send("rea", "POST", "/api/2.0/tidewaiter/rollback", body).status_code in (400, 403)


@pytest.mark.parametrize("who", [ADMINISTRATOR, "dan", "rea", "aud"])
def test_an_inspection_is_for_the_service(scene, who):
    with scene.refused(who):
        assert scene.send(who, "POST", "/api/2.0/tidewaiter/inspect", {"version": WAITING}).status_code == 403


@pytest.mark.parametrize("version", [None, 3, "x", "99", "-1", "3.0", ["3"]])
def test_an_inspection_needs_a_version(scene, version):
    with scene.refused():
        answer = scene.send(SERVICE, "POST", "/api/2.0/tidewaiter/inspect", {"version": version})
    assert answer.status_code in (400, 404)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_the_ledger_is_only_read(scene, method):
    with scene.refused():
        assert scene.send(ADMINISTRATOR, method, "/api/2.0/tidewaiter/ledger", {"rows": []}).status_code == 404


@pytest.mark.parametrize("after", ["x", "-1", "1.5", "\uff11", "1;DROP TABLE tidewaiter_ledger"])
def test_the_ledger_is_read_from_a_row(scene, after):
    with scene.refused():
        assert scene.send("aud", "GET", "/api/2.0/tidewaiter/ledger", params={"after": after}).status_code == 400


# Accounts and roles.

ROLES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "a role for oneself": ("POST", "3.0/mlflow/roles/assign", {"username": "<WHO>", "role_id": 1}),
    "a role taken away": ("DELETE", "3.0/mlflow/roles/unassign", {"username": "rea", "role_id": 1}),
    "a role made": ("POST", "3.0/mlflow/roles/create", {"name": "x", "workspace": "default"}),
    "a role renamed": ("PATCH", "3.0/mlflow/roles/update", {"role_id": 1, "name": "reviewer"}),
    "a role deleted": ("DELETE", "3.0/mlflow/roles/delete", {"role_id": 1}),
    "a grant to a role": (
        "POST",
        "3.0/mlflow/roles/permissions/add",
        {"role_id": 1, "resource_type": "experiment", "resource_pattern": "*", "permission": "MANAGE"},
    ),
    "a grant changed": (
        "PATCH",
        "3.0/mlflow/roles/permissions/update",
        {"role_permission_id": 1, "permission": "MANAGE"},
    ),
    "a grant removed": ("DELETE", "3.0/mlflow/roles/permissions/remove", {"role_permission_id": 1}),
    "a grant to oneself": (
        "POST",
        "3.0/mlflow/users/permissions/grant",
        {
            "username": "<WHO>",
            "resource_type": "registered_model",
            "resource_id": "customs-risk",
            "permission": "MANAGE",
        },
    ),
    "an account made": ("POST", "2.0/mlflow/users/create", {"username": "eve", "password": "only-for-tests-0123"}),
    "another's password": ("PATCH", "2.0/mlflow/users/update-password", {"username": "rob", "password": "x" * 20}),
    "another's password beside one's name": (
        "PATCH",
        "2.0/mlflow/users/update-password",
        {"username": "rob", "name": "<WHO>", "password": "x" * 20},
    ),
    "oneself as administrator": ("PATCH", "2.0/mlflow/users/update-admin", {"username": "<WHO>", "is_admin": True}),
    "an account deleted": ("DELETE", "2.0/mlflow/users/delete", {"username": "rea"}),
}


@pytest.mark.parametrize("attack", ROLES)
def test_accounts_are_the_administrators(scene, attack):
    method, path, body = ROLES[attack]
    with scene.refused(*ACCOUNTS[1:]):
        for who in ACCOUNTS[1:]:
            asked = {key: who if value == "<WHO>" else value for key, value in body.items()}
            assert scene.send(who, method, f"/{'api' if who < 'd' else 'ajax-api'}/{path}", asked).status_code == 403


@pytest.mark.parametrize("path", ["/signup", f"{API}/users/create-ui"])
def test_nobody_signs_up(scene, path):
    with scene.refused():
        assert scene.send("dan", "POST", path, data={"username": "eve", "password": "x" * 20}).status_code == 404


def test_what_the_administrator_does_to_accounts_is_in_the_ledger(scene):
    before = scene.last()
    account = {"username": "eve", "password": "only-for-tests-0123"}
    scene.send(ADMINISTRATOR, "POST", f"{API}/users/create", account).raise_for_status()
    scene.send(ADMINISTRATOR, "DELETE", f"{AJAX}/users/delete", {"username": "eve"}).raise_for_status()
    added = scene.ledger(before)
    assert [(entry.actor, entry.action, entry.reason) for entry in added] == [
        (ADMINISTRATOR, "account", '{"username": "eve"}')
    ] * 2


def test_an_administrator_who_takes_a_role_still_signs_nothing(scene):
    roles = {
        role["name"]: role["id"] for role in scene.send("admin", "GET", "/api/3.0/mlflow/roles/list").json()["roles"]
    }
    grant = {"username": ADMINISTRATOR, "role_id": roles["reviewer"]}
    scene.send(ADMINISTRATOR, "POST", "/api/3.0/mlflow/roles/assign", grant).raise_for_status()
    with scene.refused(ADMINISTRATOR):
        answer = scene.send(
            ADMINISTRATOR, "POST", f"{API}/model-versions/set-tag", tag("signoff.governance", "approved: x")
        )
    assert "signs nothing" in answer.json()["message"]
    scene.send(ADMINISTRATOR, "DELETE", "/api/3.0/mlflow/roles/unassign", grant).raise_for_status()


# Artifacts.

FILES = [
    "customs-risk/<RUN>/artifacts/evaluation.json",
    "customs-risk/<RUN>/artifacts/evidence.json",
    "customs-risk/<RUN>/artifacts/new/file.html",
    "customs-risk/<RUN>/artifacts",
    "customs-risk/<RUN>",
    "customs-risk",
    "customs-risk/models/<MODEL>/artifacts/model/model.txt",
    "customs-risk/models/<MODEL>/artifacts/MLmodel",
    "customs-risk/models/<MODEL>",
    "customs-risk/models",
    "elsewhere/<RUN>/artifacts/evaluation.json",
    "x",
    "signoff/ledger.key",
]


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize("name", FILES)
def test_evidence_is_not_written(scene, method, name):
    path = f"/{'api' if method == 'PUT' else 'ajax-api'}/2.0/mlflow-artifacts/artifacts/{scene.fill(name, WAITING)}"
    with scene.refused(*ACCOUNTS):
        for who in ACCOUNTS:
            assert scene.send(who, method, path, content=b"forged").status_code == 403


@pytest.mark.parametrize(
    "path",
    [
        "customs-risk/<LOOSE>/../<RUN>/artifacts/evaluation.json",
        "customs-risk/<LOOSE>/artifacts/../../<RUN>/artifacts/evaluation.json",
        "customs-risk/<LOOSE>/artifacts/%2e%2e/%2e%2e/<RUN>/artifacts/evaluation.json",
        "customs-risk/<LOOSE>/artifacts/..%2f..%2f<RUN>%2fartifacts%2fevaluation.json",
        "customs-risk/<LOOSE>/artifacts/%252e%252e/x",
        "customs-risk/<LOOSE>/artifacts/..%5c..%5cx",
        "customs-risk/<LOOSE>/artifacts//x",
        "/etc/cron.d/x",
        "../signoff/ledger.key",
        "file:%2f%2f/etc/x",
        "",
    ],
)
def test_paths_that_lead_elsewhere(scene, path):
    with scene.unchanged():
        place = f"/api/2.0/mlflow-artifacts/artifacts/{scene.fill(path, WAITING)}"
        for method in ("PUT", "DELETE", "POST", "PATCH"):
            assert scene.raw(ADMINISTRATOR, f"{method} {place} HTTP/1.1", body=b"forged") in (400, 403, 404)


def test_a_data_scientist_works_as_before(scene):
    """Not an attack: without this, a server that refuses everything would pass the whole suite."""
    made = scene.send("dan", "POST", f"{API}/experiments/create", {"name": "of dan"}).raise_for_status().json()
    body = {"experiment_id": made["experiment_id"], "tags": [{"key": "author", "value": "rea"}]}
    run = scene.send("dan", "POST", f"{API}/runs/create", body)
    info = run.raise_for_status().json()["run"]["info"]
    assert {"key": "author", "value": "dan"} in run.json()["run"]["data"]["tags"]
    metric = {"run_id": info["run_id"], "key": "roc_auc", "value": 0.7, "timestamp": 1}
    scene.send("dan", "POST", f"{API}/runs/log-metric", metric).raise_for_status()
    scene.send(
        "dan", "POST", f"{API}/runs/set-tag", {"run_id": info["run_id"], "key": "a", "value": "b"}
    ).raise_for_status()
    place = f"/api/2.0/mlflow-artifacts/artifacts/{made['experiment_id']}/{info['run_id']}/artifacts/note.txt"
    scene.send("dan", "PUT", place, content=b"a note").raise_for_status()
    assert scene.send("dan", "GET", place).content == b"a note"
    challenger = {**MODEL, "alias": "challenger", "version": WAITING}
    scene.send("dan", "POST", f"{API}/registered-models/alias", challenger).raise_for_status()
    note = tag("note", "look at the port")
    scene.send("dan", "POST", f"{API}/model-versions/set-tag", note).raise_for_status()
    scene.send("dan", "POST", f"{API}/runs/delete", {"run_id": info["run_id"]}).raise_for_status()


def test_who_registers_a_version_is_its_author_whatever_the_tags_say(scene):
    assert scene.server.tags(OWN)["author"] == "max"
    run = scene.send("max", "GET", f"{API}/runs/get", params={"run_id": scene.runs[OWN]}).json()["run"]
    assert {"key": "author", "value": "max"} in run["data"]["tags"]


# Reading what is the server's own.


@pytest.mark.parametrize(
    "path",
    [
        "../../../../signoff/ledger.key",
        "%2e%2e/%2e%2e/%2e%2e/%2e%2e/signoff/ledger.key",
        "%252e%252e/%252e%252e/%252e%252e/%252e%252e/signoff/ledger.key",
        "<FOLDER>/signoff/ledger.key",
        "file://<FOLDER>/signoff/ledger.key",
        "..\\..\\..\\..\\signoff\\ledger.key",
    ],
)
def test_the_keys_are_not_served(scene, path):
    path, key = scene.fill(path, WAITING), (scene.server.folder / "signoff" / "ledger.key").read_bytes()
    run = scene.runs[WAITING]
    with scene.refused():
        for place in (
            f"/get-artifact?run_id={run}&path={path}",
            f"/get-artifact?run_uuid={run}&path={path}",
            f"/model-versions/get-artifact?name=customs-risk&version=3&path={path}",
            f"/api/2.0/mlflow-artifacts/artifacts/{path}",
            f"/api/2.0/mlflow-artifacts/artifacts?path={path}",
            f"{API}/artifacts/list?run_id={run}&path={path}",
            f"/ajax-api/2.0/mlflow/get-trace-artifact?request_id=x&path={path}",
            f"/static-files/{path}",
        ):
            answer = scene.send(ADMINISTRATOR, "GET", place)
            assert key not in answer.content
            assert b"ledger.pub" not in answer.content


@pytest.mark.parametrize("who", [ADMINISTRATOR, "dan", "rea"])
@pytest.mark.parametrize("place", ["file://<FOLDER>", "<FOLDER>/signoff", "file:///", "mlflow-artifacts:/../signoff"])
def test_no_experiment_keeps_its_artifacts_elsewhere(scene, who, place):
    body = {"name": "elsewhere", "artifact_location": scene.fill(place, WAITING)}
    with scene.refused(who):
        assert scene.send(who, "POST", f"{API}/experiments/create", body).status_code == 403
        # MLflow would take the other spelling of the field too.
    with scene.refused(who):
        body = {"name": "elsewhere", "artifactLocation": body["artifact_location"]}
        assert scene.send(who, "POST", f"{AJAX}/experiments/create", body).status_code == 400


@pytest.mark.parametrize(
    "source",
    [
        "file://<FOLDER>/signoff",
        "<FOLDER>/signoff",
        "models:/<MODEL>/../../../../signoff",
        "models:/customs-risk/3/../../../signoff",
        "runs:/<RUN>/../../../../signoff",
        "runs:/<RUN>/%2e%2e/%2e%2e/%2e%2e/%2e%2e/signoff",
        "runs:/<RUN>/%252e%252e/%252e%252e/%252e%252e/%252e%252e/signoff",
        "mlflow-artifacts:/../signoff",
        "s3://elsewhere/x",
        "dbfs:/x",
        "http://127.0.0.1/x",
        "FILE://<FOLDER>/signoff",
        " models:/<MODEL>",
    ],
)
def test_no_version_of_any_model_is_a_file_of_the_server(scene, source):
    scene.send(ADMINISTRATOR, "POST", f"{API}/registered-models/create", {"name": "own"})
    body = {"name": "own", "source": scene.fill(source, WAITING), "run_id": scene.runs[WAITING]}
    with scene.unchanged():
        for who in (ADMINISTRATOR, "dan"):
            assert scene.send(who, "POST", f"{API}/model-versions/create", body).is_error


# What the product does not use.

CLOSED = [
    ("POST", "/v1/traces"),
    ("POST", "/v1/metrics"),
    ("POST", "/ajax-api/2.0/mlflow/upload-artifact?run_uuid=<RUN>&path=evaluation.json"),
    ("POST", "/ajax-api/2.0/mlflow/gateway-proxy"),
    ("GET", "/ajax-api/2.0/mlflow/gateway-proxy?gateway_path=api/2.0/endpoints/"),
    ("POST", "/ajax-api/2.0/mlflow/runs/create-promptlab-run"),
    ("POST", "/gateway/x/mlflow/invocations"),
    ("POST", "/gateway/mlflow/v1/chat/completions"),
    ("POST", "/api/3.0/mlflow/gateway/endpoints/create"),
    ("POST", "/api/3.0/mlflow/gateway/secrets/create"),
    ("GET", "/api/3.0/mlflow/gateway/secrets/list"),
    ("POST", "/ajax-api/3.0/mlflow/assistant/message"),
    ("PUT", "/ajax-api/3.0/mlflow/assistant/config"),
    ("GET", "/ajax-api/3.0/mlflow/assistant/config"),
    ("POST", "/ajax-api/3.0/jobs"),
    ("POST", "/ajax-api/3.0/jobs/search"),
    ("PATCH", "/ajax-api/3.0/mlflow/jobs/cancel/x"),
    ("POST", "/ajax-api/3.0/mlflow/mcp-servers"),
    ("GET", "/api/3.0/mlflow/mcp-servers"),
    ("POST", "/mcp"),
    ("POST", "/api/2.0/mlflow/webhooks"),
    ("GET", "/api/2.0/mlflow/webhooks"),
    ("POST", "/api/2.0/mlflow/webhooks/x/test"),
    ("POST", "/api/3.0/mlflow/traces"),
    ("POST", "/api/2.0/mlflow/traces"),
    ("PATCH", "/api/2.0/mlflow/traces/x/tags"),
    ("POST", "/api/2.0/mlflow/traces/link-prompts"),
    ("POST", "/api/2.0/mlflow/traces/link-to-run"),
    ("POST", "/api/3.0/mlflow/traces/delete-traces"),
    ("POST", "/api/3.0/mlflow/traces/x/assessments"),
    ("POST", "/api/3.0/mlflow/datasets/create"),
    ("POST", "/api/3.0/mlflow/scorers/register"),
    ("PUT", "/api/3.0/mlflow/scorers/online-config"),
    ("POST", "/ajax-api/3.0/mlflow/scorer/invoke"),
    ("POST", "/ajax-api/3.0/mlflow/genai/evaluate/invoke"),
    ("POST", "/ajax-api/3.0/mlflow/issues/invoke"),
    ("POST", "/ajax-api/3.0/mlflow/demo/generate"),
    ("POST", "/ajax-api/3.0/mlflow/demo/delete"),
    ("POST", "/api/3.0/mlflow/prompt-optimization/jobs"),
    ("POST", "/api/3.0/mlflow/label-schemas/create"),
    ("POST", "/api/3.0/mlflow/review-queues/create"),
    ("POST", "/api/3.0/mlflow/workspaces"),
    ("DELETE", "/api/3.0/mlflow/workspaces/default"),
    ("POST", "/api/2.0/mlflow/artifacts/presigned-upload-url"),
    ("POST", "/api/2.0/mlflow-artifacts/mpu/create/customs-risk/<RUN>/artifacts/evaluation.json"),
    ("POST", "/api/2.0/mlflow-artifacts/mpu/complete/customs-risk/<RUN>/artifacts/evaluation.json"),
    ("POST", "/api/2.0/mlflow-artifacts/mpu/abort/customs-risk/<RUN>/artifacts/evaluation.json"),
    ("DELETE", "/api/2.0/mlflow/registered-models/get"),
    ("DELETE", "/graphql"),
    ("PUT", "/graphql"),
    ("PUT", "/"),
    ("GET", "/docs"),
    ("GET", "/openapi.json"),
    ("GET", "/metrics"),
    ("GET", "/build/x"),
]


@pytest.mark.parametrize(("method", "path"), CLOSED)
def test_what_the_product_does_not_use_is_closed(scene, method, path):
    with scene.refused():
        body = {"run_id": scene.runs[WAITING], "name": "x", "url": "http://127.0.0.1/x", "events": []}
        answer = scene.send(ADMINISTRATOR, method, scene.fill(path, WAITING), body)
    assert answer.status_code == 404
    assert "is not part of this product" in answer.json()["message"]


@pytest.mark.parametrize(
    "query",
    [
        'mutation { setModelVersionTag(name: "customs-risk", version: "3", key: "signoff.technical") { x } }',
        'mutation { mlflowSetRegisteredModelAlias(input: {alias: "champion", version: "3"}) { x } }',
        'mutation { testMutation(inputString: "x") { output } }',
        '{ mlflowGetRun(input: {runId: "<RUN>"}) { run { info { status } } } }',
        "{ __schema { mutationType { fields { name } } } }",
    ],
)
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_graphql_changes_nothing(scene, query, method):
    body = {"query": scene.fill(query, WAITING)}
    with scene.refused():
        answer = scene.send(ADMINISTRATOR, method, "/graphql", body, params=body if method == "GET" else None)
    assert b"alias" not in answer.content.lower() or answer.is_error or "errors" in answer.json()


@pytest.mark.parametrize("path", ["/", "/api/2.0/mlflow/registered-models/alias", "/ajax-api/3.0/mlflow/assistant/ws"])
def test_no_websockets(scene, path):
    upgrade = ["Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"]
    with scene.refused():
        status = scene.raw(ADMINISTRATOR, f"GET {path} HTTP/1.1", [*upgrade, "Connection: Upgrade"])
    assert status != 101


# Past the server: on disk. `audit verify`, the loader and the server itself must find it out.


@pytest.fixture(scope="module")
def registry(scene):
    before = mlflow.get_tracking_uri()
    yield candidates.open_registry(scene.server.folder)
    mlflow.set_tracking_uri(before)


@contextmanager
def edited(scene: Scene, *statements: str, table: str = "tidewaiter_ledger") -> Generator[None]:
    """The database with some statements done to a table; put back after the block."""
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


def test_nothing_is_found_where_nothing_was_done(scene, registry, tmp_path):
    assert faults(scene, registry) == ()
    assert champion.fetch(registry, scene.server.keys, POLICY, tmp_path).version == REIGNING


LAST = "(SELECT max(number) FROM tidewaiter_ledger)"
LEDGER = {
    "a word changed": "UPDATE tidewaiter_ledger SET entry = replace(entry, 'sound', 'fraud')",
    "a name changed": "UPDATE tidewaiter_ledger SET entry = replace(entry, '\"ana\"', '\"zoe\"')",
    "a refusal made an approval": "UPDATE tidewaiter_ledger SET entry = replace(entry, '\"write\"', '\"approve\"')",
    "an entry taken from another": "UPDATE tidewaiter_ledger SET entry = "
    "(SELECT entry FROM tidewaiter_ledger WHERE number = 9) WHERE number = 10",
    "a hash changed": "UPDATE tidewaiter_ledger SET hash = upper(hash) WHERE number = 10",
    "a signature changed": f"UPDATE tidewaiter_ledger SET signature = upper(signature) WHERE number = {LAST}",
    "a signature taken from another": f"UPDATE tidewaiter_ledger SET signature = "
    f"(SELECT signature FROM tidewaiter_ledger WHERE number = 3) WHERE number = {LAST}",
    "a row deleted": "DELETE FROM tidewaiter_ledger WHERE number = 10",
    "the first row deleted": "DELETE FROM tidewaiter_ledger WHERE number = 1",
    "the last row deleted": f"DELETE FROM tidewaiter_ledger WHERE number = {LAST}",
    "all rows deleted": "DELETE FROM tidewaiter_ledger",
    "a row moved": f"UPDATE tidewaiter_ledger SET number = {LAST} + 5 WHERE number = 10",
    "all rows moved": "UPDATE tidewaiter_ledger SET number = number + 1000",
    "a row put before": "INSERT INTO tidewaiter_ledger VALUES (0, '{}', '', '')",
    "a row put behind": f"INSERT INTO tidewaiter_ledger SELECT {LAST} + 1, entry, hash, signature "
    "FROM tidewaiter_ledger WHERE number = 10",
}
# Where the end of the ledger is not what the running server knows; what lies before it, it has in memory.
SEEN_AT_ONCE = {"a row put behind", "the last row deleted", "all rows deleted", "all rows moved"}


@pytest.mark.parametrize("attack", LEDGER)
def test_an_edited_ledger_is_found_out(scene, registry, tmp_path, attack):
    with edited(scene, LEDGER[attack]):
        assert len(faults(scene, registry)) == 1
        assert faults(scene, registry)[0].startswith("row ")
        with pytest.raises(LedgerError):
            champion.fetch(registry, scene.server.keys, POLICY, tmp_path)
        if attack in SEEN_AT_ONCE:
            with scene.unchanged():
                signing = scene.send(
                    "rea", "POST", f"{API}/model-versions/set-tag", tag("signoff.governance", "approved: x")
                )
                promoting = scene.send(
                    SERVICE, "POST", f"{API}/registered-models/alias", {**ALIAS, "version": APPROVED}
                )
            assert {signing.status_code, promoting.status_code} == {503}
            assert "the ledger does not verify" in signing.json()["message"]
    assert faults(scene, registry) == ()


def test_two_rows_exchanged_are_found_out(scene, registry):
    with edited(
        scene,
        "UPDATE tidewaiter_ledger SET number = -1 WHERE number = 10",
        "UPDATE tidewaiter_ledger SET number = 10 WHERE number = 11",
        "UPDATE tidewaiter_ledger SET number = 11 WHERE number = -1",
    ):
        assert faults(scene, registry)[0].startswith("row 10 does not follow")


def replaced(entries: Sequence[Entry], key: Ed25519PrivateKey) -> list[str]:
    """Statements that make the whole ledger these entries, chained and signed by a key."""
    chain = Chain(key.public_key())
    statements = ["DELETE FROM tidewaiter_ledger"]
    for entry in entries:
        row = chain.follow(entry, key)
        chain.extend([row])
        text = row.entry.replace("'", "''")
        statements.append(
            f"INSERT INTO tidewaiter_ledger VALUES ({row.number}, '{text}', '{row.hash}', '{row.signature}')"
        )
    return statements


def test_a_whole_ledger_under_another_key_is_found_out(scene, registry, tmp_path):
    with edited(scene, *replaced(scene.ledger(), Ed25519PrivateKey.generate())):
        assert "row " in faults(scene, registry)[0]
        with pytest.raises(LedgerError):
            champion.fetch(registry, scene.server.keys, POLICY, tmp_path)
        assert (
            scene.send(SERVICE, "POST", f"{API}/registered-models/alias", {**ALIAS, "version": APPROVED}).status_code
            == 503
        )
    assert faults(scene, registry) == ()


def test_a_forger_with_the_servers_key_is_found_out_by_the_rules(scene):
    """Whoever has stolen the key can sign rows, but none that the rules forbid."""
    book = reading.signed_book(scene.server.database_uri, scene.server.keys, POLICY)
    case = book.cases[int(WAITING)]
    forged = Entry(at=datetime.now(UTC), actor=SERVICE, action="promote", version=case.version, digest=case.digest)
    with (
        edited(scene, *replaced([*scene.ledger(), forged], scene.server.keys.private_key)),
        pytest.raises(LedgerError, match=r"promote of version 3 .* awaiting governance, not approved"),
    ):
        reading.signed_book(scene.server.database_uri, scene.server.keys, POLICY)


def test_a_forger_with_the_servers_key_is_found_out_by_a_copy_of_the_head(scene, registry):
    head = audit.head(scene.server.database_uri, scene.server.keys)
    other = [entry.model_copy(update={"address": "10.0.0.1"}) for entry in scene.ledger()]
    with edited(scene, *replaced(other, scene.server.keys.private_key)):
        found = audit.verify(registry, scene.server.keys, POLICY, head).faults
        assert "history was rewritten" in found[0]


def test_ledger_and_head_cut_back_together_are_found_out_by_a_copy_of_the_head(scene, registry):
    head = audit.head(scene.server.database_uri, scene.server.keys)
    scene.server.inspect(WAITING)  # so that the server has the ledger in memory
    file = scene.server.keys.head_file
    noted = file.read_bytes()
    table = Table(scene.server.database_uri)
    row = table.rows(9, 1)[0]
    table.close()
    with edited(scene, "DELETE FROM tidewaiter_ledger WHERE number > 10"):
        file.write_text(json.dumps({"number": 10, "hash": row.hash}))
        try:
            found = audit.verify(registry, scene.server.keys, POLICY, head).faults
            signing = scene.send(
                "rea", "POST", f"{API}/model-versions/set-tag", tag("signoff.governance", "approved: x")
            )
        finally:
            file.write_bytes(noted)
    assert "rows were cut off" in found[0]
    assert signing.status_code == 503
    assert faults(scene, registry) == ()


STORE = {
    "champion moved": (
        "registered_model_aliases",
        "UPDATE registered_model_aliases SET version = 3 WHERE alias = 'champion'",
        "alias champion is version 3, by the ledger it is version 2",
    ),
    "champion removed": (
        "registered_model_aliases",
        "DELETE FROM registered_model_aliases WHERE alias = 'champion'",
        "alias champion is nowhere, by the ledger it is version 2",
    ),
    "previous moved": (
        "registered_model_aliases",
        "UPDATE registered_model_aliases SET version = 5 WHERE alias = 'previous'",
        "alias previous is version 5, by the ledger it is version 1",
    ),
    "a signature written": (
        "model_version_tags",
        "UPDATE model_version_tags SET value = '2 of 2: approved by rea, rob' "
        "WHERE version = 3 AND key = 'signoff.governance'",
        "tag signoff.governance of version 3",
    ),
    "a rejection taken out": (
        "model_version_tags",
        "UPDATE model_version_tags SET value = 'pending' WHERE version = 4 AND key = 'signoff.technical'",
        "tag signoff.technical of version 4",
    ),
    "the champion's digest": (
        "model_version_tags",
        "UPDATE model_version_tags SET value = 'abc' WHERE version = 2 AND key = 'evidence_digest'",
        "evidence of version 2",
    ),
    "the champion's run": (
        "model_versions",
        "UPDATE model_versions SET run_id = (SELECT run_id FROM model_versions WHERE version = 3) WHERE version = 2",
        "evidence of version 2",
    ),
    "the champion's logged model": (
        "model_versions",
        "UPDATE model_versions SET source = (SELECT source FROM model_versions WHERE version = 5) WHERE version = 2",
        "evidence of version 2",
    ),
    "the place of the champion's run": (
        "runs",
        "UPDATE runs SET artifact_uri = 'file:///nowhere' "
        "WHERE run_uuid = (SELECT run_id FROM model_versions WHERE version = 2)",
        "evidence of version 2",
    ),
    "the card of the champion, as its page shows it": (
        "model_versions",
        "UPDATE model_versions SET description = replace(description, 'in short', 'better') WHERE version = 2",
        "evidence of version 2",
    ),
    "the champion's version deleted": (
        "model_versions",
        "DELETE FROM model_versions WHERE version = 2",
        "version 2 is in the ledger and not in MLflow",
    ),
}


@pytest.mark.parametrize("attack", STORE)
def test_an_edited_store_is_found_out(scene, registry, tmp_path, attack):
    table, statement, sentence = STORE[attack]
    with edited(scene, statement, table=table):
        assert any(sentence in fault for fault in faults(scene, registry))
        if sentence.startswith(("evidence", "version")):
            with pytest.raises((ValueError, OSError, mlflow.exceptions.MlflowException)):
                champion.fetch(registry, scene.server.keys, POLICY, tmp_path)
        else:  # the loader goes by the ledger
            assert champion.fetch(registry, scene.server.keys, POLICY, tmp_path).version == REIGNING


@pytest.mark.parametrize("file", ["the model", "evaluation.json", "evidence.json", "card.md"])
@pytest.mark.parametrize("how", ["changed", "deleted", "taken from another version"])
def test_edited_evidence_is_not_loaded(scene, registry, tmp_path, file, how):
    if file == "the model":
        found, other = model_file(scene, REIGNING), model_file(scene, VOID)
    else:
        found, other = run_file(scene, REIGNING, file), run_file(scene, WAITING, file)
        if file != "evidence.json" and how.startswith("taken"):
            pytest.skip("it is the same in every version")
    content = found.read_bytes()
    if how == "changed":
        found.write_bytes(content[:-3] + b"x")
    elif how == "deleted":
        found.unlink()
    else:
        shutil.copy(other, found)
    try:
        assert any("evidence of version 2" in fault for fault in faults(scene, registry))
        with pytest.raises((ValueError, OSError)):
            champion.fetch(registry, scene.server.keys, POLICY, tmp_path)
    finally:
        found.write_bytes(content)
    assert faults(scene, registry) == ()


def test_a_file_put_into_the_model_is_not_loaded(scene, registry, tmp_path):
    extra = model_file(scene, REIGNING).with_name("extra.pkl")
    extra.write_bytes(b"\x80\x04.")
    try:
        with pytest.raises(ValueError, match=r"extra\.pkl is not in the evidence"):
            champion.fetch(registry, scene.server.keys, POLICY, tmp_path)
    finally:
        extra.unlink()


def test_evidence_exchanged_whole_voids_what_was_signed(scene):
    """Manifest and tag of another version together are whole in themselves, and not what was signed."""
    run, other = run_file(scene, WAITING, "evidence.json"), run_file(scene, OLD, "evidence.json")
    content = run.read_bytes()
    statement = (
        "UPDATE model_version_tags SET value = (SELECT value FROM model_version_tags WHERE version = 1 AND "
        "key = 'evidence_digest') WHERE version = 3 AND key = 'evidence_digest'"
    )
    with edited(scene, statement, table="model_version_tags"):
        shutil.copy(other, run)
        try:
            answer = scene.send(
                "rea", "POST", f"{API}/model-versions/set-tag", tag("signoff.governance", "approved: x")
            )
        finally:
            run.write_bytes(content)
    assert answer.status_code == 403
    assert "the evidence of version 3 was altered" in answer.json()["message"]
    assert scene.server.inspect(WAITING)["state"] == "void"  # and stays so


def test_nobody_signs_a_card_that_is_not_in_the_evidence(scene):
    """Who registers a version may send any description along; people sign what they read there."""
    statement = f"UPDATE model_versions SET description = 'ROC-AUC 0.99' WHERE version = {OWN}"
    with edited(scene, statement, table="model_versions"):
        signature = tag("signoff.technical", "approved: x", OWN)
        answer = scene.send("ana", "POST", f"{API}/model-versions/set-tag", signature)
    assert answer.status_code == 403
    assert f"the evidence of version {OWN} was altered" in answer.json()["message"]


def test_what_was_approved_and_then_altered_is_not_promoted(scene):
    file = run_file(scene, APPROVED)
    content = file.read_bytes()
    file.write_bytes(b"better")
    try:
        answer = scene.send(SERVICE, "POST", f"{API}/registered-models/alias", {**ALIAS, "version": APPROVED})
    finally:
        file.write_bytes(content)
    assert answer.status_code == 403
    assert "was altered" in answer.json()["message"]
    again = scene.send(SERVICE, "POST", f"{API}/registered-models/alias", {**ALIAS, "version": APPROVED})
    assert again.status_code == 403  # void, whatever was put back
    assert scene.server.aliases()["champion"] == REIGNING


def test_no_champion_but_by_the_ledger(scene):
    """After all of it: what decides is what three people signed, over the evidence that lies there."""
    book: Book = reading.signed_book(scene.server.database_uri, scene.server.keys, POLICY)
    assert str(book.champion) == REIGNING
    assert {signature.user for signature in book.cases[int(REIGNING)].approvals} == {"ana", "rea", "rob"}
