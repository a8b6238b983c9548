"""The author of what a retraining makes, on the command line or in Prefect.

If `tidewaiter up` runs, there are accounts, and whoever starts a run says which account is theirs by signing in. If it
does not run, the user of this machine is written down, which proves no more than that.
"""

import os
import pwd
from collections.abc import Mapping

import httpx

from flows.processes import running
from flows.servers import mlflow_server
from flows.settings import Settings
from models.access import accounts
from models.names import SERVICE

_TIMEOUT_S = 60.0


def of_run(requested_by: str, deployment: str | None, is_by_hand: bool) -> str:
    """Return who made a model: the person who asked for it, as the guard or the command line knows; or the service.

    >>> of_run("", "nightly", is_by_hand=False), of_run("ann", "adhoc", is_by_hand=True)
    ('tidewaiter', 'ann')
    >>> of_run("", "adhoc", is_by_hand=True)
    Traceback (most recent call last):
    ...
    ValueError: nobody knows who asked for retrain/adhoc; start it in the Prefect of `tidewaiter up`, signed in ...
    """
    if requested_by:
        return requested_by
    if deployment is None:
        return os_user()
    if is_by_hand:
        raise ValueError(
            f"nobody knows who asked for retrain/{deployment}; start it in the Prefect of `tidewaiter up`, signed in "
            "as yourself: who triggers a run may not sign its model"
        )
    return SERVICE


def of_command(settings: Settings, environment: Mapping[str, str] = os.environ) -> str:
    """Return the author.

    Raises ValueError, which says what to do, if there are accounts and nobody has shown which is theirs.
    """
    up = running.find(settings.state_folder)
    if up is None or not up.is_ready:
        return os_user()
    name = environment.get(mlflow_server.USERNAME)
    if name is not None:
        if name in accounts.RESERVED or not _signs_in(up.mlflow_url, name, environment.get(mlflow_server.PASSWORD, "")):
            raise ValueError(f"{mlflow_server.USERNAME} is {name!r}, with which nobody signs in; {_WHAT_TO_DO}")
        return name
    name = os_user()
    if name in accounts.RESERVED or name not in _accounts(settings):
        raise ValueError(f"{name!r}, who you are on this machine, has no account; {_WHAT_TO_DO}")
    return name


def os_user() -> str:
    """Return the user of this process, by the word of the kernel and not of the environment."""
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:  # as in a container
        return f"uid-{number}"


_WHAT_TO_DO = (
    f"set {mlflow_server.USERNAME} and {mlflow_server.PASSWORD} to your account's, or start the run in Prefect: "
    "who triggers a run may not sign its model"
)


def _signs_in(mlflow_url: str, name: str, password: str) -> bool:
    url = f"{mlflow_url}/api/2.0/mlflow/experiments/search?max_results=1"
    try:
        answer = httpx.get(url, auth=(name, password), timeout=_TIMEOUT_S, trust_env=False)
    except httpx.TransportError as error:
        raise ValueError(f"MLflow at {mlflow_url} does not answer: {error}") from error
    return answer.status_code == httpx.codes.OK


def _accounts(settings: Settings) -> frozenset[str]:
    """Return every account's name; empty if this user may not see them."""
    if settings.mlflow_database_uri is None and not os.access(settings.state_folder / "accounts.db", os.R_OK):
        return frozenset()
    # Imported here, because it takes half a second, and the commands that need no account should not spend it.
    from models.access import Directory

    directory = Directory(settings.accounts_uri)
    try:
        return directory.names()
    finally:
        directory.close()
