"""`mlflow server --app-name tidewaiter`: MLflow with its own accounts and UI, behind the guard.

What the server process needs to know comes from the environment, since `mlflow server` starts it.
"""

import logging
import os
from functools import partial
from pathlib import Path
from threading import Thread
from uuid import uuid4

import httpx
from mlflow.environment_variables import MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR
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
from models.signoff.guard import Guard
from models.signoff.keys import Keys
from models.signoff.ledger import Table, now
from models.signoff.rules import Rules
from models.signoff.uploads import EvidenceLock

_log = logging.getLogger(__name__)


class AppSettings(BaseSettings):
    """SIGNOFF_FOLDER, _DATA, _NETWORKS, _PUBLIC_URLS, _PREFECT_API and _PREFECT_PASSWORD."""

    model_config = SettingsConfigDict(frozen=True, env_prefix="SIGNOFF_")

    folder: Path = Field(description="the keys' folder; see keys.py")
    data: Path = Field(description="the declarations, whose versions DVC keeps")
    networks: Path = Field(description="the networks of companies, a folder for each source; see models/picture")
    public_urls: tuple[str, ...] = Field((), description="where a proxy serves this server")
    prefect_api: str = Field("", description="told at once of what the promotion flow waits for; empty: nobody is")
    prefect_password: str = Field("", description="of the name by which this server tells Prefect its one event")


def create_app() -> ASGIApp:
    """The application that `mlflow server` runs, one for each worker."""
    if os.environ.get("_MLFLOW_SGI_NAME") != "uvicorn":
        raise RuntimeError("the guard is ASGI: run `mlflow server` with uvicorn, its default")
    if os.environ.get("_MLFLOW_STATIC_PREFIX"):
        raise RuntimeError("--static-prefix is not for this app: the guard knows the routes without one")
    if os.environ.get("MLFLOW_SERVER_ALLOWED_HOSTS") != "*":
        # The guard decides from where requests may come, by stricter rules; MLflow has read this when it was imported.
        raise RuntimeError("set MLFLOW_SERVER_ALLOWED_HOSTS=*: the guard knows the names of this server")
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR.set(False)  # the server looks at files each minute, and its log is for people
    from mlflow.server import auth  # reads the environment when it is imported
    from mlflow.server.constants import BACKEND_STORE_URI_ENV_VAR

    settings, signoff = AppSettings(), policy.load().signoff
    keys = Keys(settings.folder)
    local_files.refuse_links()
    inner = auth.create_app()
    accounts.prepare(auth.store, signoff, keys.service_password)
    database_uri = os.environ[BACKEND_STORE_URI_ENV_VAR]
    table = Table(database_uri)
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
        admit=lambda found: stored.admit(found, judge, settings.data, in_force),
    )
    rules.note_roles()

    def tell(name: str, address: str, count: int) -> None:
        if name in directory.names():  # or whoever makes up names could fill the ledger
            rules.note_guesses(name, address, count)

    network = NetworkPage(Answers(settings.networks), Openings(database_uri))
    entrance = Entrance(directory, Names(settings.public_urls), tell)
    return Guard(inner, entrance, rules, table, network.answer, EvidenceLock(settings.folder))


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
