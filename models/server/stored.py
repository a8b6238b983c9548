"""What the MLflow server has stored of `customs-risk`, seen from inside the server: versions, authors, evidence.

This module reads MLflow's stores directly, since a server cannot ask itself over HTTP while it answers.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa
from mlflow.entities import LoggedModel, Run
from mlflow.entities.model_registry import ModelVersion, ModelVersionTag
from mlflow.entities.model_registry.model_version_stages import STAGE_DELETED_INTERNAL
from mlflow.exceptions import MlflowException
from mlflow.server import handlers
from mlflow.server.constants import ARTIFACTS_DESTINATION_ENV_VAR
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.store.model_registry.dbmodels.models import SqlModelVersion, SqlRegisteredModel
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore as RegistryStore
from mlflow.store.tracking.dbmodels.models import SqlExperiment, SqlRun
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore as TrackingStore
from mlflow.utils.file_utils import local_file_uri_to_path

from models.evidence import digests, seal
from models.evidence import manifest as evidence
from models.names import AUTHOR, EVIDENCE_DIGEST, MODEL
from models.registry import tracking
from models.server import admission
from models.server.admission import Judge

_PROXIED = "mlflow-artifacts:/"
_OTHERWISE = (FileNotFoundError, IsADirectoryError, NotADirectoryError)


@dataclass(frozen=True)
class Finding:
    """The evidence of a version as it lies in the store: its digest, and what is wrong with it, if anything is.

    If the evidence does not hold together, its digest is one over what was found, so it equals no other.
    """

    digest: str
    differences: tuple[str, ...]


@dataclass(frozen=True)
class Admission:
    """The judgement of a version: why it is not opened, or the digests of its evidence and of its seal."""

    faults: Sequence[str]
    digest: str = ""
    seal: str = ""


def version(number: int) -> ModelVersion | None:
    """Return the version of `customs-risk` with this number; None if there is none."""
    try:
        return _registry().get_model_version(MODEL, str(number))
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None


def numbers() -> list[int]:
    """Return the numbers of all versions of `customs-risk` that MLflow has."""
    with _registry().engine.connect() as connection:
        is_there = SqlModelVersion.current_stage != STAGE_DELETED_INTERNAL
        asked = sa.select(SqlModelVersion.version).where(SqlModelVersion.name == MODEL, is_there)
        return [int(number) for number in connection.execute(asked).scalars()]


def set_tag(number: int, key: str, value: str) -> None:
    """Set a tag of a version, which was judged before."""
    _registry().set_model_version_tag(MODEL, str(number), ModelVersionTag(key, value))


def file(number: int, name: str) -> bytes:
    """Return the content of a file of a version's run, by its path; FileNotFoundError if there is none."""
    found = version(number)
    if found is None:
        raise FileNotFoundError(f"there is no version {number}")
    with TemporaryDirectory(prefix="tidewaiter-") as scratch:
        try:
            _download(_run(found).info.artifact_uri, name, Path(scratch))
            return (Path(scratch) / name).read_bytes()
        except (MlflowException, *_OTHERWISE) as error:
            raise FileNotFoundError(f"version {number} has no file {name}") from error


def is_registered() -> bool:
    """Whether there is a registered model `customs-risk`."""
    with _registry().engine.connect() as connection:
        named = sa.select(SqlRegisteredModel.name).where(SqlRegisteredModel.name == MODEL)
        return connection.execute(named).first() is not None


def authors(found: ModelVersion) -> tuple[str, ...]:
    """Return who registered a version, and who made its run."""
    names = [found.tags.get(AUTHOR)]
    if found.run_id:
        names.append(_tracking().get_run(found.run_id).data.tags.get(AUTHOR))
    return tuple(sorted({name for name in names if name}))


def frozen() -> frozenset[str]:
    """Return the runs and logged models of all versions of `customs-risk`, which cannot be written any more."""
    with _registry().engine.connect() as connection:
        versions = sa.select(SqlModelVersion.run_id, SqlModelVersion.source).where(SqlModelVersion.name == MODEL)
        rows = connection.execute(versions).all()
    return frozenset(name.removeprefix("models:/") for row in rows for name in row if name)


def kept_experiments() -> frozenset[str]:
    """Return the experiments that the frozen runs are in, and those that the nights write to.

    MLflow takes no run for an experiment that was deleted, and gives nobody its name.
    """
    with _tracking().engine.connect() as connection:
        of_runs = sa.select(SqlRun.experiment_id).where(SqlRun.run_uuid.in_(frozen())).distinct()
        of_nights = sa.select(SqlExperiment.experiment_id).where(
            SqlExperiment.name.in_((tracking.RETRAINING, tracking.MONITORING))
        )
        rows = (*connection.execute(of_runs).scalars(), *connection.execute(of_nights).scalars())
    return frozenset(str(number) for number in rows)


def find_evidence(found: ModelVersion, sealed: str | None, is_thorough: bool) -> Finding:
    """Compute the evidence digest of a version anew from its stored artifacts.

    `sealed` is the digest of its list of files, for versions that have one: the list must be there as it was and, if
    the look is thorough, everything on it. Raises Unjudged if nothing can be said of it now: evidence that is found to
    be altered is void for good, and a disk that is full or away for an hour has altered nothing.
    """
    with TemporaryDirectory(prefix="tidewaiter-") as scratch:
        folder = Path(scratch)
        try:
            run, model = _run(found), _logged_model(found)
            _refuse_away(found, run, model)
            if is_thorough and sealed:
                _fetch_all(run, model, folder)
                differences = list(_unsealed(run, folder, sealed))
                place = folder / admission.RUN
                shutil.move(folder / admission.LOGGED / seal.RISK_MODEL, place / evidence.MODEL_FOLDER)
            else:
                for name in (evidence.MANIFEST_FILE, *evidence.FILES, *([seal.SEAL_FILE] if sealed else [])):
                    _download(run.info.artifact_uri, name, folder)
                _download(f"{model.artifact_location}/artifacts", evidence.MODEL_FOLDER, folder)
                differences, place = list(_resealed(folder, sealed)), folder
            manifest = evidence.read((place / evidence.MANIFEST_FILE).read_bytes())
        except (MlflowException, OSError, ValueError) as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            if not _is_about_evidence(error):
                raise _unreadable(found, reason) from error
            return Finding(digests.json_digest(["unreadable", found.version, reason]), (reason,))
        differences += evidence.verify(manifest, place)
        differences += evidence.verify_description(place, tracking.artifacts_page(run), found.description)
        if (stated := found.tags.get(EVIDENCE_DIGEST)) != manifest.digest:
            differences.append(f"the version carries evidence digest {stated}, its manifest is {manifest.digest}")
        if differences:
            _refuse_away(found, run, model)  # the folders may have gone while they were read
            return Finding(digests.json_digest([manifest.digest, *differences]), tuple(differences))
    return Finding(manifest.digest, ())


def admit(found: ModelVersion, judge: Judge, data: Path, state: Path | None, policy: str) -> Admission:
    """Judge a version that is to be opened; see admission.py. Unjudged if that did not come to its end."""
    with TemporaryDirectory(prefix="tidewaiter-") as scratch:
        folder = Path(scratch)
        try:
            run, model = _run(found), _logged_model(found)
            _refuse_away(found, run, model)
            _fetch_all(run, model, folder)
            shown = admission.Shown(
                version_tags=found.tags,
                description=found.description or "",
                page=tracking.artifacts_page(run),
                run_tags=run.data.tags,
                params=run.data.params,
                metrics=run.data.metrics,
            )
        except (MlflowException, ValueError) as error:
            if isinstance(error, MlflowException) and error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise _unreadable(found, error) from error
            return Admission(str(error).splitlines()[:1] or [type(error).__name__])
        except OSError as error:
            raise _unreadable(found, error) from error
        faults = judge(admission.Request(files=folder, shown=shown, data=data, state=state, policy=policy))
        if faults:
            return Admission(faults)
        manifest = evidence.read((folder / admission.RUN / evidence.MANIFEST_FILE).read_bytes())
        sealed = seal.read(folder / admission.RUN)
        assert sealed is not None  # otherwise there would be a fault
        return Admission((), manifest.digest, sealed.digest)


def _is_about_evidence(error: Exception) -> bool:
    """Whether a file is missing or is not what it should be, rather than that this machine cannot read it now."""
    if isinstance(error, MlflowException):
        return error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
    return not isinstance(error, OSError) or isinstance(error, _OTHERWISE)


def _refuse_away(found: ModelVersion, run: Run, model: LoggedModel) -> None:
    """Raise Unjudged if a folder is not there at all, since artifacts may be moved or a disk not mounted."""
    for place in map(_inside, (run.info.artifact_uri, model.artifact_location)):
        if place.startswith(("/", "file:")) and not Path(local_file_uri_to_path(place)).exists():
            raise _unreadable(found, f"{local_file_uri_to_path(place)} is not there; put the artifacts back")


def _unreadable(found: ModelVersion, why: object) -> admission.Unjudged:
    return admission.Unjudged(f"the files of version {found.version} cannot be read now: {why}")


def _unsealed(run: Run, folder: Path, sealed: str) -> Iterator[str]:
    """Yield what is not as it was sealed, of all files of a version."""
    yield from _resealed(folder / admission.RUN, sealed)
    stated = seal.read(folder / admission.RUN)
    if stated is not None:
        now = seal.of(folder / admission.RUN, folder / admission.LOGGED, run.data.params, run.data.metrics)
        yield from seal.differences(stated, now)


def _resealed(folder: Path, sealed: str | None) -> Iterator[str]:
    """Yield a sentence if the list is another than the one under which the version was opened."""
    stated = seal.read(folder) if sealed else None
    digest = stated.digest if stated else None
    if digest != sealed:
        yield f"the version was opened under seal {sealed}, and {seal.SEAL_FILE} is {digest}"


def _run(found: ModelVersion) -> Run:
    if not found.run_id:
        raise ValueError(f"version {found.version} has no run, so no evidence")
    return _tracking().get_run(found.run_id)


def _logged_model(found: ModelVersion) -> LoggedModel:
    if not (found.source or "").startswith("models:/"):
        raise ValueError(f"version {found.version} has no logged model, so no evidence")
    return _tracking().get_logged_model((found.source or "").removeprefix("models:/"))


def _fetch_all(run: Run, model: LoggedModel, folder: Path) -> None:
    """Download every file of run and logged model, into two folders."""
    for place, uri in ((admission.RUN, run.info.artifact_uri), (admission.LOGGED, model.artifact_location)):
        (folder / place).mkdir()
        _download(uri, "", folder / place)


def _download(uri: str | None, name: str, folder: Path) -> None:
    if uri is None:
        raise ValueError("it says nowhere that its files lie")
    get_artifact_repository(_inside(uri)).download_artifacts(name, str(folder))


def _inside(uri: str | None) -> str:
    """Return where artifacts lie. Inside the server, its own proxy scheme stands for the artifacts' destination."""
    if uri is None or not uri.startswith(_PROXIED):
        return uri or ""
    return f"{os.environ[ARTIFACTS_DESTINATION_ENV_VAR].rstrip('/')}/{uri.removeprefix(_PROXIED)}"


def _registry() -> RegistryStore:
    store = handlers._get_model_registry_store()
    assert isinstance(store, RegistryStore)  # the ledger needs a database, so app.py has refused any other
    return store


def _tracking() -> TrackingStore:
    store = handlers._get_tracking_store()
    assert isinstance(store, TrackingStore)
    return store
