"""Files: nobody writes evidence, and nobody reads what is the server's own."""

from pathlib import Path

import pytest

from tests.attacks.scene import ACCOUNTS, MODEL, OWN, WAITING, tag
from tests.support.signoff_server import ADMINISTRATOR, AJAX, API

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
    "signoff/secret/ledger.key",
]


@pytest.mark.attempts(len(ACCOUNTS))
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize("name", FILES)
def test_evidence_is_not_written(scene, method, name):
    path = f"/{'api' if method == 'PUT' else 'ajax-api'}/2.0/mlflow-artifacts/artifacts/{scene.fill(name, WAITING)}"
    with scene.refused(*ACCOUNTS):
        for who in ACCOUNTS:
            assert scene.send(who, method, path, content=b"forged").status_code == 403


@pytest.mark.attempts(4)
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
        "../signoff/secret/ledger.key",
        "file:%2f%2f/etc/x",
        "",
    ],
)
def test_paths_that_lead_elsewhere(scene, path):
    with scene.unchanged():
        place = f"/api/2.0/mlflow-artifacts/artifacts/{scene.fill(path, WAITING)}"
        for method in ("PUT", "DELETE", "POST", "PATCH"):
            assert scene.raw(ADMINISTRATOR, f"{method} {place} HTTP/1.1", body=b"forged") in (400, 403, 404)


@pytest.mark.attempts(4)
@pytest.mark.parametrize("name", ["customs-risk", "customs-risk-monitoring"])
def test_the_experiments_that_nights_write_to_stay_under_their_names(scene, name):
    """Whether or not they hold evidence: MLflow takes no run for one that was deleted."""
    asked = f"{API}/experiments/get-by-name?experiment_name={name}"
    number = scene.send("dan", "GET", asked).raise_for_status().json()["experiment"]["experiment_id"]
    for who in ("dan", ADMINISTRATOR):
        for act, body in (("update", {"new_name": "x"}), ("delete", {})):
            answer = scene.send(who, "POST", f"{API}/experiments/{act}", {"experiment_id": number, **body})
            assert answer.status_code == 403
            assert "stays, under its name" in answer.text


@pytest.mark.attempts(4)
def test_a_link_in_place_of_a_runs_folder_gives_no_file_of_the_service(scene):
    """As the code of a run could put it there, which writes artifacts and may not read the ledger's key."""
    made = scene.send("dan", "POST", f"{API}/experiments/create", {"name": "of links"}).raise_for_status().json()
    body = {"experiment_id": made["experiment_id"]}
    info = scene.send("dan", "POST", f"{API}/runs/create", body).raise_for_status().json()["run"]["info"]
    folder = Path(info["artifact_uri"].removeprefix("file://"))
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.symlink_to(scene.server.keys.secret_folder)
    place = f"/api/2.0/mlflow-artifacts/artifacts/{made['experiment_id']}/{info['run_id']}/artifacts"
    try:
        for asked in (
            f"/get-artifact?path=ledger.key&run_uuid={info['run_id']}",
            f"{API}/artifacts/list?run_id={info['run_id']}",
            f"{place}/ledger.key",
        ):
            answer = scene.send("dan", "GET", asked)
            assert answer.status_code >= 400
            assert "ledger.key" not in answer.text
        scene.send("dan", "PUT", f"{place}/planted", content=b"x")
        assert not (folder / "planted").exists()
    finally:
        folder.unlink()


@pytest.mark.attempts(0)
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
    candidate = {**MODEL, "alias": "to-look-at", "version": WAITING}
    scene.send("dan", "POST", f"{API}/registered-models/alias", candidate).raise_for_status()
    note = tag("note", "look at the port")
    scene.send("dan", "POST", f"{API}/model-versions/set-tag", note).raise_for_status()
    scene.send("dan", "POST", f"{API}/runs/delete", {"run_id": info["run_id"]}).raise_for_status()


def test_the_author_of_a_version_is_whom_the_service_worked_for(scene):
    assert scene.server.tags(OWN)["author"] == "max"
    run = scene.send("max", "GET", f"{API}/runs/get", params={"run_id": scene.runs[OWN]}).json()["run"]
    assert {"key": "author", "value": "max"} in run["data"]["tags"]


@pytest.mark.attempts(8)
@pytest.mark.parametrize(
    "path",
    [
        "../../../../signoff/secret/ledger.key",
        "%2e%2e/%2e%2e/%2e%2e/%2e%2e/signoff/secret/ledger.key",
        "%252e%252e/%252e%252e/%252e%252e/%252e%252e/signoff/secret/ledger.key",
        "<FOLDER>/signoff/secret/ledger.key",
        "file://<FOLDER>/signoff/secret/ledger.key",
        "..\\..\\..\\..\\signoff\\ledger.key",
    ],
)
def test_the_keys_are_not_served(scene, path):
    path, key = scene.fill(path, WAITING), (scene.server.folder / "signoff" / "secret" / "ledger.key").read_bytes()
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


@pytest.mark.attempts(2)
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


@pytest.mark.attempts(2)
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
