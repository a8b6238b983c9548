import json
import subprocess
import sys
from pathlib import Path

import pytest

from flows.processes import running
from flows.processes.running import Running
from flows.servers import embedded
from flows.settings import Settings
from models.ledger.keys import Keys

TIDEWAITER = Path(sys.executable).with_name("tidewaiter")

# In a process of its own: `use` changes the environment for good, and refuses once Prefect is imported.
USE = """
import json, os
from flows.servers import embedded
from flows.settings import Settings
settings = embedded.use(Settings())
uris = {"uri": settings.tracking_uri, "again": Settings().tracking_uri}
names = [name for name in os.environ if name.startswith(("PREFECT_", "MLFLOW_"))]
print(json.dumps({name: os.environ[name] for name in names} | uris))
"""

ACCOUNT = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")


@pytest.fixture
def ready(tmp_path):
    """An `up` that runs for the folder."""
    keys = Keys(tmp_path / ".tidewaiter" / "signoff")
    keys.make()
    with running.claim(tmp_path / ".tidewaiter") as claim:
        claim.announce(Running(1, "http://127.0.0.1:5000", "http://127.0.0.1:4200", is_ready=True))
        yield keys


@pytest.fixture
def used(tmp_path, monkeypatch):
    for name in ("PREFECT_API_URL", "MLFLOW_TRACKING_URI", "PREFECT_HOME", *ACCOUNT):
        monkeypatch.delenv(name, raising=False)

    def use():
        return json.loads(subprocess.check_output([sys.executable, "-c", USE], cwd=tmp_path, text=True))

    return use


def test_without_up_the_servers_are_temporary_and_the_state_is_in_its_folder(used, tmp_path):
    environment = used()
    assert "PREFECT_API_URL" not in environment
    assert environment["PREFECT_SERVER_EPHEMERAL_ENABLED"] == "true"
    assert int(environment["PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"]) > 60
    assert environment["PREFECT_HOME"] == str(tmp_path / ".tidewaiter" / "prefect")
    assert environment["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    sqlite = f"sqlite:///{tmp_path}/.tidewaiter/mlflow.db"
    assert environment["uri"] == environment["again"] == environment["MLFLOW_TRACKING_URI"] == sqlite


def test_with_up_its_servers_are_used_by_the_account_of_its_flows(used, ready):
    environment = used()
    assert [environment[name] for name in ACCOUNT] == ["tidewaiter", ready.service_password]
    assert environment["PREFECT_API_URL"] == "http://127.0.0.1:4200/api"
    assert environment["PREFECT_API_AUTH_STRING"] == f"tidewaiter:{ready.service_password}"
    assert "PREFECT_SERVER_API_AUTH_STRING" not in environment
    assert environment["uri"] == environment["again"] == environment["MLFLOW_TRACKING_URI"] == "http://127.0.0.1:5000"


def test_who_can_read_the_services_password_works_by_it_whoever_they_are(used, ready, monkeypatch):
    for name, value in zip(ACCOUNT, ("ann", "hers"), strict=True):
        monkeypatch.setenv(name, value)
    assert [used()[name] for name in ACCOUNT] == ["tidewaiter", ready.service_password]


def test_another_user_of_the_machine_stays_who_they_are_and_tells_prefect_nothing(used, ready, monkeypatch):
    for name, value in zip(ACCOUNT, ("ann", "hers"), strict=True):
        monkeypatch.setenv(name, value)
    (ready.secret_folder / "service.password").unlink()
    environment = used()
    assert [environment[name] for name in ACCOUNT] == ["ann", "hers"]
    assert environment["uri"] == "http://127.0.0.1:5000"
    assert "PREFECT_API_URL" not in environment
    assert environment["PREFECT_SERVER_EPHEMERAL_ENABLED"] == "true"


def test_a_temporary_server_asks_for_a_secret_that_is_new_for_each_command(used):
    first, second = used(), used()
    assert first["PREFECT_API_AUTH_STRING"] == first["PREFECT_SERVER_API_AUTH_STRING"]
    assert len(first["PREFECT_API_AUTH_STRING"]) > 40
    assert first["PREFECT_API_AUTH_STRING"] != second["PREFECT_API_AUTH_STRING"]


def test_with_up_and_no_account_it_is_told_what_to_set(ready, tmp_path, monkeypatch):
    for name in (*ACCOUNT, "PREFECT_API_URL"):
        monkeypatch.delenv(name, raising=False)
    (ready.secret_folder / "service.password").unlink()
    monkeypatch.chdir(tmp_path)
    done = subprocess.run([TIDEWAITER, "network"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("MLflow asks who signs in: set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD")
    assert len(done.stderr.strip().splitlines()) == 1


def test_an_up_that_is_not_ready_is_not_used(used, tmp_path):
    with running.claim(tmp_path / ".tidewaiter") as claim:
        claim.announce(Running(1, "http://127.0.0.1:5000", "http://127.0.0.1:4200", is_ready=False))
        assert "PREFECT_API_URL" not in used()


def test_an_api_named_by_the_caller_is_respected(used, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://prefect.example/api")
    environment = used()
    assert environment["PREFECT_API_URL"] == "http://prefect.example/api"
    assert "PREFECT_SERVER_EPHEMERAL_ENABLED" not in environment


def test_too_late_is_refused(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "prefect", sys)
    with pytest.raises(RuntimeError, match="prefect is imported already"):
        embedded.use(Settings(state_folder=tmp_path))


def test_the_terminal_is_left_to_the_command(used):
    assert used()["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] == "CRITICAL"


def test_a_state_folder_that_cannot_be_written_to_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(embedded.os, "environ", {})
    monkeypatch.delitem(sys.modules, "prefect", raising=False)
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"state_folder: nothing can be written to '.*file' \(Not a directory\)"):
        embedded.use(Settings(state_folder=tmp_path / "file"))
