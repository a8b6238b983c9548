import stat
from configparser import ConfigParser
from contextlib import closing

import pytest

from flows.servers import mlflow_server
from flows.settings import Settings
from models.access.accounts import ADMINISTRATOR_ACCOUNT
from models.decisions import DecisionLog
from models.ledger.keys import Keys

POSTGRESQL = "postgresql://mlflow:p%40ss@db/mlflow"


@pytest.fixture(autouse=True)
def _nobody_is_signed_in(monkeypatch):
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def settings(tmp_path):
    return Settings(state_folder=tmp_path)


def configuration(settings):
    parser = ConfigParser()  # as MLflow reads it
    parser.read(mlflow_server.program(settings, None, "teller").environment["MLFLOW_AUTH_CONFIG_PATH"])
    return parser["mlflow"]


def test_files_that_hold_secrets_are_for_their_owner_only(settings, tmp_path):
    mlflow_server.prepare(settings)
    for file in ("accounts.db", "accounts.ini", "signoff/secret/ledger.key", "signoff/secret/service.password"):
        assert stat.S_IMODE((tmp_path / file).stat().st_mode) == 0o600, file


def test_the_desk_finds_the_folder_of_its_database_before_the_window_has_run(settings):
    mlflow_server.prepare(settings)
    uri = mlflow_server.program(settings, None, "teller").environment["SIGNOFF_DECISIONS_URI"]
    with closing(DecisionLog(uri)) as log:
        log.migrate()
    assert stat.S_IMODE(settings.window_folder.stat().st_mode) == 0o700


def test_accounts_are_kept_where_mlflow_keeps_everything(settings, tmp_path):
    mlflow_server.prepare(settings)
    assert configuration(settings)["database_uri"] == f"sqlite:///{tmp_path}/accounts.db"
    production = Settings(state_folder=tmp_path, mlflow_database_uri=POSTGRESQL)
    mlflow_server.prepare(production)
    assert configuration(production)["database_uri"] == POSTGRESQL
    assert mlflow_server.program(production, None, "teller").environment["SIGNOFF_DATABASE_URI"] == POSTGRESQL


def test_an_account_without_a_role_may_do_nothing(settings):
    mlflow_server.prepare(settings)
    assert configuration(settings)["default_permission"] == "NO_PERMISSIONS"


def test_no_secret_is_on_the_command_line(tmp_path):
    settings = Settings(state_folder=tmp_path, mlflow_database_uri=POSTGRESQL)
    mlflow_server.prepare(settings)
    keys = Keys(settings.signoff_folder)
    program = mlflow_server.program(settings, "first-password", "teller-password")
    for secret in ("p%40ss", "first-password", "teller-password", keys.form_secret, keys.service_password):
        assert secret not in " ".join(program.command)


def test_the_administrators_password_is_given_on_the_first_start_only(settings):
    mlflow_server.prepare(settings)
    first = mlflow_server.first_password(settings)
    assert first
    assert len(first) >= 20
    assert first != mlflow_server.first_password(settings)
    assert mlflow_server.program(settings, first, "teller").environment["MLFLOW_AUTH_ADMIN_PASSWORD"] == first
    later = mlflow_server.program(settings, None, "teller").environment
    assert "MLFLOW_AUTH_ADMIN_PASSWORD" not in later
    assert later["MLFLOW_AUTH_ADMIN_USERNAME"] == ADMINISTRATOR_ACCOUNT


def test_secrets_are_made_once(settings):
    mlflow_server.prepare(settings)
    first = mlflow_server.service_account(settings)
    mlflow_server.prepare(settings)
    assert mlflow_server.service_account(settings) == first


def test_who_has_signed_in_is_used_rather_than_the_flows_account(settings, monkeypatch):
    mlflow_server.prepare(settings)
    assert mlflow_server.account(settings) == mlflow_server.service_account(settings)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ann")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "hers")
    assert list(mlflow_server.account(settings).values()) == ["ann", "hers"]


def test_without_any_account_it_is_told_what_to_set(settings):
    with pytest.raises(ValueError, match="set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or be the user"):
        mlflow_server.account(settings)
