"""The window as a process of its own: it starts with the settings that `up` gives it, and answers without a model."""

import os
import signal
import socket
import subprocess
import time

import httpx
import pytest

from flows.servers import window
from flows.settings import Settings
from models.access.accounts import SYSTEM
from models.access.tokens import Tokens
from models.ledger.keys import Keys
from models.window import openapi


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def settings(tmp_path):
    return Settings(
        state_folder=tmp_path / "state",
        data_folder=tmp_path / "data",
        mlflow_port=free_port(),
        prefect_port=free_port(),
        window_port=free_port(),
        window_source="simulator",
    )


def test_it_starts_as_up_starts_it_and_answers_by_chance_where_nothing_is_known(settings):
    settings.state_folder.mkdir()
    keys = Keys(settings.signoff_folder)
    keys.make()
    tokens = Tokens(settings.accounts_uri)
    token = tokens.make("single-window", SYSTEM, "admin")
    tokens.close()
    program = window.program(settings, "simulator", "Asia/Seoul")
    environment = {**os.environ, **program.environment}
    with subprocess.Popen(program.command, env=environment) as process:
        try:
            deadline = time.monotonic() + 60
            while not program.is_ready():
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.1)
            headers = {"Authorization": f"Bearer {token}"}
            with httpx.Client(base_url=settings.window_url, headers=headers, timeout=30, trust_env=False) as client:
                answer = client.post("/window/declarations", json=openapi.EXAMPLE)
                while answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
                    assert answer.headers["retry-after"] == "2"
                    assert time.monotonic() < deadline
                    time.sleep(0.5)
                    answer = client.post("/window/declarations", json=openapi.EXAMPLE)
                (found,) = answer.json()["decisions"]
                days = client.get("/window/days").json()["days"]
        finally:
            process.terminate()
    assert found["unscored"] == "no model is in force; the first version that all have signed is asked"
    assert found["model_version"] is found["items"][0]["score"] is None
    assert [each["secret"] for each in days] == [None]
    assert process.returncode == -signal.SIGTERM  # uvicorn ends in order, and then by the signal
