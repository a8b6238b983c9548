"""What the MLflow server has stored of `customs-risk`, seen from inside the server: versions, authors, evidence.

Reads MLflow's stores directly, since a server cannot ask itself over HTTP while it answers.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.server import handlers
from mlflow.server.constants import ARTIFACTS_DESTINATION_ENV_VAR
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.store.model_registry.dbmodels.models import SqlModelVersion
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore as RegistryStore
from mlflow.store.tracking.dbmodels.models import SqlRun
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore as TrackingStore

from models import evidence
from models.names import AUTHOR, EVIDENCE_DIGEST, MODEL
from models.tracking import artifacts_page

_PROXIED = "mlflow-artifacts:/"


@dataclass(frozen=True)
class Finding:
    """The evidence of a version as it lies in the store: its digest, and what is wrong with it, if anything is.

    The digest of evidence that does not hold together is one over what was found, so it equals no other.
    """

    digest: str
    differences: tuple[str, ...]


def version(number: int) -> ModelVersion | None:
    """The version of `customs-risk` with this number."""
    try:
        return _registry().get_model_version(MODEL, str(number))
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None


def authors(found: ModelVersion) -> tuple[str, ...]:
    """Who registered a version, and who made its run."""
    names = [found.tags.get(AUTHOR)]
    if found.run_id:
        names.append(_tracking().get_run(found.run_id).data.tags.get(AUTHOR))
    return tuple(sorted({name for name in names if name}))


def frozen() -> frozenset[str]:
    """Runs and logged models of all versions of `customs-risk`, which cannot be written any more."""
    with _registry().engine.connect() as connection:
        versions = sa.select(SqlModelVersion.run_id, SqlModelVersion.source).where(SqlModelVersion.name == MODEL)
        rows = connection.execute(versions).all()
    return frozenset(name.removeprefix("models:/") for row in rows for name in row if name)


def frozen_experiments() -> frozenset[str]:
    """The experiments that their runs are in."""
    with _tracking().engine.connect() as connection:
        of_runs = sa.select(SqlRun.experiment_id).where(SqlRun.run_uuid.in_(frozen())).distinct()
        return frozenset(str(number) for number in connection.execute(of_runs).scalars())


def find_evidence(found: ModelVersion) -> Finding:
    """Compute the evidence digest of a version anew from its stored artifacts."""
    with TemporaryDirectory(prefix="tidewaiter-") as scratch:
        folder = Path(scratch)
        try:
            for uri, name in _evidence_places(found):
                _download(uri, name, folder)
            manifest = evidence.read((folder / evidence.MANIFEST_FILE).read_bytes())
        except (MlflowException, OSError, ValueError) as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            return Finding(evidence.json_digest(["unreadable", found.version, reason]), (reason,))
        differences = list(evidence.verify(manifest, folder))
        page = artifacts_page(_tracking().get_run(found.run_id))
        differences += evidence.verify_description(folder, page, found.description)
        if (stated := found.tags.get(EVIDENCE_DIGEST)) != manifest.digest:
            differences.append(f"the version carries evidence digest {stated}, its manifest is {manifest.digest}")
        if differences:
            return Finding(evidence.json_digest([manifest.digest, *differences]), tuple(differences))
    return Finding(manifest.digest, ())


def _evidence_places(found: ModelVersion) -> Iterator[tuple[str, str]]:
    """Where the parts of a version's evidence lie, as (folder's URI, name in it)."""
    if not found.run_id or not (found.source or "").startswith("models:/"):
        raise ValueError(f"version {found.version} has no run or no logged model, so no evidence")
    store = _tracking()
    run = store.get_run(found.run_id)
    for name in (evidence.MANIFEST_FILE, *evidence.FILES):
        yield run.info.artifact_uri, name
    model = store.get_logged_model((found.source or "").removeprefix("models:/"))
    yield f"{model.artifact_location}/artifacts", evidence.MODEL_FOLDER


def _download(uri: str, name: str, folder: Path) -> None:
    if uri.startswith(_PROXIED):
        # The server's own proxy scheme: inside the server it stands for the artifacts' destination.
        uri = f"{os.environ[ARTIFACTS_DESTINATION_ENV_VAR].rstrip('/')}/{uri.removeprefix(_PROXIED)}"
    get_artifact_repository(uri).download_artifacts(name, str(folder))


def _registry() -> RegistryStore:
    store = handlers._get_model_registry_store()
    assert isinstance(store, RegistryStore)  # the ledger needs a database, so app.py has refused any other
    return store


def _tracking() -> TrackingStore:
    store = handlers._get_tracking_store()
    assert isinstance(store, TrackingStore)
    return store
