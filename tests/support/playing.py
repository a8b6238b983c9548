"""Days that are played from the first retraining to the books: `tidewaiter up`, a clock of its own, and who is told."""

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
from tests.support.noticed import file_of
from tests.support.receiver import Receiver, receiving

RECIPIENTS = {"risk-analyst": "en", "reviewer": "fr", "supervisor": "zh", "operator": "en"}


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
    """Play days after a stored world; return `tidewaiter play`'s exit code, its books, and what it said meanwhile.

    The books have one more entry, `told`: who was told what, and when.
    """
    clock = folder / "played-clock"
    clock.write_text(f"{world.first_days()[-1]}T00:00:00")
    settings = {"window_source": "simulator", "played_clock": str(clock)}
    with receiving() as receiver, started.up(_with_recipients(folder, receiver), **settings) as servers:
        administrator = {
            "MLFLOW_TRACKING_USERNAME": ADMINISTRATOR_ACCOUNT,
            "MLFLOW_TRACKING_PASSWORD": servers.administrator_password,
        }
        done = _run({**servers.environment, **administrator}, "play", "--days", str(days), "--json")
        _assert_simulated(servers, folder)
        told = _told(receiver)
    assert done.stdout, done.stderr
    return done.returncode, {**json.loads(done.stdout), "told": told}, done.stderr


def _with_recipients(folder: Path, receiver: Receiver) -> Path:
    """Let one recipient of each role be told at a path of its own, in three languages; return the folder."""
    started.state_folder(folder).mkdir(parents=True, exist_ok=True)
    recipients = "".join(
        f'[[recipients]]\nrole = "{role}"\nlanguage = "{language}"\nurls = ["{receiver.url}{role}"]\n'
        for role, language in RECIPIENTS.items()
    )
    file_of(started.state_folder(folder), recipients)
    return folder


def _told(receiver: Receiver) -> list[dict[str, str]]:
    """Return what was told, in order; AssertionError if somebody was told the same twice."""
    messages = [
        {"to": path.strip("/"), "at": at.isoformat(timespec="seconds"), "title": each["title"], "text": each["message"]}
        for path, at, each in zip(receiver.paths, receiver.times, receiver.messages, strict=True)
    ]
    said = [(each["to"], each["title"], each["text"]) for each in messages]
    assert len(set(said)) == len(said), "somebody was told the same twice"
    assert len(set(receiver.keys)) == len(receiver.keys), "a message came twice"
    return messages


def _assert_simulated(servers: started.Servers, folder: Path) -> None:
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
