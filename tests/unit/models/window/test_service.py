"""The window as a process of its own, as `up` starts it; its commands ask it, and the signer notes what they do."""

import os
import re
import signal
import subprocess
import time
from contextlib import closing, contextmanager
from datetime import timedelta
from unittest.mock import patch

import httpx
import pytest
from typer.testing import CliRunner

from flows.commands import cli
from flows.servers import embedded, mlflow_server, window
from flows.settings import PREFIX, Settings
from models import policy
from models.access.entrance import WRONG_IN_A_ROW
from models.criteria import InForce
from models.decisions import DecisionLog
from models.ledger import Entry, storage
from models.ledger.keys import Keys
from models.ledger.storage import Ledger, Table
from models.notices import ALARMS, PAST_PROVIDER_TO_WINDOW, Alarms
from models.window import openapi
from tests.support.criteria import confirmed, criterion
from tests.support.ledgers import write
from tests.support.noticed import PAGES
from tests.support.opened import accounts
from tests.support.ports import free_port

TODAY = storage.now().date()
RULE = criterion(begins_on=TODAY - timedelta(days=1), ends_on=TODAY + timedelta(days=2))
SAID = "no model is in force; the first version that all have signed is asked"


@pytest.fixture
def settings(tmp_path):
    """Return the settings of an installation with accounts, keys and a ledger in which a criterion is in force."""
    found = Settings(
        state_folder=tmp_path / "state",
        data_folder=tmp_path / "data",
        mlflow_port=free_port(),
        prefect_port=free_port(),
        window_port=free_port(),
        window_source="simulator",
        window_tables=tmp_path,
        sign_on_issuer="https://login.example",  # nobody asks it: people do not sign in at the window
        sign_on_client_id="tidewaiter",
    )
    (tmp_path / "offices.csv").write_text(f"element,code,office\noffice,{openapi.EXAMPLE['office']},020\n")
    found.state_folder.mkdir()
    Keys(found.signoff_folder).make()
    accounts(found.accounts_uri)
    keys, table = Keys(found.signoff_folder), Table(found.tracking_uri)
    write(Ledger(table, keys.private_key, keys.head_file, policy.load().signoff), *confirmed(RULE, on=storage.now()))
    table.close()
    return found


@contextmanager
def running(program):
    """Run a program of `up` until the block ends."""
    with subprocess.Popen(program.command, env={**os.environ, **program.environment}) as process:
        try:
            deadline = time.monotonic() + 90
            while not program.is_ready():
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.1)
            yield process
        finally:
            process.terminate()


def tell(settings, *arguments, user="admin"):
    """Run a command as somebody, and return its exit code and what it said."""
    names = ("state_folder", "data_folder", "mlflow_port", "prefect_port", "window_port", "window_source")
    own = {PREFIX + name.upper(): str(getattr(settings, name)) for name in names}
    own |= {"MLFLOW_TRACKING_USERNAME": user, "MLFLOW_TRACKING_PASSWORD": f"{user}'s", "COLUMNS": "250"}
    # Prefect may have been imported by another test of this process, and no command here needs it.
    as_it_is = patch.object(embedded, "use", lambda settings: settings)
    with patch.dict(os.environ, own), as_it_is:  # and what a command adds to the environment is taken away
        result = CliRunner().invoke(cli.app, arguments, catch_exceptions=False)
    return result.exit_code, result.stdout + result.stderr


def ask(client):
    """Ask about the example until there is an answer."""
    deadline = time.monotonic() + 60
    while (answer := client.post("/window/declarations", json=openapi.EXAMPLE)).status_code == 503:
        assert answer.headers["retry-after"] == "2"
        assert time.monotonic() < deadline
        time.sleep(0.5)
    return answer.json()["decisions"][0]


def test_a_machine_gets_a_token_is_answered_and_the_answer_is_proved_afterwards(settings):
    with (
        running(mlflow_server.signer(settings)),
        running(window.program(settings, "simulator", "Asia/Seoul")) as process,
    ):
        code, said = tell(settings, "tokens", "add", "single-window", "--role", "declaration-system", user="ann")
        assert (code, "Sign in at the identity provider" in said) == (1, True)
        code, said = tell(settings, "tokens", "add", "single-window", "--role", "declaration-system")
        assert code == 0, said
        (token,) = re.findall(r"tw_\S+", said)
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=settings.window_url, headers=headers, timeout=30, trust_env=False) as client:
            found = ask(client)
            assert found["unscored"] == SAID
            assert found["model_version"] is found["items"][0]["score"] is None
            assert [each["secret"] for each in client.get("/window/days").json()["days"]] == [None]
            assert tell(settings, "tokens", "revoke", "single-window")[0] == 0
            assert client.get("/window/days").status_code == 401
        code, said = tell(settings, "tokens", "list")
        assert re.search(r"single-window\s.*declaration-system.*20\d\d-.*\badmin\b.*20\d\d-", said)
        assert token not in said
        for _ in range(WRONG_IN_A_ROW):
            assert httpx.get(f"{settings.window_url}/window/tokens", auth=("admin", "guessed")).status_code == 401
    with closing(Table(settings.tracking_uri)) as table:
        noted = [Entry.model_validate_json(row.entry) for row in table.rows()]
    assert [entry.refusal for entry in noted if entry.refusal] == ["5 wrong passwords in a row for admin"]
    assert len([entry for entry in noted if "past the identity provider" in entry.reason]) == 1
    found_by_others = Alarms(settings.window_folder / ALARMS).look(PAGES, "2000", storage.now())
    assert [event.facts["why"] for event in found_by_others.events] == [SAID]
    past = Alarms(settings.signoff_folder / PAST_PROVIDER_TO_WINDOW).look(PAGES, "2000", storage.now())
    (event,) = past.events  # the administrator came three times from one address
    assert "admin signed in at the window by a password, past the identity provider" in event.facts["why"]
    assert process.returncode == -signal.SIGTERM  # uvicorn ends in order, and then by the signal

    code, said = tell(settings, "window", "verify")
    assert (code, "1 decisions are as they were made" in said) == (0, True), said
    code, said = tell(settings, "window", "replay", found["decision_id"])
    assert (code, f"{found['decision_id']} comes out the same, to the last bit" in said) == (0, True), said
    with closing(DecisionLog(settings.decisions_uri)) as log:
        kept = log.decision(found["decision_id"])
        assert (kept.criteria, kept.office) == (InForce.of([RULE]).digest, "020")
    with closing(DecisionLog(settings.decisions_uri)) as log, log._tables.writing() as connection:
        connection.exec_driver_sql("UPDATE decisions SET office = '999'")
    code, said = tell(settings, "window", "verify")
    assert (code, "decision 1 is filed as something that it does not say" in said) == (1, True), said
