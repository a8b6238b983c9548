"""Days that are played from the first retraining to the books, with `tidewaiter up` and a clock of its own."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from features.simulator import Parameters
from flows.settings import PREFIX
from models.access.accounts import ADMINISTRATOR_ACCOUNT
from tests.browser import started

GATES_FAILED = 4


def played(folder: Path, world: Parameters, days: int) -> tuple[int, dict[str, Any], str]:
    """Play days after a world; return the exit code of `tidewaiter play`, its books, and what it said meanwhile."""
    clock = folder / "played-clock"
    clock.write_text(f"{world.first_days()[-1]}T00:00:00")
    settings = {"window_source": "simulator", "played_clock": str(clock)}
    own = {PREFIX + "STATE_FOLDER": str(started.state_folder(folder)), PREFIX + "DATA_FOLDER": str(folder / "data")}
    amount = ("--rows", str(world.rows), "--months", str(world.months), "--seed", str(world.seed))
    trained = _run(dict(os.environ) | own, "retrain", *amount)
    assert trained.returncode in (0, GATES_FAILED), trained.stderr
    with started.up(folder, **settings) as servers:
        administrator = {
            "MLFLOW_TRACKING_USERNAME": ADMINISTRATOR_ACCOUNT,
            "MLFLOW_TRACKING_PASSWORD": servers.administrator_password,
        }
        done = _run({**servers.environment, **administrator}, "play", "--days", str(days), "--json")
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout), done.stderr


def _run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [started.TIDEWAITER, *arguments],
        cwd=started.ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
