"""How a command gets its Prefect and MLflow: it uses those of `tidewaiter up` if it runs, otherwise its own.

Prefect and MLflow read their settings when they are imported. So `use` comes before the first import of either, and
this module imports neither.
"""

import os
import secrets
import sys
from pathlib import Path

from flows.processes import running
from flows.servers import mlflow_server
from flows.settings import PREFIX, Settings

# The temporary server has been seen to need 11 s on an idle machine and more than Prefect's 20 s on a busy one.
STARTUP_TIMEOUT_S = 180


def environment(settings: Settings) -> dict[str, str]:
    """Return Prefect's settings, the same for a command's own server and for everything that `up` starts."""
    return {
        "PREFECT_HOME": str(settings.state_folder.absolute() / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        # No flow uses a block, and the guard shows none. To write their types down Prefect loads every integration that
        # is installed, which takes a fifth of a first start and 50 MB.
        "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "false",
        "PREFECT_SERVER_MEMOIZE_BLOCK_AUTO_REGISTRATION": "false",
        "PREFECT_CLI_PROMPT": "false",
        "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "false",  # the guard asks for more, and has no answer to that question
        # SQLite has one writer. Waiting longer than Prefect's 10 s helps where a write waits for another; where a
        # transaction has read what another has written since, SQLite refuses at once ('database is locked'), the
        # server answers 503, and clients ask again: five times by default, too few on a busy machine.
        "PREFECT_SERVER_DATABASE_TIMEOUT": "60",
        "PREFECT_SERVER_DATABASE_CONNECTION_TIMEOUT": "60",
        "PREFECT_CLIENT_MAX_RETRIES": "12",
        # In memory, leases end with the server while the slots they hold stay taken in the database: after one hard
        # stop every later night would be refused as a second run.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        "PREFECT_LOGGING_EXTRA_LOGGERS": "features",  # so that the run's log tells of a cache file that was spoilt
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(settings.heartbeat_seconds),
    }


def use(settings: Settings) -> Settings:
    """Set this process's environment up for Prefect and MLflow; return the settings with the tracking URI in use.

    If `up` runs, a process that can read the service's password works by that account, as the runs of `up` do. Any
    other process has the account of its environment, which may use MLflow and tell Prefect nothing, so it uses a
    Prefect of its own. An API that the caller's environment names (PREFECT_API_URL) is respected: a run that a worker
    starts has one. Raises RuntimeError if Prefect is imported already, since it would not see any of this; ValueError
    if the state folder cannot be written to, or if `up` runs and no account is known to sign in to its MLflow.
    """
    if "prefect" in sys.modules:
        raise RuntimeError("prefect is imported already; call flows.servers.embedded.use before anything imports it")
    os.environ.update(environment(settings))
    # Prefect prints a traceback for each task and flow that an error passes. It goes to the run's page; the terminal
    # is the command's own, which ends with one sentence.
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    # This covers what Prefect's own threads say, for example of a server that Ctrl-C has ended before them.
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_DEBUG_LEVEL", "CRITICAL")
    up = running.find(settings.state_folder)
    up = up if up and up.is_ready else None
    service = mlflow_server.service_account_if_readable(settings) if up else None
    if "PREFECT_API_URL" not in os.environ:
        if up and service:
            os.environ["PREFECT_API_URL"] = up.prefect_api
            os.environ.update(mlflow_server.prefect_account(settings))
        else:
            # Another user of this machine could otherwise have the temporary server start whatever they like.
            secret = f"command:{secrets.token_urlsafe(32)}"
            os.environ["PREFECT_SERVER_API_AUTH_STRING"] = os.environ["PREFECT_API_AUTH_STRING"] = secret
            os.environ["PREFECT_SERVER_EPHEMERAL_ENABLED"] = "true"
            os.environ["PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"] = str(STARTUP_TIMEOUT_S)
            os.environ["PREFECT_SERVER_LOGGING_LEVEL"] = "ERROR"
    try:
        Path(os.environ["PREFECT_HOME"]).mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise running.unwritable(settings.state_folder, error) from error
    if settings.mlflow_tracking_uri is None and up:
        # Through the environment, so that `Settings()` says the same everywhere in this process and its children.
        os.environ[f"{PREFIX}MLFLOW_TRACKING_URI"] = up.mlflow_url
        os.environ.update(service or mlflow_server.account(settings))
        settings = settings.model_copy(update={"mlflow_tracking_uri": up.mlflow_url})
    os.environ["MLFLOW_TRACKING_URI"] = settings.tracking_uri
    return settings
