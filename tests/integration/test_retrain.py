"""The whole retraining through its command: what it leaves behind, run again, and killed at its worst moments."""

import hashlib
import json
import os
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient

from features.matrix import CATALOGUE
from features.store import Store
from flows import incumbents
from flows.settings import Settings
from models import policy
from models.registry import CHALLENGER, EVIDENCE_DIGEST, MODEL, Registry
from tests.commands import prefect_server, run, start
from tests.object_storage import object_storage, storage_server

__all__ = ["object_storage", "storage_server"]
pytestmark = pytest.mark.timeout(900)

ROWS = ("--rows", "40000", "--months", "6")


def kill_after(folder: Path, line: str, seconds: float, prefect: str) -> None:
    """Start a retraining and kill -9 it, children included, `seconds` after it reports that stage `line` is done."""
    process = start(folder, "retrain", *ROWS, prefect=prefect)
    assert process.stderr is not None
    for told in process.stderr:
        if told.startswith(line):
            time.sleep(seconds)
            break
    assert process.poll() is None, f"it ended before it could be killed after {line!r}"
    os.killpg(process.pid, 9)
    process.communicate()


def state(folder: Path) -> dict[str, object]:
    """What must not depend on how often a run was killed."""
    client = MlflowClient(f"sqlite:///{folder / '.tidewaiter' / 'mlflow.db'}")
    versions = client.search_model_versions(f"name = '{MODEL}'")
    runs = client.search_runs([e.experiment_id for e in client.search_experiments()])
    return {
        "manifest": Store(folder / "data" / "simulator").manifest(),
        "data version": (folder / "data.dvc").read_text(),
        "versions": [version.tags | {"digest": version.tags[EVIDENCE_DIGEST]} for version in versions],
        "challenger": str(client.get_model_version_by_alias(MODEL, CHALLENGER).version),
        "models": sorted(run.data.params["model_digest"] for run in runs if run.info.status == "FINISHED"),
    }


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
    } <= artifacts
    metrics = client.get_run(version.run_id).data.metrics
    assert 0 < metrics["rehearsal.in_common"] < 1
    assert metrics["burden.model.officer_hours"] > 0
    assert "beside the risk profile" in version.description
    pages = client.list_artifacts(version.run_id, "validation")
    assert len(pages) == len(Store(folder / "data" / "simulator").batches)


def test_an_officer_is_told_why_in_his_language(undisturbed, prefect):
    folder, _ = undisturbed
    declaration = Store(folder / "data" / "simulator").scan("declarations").head(1).collect()["declaration_id"][0]
    printed = run(folder, "reasons", declaration, "--language", "zh", "--json", prefect=prefect)
    told, _ = json.JSONDecoder().raw_decode(printed)  # what follows is the progress, from stderr
    assert (told["alias"], told["version"]) == (CHALLENGER, "1")
    assert {item["declaration_id"] for item in told["predictions"]} == {declaration}
    assert told["reasons"][0]["rank"] == 1
    assert all(why["sentence"].endswith("。") for why in told["reasons"])


def test_run_again_it_adds_nothing_and_computes_nothing(undisturbed, prefect):
    folder, _ = undisturbed
    before = state(folder)
    files = sorted((folder / "data").rglob("*"))
    told = run(folder, "retrain", *ROWS, prefect=prefect)
    assert "computed for 0 of" in told
    assert "registered before: nothing has changed since" in told
    assert state(folder) == before
    assert sorted((folder / "data").rglob("*")) == files


def test_the_data_can_be_listed_and_brought_back(undisturbed):
    folder, _ = undisturbed
    (listed,) = json.loads(run(folder, "data", "list", "--json"))
    assert (listed["is_current"], listed["models"]) == (True, ["1"])
    lost = next((folder / "data" / "simulator" / "declarations").rglob("*.parquet"))
    content = lost.read_bytes()
    lost.unlink()
    run(folder, "data", "checkout", listed["version"])
    assert lost.read_bytes() == content


def test_killed_during_ingestion_training_and_registration_it_leaves_one_clean_result(
    undisturbed, prefect, tmp_path, object_storage, monkeypatch
):
    """With evidence in a bucket, which changes nothing else: the result is that of a folder."""
    bucket = object_storage.make_bucket()
    monkeypatch.setenv("TIDEWAITER_ARTIFACTS_URI", f"s3://{bucket}/mlflow")
    folder = tmp_path / "killed"
    kill_after(folder, "Simulate:", 2, prefect)
    assert Store(folder / "data" / "simulator").days() != state(undisturbed[0])["manifest"]
    kill_after(folder, "Compute features:", 1, prefect)
    kill_after(folder, "Judge:", 0.3, prefect)
    run(folder, "retrain", *ROWS, prefect=prefect)
    assert state(folder) == state(undisturbed[0])
    assert not (folder / ".tidewaiter" / "artifacts").exists()
    assert any(key.endswith("/evidence.json") for key in object_storage.keys(bucket))


def test_monitoring_watches_the_challenger_until_there_is_a_champion(undisturbed, prefect):
    folder, _ = undisturbed
    told = run(folder, "monitor", prefect=prefect)
    assert "columns drifted" in told
    client = MlflowClient(f"sqlite:///{folder / '.tidewaiter' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("customs-risk-monitoring")
    (watched,) = client.search_runs([experiment.experiment_id])
    assert watched.data.tags["model_version"] == "1"
    assert "drift.html" in {entry.path for entry in client.list_artifacts(watched.info.run_id)}


def test_a_version_brings_the_policy_that_it_was_made_by(undisturbed, tmp_path):
    folder, _ = undisturbed
    settings = Settings(state_folder=folder / ".tidewaiter")
    registry = Registry(settings.tracking_uri, settings.artifact_root)
    version = incumbents.watched(settings, registry, tmp_path)
    assert version.policy == policy.load()
    assert version.policy_digest == hashlib.sha256(policy.written()).hexdigest()
