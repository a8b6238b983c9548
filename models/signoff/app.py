"""`mlflow server --app-name tidewaiter`: MLflow with its own accounts and UI, behind the guard.

What the server process needs to know comes from the environment, since `mlflow server` starts it.
"""

import logging
import os
from pathlib import Path
from threading import Thread
from uuid import uuid4

import httpx
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from starlette.types import ASGIApp

from models import policy
from models.picture.answers import Answers
from models.picture.openings import Openings
from models.picture.page import NetworkPage
from models.signoff import accounts
from models.signoff.guard import Guard, roles_of
from models.signoff.keys import Keys
from models.signoff.ledger import Ledger, Table, now
from models.signoff.rules import Rules

CHANGED = "tidewaiter.signoff.changed"
RESOURCE = "tidewaiter.customs-risk"

_log = logging.getLogger(__name__)


class AppSettings(BaseSettings):
    """SIGNOFF_FOLDER, SIGNOFF_NETWORKS and SIGNOFF_PREFECT_API."""

    model_config = SettingsConfigDict(frozen=True, env_prefix="SIGNOFF_")

    folder: Path = Field(description="the keys' folder; see keys.py")
    networks: Path = Field(description="the networks of companies, a folder for each source; see models/picture")
    prefect_api: str = Field("", description="told at once of what the promotion flow waits for; empty: nobody is")


def create_app() -> ASGIApp:
    """The application that `mlflow server` runs, one for each worker."""
    if os.environ.get("_MLFLOW_SGI_NAME") != "uvicorn":
        raise RuntimeError("the guard is ASGI: run `mlflow server` with uvicorn, its default")
    if os.environ.get("_MLFLOW_STATIC_PREFIX"):
        raise RuntimeError("--static-prefix is not for this app: the guard knows the routes without one")
    from mlflow.server import auth  # reads the environment when it is imported
    from mlflow.server.constants import BACKEND_STORE_URI_ENV_VAR

    settings, signoff = AppSettings(), policy.load().signoff
    keys = Keys(settings.folder)
    inner = auth.create_app()
    accounts.prepare(auth.store, signoff, keys.service_password)
    database_uri = os.environ[BACKEND_STORE_URI_ENV_VAR]
    table = Table(database_uri)
    ledger = Ledger(table, keys.private_key, keys.head_file, signoff)

    def authenticate(name: str, password: str) -> tuple[str, tuple[str, ...]] | None:
        user = auth._authenticate_cached(name, password)  # MLflow's own way, its cache included
        if user is None:
            return None
        roles = auth.store.list_user_roles(user.id)
        return user.username, roles_of((role.name for role in roles), user.is_admin)

    rules = Rules(ledger, lambda: _tell(settings.prefect_api))
    network = NetworkPage(Answers(settings.networks), Openings(database_uri))
    return Guard(inner, authenticate, _foreign, rules, table, network.answer)


def _foreign(method: str, host: str, origin: str) -> str | None:
    """By MLflow's own rules and settings, which it applies itself only behind the guard."""
    from mlflow.server import fastapi_security, security_utils

    if not security_utils.is_allowed_host_header(fastapi_security.get_allowed_hosts(), host):
        return f"Host {host!r} is not a name of this server"
    if security_utils.should_block_cors_request(origin, method, fastapi_security.get_allowed_origins()):
        return f"a page of {origin!r} may change nothing here"
    return None


def _tell(prefect_api: str) -> None:
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
            httpx.post(f"{prefect_api}/events", json=[event], timeout=10).raise_for_status()
        except httpx.HTTPError as error:
            _log.warning("Prefect was not told that a sign-off changed (%s); it will look by itself", error)

    Thread(target=post, daemon=True).start()
