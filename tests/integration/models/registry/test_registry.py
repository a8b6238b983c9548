"""From an evidence folder to a version awaiting sign-off, in a SQLite store of its own."""

import dataclasses
import multiprocessing
import shutil
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow.entities import LoggedModelStatus

from models.evidence import manifest, seal
from models.metrics.bootstrap import Estimate
from models.metrics.cbpe import ExpectedPerformance
from models.monitoring.drift_result import DriftResult, Promise, Quality, QualityCheck, Window
from models.names import CHALLENGER, CHAMPION
from models.registry import registry, tracking
from models.registry.registry import Registry
from models.risk.risk_model import RiskModel
from tests.support import candidates

EXPECTED_TAGS = {
    "data_version": candidates.version_of_data("abc"),
    "author": "dan",
    "code_commit": candidates.CODE.commit,
    "code_is_dirty": "false",
    "signoff.technical": "pending",
    "signoff.governance": "pending",
    "registration": "complete",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return candidates.evidence_folder(tmp_path_factory.mktemp("evidence"))


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database without content, to copy: making one takes a second."""
    state = tmp_path_factory.mktemp("empty")
    candidates.open_registry(state)
    return state / "mlflow.db"


@pytest.fixture
def state(tmp_path: Path, empty_store: Path) -> Path:
    return copy_of(empty_store, tmp_path / "state")


def copy_of(empty_store: Path, state: Path) -> Path:
    """The empty database in another state folder; MLflow keeps absolute places, so they are moved too."""
    state.mkdir()
    shutil.copy(empty_store, state)
    with closing(sqlite3.connect(state / empty_store.name)) as database, database:
        places = (empty_store.parent.as_uri(), state.as_uri())
        database.execute("UPDATE experiments SET artifact_location = replace(artifact_location, ?, ?)", places)
    return state


@pytest.fixture
def store(state: Path) -> Registry:
    return candidates.open_registry(state)


def assert_registered_once(store: Registry, candidate: registry.Candidate, registration: registry.Registration) -> None:
    """One whole run, logged model and version; nothing twice, nothing lost."""
    client, digest = store.client, candidate.manifest.digest
    experiment = client.get_experiment_by_name(tracking.RETRAINING)
    assert experiment is not None

    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.run_id == registration.run_id
    assert run.info.status == "FINISHED"
    assert run.data.metrics == candidate.metrics
    assert points_by_metric(store) == dict.fromkeys(candidate.metrics, 1)
    assert run.data.params == {name: str(value) for name, value in candidate.params.items()}

    (used,) = run.inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("simulator", candidate.manifest.data_version)

    (model,) = client.search_logged_models([experiment.experiment_id])
    assert model.status == LoggedModelStatus.READY
    assert [output.model_id for output in run.outputs.model_outputs] == [model.model_id]

    (version,) = client.search_model_versions(f"name = '{registry.MODEL}'")
    assert str(version.version) == registration.version == "1"
    assert version.source == f"models:/{model.model_id}"
    assert version.tags == EXPECTED_TAGS | {"evidence_digest": digest}
    assert version.description == manifest.description(candidate.folder, tracking.artifacts_page(run))
    assert run.data.tags["author"] == candidate.author
    challenger = store.challenger()
    assert challenger is not None
    assert challenger.version == registration.version
    assert challenger.tags == version.tags
    assert set(store.client.get_registered_model(registry.MODEL).aliases) == {CHALLENGER}


def points_by_metric(store: Registry) -> dict[str, int]:
    """How many points of each metric the store has; MLflow tells it of one metric at a time, and there are hundreds."""
    with closing(sqlite3.connect(store.tracking_uri.removeprefix("sqlite:///"))) as database:
        return dict(database.execute("SELECT key, count(*) FROM metrics GROUP BY key").fetchall())


def assert_evidence_holds(store: Registry, candidate: registry.Candidate, folder: Path) -> None:
    challenger = store.challenger()
    assert challenger is not None
    assert store.fetch_evidence(challenger, folder) == candidate.manifest
    logged = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    given = {path.relative_to(candidate.folder).as_posix() for path in candidate.folder.rglob("*") if path.is_file()}
    assert logged == given | {seal.SEAL_FILE}
    assert all(name in seal.read(folder).run for name in given if not name.startswith("model/"))


def test_empty_registry_has_no_challenger(store: Registry) -> None:
    assert store.challenger() is None


def test_passing_candidate_becomes_the_challenger(store: Registry, folder: Path, tmp_path: Path) -> None:
    candidate = candidates.candidate(folder)
    registration = store.register(candidate)
    assert registration.is_new
    assert registration.digest == candidate.manifest.digest
    assert_registered_once(store, candidate, registration)
    assert_evidence_holds(store, candidate, tmp_path / "fetched")


def test_unchanged_evidence_gives_the_version_that_is_there(store: Registry, folder: Path) -> None:
    candidate = candidates.candidate(folder)
    first = store.register(candidate)
    second = store.register(candidate)
    assert second == dataclasses.replace(first, is_new=False)
    assert_registered_once(store, candidate, second)


def test_signatures_and_a_rejection_survive_a_rerun(store: Registry, folder: Path) -> None:
    candidate = candidates.candidate(folder)
    store.register(candidate)
    store.client.set_model_version_tag(registry.MODEL, "1", "signoff.technical", "approved by ana")
    store.client.delete_registered_model_alias(registry.MODEL, registry.CHALLENGER)
    store.register(candidate)
    assert store.client.get_model_version(registry.MODEL, "1").tags["signoff.technical"] == "approved by ana"
    assert store.challenger() is None


def test_other_evidence_gives_the_next_version(store: Registry, folder: Path, tmp_path: Path) -> None:
    older = candidates.candidate(shutil.copytree(folder, tmp_path / "older"))
    store.register(older)
    assert store.register(candidates.candidate(folder, data_version="def")).version == "2"
    assert store.register(older).version == "1"
    challenger = store.challenger()
    assert challenger is not None
    assert challenger.version == "2"


def test_failed_gate_registers_nothing_and_says_why(store: Registry, folder: Path) -> None:
    candidate = candidates.candidate(folder, failures=("ROC-AUC 0.512 is below 0.6",))
    first, second = store.register(candidate), store.register(candidate)
    assert (first.version, first.is_new) == (None, True)
    assert second == dataclasses.replace(first, is_new=False)
    assert store.client.search_registered_models() == []
    run = store.client.get_run(first.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.tags["gates"] == "failed"
    assert "ROC-AUC 0.512 is below 0.6" in run.data.tags["mlflow.note.content"]


def test_served_model_scores_like_the_risk_model(store: Registry, folder: Path, tmp_path: Path) -> None:
    candidate = candidates.candidate(folder)
    store.register(candidate)
    store.client.set_registered_model_alias(registry.MODEL, CHAMPION, "1")
    champion = store.version("1")
    assert store.run(champion).data.metrics == candidate.metrics
    rows = candidates.labelled(5, 3)
    store.fetch_evidence(champion, tmp_path / "champion")
    expected = RiskModel.load(tmp_path / "champion" / manifest.MODEL_FOLDER).predict(rows)
    served = mlflow.pyfunc.load_model(f"models:/{registry.MODEL}@{CHAMPION}")
    example = candidate.input_example.assign(**{name: rows[name].to_list() for name in ("office", "item_value")})
    example["duty_at_stake"] = rows["duty_at_stake"].to_list()
    np.testing.assert_array_equal(served.predict(example)["score"], expected["score"])


def test_nothing_of_the_logged_model_is_pickled(store: Registry, folder: Path, state: Path) -> None:
    store.register(candidates.candidate(folder))
    names = [path.name for path in (state / "artifacts").rglob("*") if path.is_file()]
    assert "serving.py" in names
    assert not [name for name in names if name.endswith((".pkl", ".pickle", ".joblib", ".pyc"))]


def test_changed_folder_is_refused_before_anything_is_written(store: Registry, folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    candidate = candidates.candidate(copy)
    (copy / "evaluation.json").write_text("better figures")
    with pytest.raises(ValueError, match=r"evaluation\.json differs"):
        store.register(candidate)
    assert store.client.search_runs([tracking.experiment_id(store.client, tracking.RETRAINING)]) == []


def test_metric_that_is_not_finite_is_refused_before_a_run_is_made(store: Registry, folder: Path) -> None:
    with pytest.raises(ValueError, match="metric 'brier' is nan"):
        store.register(candidates.candidate(folder, brier=float("nan")))
    experiment = tracking.experiment_id(store.client, tracking.RETRAINING)
    assert store.client.search_runs([experiment]) == []


def test_manifest_that_is_not_the_signed_one_is_told(store: Registry, folder: Path, tmp_path: Path) -> None:
    store.register(candidates.candidate(folder))
    store.client.set_model_version_tag(registry.MODEL, "1", registry.EVIDENCE_DIGEST, "f" * 64)
    challenger = store.challenger()
    assert challenger is not None
    with pytest.raises(ValueError, match="version 1 carries evidence digest ffff"):
        store.fetch_evidence(challenger, tmp_path / "fetched")


def test_model_file_changed_in_the_store_is_told(store: Registry, folder: Path, state: Path, tmp_path: Path) -> None:
    store.register(candidates.candidate(folder))
    challenger = store.challenger()
    assert challenger is not None
    (stored,) = (state / "artifacts").rglob("model/illicit.txt")
    stored.write_text("another booster")
    with pytest.raises(ValueError, match=r"not as it was sealed: file of the logged model artifacts/model/illicit"):
        store.fetch_evidence(challenger, tmp_path / "fetched")


@pytest.mark.parametrize(
    "name", ["serving.py", "code/models/risk/risk_model.py", "MLmodel", "plots/gain.png", "drift.html"]
)
@pytest.mark.parametrize("how", ["changed", "gone", "more"])
def test_no_file_of_a_sealed_version_changes_goes_or_comes(
    store: Registry, registered: Path, tmp_path: Path, name: str, how: str
) -> None:
    (file,) = (
        found
        for found in (registered / "artifacts").rglob(name.rpartition("/")[2])
        if str(found).endswith(f"artifacts/{name}")
    )
    content, other = file.read_bytes(), file.with_name("more.py")
    if how == "changed":
        file.write_bytes(content + b"#")
    elif how == "gone":
        file.unlink()
    else:
        other.write_text("more")
    try:
        sealed = candidates.open_registry(registered)
        with pytest.raises(ValueError, match="version 1 is not as it was sealed"):
            sealed.fetch_evidence(sealed.version("1"), tmp_path / "fetched")
    finally:
        file.write_bytes(content)
        other.unlink(missing_ok=True)


def test_what_mlflow_shows_of_a_sealed_run_is_sealed_too(registered: Path, tmp_path: Path) -> None:
    sealed = candidates.open_registry(registered)
    run = sealed.run(sealed.version("1")).info.run_id
    sealed.client.log_param(run, "more", "1")
    with pytest.raises(ValueError, match="parameter more is not among what was sealed"):
        sealed.fetch_evidence(sealed.version("1"), tmp_path / "fetched")


def test_two_runs_with_nothing_changed_have_two_seals_and_one_digest(
    registered: Path, store: Registry, folder: Path, tmp_path: Path
) -> None:
    made = candidates.candidate(folder)
    store.register(made)
    first = candidates.open_registry(registered)
    seals = []
    for number, each in enumerate((first, store)):
        mlflow.set_tracking_uri(each.tracking_uri)
        version = each.version("1")
        assert version.tags["evidence_digest"] == made.manifest.digest
        each.client.download_artifacts(version.run_id, seal.SEAL_FILE, str(tmp_path))
        seals.append(seal.read(tmp_path).digest)
        (tmp_path / seal.SEAL_FILE).rename(tmp_path / f"{number}.json")
    assert seals[0] != seals[1]


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory, folder: Path, empty_store: Path) -> Path:
    """A state folder with one version, which tests leave as it was."""
    state = copy_of(empty_store, tmp_path_factory.mktemp("registered") / "state")
    candidates.open_registry(state).register(candidates.candidate(folder))
    return state


def test_error_in_the_middle_marks_the_run_failed_and_the_next_attempt_completes_it(
    store: Registry, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidate = candidates.candidate(folder)

    def full_disk(*_: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(store.client, "log_model_artifacts", full_disk)
        with pytest.raises(OSError, match="no space left"):
            store.register(candidate)
    experiment = tracking.experiment_id(store.client, tracking.RETRAINING)
    (run,) = store.client.search_runs([experiment])
    assert run.info.status == "FAILED"
    assert_registered_once(store, candidate, store.register(candidate))


@pytest.mark.timeout(600)
def test_kill_between_any_two_writes_and_rerun_gives_one_clean_result(
    folder: Path, empty_store: Path, tmp_path: Path
) -> None:
    candidate = candidates.candidate(folder)
    # A fork server: it has the imports done, and no threads that a fork would break.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.support.registering"])
    died = 0
    while True:
        state = copy_of(empty_store, tmp_path / f"killed_at_{died}")
        process = context.Process(target=candidates.register_and_die, args=(folder, state, died))
        process.start()
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL)
        store = candidates.open_registry(state)
        assert_registered_once(store, candidate, store.register(candidate))
        assert_evidence_holds(store, candidate, tmp_path / f"fetched_{died}")
        shutil.rmtree(state)
        if process.exitcode == 0:
            break
        died += 1
    assert died > 10


def test_drift_report_is_logged_once(store: Registry, folder: Path, tmp_path: Path) -> None:
    store.register(candidates.candidate(folder))
    challenger = store.challenger()
    assert challenger is not None
    report = tmp_path / "drift"
    report.mkdir()
    (report / "drift.html").write_text("<p>drift</p>")
    window = Window(since="2024-01-01", until="2024-01-28", rows=900, sampled=900)
    quality = Quality(rows=10, hits=0, precision_at_10pct=None, roc_auc=None, brier=0.1)
    judged = QualityCheck(current=quality, reference=None, is_judged=False, is_breach=False, sentence="Too few.")
    result = DriftResult(
        reference=window,
        current=window,
        columns=(),
        max_drifted_columns=3,
        quality=judged,
        promise=Promise(
            expected=ExpectedPerformance(
                rows=900, shares=(), confidence=0.95, figures={"roc_auc": Estimate(value=0.75)}
            ),
            misses={},
        ),
        is_judged=True,
        is_breach=False,
        verdict="Nothing drifted.",
    )
    data = candidates.version_of_data("abc")
    looked_at = tracking.data_input("simulator", data, "monitoring")
    first = store.record_drift(result, report, challenger.version, "0" * 40, looked_at)
    assert store.record_drift(result, report, challenger.version, "0" * 40, looked_at) == first
    run = store.client.get_run(first)
    assert [each.dataset.digest for each in run.inputs.dataset_inputs] == [data]
    quality_told = {"quality/rows": 10.0, "quality/hits": 0.0, "quality/brier": 0.1}
    assert run.data.metrics == {"drifted_columns": 0.0, "expected/roc_auc": 0.75, **quality_told}
    assert [entry.path for entry in store.client.list_artifacts(first)] == ["drift.html"]
