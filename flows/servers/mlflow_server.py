"""The MLflow server of `tidewaiter up`: its database, accounts, secrets, and the guard in front of it.

What the guard lets through is in models/signoff; this module has only what the server is started with.
"""

import json
import os
import secrets
import sys
from configparser import ConfigParser
from io import StringIO
from pathlib import Path

from flows.processes.children import Program
from flows.processes.run_as import UMASK
from flows.servers import one_sign_on, prefect_api
from flows.settings import Settings
from models import artifact_places
from models.access import accounts
from models.ledger import Keys
from models.names import SERVICE
from models.signer import asking

# These are the options of both servers. No proxy is trusted: what a request says of its origin would go into the
# ledger.
UVICORN = ("--lifespan", "on", "--no-server-header", "--no-proxy-headers")

USERNAME, PASSWORD = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"


def prepare(settings: Settings) -> None:
    """Make the secrets and the server's configuration.

    ValueError where secrets are missing or open to others, or one sign-on is not set up as it must be.
    """
    one_sign_on.check(settings)
    keys = Keys(settings.signoff_folder)
    keys.make()
    keys.check()
    if settings.mlflow_database_uri is None:
        _make_private(settings.state_folder / "accounts.db")
    if (settings.state_folder / "mlflow.db").exists():
        _make_private(settings.state_folder / "mlflow.db")
    # Both the desk, in this server, and the window keep their database there, and this one starts first.
    settings.window_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    parser = ConfigParser(interpolation=None)
    parser["mlflow"] = {
        "database_uri": settings.accounts_uri.replace("%", "%%"),
        # An account without a role may sign in, and do no more.
        "default_permission": "NO_PERMISSIONS",
    }
    text = StringIO()
    parser.write(text)
    file = _configuration(settings)
    _make_private(file)
    file.write_text(text.getvalue())


def refuse_moved(settings: Settings) -> None:
    """Raise ValueError if the database says that artifacts lie elsewhere."""
    if settings.mlflow_database_uri is not None or (settings.state_folder / "mlflow.db").exists():
        artifact_places.refuse_moved(settings.database_uri, settings.artifact_root)


def first_password(settings: Settings) -> str | None:
    """Return a password for the administrator's account if the server is about to make that account, otherwise None."""
    return None if accounts.has_administrator(settings.accounts_uri) else secrets.token_urlsafe(18)


def database(settings: Settings) -> Program:
    """Return the program that makes the SQLite file, and ends when it is done."""
    # The server would make its database itself, but cannot take up a migration that was killed half-way.
    make = "import sys, models.registry.tracking as t; t.connect(sys.argv[1], sys.argv[2])"
    arguments = (settings.database_uri, settings.artifact_root)
    return Program("mlflow-database", (sys.executable, "-c", make, *arguments), {}, lambda: True, umask=0o077)


def signer(settings: Settings) -> Program:
    """Return the program that alone has the ledger's key; the server asks it for each row."""
    keys = Keys(settings.signoff_folder)
    environment = {"SIGNOFF_FOLDER": str(keys.folder), "SIGNOFF_DATABASE_URI": settings.database_uri}
    command = (sys.executable, "-m", "models.signer.signer")
    return Program("signer", command, environment, lambda: asking.answers(keys.socket_file))


def program(settings: Settings, password: str | None, teller_password: str) -> Program:
    """Return the server's program.

    `password` is the administrator's, on the first start; `teller_password` is the one by which it signs in to Prefect.
    """
    listen = ("--host", settings.host, "--port", str(settings.mlflow_port))
    first = {} if password is None else {"MLFLOW_AUTH_ADMIN_PASSWORD": password}
    return Program(
        "mlflow",
        (sys.executable, "-m", "uvicorn", "--factory", "models.server.app:create_app", *listen, *UVICORN),
        {
            "MLFLOW_AUTH_CONFIG_PATH": str(_configuration(settings)),
            "MLFLOW_AUTH_ADMIN_USERNAME": accounts.ADMINISTRATOR_ACCOUNT,
            "SIGNOFF_FOLDER": str(settings.signoff_folder),
            "SIGNOFF_DATABASE_URI": settings.database_uri,
            "SIGNOFF_ARTIFACT_ROOT": settings.artifact_root,
            "SIGNOFF_DATA": str(settings.data_folder.absolute()),
            "SIGNOFF_STATE": str(settings.state_folder.absolute()),
            "SIGNOFF_NETWORKS": str(settings.places.networks),
            "SIGNOFF_DECISIONS_URI": settings.decisions_uri,
            "SIGNOFF_DESK": str(settings.desk_folder),
            "SIGNOFF_WINDOW_SOURCE": settings.window_source or "",
            "SIGNOFF_TIME_ZONE": settings.time_zone or "UTC",
            "SIGNOFF_PUBLIC_URLS": json.dumps(settings.public_urls),
            **_one_sign_on(settings),
            "SIGNOFF_PREFECT_API": f"{settings.prefect_url}/api",
            "SIGNOFF_PREFECT_PASSWORD": teller_password,
            **played_clock(settings, "SIGNOFF"),
            **traces(settings, "SIGNOFF"),
            **first,
        },
        lambda: prefect_api.answers(f"{settings.mlflow_url}/health"),
        umask=UMASK if settings.run_as else -1,  # it writes artifacts that runs read, and reads those that they write
    )


def _one_sign_on(settings: Settings) -> dict[str, str]:
    """Return the variables by which the server finds the house's identity provider, if there is one."""
    if not settings.is_one_sign_on:
        return {}
    secret = settings.sign_on_secret_file
    return {
        "SIGNOFF_SIGN_ON_ISSUER": settings.sign_on_issuer or "",
        "SIGNOFF_SIGN_ON_CLIENT_ID": settings.sign_on_client_id or "",
        "SIGNOFF_SIGN_ON_SCOPES": json.dumps(settings.sign_on_scopes),
        **({"SIGNOFF_SIGN_ON_SECRET_FILE": str(secret.absolute())} if secret else {}),
    }


def played_clock(settings: Settings, prefix: str) -> dict[str, str]:
    """Return the variable by which a server finds the clock of played days; nothing where it is the machine's."""
    return {f"{prefix}_PLAYED_CLOCK": str(settings.played_clock.absolute())} if settings.played_clock else {}


def traces(settings: Settings, prefix: str) -> dict[str, str]:
    """Return the variable by which a server knows where traces go; nothing where none are made."""
    return {f"{prefix}_TRACES_URL": settings.traces_url} if settings.traces_url else {}


def service_account(settings: Settings) -> dict[str, str]:
    """Return the variables by which MLflow's client signs in for flows; ValueError if secrets cannot be read."""
    try:
        password = Keys(settings.signoff_folder).service_password
    except (OSError, ValueError) as error:
        raise ValueError(
            f"MLflow asks who signs in: set {USERNAME} and {PASSWORD}, or be the user who runs `tidewaiter up` "
            f"({error})"
        ) from error
    return {USERNAME: SERVICE, PASSWORD: password}


def service_account_if_readable(settings: Settings) -> dict[str, str] | None:
    """Return the same as service_account; None for another user of the machine."""
    try:
        return service_account(settings)
    except ValueError:
        return None


def prefect_account(settings: Settings) -> dict[str, str]:
    """Return the variable by which Prefect's client signs in for worker and runs; ValueError as in service_account."""
    account = service_account(settings)
    return {"PREFECT_API_AUTH_STRING": f"{account[USERNAME]}:{account[PASSWORD]}"}


def account(settings: Settings) -> dict[str, str]:
    """Return the account that the environment names, or that of the flows; ValueError if there is neither."""
    if USERNAME in os.environ:
        return {name: os.environ.get(name, "") for name in (USERNAME, PASSWORD)}
    return service_account(settings)


def _configuration(settings: Settings) -> Path:
    return settings.state_folder.absolute() / "accounts.ini"


def _make_private(file: Path) -> None:
    file.touch(mode=0o600)
    file.chmod(0o600)
