"""A small trained model with its evidence folder, as registration gets them."""

import functools
import hashlib
import inspect
import itertools
import os
import signal
import sqlite3
from base64 import b64decode
from collections.abc import Callable
from contextlib import closing
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
from mlflow import MlflowClient

from features.store import versioning
from features.store.store import BatchRecord
from models import burden, policy
from models.backtesting.side_by_side import NotRehearsed
from models.detection import Detection, measure
from models.dossier.dossier import About, Dossier, Judged, Validation, verdicts
from models.evidence import manifest as evidence
from models.evidence import source_code
from models.metrics.bootstrap import Estimate
from models.metrics.cbpe import ExpectedPerformance
from models.metrics.ranking import chance_in_top
from models.monitoring.drift_result import ColumnDrift, DriftResult, Promise, Quality, QualityCheck, Window
from models.registry import serving
from models.registry.registry import Candidate, Registry
from models.training import train
from models.training.tuning import AS_THEY_STAND, Found
from tests.support import looks, scored
from tests.support.described import catalogued

FEATURES = catalogued("office", "item_value", "duty_at_stake")
CODE = source_code.code_state()
STEPS = ("technical", "governance")

# The smallest picture, so that a browser has one to show.
_DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def labelled(rows: int, seed: int) -> pl.DataFrame:
    """Return rows whose value tells whether they are hits, all labelled."""
    random = np.random.default_rng(seed)
    value = random.lognormal(6, 1, rows)
    is_hit = random.random(rows) < np.clip(value / 3000, 0.02, 0.9)
    return pl.DataFrame(
        {
            "declaration_id": [f"D{seed}-{i}" for i in range(rows)],
            "item_number": pl.Series([1] * rows, dtype=pl.Int32),
            "accepted_at": [datetime(2024, 1, 1, 9) + timedelta(hours=i) for i in range(rows)],
            "known_on": [date(2024, 1, 8) + timedelta(days=i // 24) for i in range(rows)],
            "office": random.choice(["10", "20"], rows),
            "item_value": pl.Series(value, dtype=pl.Float32),
            "duty_at_stake": pl.Series(value * 0.08, dtype=pl.Float32),
            "is_illicit": is_hit,
            "is_critical": False,
            "recovered_revenue": np.where(is_hit, value * 0.1, 0.0),
        }
    )


@functools.cache
def dossier() -> Dossier:
    """Return a small model with consistent documents that pass every gate of the policy. It must not be altered."""
    settings, in_force = policy.load().training.model_copy(update={"max_rounds": 5}), policy.load()
    model = train(labelled(600, 1), labelled(300, 2), FEATURES, settings, in_force.targeting)
    test, resamples = scored.rows(1500), in_force.evaluation.bootstrap_resamples
    figures = scored.evaluated(test).model_copy(update={"resamples": resamples})
    chosen = {"model": chance_in_top(scored.scores(test, 0.3).priority, in_force.targeting.at_share)}
    load = burden.measure(test.with_columns(currency=pl.lit("USD")), chosen, scored.SMALL).model_copy(
        update={"resamples": resamples}
    )
    importance = dict.fromkeys(model.encoder.names, 0.25)
    about = About(source="simulator", importance=importance, changes=(), uncommitted=source_code.uncommitted())
    batch = BatchRecord("made.csv", "a" * 64, 900, 890, 10, 0, 0, {"R01": 10})
    judged = Judged(
        about=about,
        evaluation=figures,
        gates=verdicts(figures, load, about.uncommitted, in_force),
        burden=load,
        rehearsal=NotRehearsed(why="no declaration is newer"),
        detection=_detection(),
    )
    return Dossier(judged, _drift(in_force.drift), Validation(batches=(batch,)), policy.POLICY_FILE.read_bytes(), model)


def _detection() -> Detection:
    """Return what is known of detection from a hundred second looks."""
    judged = labelled(300, 2).with_columns(score=pl.lit(0.3), lane=pl.lit("red"))
    twice = looks.rows([looks.FOUND] * 60 + [looks.MISSED] * 40)
    return measure(twice, judged, date(2024, 6, 1), policy.load().evaluation.confidence)


def _drift(bounds: policy.Drift) -> DriftResult:
    """Return a result in which nothing drifted and no outcome is known."""
    window = Window(since=date(2024, 1, 1), until=date(2024, 1, 28), rows=900, sampled=900)
    quality = Quality(rows=0, hits=0, precision_at_10pct=None, roc_auc=None, brier=None)
    column = ColumnDrift(
        column="office",
        method="jensenshannon",
        scale="linear",
        distance=0.01,
        threshold=bounds.column_threshold,
        missing_reference=0.0,
        missing_current=0.0,
        is_drifted=False,
    )
    return DriftResult(
        reference=window,
        current=window,
        columns=(column,),
        max_drifted_columns=bounds.max_drifted_columns,
        quality=QualityCheck(
            current=quality, reference=None, is_judged=False, is_breach=False, sentence="Quality not judged."
        ),
        promise=Promise(
            expected=ExpectedPerformance(
                rows=900, shares=(0.1,), confidence=0.95, figures={"roc_auc": Estimate(value=None, reason="no rows")}
            ),
            misses={},
        ),
        is_judged=True,
        is_breach=False,
        verdict="0 of 1 columns drifted: within bounds; at most 3 may. Quality not judged.",
    )


def evidence_folder(folder: Path) -> Path:
    """Write everything that stands behind a model, reports included, and return the folder."""
    dossier().write(folder, version_of_data("abc"), CODE.commit)
    (folder / "plots").mkdir()
    (folder / "plots" / "gain.png").write_bytes(b64decode(_DOT))
    (folder / "drift.html").write_text("<p>drift</p>", encoding="utf-8")
    return folder


def candidate(
    folder: Path,
    data_version: str = "abc",
    failures: tuple[str, ...] = (),
    made: Dossier | None = None,
    **metrics: float,
) -> Candidate:
    """Return the candidate in an evidence folder; `data_version`, any name, tells one candidate from another."""
    made, version = made or dossier(), version_of_data(data_version)
    made.write(folder, version, CODE.commit)
    manifest = evidence.assemble(folder, version, made.windows(), CODE)
    manifest.write(folder)
    encoder = made.model.encoder
    return Candidate(
        folder=folder,
        manifest=manifest,
        author="dan",
        params=made.params() | Found(AS_THEY_STAND, "parameters as they stand").params(),
        metrics=made.metrics() | metrics,
        failures=failures,
        steps=STEPS,
        signature=serving.signature(encoder),
        input_example=serving.input_example(labelled(600, 1), encoder),
    )


def version_of_data(name: str) -> str:
    """Return a version of data, named as DVC names them."""
    return f"{hashlib.md5(name.encode()).hexdigest()}.dir"


def keep_version(data: Path, version: str) -> None:
    """Make DVC's cache have a version of the folder `data`, or something that passes for one."""
    versioning.set_up(data.parent)
    kept = data.parent / ".tidewaiter" / "dvc-cache" / "files" / "md5" / version[:2] / version[2:]
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text("[]")


def register_and_die(folder: Path, state: Path, step: int) -> None:
    """Register the candidate in `folder`, but die as by kill -9 before the `step`-th call that writes to the store.

    It is meant for a process of its own, and comes to its end only if there are fewer calls.
    """
    calls = itertools.count()

    def dying(call: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(call)
        def wrapped(*arguments: Any, **named: Any) -> Any:
            if next(calls) == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **named)

        return wrapped

    for name, call in inspect.getmembers(MlflowClient, inspect.isfunction):
        if name.startswith(("create_", "log_", "set_", "finalize_")):
            setattr(MlflowClient, name, dying(call))
    open_registry(state).register(candidate(folder, made=Dossier.read(folder)))


@functools.cache
def _database() -> bytes:
    """Return MLflow's database as its migrations leave it; they take a second, and many tests begin with one."""
    with TemporaryDirectory() as folder:
        Registry(f"sqlite:///{folder}/mlflow.db", f"file://{folder}/artifacts")
        with closing(sqlite3.connect(f"{folder}/mlflow.db")) as made:
            made.execute("DELETE FROM experiments")
            made.commit()
            made.execute("VACUUM")
        return Path(folder, "mlflow.db").read_bytes()


def open_registry(state: Path, artifact_root: str | None = None) -> Registry:
    """Return a registry in an empty or used folder, with its artifacts in the folder too or at `artifact_root`."""
    if not (state / "mlflow.db").exists():
        state.mkdir(parents=True, exist_ok=True)
        (state / "mlflow.db").write_bytes(_database())
    return Registry(f"sqlite:///{state}/mlflow.db", artifact_root or (state / "artifacts").as_uri())
