import os
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
import sqlalchemy as sa

from flows.processes import running
from flows.processes.running import Running
from flows.run_requests import authors
from flows.run_requests.authors import of_command, os_user
from flows.settings import Settings
from models.access.directory import Directory

SIGNED_IN = {"MLFLOW_TRACKING_USERNAME": "ann", "MLFLOW_TRACKING_PASSWORD": "hers"}


@pytest.fixture(scope="module")
def mlflow():
    """As much of the server as says who signs in: ann, by her password."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.headers["Authorization"] == "Basic YW5uOmhlcnM=" else 401)
            self.end_headers()

        def log_message(self, format, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as web:
        Thread(target=web.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{web.server_port}"
        web.shutdown()


@pytest.fixture
def settings(tmp_path):
    return Settings(state_folder=tmp_path)


@pytest.fixture
def up(settings, mlflow):
    with running.claim(settings.state_folder) as claim:
        claim.announce(Running(1, mlflow, "http://127.0.0.1:9", is_ready=True))
        yield settings


def make_accounts(settings, *names):
    """The one table that is read, with accounts."""
    engine = sa.create_engine(settings.accounts_uri)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE users (id INTEGER, username TEXT, password_hash TEXT, is_admin BOOL)"))
        for name in names:
            connection.execute(sa.text("INSERT INTO users VALUES (1, :name, '', 0)"), {"name": name})
    engine.dispose()
    with closing(Directory(settings.accounts_uri)) as directory:
        assert directory.names() == set(names)


def test_without_up_the_user_of_the_machine_is_written_down_whatever_the_environment_says(settings, monkeypatch):
    monkeypatch.setenv("LOGNAME", "ann")
    monkeypatch.setenv("USER", "ann")
    assert of_command(settings, SIGNED_IN) == os_user() != "ann"


def test_a_user_without_a_name_is_a_number(monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_000)
    assert os_user() == "uid-4000000000"


def test_with_up_it_is_whose_account_signs_in(up):
    assert of_command(up, SIGNED_IN) == "ann"


@pytest.mark.parametrize(
    ("name", "password"), [("ann", "wrong"), ("ann", ""), ("rea", "hers"), ("", ""), ("tidewaiter", "hers")]
)
def test_with_up_a_name_that_is_only_typed_is_refused_with_what_to_do(up, name, password):
    environment = {"MLFLOW_TRACKING_USERNAME": name, "MLFLOW_TRACKING_PASSWORD": password}
    with pytest.raises(ValueError, match="set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD to your account's"):
        of_command(up, environment)


def test_with_up_the_user_of_the_machine_counts_where_there_is_such_an_account(up, monkeypatch):
    monkeypatch.setattr(authors, "os_user", lambda: "rea")
    with pytest.raises(ValueError, match="'rea', who you are on this machine, has no account"):
        of_command(up, {})  # and there are no accounts to be seen
    make_accounts(up, "rea", "tidewaiter")
    assert of_command(up, {}) == "rea"
    monkeypatch.setattr(authors, "os_user", lambda: "root")
    with pytest.raises(ValueError, match="'root', who you are on this machine, has no account"):
        of_command(up, {})


def test_the_services_own_names_are_nobody(up, monkeypatch):
    make_accounts(up, "tidewaiter")
    monkeypatch.setattr(authors, "os_user", lambda: "tidewaiter")
    with pytest.raises(ValueError, match="has no account"):
        of_command(up, {})


def test_a_server_that_does_not_answer_is_named(settings):
    with running.claim(settings.state_folder) as claim:
        claim.announce(Running(1, "http://127.0.0.1:9", "http://127.0.0.1:9", is_ready=True))
        with pytest.raises(ValueError, match=r"MLflow at http://127\.0\.0\.1:9 does not answer"):
            of_command(settings, SIGNED_IN)


@pytest.mark.parametrize(
    ("requested_by", "deployment", "is_by_hand", "expected"),
    [
        ("ann", "adhoc", True, "ann"),
        ("ann", "nightly", True, "ann"),
        ("", "nightly", False, "tidewaiter"),
        ("", "on-drift", False, "tidewaiter"),
        ("", None, True, os_user()),
    ],
)
def test_an_author_is_who_asked_else_the_service(requested_by, deployment, is_by_hand, expected):
    assert authors.of_run(requested_by, deployment, is_by_hand) == expected


@pytest.mark.parametrize("deployment", ["adhoc", "nightly", "on-drift"])
def test_a_run_by_hand_is_refused_without_who_asked(deployment):
    with pytest.raises(ValueError, match=rf"nobody knows who asked for retrain/{deployment}; start it in"):
        authors.of_run("", deployment, is_by_hand=True)
