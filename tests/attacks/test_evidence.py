"""Evidence that is not what it says, and evidence that is written after all.

It is forged by somebody with the service's account, sent so slowly that it arrives when the version is already there,
or left in the store by an older product.
"""

import base64
import json
import socket
import sqlite3
from collections.abc import Generator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import mlflow
import pytest

from models.evidence import manifest as evidence
from models.ledger.book import SERVICE
from models.registry.registry import Candidate, Registry
from tests.attacks.scene import MODEL, REIGNING, WAITING, Scene, tag
from tests.support import candidates, signoff_server
from tests.support.signoff_server import ADMINISTRATOR, API, password

FILES = "/api/2.0/mlflow-artifacts/artifacts"


@dataclass
class Slow:
    """A request that was begun, and of whose body some is still to come."""

    connection: socket.socket
    rest: bytes

    def finish(self) -> tuple[int, str]:
        """Status and text of the answer."""
        self.connection.sendall(self.rest)
        answer = self.connection.makefile("rb").read()
        return int(answer.split()[1]), answer.decode(errors="replace")


@contextmanager
def begun(
    scene: Scene, who: str, method: str, path: str, body: bytes, kind: str = "text/plain", is_chunked: bool = False
) -> Generator[Slow]:
    """All of a request but the last bytes of its body."""
    place, token = urlsplit(scene.server.url), base64.b64encode(f"{who}:{password(who)}".encode()).decode()
    length = "Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {len(body)}"
    head = [f"{method} {path} HTTP/1.1", f"Host: {place.netloc}", f"Authorization: Basic {token}", length]
    first, rest = body[:-3], body[-3:]
    if is_chunked:
        first, rest = b"%x\r\n%s\r\n" % (len(first), first), b"3\r\n%s\r\n0\r\n\r\n" % rest
    with socket.create_connection((place.hostname or "", place.port or 0), timeout=120) as connection:
        lines = [*head, f"Content-Type: {kind}", "Connection: close", "", ""]
        connection.sendall("\r\n".join(lines).encode() + first)
        yield Slow(connection, rest)


@contextmanager
def straight(scene: Scene) -> Generator[Registry]:
    """A registry past the server, which is faster, and what a forger with the service's account has in effect."""
    before = mlflow.get_tracking_uri()
    yield candidates.open_registry(scene.server.folder)
    mlflow.set_tracking_uri(before)


SLOW = {
    "a report": ("PUT", lambda run, model: f"{FILES}/<EXPERIMENT>/{run}/artifacts/drift.html", b"<p>all is well</p>"),
    "figures": ("PUT", lambda run, model: f"{FILES}/<EXPERIMENT>/{run}/artifacts/evaluation.json", b'{"better": 1}'),
    "a file more": ("PUT", lambda run, model: f"{FILES}/<EXPERIMENT>/{run}/artifacts/more.html", b"<p>more</p>"),
    "served code": ("PUT", lambda run, model: f"{FILES}/<EXPERIMENT>/models/{model}/artifacts/serving.py", b"print()"),
    "the risk model": (
        "PUT",
        lambda run, model: f"{FILES}/<EXPERIMENT>/models/{model}/artifacts/artifacts/model/illicit.txt",
        b"another booster",
    ),
    "a file taken away": ("DELETE", lambda run, model: f"{FILES}/<EXPERIMENT>/{run}/artifacts/drift.html", b"now!"),
    "a metric": (
        "POST",
        lambda run, model: f"{API}/runs/log-batch",
        b'{"run_id": "<RUN>", "metrics": [{"key": "model.roc_auc", "value": 1, "timestamp": 9, "step": 9}]}',
    ),
    "a tag": ("POST", lambda run, model: f"{API}/runs/set-tag", b'{"run_id": "<RUN>", "key": "gates", "value": "ok"}'),
    "a run deleted": ("POST", lambda run, model: f"{API}/runs/delete", b'{"run_id": "<RUN>"}'),
}


@pytest.mark.attempts(10)
def test_what_was_begun_before_a_version_and_ends_after_it_is_refused(scene, monkeypatch):
    """All of them on their way at once, while the service registers over HTTP."""
    served, answers = Registry(scene.server.url), {}
    create, asked = served._create_version, [*((name, False) for name in SLOW), ("a report", True)]

    def late(candidate, run, model):
        with ExitStack() as stack:
            slow = {}
            for name, is_chunked in asked:
                method, path_of, body = SLOW[name]
                path = path_of(run.info.run_id, model.model_id).replace("<EXPERIMENT>", scene.experiment)
                text = body.replace(b"<RUN>", run.info.run_id.encode())
                kind = "application/json" if method == "POST" else "text/plain"
                request = begun(scene, "dan", method, path, text, kind, is_chunked)
                slow[name, is_chunked] = stack.enter_context(request)
            version = create(candidate, run, model)
            answers.update({key: request.finish() for key, request in slow.items()})
            return version

    monkeypatch.setattr(served, "_create_version", late)
    before = scene.last()
    version = served.register(signoff_server.candidate(scene.server.folder, "slow")).version
    for key in asked:
        status, said = answers[key]
        assert status == 403, key
        assert "its evidence is not written any more" in said, key
    refused = [entry for entry in scene.ledger(before) if entry.refusal]
    assert [entry.actor for entry in refused] == ["dan"] * len(asked)
    assert scene.server.inspect(version)["state"] == "awaiting"  # as it was sealed, to the last file


def test_a_slow_file_of_no_version_arrives(scene):
    """Not an attack: freezing is not for everything."""
    path = f"{FILES}/{scene.experiment}/{scene.loose_run}/artifacts/slow.txt"
    with begun(scene, "dan", "PUT", path, b"a slow note") as slow:
        assert slow.finish()[0] == 200
    assert scene.send("dan", "GET", path).content == b"a slow note"


@pytest.mark.attempts(4)
@pytest.mark.parametrize("step", ["create", "complete", "abort", "presigned"])
def test_files_do_not_come_in_parts(scene, step):
    path = f"/api/2.0/mlflow-artifacts/mpu/{step}/{scene.experiment}/{scene.runs[REIGNING]}/artifacts/drift.html"
    with scene.unchanged():
        assert scene.send("dan", "POST", path, {"path": "drift.html", "num_parts": 1}).status_code == 404


@pytest.mark.attempts(6)
@pytest.mark.parametrize("who", ["dan", "max", ADMINISTRATOR])
@pytest.mark.parametrize("run", ["the service's own", "that of a version"])
def test_nobody_registers_but_the_service(scene, who, run):
    """Nor freezes a run that the service is still writing, by naming it."""
    named = scene.loose_run if run == "the service's own" else scene.runs[WAITING]
    with scene.refused(who):
        body = {**MODEL, "source": f"models:/{scene.loose_model}", "run_id": named}
        assert scene.send(who, "POST", f"{API}/model-versions/create", body).status_code == 403


def test_a_version_of_another_model_freezes_nothing(scene):
    scene.send("dan", "POST", f"{API}/registered-models/create", {"name": "other"}).raise_for_status()
    body = {"name": "other", "source": f"runs:/{scene.loose_run}/model", "run_id": scene.loose_run}
    made = scene.send("dan", "POST", f"{API}/model-versions/create", body)
    assert made.is_success, made.text
    metric = {"run_id": scene.loose_run, "key": "a", "value": 1.0, "timestamp": 1}
    scene.send(SERVICE, "POST", f"{API}/runs/log-metric", metric).raise_for_status()


@pytest.mark.attempts(10)
@pytest.mark.parametrize("who", ["dan", "max", "rea", "ana", ADMINISTRATOR])
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_the_challenger_is_moved_by_the_service(scene, who, method):
    with scene.refused(who):
        body = {**MODEL, "alias": "challenger", "version": WAITING}
        assert scene.send(who, method, f"{API}/registered-models/alias", body).status_code == 403


@pytest.mark.attempts(4)
@pytest.mark.parametrize("author", ["nobody", "rea, rob", "Dan", " dan"])
def test_the_service_names_no_author_that_there_is_not(scene, author):
    with scene.refused(SERVICE, SERVICE):
        tags = {"experiment_id": scene.experiment, "tags": [{"key": "author", "value": author}]}
        assert scene.send(SERVICE, "POST", f"{API}/runs/create", tags).status_code == 403
        asked = {"author": author}
        assert scene.send(SERVICE, "POST", "/api/2.0/tidewaiter/registering", asked).status_code == 403


@pytest.mark.attempts(3)
@pytest.mark.parametrize("who", ["dan", "rea", ADMINISTRATOR])
def test_who_may_not_register_is_told_before_the_training(scene, who):
    with scene.refused(who):
        answer = scene.send(who, "POST", "/api/2.0/tidewaiter/registering", {"author": who})
        assert answer.status_code == 403
        assert "are registered by the service alone" in answer.json()["message"]


@pytest.mark.attempts(4)
@pytest.mark.parametrize("who", ["dan", "max"])
def test_no_run_is_passed_off_as_the_services(scene, who):
    name = {"key": "run_key", "value": "0" * 64}
    for path, body in (
        ("create", {"experiment_id": scene.experiment, "tags": [name]}),
        ("set-tag", {"run_id": scene.loose_run, **name}),
    ):
        with scene.refused(who):
            assert scene.send(who, "POST", f"{API}/runs/{path}", body).status_code == 403


def forged(scene: Scene, how: str) -> Candidate:
    """A candidate whose evidence is not what it says, whole in itself: who has the service's account can make it so."""
    made = signoff_server.candidate(scene.server.folder, f"forged {how}")
    folder = made.folder
    match how:
        case "figures":
            file = folder / "evaluation.json"
            document = json.loads(file.read_text())
            document["evaluation"]["model"]["roc_auc"]["value"] = 0.99
            file.write_text(json.dumps(document, indent=1) + "\n")
        case "a policy":
            file = folder / "policy.toml"
            file.write_text(file.read_text().replace("min_roc_auc = 0.55", "min_roc_auc = 0.05"))
        case "a card":
            (folder / "card.md").write_text("# A good model\n")
    manifest = evidence.assemble(folder, made.manifest.data_version, made.manifest.window, candidates.CODE)
    manifest.write(folder)
    params = {**made.params, "seed": 1} if how == "a parameter" else made.params
    return replace(made, manifest=manifest, params=params)


@pytest.mark.attempts(12)
# More of them: tests/unit/models/server/test_judging.py.
@pytest.mark.parametrize("how", ["figures", "a policy", "a card", "a parameter"])
def test_forged_evidence_is_never_opened_signed_or_promoted(scene, how):
    with straight(scene) as registry:
        version = registry.register(forged(scene, how)).version
    answer = scene.send(SERVICE, "POST", "/api/2.0/tidewaiter/inspect", {"version": version})
    assert answer.status_code == 403
    assert f"version {version} is not opened: " in answer.json()["message"]
    signed = tag("signoff.technical", "approved: sound", version)
    assert scene.send("ana", "POST", f"{API}/model-versions/set-tag", signed).status_code == 403
    champion = {**MODEL, "alias": "champion", "version": version}
    assert scene.send(SERVICE, "POST", f"{API}/registered-models/alias", champion).status_code == 403
    assert all(entry.action != "open" or entry.version != int(version) for entry in scene.ledger())


@pytest.mark.attempts(4)
@pytest.mark.parametrize("name", ["drift.html", "plots/gain.png", "sealed.json", "more.html"])
def test_whoever_signs_has_every_file_looked_at(scene, name):
    with straight(scene) as registry:
        version = registry.register(signoff_server.candidate(scene.server.folder, f"sealed {name}")).version
        run = registry.version(version).run_id
    assert scene.server.inspect(version)["state"] == "awaiting"
    place = Path(scene.server.folder / "artifacts" / "customs-risk" / run / "artifacts" / name)
    place.write_bytes(b"<p>all is well</p>")
    signed = tag("signoff.technical", "approved: sound", version)
    answer = scene.send("ana", "POST", f"{API}/model-versions/set-tag", signed)
    assert answer.status_code == 403
    assert scene.show(version) == "void"


def junk(scene: Scene) -> str:
    """A version as an older product let a data scientist register it, put past the server."""
    number = scene.query("SELECT max(version) FROM model_versions WHERE name = 'customs-risk'")[0][0] + 1
    tags = {"author": "dan", "evidence_digest": "f" * 64, "data_version": "mine", "signoff.technical": "pending"}
    with closing(sqlite3.connect(scene.server.folder / "mlflow.db", timeout=30)) as database, database:
        database.execute(
            "INSERT INTO model_versions "
            "(name, version, creation_time, last_updated_time, current_stage, source, run_id, status) "
            "VALUES ('customs-risk', ?, 1, 1, 'None', 'models:/nowhere', ?, 'READY')",
            (number, "0" * 32),
        )
        for key, value in tags.items():
            database.execute(
                "INSERT INTO model_version_tags (name, version, key, value) VALUES ('customs-risk', ?, ?, ?)",
                (number, key, value),
            )
    return str(number)


@pytest.mark.attempts(6)
def test_junk_of_an_older_product_is_cleared_by_an_administrator_alone(scene):
    version = junk(scene)
    body = {**MODEL, "version": version}
    answer = scene.send(SERVICE, "POST", "/api/2.0/tidewaiter/inspect", {"version": version})
    assert answer.status_code == 403
    for who in ("dan", "rea", SERVICE):
        with scene.refused(who):
            assert scene.send(who, "DELETE", f"{API}/model-versions/delete", body).status_code == 403
    with scene.refused(ADMINISTRATOR):  # what was opened stays
        opened = {**MODEL, "version": REIGNING}
        assert scene.send(ADMINISTRATOR, "DELETE", f"{API}/model-versions/delete", opened).status_code == 403
    scene.send(ADMINISTRATOR, "DELETE", f"{API}/model-versions/delete", body).raise_for_status()
    last = scene.ledger()[-1]
    assert (last.action, last.actor, last.version, last.refusal) == ("clear", ADMINISTRATOR, int(version), None)
    query = {**MODEL, "version": version}
    assert scene.send("dan", "GET", f"{API}/model-versions/get", params=query).status_code == 404
