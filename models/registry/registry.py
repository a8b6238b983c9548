"""The model registry: from an evidence folder to a version of `customs-risk` that awaits sign-off.

Everything here can be killed between any two calls and run again: the run, the logged model and the version are found
by the evidence digest, what exists is kept, and what is missing is added. Nothing here sets the alias `champion`.
"""

import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version as installed
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit
from urllib.request import url2pathname

import mlflow
import pandas as pd
from mlflow.entities import DatasetInput, LoggedModel, LoggedModelOutput, LoggedModelStatus, Run
from mlflow.entities.model_registry import ModelVersion, RegisteredModel
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE

from models.evidence import digests, origins, seal, source_code
from models.evidence import manifest as evidence
from models.monitoring import DriftResult
from models.names import (
    AUTHOR,
    CHALLENGER,
    CODE_COMMIT,
    CODE_IS_DIRTY,
    COMPLETE,
    DATA_VERSION,
    EVIDENCE_DIGEST,
    HELD_AGAINST,
    MADE_FROM,
    MODEL,
    PENDING,
    REGISTRATION,
    REQUIREMENTS,
    RISK_MODEL,
    RUN_KEY,
    SIGNOFF,
)
from models.registry import serving, serving_code, tracking
from models.registry.tracking import RunContent


@dataclass(frozen=True)
class Candidate:
    """A trained and judged model. `folder` is its evidence folder (see manifest.py), plots and reports included.

    `failures` are the reasons of the gates that failed; any of them keeps the model out of the registry. `steps` are
    the names of the policy's sign-off steps. `author` asked for the model, and so may not sign it. `made_from`: see
    models/evidence/origins.py; it is None if the outcome is not a function of it. `held_against` is the evidence
    digest of the champion with which it was compared.
    """

    folder: Path
    manifest: evidence.Manifest
    author: str
    params: Mapping[str, str | int | float | bool]
    metrics: Mapping[str, float]
    failures: tuple[str, ...]
    steps: tuple[str, ...]
    signature: ModelSignature
    input_example: pd.DataFrame
    made_from: str | None = None
    held_against: str = origins.NO_CHAMPION


@dataclass(frozen=True)
class Registration:
    """Tells what became of a candidate. `version` is None if a gate failed; `is_new` is False if it existed before."""

    digest: str
    run_id: str
    version: str | None
    is_new: bool


@dataclass(frozen=True)
class Monitored:
    """Tells what one look of monitoring said of a version: its run, when it was, and the verdict in words."""

    run_id: str
    version: str
    at: datetime
    verdict: str
    is_breach: bool
    is_judged: bool


class Registry:
    """Runs and versions in one MLflow store; see tracking.connect for its arguments."""

    def __init__(self, tracking_uri: str, artifact_root: str | None = None) -> None:
        self.client = tracking.connect(tracking_uri, artifact_root)
        self.tracking_uri = tracking_uri

    def register(self, candidate: Candidate, signed: Collection[int] = ()) -> Registration:
        """Log the candidate's run and, if it passed its gates, make it the challenger, all sign-off steps pending.

        It waits with its steps, and is not yet the challenger, if that is one of the versions that people are signing.
        Raises ValueError if the folder is not what the manifest says.
        """
        digest = candidate.manifest.digest
        if differences := evidence.verify(candidate.manifest, candidate.folder):
            raise ValueError(f"evidence folder {candidate.folder} is not what was judged: {'; '.join(differences)}")
        found = self.version_of(digest)
        if found is not None and found.tags.get(REGISTRATION) == COMPLETE:
            return self.registration(found)
        run, model, is_new = self._log(candidate)
        if candidate.failures:
            return Registration(digest, run.info.run_id, None, is_new)
        self._seal(run, model)
        version = found or self._create_version(candidate, run, model)
        self._complete(version, candidate, signed)
        return Registration(digest, run.info.run_id, version.version, is_new=True)

    def registration(self, version: ModelVersion) -> Registration:
        """Return what became of the candidate that this version was."""
        return Registration(version.tags[EVIDENCE_DIGEST], self.run(version).info.run_id, version.version, is_new=False)

    def version_of(self, digest: str) -> ModelVersion | None:
        """Return the version with this evidence digest that was made here; others may carry the digest too."""
        found = self.client.search_model_versions(f"name = '{MODEL}' and tags.{EVIDENCE_DIGEST} = '{digest}'")
        oldest_first = sorted(found, key=lambda version: int(version.version))
        return next((_with_text_number(version) for version in oldest_first if self._is_of(version, digest)), None)

    def _is_of(self, version: ModelVersion, digest: str) -> bool:
        """Whether the version's run is the one that evidence of this digest is logged in."""
        try:
            return self.run(version).data.tags.get(RUN_KEY) == digest
        except (ValueError, MlflowException) as error:
            if isinstance(error, MlflowException) and error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return False

    def made_from(self, digest: str, champion: tuple[int, str] | None) -> origins.Earlier | None:
        """Return the result of an earlier retraining from the same, against the same `champion` (version, evidence).

        The champion itself counts: made anew, it would only be compared with itself. A run whose version was not
        registered whole, or was taken away, does not count.
        """
        number, against = champion or (None, origins.NO_CHAMPION)
        experiment = tracking.experiment_id(self.client, tracking.RETRAINING)
        for run in self.client.search_runs(
            [experiment], f"tags.{MADE_FROM} = '{digest}'", order_by=["start_time DESC"]
        ):
            tags = run.data.tags
            if not tracking.is_finished(run):
                continue
            found = self.client.search_model_versions(f"name = '{MODEL}' and run_id = '{run.info.run_id}'")
            whole = next((str(each.version) for each in found if each.tags.get(REGISTRATION) == COMPLETE), None)
            if tags.get(HELD_AGAINST) != against and (whole is None or whole != str(number)):
                continue
            if whole is not None or tags["gates"] == "failed":
                return origins.Earlier(run.info.run_id, whole, tags["failed_gates"])
        return None

    def version(self, number: str) -> ModelVersion:
        """Return the version with this number. models/signoff/champion.py knows which one is champion, not an alias."""
        return _with_text_number(self.client.get_model_version(MODEL, number))

    def challenger(self) -> ModelVersion | None:
        """Return the version that awaits sign-off, if there is one."""
        number = self.challenger_number()
        return None if number is None else self.version(number)

    def challenger_number(self) -> str | None:
        """Return the challenger's number, whether or not that version still exists."""
        registered = self._registered_model()
        return str(registered.aliases[CHALLENGER]) if registered and CHALLENGER in registered.aliases else None

    def by_data_version(self) -> dict[str, list[str]]:
        """Return the numbers of the versions that were trained on each version of the data."""
        trained: dict[str, list[str]] = {}
        for version in reversed(self.client.search_model_versions(f"name = '{MODEL}'")):
            trained.setdefault(version.tags.get("data_version", ""), []).append(str(version.version))
        return trained

    def run(self, version: ModelVersion) -> Run:
        """Return the run that a version came from, with its parameters and metrics."""
        if version.run_id is None:
            raise ValueError(f"version {version.version} of {MODEL} has no run, so no evidence; it was not made here")
        return self.client.get_run(version.run_id)

    def file(self, version: ModelVersion, name: str) -> bytes:
        """Return the content of a file of the version's run, unverified.

        FileNotFoundError if the run has other files; another OSError if it has none, as its place may be away.
        """
        run = self.run(version)
        names = {entry.path for entry in self.client.list_artifacts(run.info.run_id)}
        if not names:
            raise OSError(f"nothing of version {version.version} is at {run.info.artifact_uri}")
        if name not in names:
            raise FileNotFoundError(f"version {version.version} has no file {name}")
        with TemporaryDirectory(prefix="tidewaiter-") as scratch:
            return self._download(f"{run.info.artifact_uri}/{name}", Path(scratch)).read_bytes()

    def fetch_evidence(self, version: ModelVersion, folder: Path) -> evidence.Manifest:
        """Copy the version's evidence folder, model files included, into `folder`; return its manifest.

        Raises ValueError if the manifest is not the one whose digest the version carries, if a file or the description
        is not what the manifest says, or if anything of a sealed version is not as it was sealed.
        """
        run = self.run(version)
        model = self.client.get_logged_model((version.source or "").removeprefix("models:/"))
        with TemporaryDirectory(prefix="tidewaiter-") as scratch:
            files = Path(scratch) / "run"
            logged = self._fetch_all(run, model, files, Path(scratch))
            stated = seal.read(files)
            found = seal.of(files, logged, run.data.params, run.data.metrics)
            shutil.copytree(files, folder, dirs_exist_ok=True)
            shutil.copytree(logged / seal.RISK_MODEL, folder / evidence.MODEL_FOLDER, dirs_exist_ok=True)
        if stated and (changed := seal.differences(stated, found)):
            raise ValueError(f"version {version.version} is not as it was sealed: {'; '.join(changed)}")
        manifest = evidence.read((folder / evidence.MANIFEST_FILE).read_bytes())
        stated = version.tags.get(EVIDENCE_DIGEST)
        if manifest.digest != stated:
            raise ValueError(
                f"version {version.version} carries evidence digest {stated}, its manifest {manifest.digest}"
            )
        page = tracking.artifacts_page(run)
        if differences := (
            *evidence.verify(manifest, folder),
            *evidence.verify_description(folder, page, version.description),
        ):
            raise ValueError(f"version {version.version} is not what its evidence says: {'; '.join(differences)}")
        return manifest

    def fetch_stored(self, version: ModelVersion, run_folder: Path, model_folder: Path) -> None:
        """Copy every file of a version's run and of its logged model into two folders, unverified."""
        model = self.client.get_logged_model((version.source or "").removeprefix("models:/"))
        with TemporaryDirectory(prefix="tidewaiter-") as scratch:
            shutil.move(self._fetch_all(self.run(version), model, run_folder, Path(scratch)), model_folder)

    def record_drift(
        self, result: DriftResult, folder: Path, version: str, commit: str, data: DatasetInput | None = None
    ) -> str:
        """Log a drift report (`folder`: its page and JSON) for a version, once per result; return the run's id."""
        key = digests.json_digest({"version": version, "result": result.model_dump(mode="json")})
        content = RunContent(
            key=key,
            name=f"drift {result.current.until}",
            note=result.verdict,
            commit=commit,
            files=sorted(folder.iterdir()),
            metrics=result.metrics(),
            tags={
                "model_version": version,
                "is_breach": str(result.is_breach).lower(),
                "is_judged": str(not result.unjudged).lower(),
            },
            data=data,
        )
        run = tracking.start_run(self.client, tracking.experiment_id(self.client, tracking.MONITORING), content)
        if not tracking.is_finished(run):
            with tracking.failing(self.client, run):
                tracking.fill_run(self.client, run, content)
        return run.info.run_id

    def monitored(self, version: str | None = None) -> list[Monitored]:
        """Return what monitoring has said of a version, or of any, the oldest look first."""
        experiment = tracking.experiment_id(self.client, tracking.MONITORING)
        asked = f"tags.model_version = '{version}'" if version else ""
        found: list[Monitored] = []
        token = None
        while True:
            page = self.client.search_runs([experiment], asked, order_by=["start_time ASC"], page_token=token)
            found += [_monitored(run) for run in page if tracking.is_finished(run)]
            token = page.token
            if not token:
                return found

    def _fetch_all(self, run: Run, model: LoggedModel, folder: Path, scratch: Path) -> Path:
        """Download a run's files into `folder`, and its logged model's into a folder of `scratch`; return that one."""
        folder.mkdir(parents=True, exist_ok=True)
        for entry in self.client.list_artifacts(run.info.run_id):
            self._download(f"{run.info.artifact_uri}/{entry.path}", folder)
        return self._download(model.artifact_location, scratch)

    def _seal(self, run: Run, model: LoggedModel) -> None:
        """Write the list of all stored files, once: nothing of a finished run is written after it."""
        if any(entry.path == seal.SEAL_FILE for entry in self.client.list_artifacts(run.info.run_id)):
            return
        with TemporaryDirectory(prefix="tidewaiter-") as scratch:
            folder, place = Path(scratch) / "run", Path(scratch) / "model"
            logged = self._fetch_all(run, model, folder, place)
            shown = self.client.get_run(run.info.run_id).data
            sealed = seal.of(folder, logged, shown.params, shown.metrics)
            self.client.log_artifact(run.info.run_id, str(sealed.write(Path(scratch))))

    def _log(self, candidate: Candidate) -> tuple[Run, LoggedModel, bool]:
        """Return the candidate's finished run and its logged model, and whether this call finished them."""
        content = _run_content(candidate)
        run = tracking.start_run(self.client, tracking.experiment_id(self.client, tracking.RETRAINING), content)
        if tracking.is_finished(run) and (models := self._logged_models(run)):
            return run, models[0], False
        with tracking.failing(self.client, run):
            model = self._log_model(candidate, run)
            tracking.fill_run(self.client, run, content, model)
        return run, model, True

    def _log_model(self, candidate: Candidate, run: Run) -> LoggedModel:
        begun = self._logged_models(run)
        model = (
            begun[0]
            if begun
            else self.client.create_logged_model(
                run.info.experiment_id,
                name=MODEL,
                source_run_id=run.info.run_id,
                tags={EVIDENCE_DIGEST: candidate.manifest.digest},
            )
        )
        if model.status != LoggedModelStatus.READY:
            with TemporaryDirectory() as draft:
                _save_serving_model(candidate, Path(draft), run, model)
                self.client.log_model_artifacts(model.model_id, draft)
            model = self.client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
        outputs = self.client.get_run(run.info.run_id).outputs
        if outputs is None or not any(output.model_id == model.model_id for output in outputs.model_outputs):
            self.client.log_outputs(run.info.run_id, [LoggedModelOutput(model.model_id, step=0)])
        return model

    def _logged_models(self, run: Run) -> list[LoggedModel]:
        return list(self.client.search_logged_models([run.info.experiment_id], f"source_run_id = '{run.info.run_id}'"))

    def _create_version(self, candidate: Candidate, run: Run, model: LoggedModel) -> ModelVersion:
        if self._registered_model() is None:
            self.client.create_registered_model(MODEL, description="Which import declarations to inspect.")
        # This is one transaction: a version never exists without its digest, so it is found again.
        created = self.client.create_model_version(
            MODEL,
            source=f"models:/{model.model_id}",
            run_id=run.info.run_id,
            model_id=model.model_id,
            tags=_version_tags(candidate),
            description=evidence.description(candidate.folder, tracking.artifacts_page(run)),
        )
        return _with_text_number(created)

    def _complete(self, version: ModelVersion, candidate: Candidate, signed: Collection[int]) -> None:
        for name, value in _version_tags(candidate).items():
            if name not in version.tags:
                self.client.set_model_version_tag(MODEL, version.version, name, value)
        current = self.challenger_number()
        is_older = current is None or (int(current) < int(version.version) and int(current) not in signed)
        if is_older or not self._is_there(str(current)):
            self.client.set_registered_model_alias(MODEL, CHALLENGER, version.version)
        # This comes last. Once the tag is there, the version belongs to its reviewers: an alias taken away is not set
        # again.
        self.client.set_model_version_tag(MODEL, version.version, REGISTRATION, COMPLETE)

    def _is_there(self, number: str) -> bool:
        try:
            self.version(number)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return False
        return True

    def _registered_model(self) -> RegisteredModel | None:
        try:
            return self.client.get_registered_model(MODEL)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None

    def _download(self, uri: str, folder: Path) -> Path:
        """Copy what lies at `uri`, a file or a folder, into `folder`; return where it is."""
        folder.mkdir(parents=True, exist_ok=True)
        if (place := urlsplit(uri)).scheme == "file":
            # MLflow takes a millisecond to think about each file, and a model brings dozens: the code that serves it.
            source = Path(url2pathname(place.path))
            copy = shutil.copytree if source.is_dir() else shutil.copyfile
            return Path(copy(source, folder / source.name))
        return Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(folder), tracking_uri=self.tracking_uri))


def _with_text_number(version: ModelVersion) -> ModelVersion:
    """Return the version as a server gives it: MLflow's SQL store has its number as int, everything else as text."""
    return ModelVersion.from_proto(version.to_proto())


def _run_content(candidate: Candidate) -> RunContent:
    manifest, failures = candidate.manifest, candidate.failures
    reasons = "\n".join(f"- {failure}" for failure in failures)
    return RunContent(
        key=manifest.digest,
        name=f"candidate {manifest.digest[:8]}",
        note=f"Not registered, as gates failed:\n\n{reasons}" if failures else "All gates passed.",
        commit=manifest.code.commit,
        # The risk model's files are logged with the logged model, which is served.
        files=sorted(path for path in candidate.folder.iterdir() if path.name != evidence.MODEL_FOLDER),
        params=candidate.params,
        metrics=candidate.metrics,
        first_tags={AUTHOR: candidate.author},
        data=tracking.data_input(str(candidate.params["source"]), manifest.data_version, "training"),
        tags={
            EVIDENCE_DIGEST: manifest.digest,
            DATA_VERSION: manifest.data_version,
            CODE_COMMIT: manifest.code.commit,
            CODE_IS_DIRTY: str(manifest.code.is_dirty).lower(),
            "gates": "failed" if failures else "passed",
            "failed_gates": tracking.cut(reasons, tracking.MAX_TAG),
            HELD_AGAINST: candidate.held_against,
            **({MADE_FROM: candidate.made_from} if candidate.made_from else {}),
        },
    )


def _version_tags(candidate: Candidate) -> dict[str, str]:
    manifest = candidate.manifest
    return {
        DATA_VERSION: manifest.data_version,
        CODE_COMMIT: manifest.code.commit,
        CODE_IS_DIRTY: str(manifest.code.is_dirty).lower(),
        EVIDENCE_DIGEST: manifest.digest,
        AUTHOR: candidate.author,
        **{f"{SIGNOFF}{step}": PENDING for step in candidate.steps},
    }


def _monitored(run: Run) -> Monitored:
    tags = run.data.tags
    return Monitored(
        run_id=run.info.run_id,
        version=tags["model_version"],
        at=datetime.fromtimestamp(run.info.start_time / 1000, UTC),
        verdict=tags.get(MLFLOW_RUN_NOTE, ""),
        is_breach=tags["is_breach"] == "true",
        is_judged=tags["is_judged"] == "true",
    )


def _save_serving_model(candidate: Candidate, folder: Path, run: Run, model: LoggedModel) -> None:
    """Write the MLflow model: the serving script, the modules it imports and the risk model's files; no pickle."""
    with TemporaryDirectory() as code:
        mlflow.pyfunc.save_model(
            folder,
            python_model=serving.__file__,
            artifacts={RISK_MODEL: str(candidate.folder / evidence.MODEL_FOLDER)},
            code_paths=[
                str(each) for each in serving_code.copy(Path(serving.__file__), source_code.PROJECT, Path(code))
            ],
            pip_requirements=[f"{name}=={installed(name)}" for name in REQUIREMENTS],
            signature=candidate.signature,
            input_example=candidate.input_example,
            mlflow_model=Model(run_id=run.info.run_id, model_id=model.model_id, artifact_path=model.artifact_location),
        )
