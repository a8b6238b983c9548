"""What the commands of sign-off say where there is nothing to work on; tests/integration has them with a server."""

import json
import re

import pytest
from typer.testing import CliRunner

from flows.commands import cli, terminal
from flows.processes import running
from flows.processes.running import Running
from flows.servers import embedded
from flows.settings import Settings
from models.ledger.keys import Keys
from models.network_page.openings import Opening, Openings


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "TIDEWAITER_MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    # It changes this process's environment for good, and is tested by itself.
    monkeypatch.setattr(embedded, "use", lambda settings: settings)
    return lambda *arguments, input=None: CliRunner().invoke(cli.app, arguments, input=input)


@pytest.mark.parametrize(
    "arguments", [("users", "list"), ("users", "add", "ann", "--role", "reviewer"), ("rollback", "--reason", "worse")]
)
def test_without_a_server_it_is_told_how_to_start_one(run, arguments):
    result = run(*arguments)
    assert result.exit_code == terminal.FAILED
    assert result.stderr.strip() == "MLflow is not running: start `tidewaiter up`"


@pytest.mark.parametrize(
    "arguments",
    [("audit", "verify"), ("audit", "show", "1"), ("audit", "export-head", "head.json"), ("window", "verify")],
)
def test_without_a_ledger_nothing_is_made_of_it(run, arguments, tmp_path):
    result = run(*arguments)
    assert result.exit_code == terminal.FAILED
    assert "there is no ledger" in result.stderr
    assert list(tmp_path.rglob("*.db")) == []


def test_who_has_not_signed_in_is_asked_and_a_server_that_is_gone_is_named(run, tmp_path):
    with running.claim(tmp_path / ".tidewaiter") as claim:
        # Port 9 is 'discard': nobody listens.
        claim.announce(Running(1, "http://127.0.0.1:9", "http://127.0.0.1:9", is_ready=True))
        result = run("users", "list", input="admin\nsecret-password\n")
    assert result.exit_code == terminal.FAILED
    assert "Name:" in result.stderr
    assert "MLflow at http://127.0.0.1:9 does not answer" in result.stderr
    assert "secret-password" not in result.output


def test_a_person_without_a_role_is_not_made(run):
    result = run("users", "add", "ann")
    assert result.exit_code == terminal.USAGE
    assert "--role" in result.output


def test_who_looked_at_whom_is_told_whole_in_a_narrow_place(run, tmp_path, monkeypatch):
    settings = Settings()
    Keys(settings.signoff_folder).make()
    table = Openings(settings.tracking_uri)
    for account, company in (("rea", "I90883250"), ("rob", "a company with a long name that calls itself [so]")):
        table.add(
            Opening(
                account=account,
                address="10.0.0.7",
                asked="company",
                source="simulator",
                kind="importer",
                identity=company,
                until="2024-06-24",
            )
        )
    table.close()
    monkeypatch.setenv("COLUMNS", "40")
    told = json.loads(run("audit", "openings", "--account", "rea", "--company", "I90883250", "--json").stdout)
    assert [(each["account"], each["identity"]) for each in told] == [("rea", "I90883250")]
    said = run("audit", "openings", "--account", "rob").stdout
    (row,) = [line for line in said.splitlines() if " rob " in line]
    assert " importer a company with a long name that calls itself [so] " in row
    assert re.search(r" \d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", row)
    assert " 2024-06-24 " in row
