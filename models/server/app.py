"""MLflow with its own accounts and UI, behind the guard: `uvicorn --factory models.server.app:create_app`.

`mlflow server` does not start it, since that command's own process would stand before this one: it takes as long to
start, waits for nothing but the other's end, and leaves it with the port if it is killed. `for_mlflow` has what it
would hand on. MLflow reads that when it is imported, so nothing here imports MLflow before. assembly.py says what the
application consists of.
"""

import os
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from starlette.types import ASGIApp

from models import spans
from models.ledger import Keys


class AppSettings(BaseSettings):
    """The settings of the server, read from SIGNOFF_FOLDER, SIGNOFF_DATABASE_URI and so on, since uvicorn starts it."""

    model_config = SettingsConfigDict(frozen=True, env_prefix="SIGNOFF_")

    folder: Path = Field(description="the keys' folder; see keys.py")
    database_uri: str = Field(description="MLflow's database, which the ledger is in")
    artifact_root: str = Field(description="where artifacts lie; as a URI, a folder or a bucket")
    data: Path = Field(description="the declarations, whose versions DVC keeps")
    state: Path | None = Field(
        None, description="the state folder, where they are kept; see features/store/versioning.py"
    )
    networks: Path = Field(description="the networks of companies, a folder for each source; see models/network_page")
    decisions_uri: str = Field(description="the database of decisions and of the desk")
    desk: Path = Field(description="where the desk keeps photos and its secret")
    window_source: str = Field("", description="the source whose declarations the window answers; empty: it is closed")
    time_zone: str = Field("UTC", description="IANA zone of the administration's legal time")
    played_clock: Path | None = Field(None, description="the file that says what time it is on played days")
    public_urls: tuple[str, ...] = Field((), description="where a proxy serves this server")
    sign_on_issuer: str = Field("", description="the house's identity provider; empty: people have passwords")
    sign_on_client_id: str = Field("", description="what this installation is called there")
    sign_on_secret_file: Path | None = Field(None, description="the file with the secret by which it is known there")
    sign_on_scopes: tuple[str, ...] = Field((), description="what it asks the provider for")
    prefect_api: str = Field("", description="told at once of what the promotion flow waits for; empty: nobody is")
    prefect_password: str = Field("", description="of the name by which this server tells Prefect its one event")
    traces_url: str | None = Field(None, description="the receiver of OTLP that gets traces; none are made without it")

    @property
    def is_played(self) -> bool:
        """Whether days are played here, so that nothing is real."""
        return self.played_clock is not None


def create_app() -> ASGIApp:
    """Return the application that uvicorn serves, with one worker: two would not share their waits for passwords."""
    settings = AppSettings()
    spans.begin(settings.traces_url, "tidewaiter-mlflow")
    os.environ |= for_mlflow(settings)
    from models.server.assembly import assemble

    return spans.around(assemble(settings))


def for_mlflow(settings: AppSettings) -> dict[str, str]:
    """Return what MLflow's server reads from the environment, the same wherever it is started.

    By the names that begin with an underscore, `mlflow server` tells the application what it was started with.
    """
    return {
        "_MLFLOW_SGI_NAME": "uvicorn",
        "_MLFLOW_SERVER_FILE_STORE": settings.database_uri,
        "_MLFLOW_SERVER_REGISTRY_STORE": settings.database_uri,
        # Artifacts lie at one absolute place, so that a run logged without the server and one logged through it can be
        # read either way; the server's own proxy serves the destination.
        "_MLFLOW_SERVER_ARTIFACT_ROOT": settings.artifact_root,
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": settings.artifact_root,
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "MLFLOW_FLASK_SERVER_SECRET_KEY": Keys(settings.folder).form_secret,
        "MLFLOW_BASIC_AUTH_FAIL_CLOSED": "true",
        # The guard decides by stricter rules by which names requests may come.
        "MLFLOW_SERVER_ALLOWED_HOSTS": "*",
        # The job runner costs 270 MB and nothing here uses it.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        # A progress bar that cannot be written, because the disk is full, keeps its lock for ever.
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    }
