"""One sign-on as it is set up: what cannot work is told before anything starts."""

import json

import pytest

from flows.servers import mlflow_server, one_sign_on, window
from flows.settings import Settings
from models import policy
from models.policy import SignOn

ISSUER = "https://login.customs.example/realms/staff"


@pytest.fixture
def secret(tmp_path):
    file = tmp_path / "secret"
    file.touch(0o600)
    file.write_text("s3cret")
    return file


@pytest.fixture
def settings(tmp_path, secret):
    return Settings(
        state_folder=tmp_path / "state",
        sign_on_issuer=ISSUER,
        sign_on_client_id="tidewaiter",
        sign_on_secret_file=secret,
        sign_on_scopes=("openid", "offline_access"),
    )


def let(monkeypatch, **groups):
    """Let the policy on the disk give these groups these roles."""
    changed = policy.load().model_copy(update={"sign_on": SignOn(groups=groups)})
    monkeypatch.setattr(policy, "load", lambda: changed)


def test_without_an_issuer_people_have_passwords_and_nothing_is_checked(tmp_path):
    settings = Settings(state_folder=tmp_path)
    one_sign_on.check(settings)
    assert not [name for name in mlflow_server.program(settings, None, "x").environment if "SIGN_ON" in name]
    assert window.program(settings, "files", "UTC").environment["WINDOW_IS_ONE_SIGN_ON"] == "false"


def test_both_servers_and_the_window_are_told(settings, secret, monkeypatch):
    let(monkeypatch, reviewers=("reviewer",))
    one_sign_on.check(settings)
    told = mlflow_server.program(settings, None, "x").environment
    assert told["SIGNOFF_SIGN_ON_ISSUER"] == ISSUER
    assert told["SIGNOFF_SIGN_ON_CLIENT_ID"] == "tidewaiter"
    assert told["SIGNOFF_SIGN_ON_SECRET_FILE"] == str(secret)
    assert json.loads(told["SIGNOFF_SIGN_ON_SCOPES"]) == ["openid", "offline_access"]
    assert "s3cret" not in str(told)
    assert one_sign_on.client(settings).secret == "s3cret"
    assert window.program(settings, "files", "UTC").environment["WINDOW_IS_ONE_SIGN_ON"] == "true"


def test_groups_that_give_nobody_a_role_stop_the_start(settings, monkeypatch):
    let(monkeypatch)
    with pytest.raises(ValueError, match=r"gives no group a role; allowed: lines"):
        mlflow_server.prepare(settings)
    let(monkeypatch, reviewers=("king",))
    with pytest.raises(ValueError, match=r"gives 'reviewers' the role 'king'; allowed: administrator, analyst, "):
        mlflow_server.prepare(settings)
    let(monkeypatch, reviewers=("service",))
    with pytest.raises(ValueError, match=r"the role 'service'; allowed: "):
        one_sign_on.check(settings)


def test_a_secret_that_others_can_read_stops_the_start(settings, secret, monkeypatch):
    let(monkeypatch, reviewers=("reviewer",))
    secret.chmod(0o644)
    with pytest.raises(ValueError, match=r"sign_on_secret_file .* is open to others"):
        mlflow_server.prepare(settings)
