"""Retrainings that are killed at random moments and run again: each ends as an undisturbed one does."""

import random
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

from mlflow import MlflowClient

from features.store import versioning
from features.store.store import Store
from flows.parameters import RetrainParameters
from models.lineage import Log
from models.registry.registry import CHALLENGER, EVIDENCE_DIGEST, MODEL
from tests.support.commands import Retraining
from tests.support.lineage import told_once
from tests.support.prefect_server import hosting, prefect_server
from tests.trials.running import Trial, Unit

PARAMETERS = RetrainParameters(rows=40_000, months=6)


def state(folder: Path) -> dict[str, object]:
    """Return what must not depend on how often a run was killed."""
    client = MlflowClient(f"sqlite:///{folder / '.tidewaiter' / 'mlflow.db'}")
    versions = client.search_model_versions(f"name = '{MODEL}'")
    runs = client.search_runs([e.experiment_id for e in client.search_experiments()])
    return {
        "manifest": Store(folder / "data" / "simulator").manifest(),
        "data version": versioning.current(folder / "data"),
        "versions": [version.tags | {"digest": version.tags[EVIDENCE_DIGEST]} for version in versions],
        "challenger": str(client.get_model_version_by_alias(MODEL, CHALLENGER).version),
        "told once": told_once(Log(folder / ".tidewaiter" / "lineage")),
        "models": sorted(run.data.params["model_digest"] for run in runs if run.info.status == "FINISHED"),
    }


def killed(expected: dict[str, object], longest_s: float, prefect: str, number: int) -> Mapping[str, Any]:
    """Kill a retraining at moments drawn by `number` until it ends before one; AssertionError for another end."""
    draw, moments = random.Random(number), []
    with tempfile.TemporaryDirectory(prefix="tidewaiter-killed-") as scratch:
        while True:
            retraining = Retraining(Path(scratch), prefect, PARAMETERS)
            moments.append(draw.uniform(0, longest_s))
            if retraining.ends_within(moments[-1]):
                break
            retraining.kill()
        assert retraining.process.returncode == 0, f"round {number}, run {len(moments)}"
        assert state(Path(scratch)) == expected, f"round {number}"
    return {"kills": len(moments) - 1, "killed after seconds": [round(each, 2) for each in moments[:-1]]}


@contextmanager
def _opened() -> Generator[Unit]:
    scratch = tempfile.TemporaryDirectory(prefix="tidewaiter-undisturbed-")
    with hosting(), prefect_server() as prefect, scratch as folder:
        started = perf_counter()
        undisturbed = Retraining(Path(folder), prefect, PARAMETERS)
        undisturbed.process.communicate()
        yield partial(killed, state(Path(folder)), perf_counter() - started, prefect)


TRIAL = Trial("retrainings killed at random moments until they end, each as an undisturbed one", 100, _opened)
