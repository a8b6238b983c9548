"""MLflow with its own accounts and UI, behind the guard: `uvicorn --factory models.signoff.app:create_app`.

Not by `mlflow server`, whose own process would stand before this one: it takes as long to start, waits for nothing but
the other's end, and leaves it with the port where it is killed. What it would hand on is in `for_mlflow`.
"""

import logging
import os
from functools import partial
from pathlib import Path
from threading import Thread
from uuid import uuid4

import httpx
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from starlette.types import ASGIApp

from models import policy
from models.names import MODEL
from models.picture.answers import Answers
from models.picture.openings import Openings
from models.picture.page import NetworkPage
from models.runs.callers import TELLER
from models.runs.rules import CHANGED, RESOURCE
from models.signoff import accounts, local_files, stored
from models.signoff.admission import Judge
from models.signoff.asking import AskedLedger
from models.signoff.directory import Directory
from models.signoff.entrance import Entrance, Names
from models.signoff.front import Front
from models.signoff.guard import Guard
from models.signoff.keys import Keys
from models.signoff.ledger import Table, now
from models.signoff.rules import Rules
from models.signoff.uploads import EvidenceLock

_log = logging.getLogger(__name__)


class AppSettings(BaseSettings):
    """From the environment, since uvicorn starts this: SIGNOFF_FOLDER, SIGNOFF_DATABASE_URI and so on."""

    model_config = SettingsConfigDict(frozen=True, env_prefix="SIGNOFF_")

    folder: Path = Field(description="the keys' folder; see keys.py")
    database_uri: str = Field(description="MLflow's database, which the ledger is in")
    artifact_root: str = Field(description="where artifacts lie; as a URI, a folder or a bucket")
    data: Path = Field(description="the declarations, whose versions DVC keeps")
    state: Path | None = Field(None, description="the state folder, where they are kept; see features/versioning.py")
    networks: Path = Field(description="the networks of companies, a folder for each source; see models/picture")
    public_urls: tuple[str, ...] = Field((), description="where a proxy serves this server")
    prefect_api: str = Field("", description="told at once of what the promotion flow waits for; empty: nobody is")
    prefect_password: str = Field("", description="of the name by which this server tells Prefect its one event")


def create_app() -> ASGIApp:
    """The application that uvicorn serves, with one worker: two would not see each other's waits for a password."""
    settings = AppSettings()
    keys = Keys(settings.folder)
    os.environ |= for_mlflow(settings)
    from mlflow import server
    from mlflow.server import auth, handlers  # they read the environment when they are imported

    signoff = policy.load().signoff
    local_files.refuse_links()
    handlers.initialize_backend_stores(settings.database_uri, settings.database_uri, settings.artifact_root)
    inner = auth.create_app()
    accounts.prepare(auth.store, signoff, keys.service_password)
    table = Table(settings.database_uri)
    ledger = AskedLedger(table, keys.public_key, keys.head_file, signoff, keys.socket_file)
    directory = Directory(auth.auth_config.database_uri)
    tell_prefect = partial(_tell, settings.prefect_api, settings.prefect_password)
    judge, in_force = Judge(), policy.POLICY_FILE.read_text()
    rules = Rules(
        ledger,
        changed=tell_prefect,
        grant=_grant,
        role_numbers=directory.roles,
        accounts=directory.names,
        admit=lambda found: stored.admit(found, judge, settings.data, settings.state, in_force),
    )
    rules.note_roles()

    def tell(name: str, address: str, count: int) -> None:
        if name in directory.names():  # or whoever makes up names could fill the ledger
            rules.note_guesses(name, address, count)

    network = NetworkPage(Answers(settings.networks), Openings(settings.database_uri))
    entrance = Entrance(directory, Names(settings.public_urls), tell)
    front = Front.of(Path(server.app.static_folder or ""), stored.is_registered)
    return Guard(inner, entrance, rules, table, network.answer, front.page, EvidenceLock(settings.folder))


def for_mlflow(settings: AppSettings) -> dict[str, str]:
    """What MLflow's server reads from the environment, the same wherever it is started.

    Names that begin with an underscore are how `mlflow server` tells the application what it was started with.
    """
    return {
        "_MLFLOW_SGI_NAME": "uvicorn",
        "_MLFLOW_SERVER_FILE_STORE": settings.database_uri,
        "_MLFLOW_SERVER_REGISTRY_STORE": settings.database_uri,
        # Artifacts lie at one absolute place, so that a run logged without the server and one logged through it can be
        # read either way; the destination is what the server's own proxy serves.
        "_MLFLOW_SERVER_ARTIFACT_ROOT": settings.artifact_root,
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": settings.artifact_root,
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "MLFLOW_FLASK_SERVER_SECRET_KEY": Keys(settings.folder).form_secret,
        "MLFLOW_BASIC_AUTH_FAIL_CLOSED": "true",
        # The guard decides by which names requests may come, by stricter rules.
        "MLFLOW_SERVER_ALLOWED_HOSTS": "*",
        # The job runner costs 270 MB and nothing here uses it.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        # A progress bar that cannot be written, since the disk is full, keeps its lock for ever.
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    }


def _grant(name: str) -> str:
    """By what MLflow lets an account write the tags of a version of the model, by its own rules; empty where not."""
    from mlflow.server import auth
    from mlflow.server.auth.requirements import Requirement

    model, version = ("registered_model", MODEL), "registered_model_version"
    asked = [
        Requirement(*model, "read"),
        Requirement(version, "*", "update", fallback_if_no_grant=(model,)),
    ]
    if not auth.store.has_user(name) or not auth.authorize(name, model, asked):
        return ""
    permissions = auth.resolve_requirements(name, model, asked) or []
    return f"{version}: {permissions[-1].name}"


def _tell(prefect_api: str, password: str) -> None:
    """Post an event, in the background: a lost one costs the minute until the flow looks by itself."""
    if not prefect_api:
        return
    event = {
        "id": str(uuid4()),
        "event": CHANGED,
        "occurred": now().isoformat(),
        "resource": {"prefect.resource.id": RESOURCE},
    }

    def post() -> None:
        try:
            url, account = f"{prefect_api}/events", (TELLER, password)
            httpx.post(url, json=[event], auth=account, timeout=10, trust_env=False).raise_for_status()
        except httpx.HTTPError as error:
            _log.warning("Prefect was not told that a sign-off changed (%s); it will look by itself", error)

    Thread(target=post, daemon=True).start()
