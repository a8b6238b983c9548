"""The whole retraining through its command: what it leaves behind, refused, run again, and killed at its worst moments.

One retraining is a process with a Prefect server of its own, as a person starts it; the others share this process's
server.
"""

import hashlib
import json
import logging
import shutil
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient

from features.matrix.matrix import CATALOGUE
from features.store.store import Store
from flows.settings import Settings
from models import artifact_places, policy
from models.dossier import Judged
from models.evidence import source_code
from models.lineage import Log
from models.places import Places
from models.registry.registry import CHALLENGER, MODEL
from models.server import admission, judging
from models.workspace import incumbents
from tests.support import lineage, signoff_server, versions
from tests.support.commands import Retraining, invoke, run
from tests.support.object_storage import object_storage, storage_server
from tests.support.prefect_server import prefect_server
from tests.support.shown import python
from tests.trials.kills import PARAMETERS, state

__all__ = ["object_storage", "storage_server"]
pytestmark = pytest.mark.timeout(900)

ROWS = ("--rows", str(PARAMETERS.rows), "--months", str(PARAMETERS.months))


def kill_after(folder: Path, stage: str, seconds: float, prefect: str, environment: dict[str, str]) -> None:
    """Start a retraining and kill -9 it `seconds` after it reports that a stage is done."""
    retraining = Retraining(folder, prefect, PARAMETERS, environment)
    retraining.wait_for(stage)
    time.sleep(seconds)
    retraining.kill()


@pytest.fixture(scope="module")
def prefect():
    with prefect_server() as url:
        yield url


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    return folder, run(folder, "retrain", *ROWS)


def test_it_ends_with_a_version_that_awaits_sign_off(undisturbed):
    folder, told = undisturbed
    features = f"{len(CATALOGUE)} for each declaration"
    for part in ("Rehearse", "rows ingested", "quarantined", features, "ROC-AUC", "risk profile", "Gates"):
        assert part in told
    assert "Registered as customs-risk version 1, alias challenger" in told
    assert "Next: reviewers read" in told
    (tags,) = state(folder)["versions"]
    assert tags["signoff.technical"] == tags["signoff.governance"] == "pending"
    client = MlflowClient(f"sqlite:///{folder / '.tidewaiter' / 'mlflow.db'}")
    assert set(client.get_registered_model(MODEL).aliases) == {CHALLENGER}
    version = client.get_model_version(MODEL, "1")
    assert version.description.startswith("#")
    artifacts = {entry.path for entry in client.list_artifacts(version.run_id)}
    assert {
        "card.md",
        "description.md",
        "drift.html",
        "drift.json",
        "evaluation.json",
        "evidence.json",
        "plots",
        "validation",
        "validation.html",
    } <= artifacts
    metrics = client.get_run(version.run_id).data.metrics
    assert 0 < metrics["rehearsal.in_common"] < 1
    assert metrics["burden.model.officer_hours"] > 0
    assert "beside the risk profile" in version.description
    pages = client.list_artifacts(version.run_id, "validation")
    assert len(pages) == len(Store(folder / "data" / "simulator").batches)


def test_its_lineage_leads_from_each_file_to_the_version(undisturbed):
    folder, _ = undisturbed
    log, stored = Log(folder / ".tidewaiter" / "lineage"), Store(folder / "data" / "simulator").batches
    (version,) = state(folder)["versions"]
    files = sorted(f"files/simulator/sha256:{batch.sha256}" for batch in stored)
    assert lineage.told_once(log) == [*files, version["data_version"]]
    assert lineage.unended(log) == []
    end = next(event for event in lineage.told(log, "runs") if event["eventType"] == "COMPLETE")
    assert [
        (each["name"], each["facets"]["version"]["datasetVersion"]) for each in (*end["inputs"], *end["outputs"])
    ] == [
        ("data", version["data_version"]),
        ("models/customs-risk", "1"),
    ]
    client = MlflowClient(f"sqlite:///{folder / '.tidewaiter' / 'mlflow.db'}")
    (used,) = client.get_run(client.get_model_version(MODEL, "1").run_id).inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("simulator", version["data_version"])


def test_its_data_are_of_the_version_that_was_made_with_the_committed_one(undisturbed):
    """So the code that stores data is the one of data.dvc; tests/support/versions.py says what to do otherwise."""
    recorded = versions.recorded()
    assert versions.named(versions.noted(undisturbed[0])) == recorded["smaller"]
    assert versions.named(versions.COMMITTED) == recorded["default"]


@pytest.mark.parametrize("shown", [code for code in python().values() if "http://" not in code])
def test_blocks_of_python_in_the_pages_run_where_a_retraining_has_run(undisturbed, tmp_path, monkeypatch, shown):
    shutil.copytree(undisturbed[0] / "data", tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    exec(shown, {})


def test_another_world_is_refused_before_anything_is_done(undisturbed, prefect):
    folder, _ = undisturbed
    before = state(folder)
    files = sorted(folder.rglob("*"))
    told = invoke(folder, "retrain", "--rows", "60000", "--months", "12")
    assert told.code == 1
    assert "rows 60000, months 12: data/simulator holds the simulated world of rows 40000, months 6" in told.err
    assert "TIDEWAITER_DATA_FOLDER" in told.err
    assert "Simulate" not in told.err
    assert (state(folder), sorted(folder.rglob("*"))) == (before, files)


def test_an_officer_is_told_why_in_his_language(undisturbed, prefect):
    folder, _ = undisturbed
    declaration = Store(folder / "data" / "simulator").scan("declarations").head(1).collect()["declaration_id"][0]
    told = json.loads(invoke(folder, "reasons", declaration, "--language", "zh", "--json").out)
    assert (told["alias"], told["version"]) == (CHALLENGER, "1")
    assert {item["declaration_id"] for item in told["predictions"]} == {declaration}
    assert told["reasons"][0]["rank"] == 1
    assert all(why["sentence"].endswith("。") for why in told["reasons"])


def test_run_again_it_says_that_there_is_nothing_to_do_and_trains_nothing(undisturbed, prefect):
    folder, _ = undisturbed
    before = state(folder)
    told = invoke(folder, "retrain")
    assert told.code == 0, told.err
    assert "24 batches were ingested before" in " ".join(told.out.split())
    assert "Version 1 of customs-risk was made from the same data, code, policy and search, and held" in told.out
    assert "`--again` trains anyway" in told.out
    assert not any(stage in told.err for stage in ("Compute features", "Tune", "Train", "Register"))
    assert state(folder) == before


def test_run_anyway_it_adds_nothing_and_computes_nothing(undisturbed, prefect):
    folder, _ = undisturbed
    before = state(folder)
    files = sorted((folder / "data").rglob("*"))
    told = invoke(folder, "retrain", *ROWS, "--again")
    assert told.code == 0, told.err
    assert "computed for 0 of" in told.out
    assert "registered before: nothing has changed since" in told.out
    assert state(folder) == before
    assert sorted((folder / "data").rglob("*")) == files


def test_it_is_made_again_with_the_same_digest_and_touches_nothing(undisturbed, prefect):
    folder, _ = undisturbed
    before, files = state(folder), sorted(folder.rglob("*"))
    told = invoke(folder, "reproduce", "1")
    assert told.code == 0, told.err
    stages = [line.split()[1] for line in told.out.splitlines() if line.startswith("same ")]
    assert stages == ["code", "lock", "data", "feature", "rows", "encodings", "rounds", "trees", "model"]
    assert told.out.splitlines()[-1] == "Version 1 was made again: same model digest."
    client = MlflowClient(f"sqlite:///{folder / '.tidewaiter' / 'mlflow.db'}")
    (run,) = client.search_runs([client.get_experiment_by_name(MODEL).experiment_id])
    assert run.data.params["model_digest"] in told.out
    after = [file for file in sorted(folder.rglob("*")) if file != folder / ".tidewaiter" / "reproduction"]
    assert (state(folder), after) == (before, files)


def test_the_data_can_be_listed_and_brought_back(undisturbed):
    folder, _ = undisturbed
    (listed,) = json.loads(invoke(folder, "data", "list", "--json").out)
    assert (listed["is_current"], listed["models"]) == (True, ["1"])
    lost = next((folder / "data" / "simulator" / "declarations").rglob("*.parquet"))
    content = lost.read_bytes()
    lost.unlink()
    assert invoke(folder, "data", "checkout", listed["version"]).code == 0
    assert lost.read_bytes() == content


def test_killed_during_ingestion_and_registration_it_leaves_one_clean_result(
    undisturbed, prefect, tmp_path, object_storage
):
    """Evidence lies in a bucket, which changes nothing else: the result is that of a folder.

    Two kills of many: `make trial kills` has them at any moment.
    """
    bucket = object_storage.make_bucket()
    uri = f"s3://{bucket}/mlflow"
    environment = {**object_storage.environment, "TIDEWAITER_ARTIFACTS_URI": uri}
    folder = tmp_path / "killed"
    kill_after(folder, "Simulate:", 1, prefect, environment)
    assert Store(folder / "data" / "simulator").days() != state(undisturbed[0])["manifest"]
    kill_after(folder, "Judge:", 0.2, prefect, environment)
    assert invoke(folder, "retrain", *ROWS, artifacts_uri=uri).code == 0
    assert state(folder) == state(undisturbed[0])
    assert lineage.unended(Log(folder / ".tidewaiter" / "lineage")) == []
    assert not (folder / ".tidewaiter" / "artifacts").exists()
    assert any(key.endswith("/evidence.json") for key in object_storage.keys(bucket))


def test_monitoring_watches_the_challenger_until_there_is_a_champion(undisturbed, prefect):
    folder, _ = undisturbed
    told = invoke(folder, "monitor")
    assert "columns drifted" in told.out
    client = MlflowClient(f"sqlite:///{folder / '.tidewaiter' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("customs-risk-monitoring")
    (watched,) = client.search_runs([experiment.experiment_id])
    assert watched.data.tags["model_version"] == "1"
    assert "drift.html" in {entry.path for entry in client.list_artifacts(watched.info.run_id)}


def test_a_version_brings_the_policy_that_it_was_made_by(undisturbed, tmp_path):
    folder, _ = undisturbed
    settings = Settings(state_folder=folder / ".tidewaiter")
    places = settings.places
    version = incumbents.watched(places, tmp_path, pytest.fail)
    assert version.policy == policy.load()
    assert version.policy.digest == hashlib.sha256(policy.POLICY_FILE.read_bytes()).hexdigest()


def test_a_failed_gate_registers_nothing(undisturbed, prefect, tmp_path, monkeypatch, caplog):
    """The policy asks for more declarations than there are, and then the code is not committed."""
    written = policy.load().written
    strict = written.replace(b"min_test_rows = 500", b"min_test_rows = 9000")
    assert strict != written
    monkeypatch.setattr(policy, "POLICY_FILE", tmp_path / "policy.toml")
    policy.POLICY_FILE.write_bytes(strict)
    for part in ("data", ".tidewaiter/cache"):  # nothing is ingested or computed again
        shutil.copytree(undisturbed[0] / part, tmp_path / part)
    code = source_code.code_state().model_copy(update={"is_dirty": True})
    monkeypatch.setattr(source_code, "code_state", lambda: code)
    changed = source_code.Uncommitted(files=("models/more.py",), sha256="a" * 64)
    monkeypatch.setattr(source_code, "uncommitted", lambda: changed)
    runs = logging.getLogger(
        "prefect.flow_runs"
    )  # Prefect's own handler keeps the stderr of the first run in a process
    runs.addHandler(caplog.handler)
    told = invoke(tmp_path, "retrain", *ROWS)
    runs.removeHandler(caplog.handler)
    assert told.code == 4
    assert "Not registered: gates failed (test_rows, committed_code" in told.out
    assert "This will not be registered, as a gate will fail. 1 file of the code differs" in caplog.text
    client = MlflowClient(f"sqlite:///{tmp_path / '.tidewaiter' / 'mlflow.db'}")
    assert client.search_registered_models() == []
    again = invoke(tmp_path, "retrain", *ROWS)
    assert again.code == 4
    assert "and not registered: gates failed.\n- " in again.out
    assert "Train" not in again.err


def test_a_file_that_is_no_declaration_file_ends_with_its_name(tmp_path, prefect):
    (tmp_path / "odd.csv").write_text("a;b\n1;2\n")
    told = invoke(tmp_path, "retrain", "--source", "kcs", "--input", "odd.csv")
    assert told.code == 1
    assert told.err.strip().splitlines()[-1].startswith("odd.csv")


def places_of(folder: Path) -> Places:
    return Settings(state_folder=folder / ".tidewaiter", data_folder=folder / "data").places


def test_a_version_is_exported_and_imported_by_another_installation_whose_server_would_open_it(
    undisturbed, prefect, tmp_path
):
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        shutil.copytree(undisturbed[0], folder)
    (second / ".tidewaiter" / "mlflow.db").unlink()
    shutil.rmtree(second / ".tidewaiter" / "artifacts")
    roots = (places_of(folder).artifact_root for folder in (undisturbed[0], first))
    artifact_places.move(places_of(first).tracking_uri, *roots)
    signoff_server.open_beside_others(first / ".tidewaiter", ["1"])
    file, key = tmp_path / "version.tar", first / ".tidewaiter" / "signoff" / "ledger.pub"
    told = invoke(first, "export", "1", str(file))
    assert told.code == 0, told.err
    assert "version 1, awaiting technical" in told.out
    told = invoke(first, "audit", "export-head", str(tmp_path / "head.json"))
    assert told.code == 0, told.err
    flipped = bytearray(file.read_bytes())
    flipped[len(flipped) // 2] ^= 1
    (tmp_path / "flipped.tar").write_bytes(flipped)
    by = ("--key", str(key), "--head", str(tmp_path / "head.json"))
    told = invoke(second, "import", str(tmp_path / "flipped.tar"), *by)
    assert (told.code, "is not what was sealed" in told.err or "is not as" in told.err) == (1, True)

    told = invoke(second, "import", str(file), *by)
    assert told.code == 0, told.err
    assert "Registered as customs-risk version 1, alias challenger" in told.out
    registry = incumbents.registry_of(places_of(second))
    version, own = registry.version("1"), incumbents.registry_of(places_of(first))
    manifest = registry.fetch_evidence(version, tmp_path / "fetched")
    before = own.fetch_evidence(own.version("1"), tmp_path / "before")
    assert manifest.digest != before.digest
    assert manifest.files["model/model.json"] == before.files["model/model.json"]
    judged, earlier = (
        Judged.model_validate_json((tmp_path / each / "evaluation.json").read_bytes()) for each in ("fetched", "before")
    )
    assert judged.evaluation.model == earlier.evaluation.model  # of the same rows, computed anew
    assert judged.about.imported.startswith("version 1 of the installation with key `")
    assert judged.about.imported in (tmp_path / "fetched" / "card.md").read_text()
    told_origin = json.loads((tmp_path / "fetched" / "origin" / "origin.json").read_text())
    assert (told_origin["version"], told_origin["digest"]) == (1, before.digest)
    assert version.tags["signoff.technical"] == "pending"

    run, files = registry.run(version), tmp_path / "files"
    registry.fetch_stored(version, files / admission.RUN, files / admission.LOGGED)
    shown = admission.Shown(
        params=run.data.params,
        metrics=run.data.metrics,
        run_tags=run.data.tags,
        version_tags=version.tags,
        description=version.description,
        page=f"#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}/artifacts",
    )
    asked = {"data": second / "data", "state": second / ".tidewaiter", "policy": policy.POLICY_FILE.read_text()}
    assert judging.faults(admission.Request(files=files, shown=shown, **asked)) == ()
