"""Days that are played from the first retraining to the books, with `tidewaiter up` and a clock of its own."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import httpx

from features.ingestion import ingest
from features.simulator import Parameters
from features.sources.simulator import SimulatorSource
from features.store import Store
from flows.settings import PREFIX
from models.access.accounts import ADMINISTRATOR_ACCOUNT
from tests.browser import started
from tests.support.ingestion import LIMITS


def store(folder: Path, world: Parameters) -> None:
    """Store a world, without a model."""
    source = SimulatorSource(world, started.state_folder(folder) / "simulated")
    ingest(source, Store(folder / "data" / "simulator"), LIMITS, world=world.model_dump(mode="json"))


def train(folder: Path, world: Parameters) -> None:
    """Store a world, and train a first model on it; AssertionError if a gate refuses that."""
    own = {PREFIX + "STATE_FOLDER": str(started.state_folder(folder)), PREFIX + "DATA_FOLDER": str(folder / "data")}
    amount = ("--rows", str(world.rows), "--months", str(world.months), "--seed", str(world.seed))
    trained = _run(dict(os.environ) | own, "retrain", *amount)
    assert trained.returncode == 0, trained.stderr


def played(folder: Path, world: Parameters, days: int) -> tuple[int, dict[str, Any], str]:
    """Play days after a stored world; return `tidewaiter play`'s exit code, its books, and what it said meanwhile."""
    clock = folder / "played-clock"
    clock.write_text(f"{world.first_days()[-1]}T00:00:00")
    settings = {"window_source": "simulator", "played_clock": str(clock)}
    with started.up(folder, **settings) as servers:
        administrator = {
            "MLFLOW_TRACKING_USERNAME": ADMINISTRATOR_ACCOUNT,
            "MLFLOW_TRACKING_PASSWORD": servers.administrator_password,
        }
        done = _run({**servers.environment, **administrator}, "play", "--days", str(days), "--json")
        _assert_told(servers, folder)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout), done.stderr


def _assert_told(servers: started.Servers, folder: Path) -> None:
    """Each of our own pages says that nothing is real."""
    passwords = json.loads((started.state_folder(folder) / "played-people.json").read_text())
    administrator = (ADMINISTRATOR_ACCOUNT, servers.administrator_password)
    officer = ("play-ola", passwords["play-ola"])
    for path, account in (("/signoff", administrator), ("/criteria", administrator), ("/desk", officer)):
        assert "Simulated" in httpx.get(servers.mlflow_url + path, auth=account, timeout=60).text, path


def _run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [started.TIDEWAITER, *arguments],
        cwd=started.ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
