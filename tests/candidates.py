"""A trained model, small, with its evidence folder: what registration is given."""

import functools
import inspect
import itertools
import os
import signal
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from mlflow import MlflowClient

from features.catalogue import Feature
from models import evidence, policy, serving, train
from models.registry import Candidate, Registry

FEATURES = (
    Feature("office", "declared", "categorical", "office", "at once"),
    Feature("item_value", "declared", "numeric", "value", "at once"),
    Feature("duty_at_stake", "declared", "numeric", "value times rate", "at once"),
)
CODE = evidence.Code(commit="0" * 40, is_dirty=False, source_sha256="1" * 64)
STEPS = ("technical", "governance")
METRICS = {"roc_auc": 0.75, "precision_at_10pct": 0.3}


def labelled(rows: int, seed: int) -> pl.DataFrame:
    """Rows whose value tells whether they are hits, all labelled."""
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


def evidence_folder(folder: Path) -> Path:
    """Everything that stands behind a model, reports included."""
    settings = policy.load().training.model_copy(update={"max_rounds": 5})
    train.train(labelled(600, 1), labelled(300, 2), FEATURES, settings, policy.load().targeting).save(
        folder / evidence.MODEL_FOLDER
    )
    for name in evidence.FILES:
        (folder / name).write_text(f"content of {name}\n", encoding="utf-8")
    page = evidence.RUN_PAGE
    short = f"# The card, in short\n\n[drift report]({page}/drift.html), [plots]({page}/plots)"
    (folder / evidence.DESCRIPTION).write_text(short, encoding="utf-8")
    (folder / "plots").mkdir()
    (folder / "plots" / "gain.png").write_bytes(b"PNG")
    (folder / "drift.html").write_text("<p>drift</p>", encoding="utf-8")
    return folder


def candidate(
    folder: Path, data_version: str = "abc.dir", failures: tuple[str, ...] = (), **metrics: float
) -> Candidate:
    """The candidate in an evidence folder; `data_version` tells one from another."""
    manifest = evidence.assemble(folder, data_version, {"train": "2024-01-01/2024-01-25"}, CODE)
    manifest.write(folder)
    encoder = train.Encoder.fit(labelled(600, 1), FEATURES)
    return Candidate(
        folder=folder,
        manifest=manifest,
        author="dan",
        params={"seed": 1, "source": "simulator"},
        metrics=METRICS | metrics,
        failures=failures,
        steps=STEPS,
        signature=serving.signature(encoder),
        input_example=serving.input_example(labelled(600, 1), encoder),
    )


def register_and_die(folder: Path, state: Path, step: int) -> None:
    """Register the candidate in `folder`, but die before the `step`-th call that writes to the store, as by kill -9.

    For a process of its own; it comes to its end only if there are fewer calls.
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
    open_registry(state).register(candidate(folder))


def open_registry(state: Path, artifact_root: str | None = None) -> Registry:
    """A registry in an empty or used folder, its artifacts in the folder too or at `artifact_root`."""
    return Registry(f"sqlite:///{state}/mlflow.db", artifact_root or (state / "artifacts").as_uri())
