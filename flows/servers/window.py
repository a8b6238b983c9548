"""The window's server: how `tidewaiter up` starts it."""

import json
import sys

from features import messages
from flows.processes.children import Program
from flows.servers import mlflow_server, prefect_api
from flows.settings import Settings

PREPARED_S = 240.0  # importing the rules and reading what was decided


def check(settings: Settings) -> None:
    """Raise ValueError where customs' own tables are not such as the window can read."""
    if settings.window_tables:
        messages.Tables.of(settings.window_tables)


def program(settings: Settings, source: str, time_zone: str) -> Program:
    """Return the window's program, for the declarations of `source` in the administration's `time_zone`."""
    listen = ("--host", settings.host, "--port", str(settings.window_port))
    options = (*listen, *mlflow_server.UVICORN, "--no-access-log")
    places = settings.places
    return Program(
        "window",
        (sys.executable, "-m", "uvicorn", "--factory", "models.window.service:create_app", *options),
        {
            "WINDOW_SOURCE": source,
            "WINDOW_DATA": str(places.data.absolute()),
            "WINDOW_STATE": str(places.state.absolute()),
            "WINDOW_SIGNOFF": str(places.signoff),
            "WINDOW_TRACKING_URI": places.tracking_uri,
            "WINDOW_ARTIFACT_ROOT": places.artifact_root,
            "WINDOW_ACCOUNTS_URI": settings.accounts_uri,
            "WINDOW_DECISIONS_URI": settings.decisions_uri,
            "WINDOW_PUBLIC_URLS": json.dumps(settings.public_urls),
            "WINDOW_TIME_ZONE": time_zone,
            "WINDOW_IS_ONE_SIGN_ON": json.dumps(settings.is_one_sign_on),
            **({"WINDOW_TABLES": str(settings.window_tables.absolute())} if settings.window_tables else {}),
            **mlflow_server.played_clock(settings, "WINDOW"),
            **mlflow_server.traces(settings, "WINDOW"),
        },
        lambda: prefect_api.answers(f"{settings.window_url}/window/health"),
    )
