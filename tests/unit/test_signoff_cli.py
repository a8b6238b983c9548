"""What the commands of sign-off say where there is nothing to work on; with a server: tests/integration."""

import pytest
from typer.testing import CliRunner

from flows import cli, embedded, running, terminal
from flows.running import Running


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


@pytest.mark.parametrize("arguments", [("verify",), ("show", "1"), ("export-head", "head.json")])
def test_without_a_ledger_nothing_is_made_of_it(run, arguments, tmp_path):
    result = run("audit", *arguments)
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
