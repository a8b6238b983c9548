"""The MLflow server's artifacts that are files: a run's folder is never a link to elsewhere.

Runs write into the artifacts' folder as a user of their own (setting `run_as`), and the server reads there as the user
of the service. By a link in place of a run's folder it would hand out whatever the service may read, the ledger's key
too. MLflow itself checks links below a run's folder, but not the folder itself.
"""

import os

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import PERMISSION_DENIED
from mlflow.store.artifact.artifact_repository_registry import _artifact_repository_registry
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository


class UnlinkedRepository(LocalArtifactRepository):
    """A folder of artifacts that is where its path says, and not behind a link."""

    @property
    def artifact_dir(self) -> str:
        folder = super().artifact_dir
        if os.path.realpath(folder) != os.path.abspath(folder):  # noqa: PTH100  as realpath, which Path would resolve
            raise MlflowException("the artifacts are behind a link, and are not read", PERMISSION_DENIED)
        return folder


def refuse_links() -> None:
    """Refuse links from now on in this process."""
    for scheme in ("", "file"):
        _artifact_repository_registry.register(scheme, UnlinkedRepository)
