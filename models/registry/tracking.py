"""The MLflow store: opening it, and writing one run so that writing it again changes nothing.

This module knows experiments and runs; registry.py knows what a model version is. A run is found by the tag `run_key`,
which is set in the transaction that creates it, and it is FINISHED only when all of it is there. So a process killed at
any point leaves either nothing or an unfinished run, which the next attempt completes.
"""

import fcntl
import json
import logging
import math
import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModel, Metric, Param, Run, RunStatus, RunTag
from mlflow.environment_variables import MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR, MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT
from mlflow.exceptions import MlflowException
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT, MLFLOW_GIT_COMMIT, MLFLOW_RUN_NOTE
from sqlalchemy.engine import make_url

from models import artifact_places, database
from models.names import MODEL, MONITORING, RUN_KEY

RETRAINING = MODEL  # the experiment; the other one is MONITORING

# These are MLflow's own limits, those of its servers included.
_NAME = re.compile(r"^[\w.\- :/]{1,250}$", re.ASCII)
_MAX_PARAM, MAX_TAG = 6000, 8000
_PARAMS_A_REQUEST, _METRICS_A_REQUEST = 100, 1000

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class RunContent:
    """The content of one run. `key` tells it from every other run of its experiment; `files` may be folders.

    `first_tags` are set in the transaction that makes the run; the sign-off server takes some of them only then. `data`
    is what the run was made of.
    """

    key: str
    name: str
    note: str
    commit: str
    files: Sequence[Path]
    params: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    first_tags: Mapping[str, str] = field(default_factory=dict)
    data: DatasetInput | None = None

    def check(self) -> None:
        """Raise ValueError naming the first parameter, metric or tag that MLflow would refuse or alter."""
        for kind, values in (("parameter", self.params), ("metric", self.metrics), ("tag", self.tags)):
            for name in values:
                if not _NAME.match(name) or not all(part.strip(".") for part in name.split("/")):
                    raise ValueError(
                        f"{kind} name {name!r}: allowed are up to 250 letters, digits, blanks and _ - . : with single /"
                    )
        for name, value in self.metrics.items():
            if not math.isfinite(value):
                raise ValueError(f"metric {name!r} is {value}; only finite numbers can be compared, so leave it out")
        for kind, values, limit in (("parameter", self.params, _MAX_PARAM), ("tag", self.tags, MAX_TAG)):
            for name, value in values.items():
                if len(str(value)) > limit:
                    raise ValueError(f"{kind} {name!r} has {len(str(value))} characters; at most {limit} are allowed")


def connect(tracking_uri: str, artifact_root: str | None = None) -> MlflowClient:
    """Return a client of the store at `tracking_uri`; a missing SQLite file is made, which takes some seconds.

    `artifact_root`, a URI, is needed with SQLite: without it, artifacts would land in whatever folder the process runs
    in. A server has its own. The experiments are made at once, with files or objects as their place: those that a
    server makes can be written through that server only, and this store is used both with and without one. The
    process's own tracking URI also becomes this one, since MLflow's SQL store asks for it when it makes a model
    version.
    """
    # A reader of this pipeline's output needs only what went wrong of these libraries' messages.
    for library in ("mlflow", "alembic"):
        logging.getLogger(library).setLevel(logging.WARNING)
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR.set(False)
    MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT.set(True)
    is_embedded = tracking_uri.startswith("sqlite:")
    if is_embedded:
        _make_database(tracking_uri, artifact_root)
        _wait_until_free(tracking_uri)
    mlflow.set_tracking_uri(tracking_uri)
    client = MlflowClient(tracking_uri, tracking_uri)
    if is_embedded and artifact_root is not None:
        for name in (RETRAINING, MONITORING):
            experiment_id(client, name, artifact_root)
            _check_place(client, name, artifact_root)
    return client


def experiment_id(client: MlflowClient, name: str, artifact_root: str | None = None) -> str:
    """Return the experiment's id; a missing one is made, with artifacts where the store or `artifact_root` says."""
    found = client.get_experiment_by_name(name)
    if found is not None:
        return found.experiment_id
    location = _place(name, artifact_root) if artifact_root else None
    try:
        return client.create_experiment(name, artifact_location=location)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        return experiment_id(client, name, artifact_root)  # another process was faster


def _place(name: str, artifact_root: str) -> str:
    return f"{artifact_root}/{name}"


def _check_place(client: MlflowClient, name: str, artifact_root: str) -> None:
    """Raise ValueError if artifacts lie elsewhere: places are absolute, so a moved database writes to the old one."""
    experiment = client.get_experiment_by_name(name)
    expected = _place(name, artifact_root)
    if experiment is not None and experiment.artifact_location != expected:
        raise ValueError(artifact_places.moved(name, experiment.artifact_location, expected))


def find_run(client: MlflowClient, experiment: str, key: str) -> Run | None:
    """Return the run with this key, finished or not; the oldest, should there be several."""
    found = client.search_runs([experiment], f"tags.{RUN_KEY} = '{key}'", max_results=1, order_by=["start_time ASC"])
    return found[0] if found else None


def start_run(client: MlflowClient, experiment: str, content: RunContent) -> Run:
    """Return the run to write to: a new one, or the one that an earlier attempt began."""
    content.check()
    run = find_run(client, experiment, content.key)
    if run is None:
        tags = {**content.first_tags, RUN_KEY: content.key, MLFLOW_GIT_COMMIT: content.commit}
        run = client.create_run(experiment, tags=tags, run_name=content.name)
    return run


def is_finished(run: Run) -> bool:
    """Whether all of the run was written."""
    return run.info.status == RunStatus.to_string(RunStatus.FINISHED)


def fill_run(client: MlflowClient, run: Run, content: RunContent, model: LoggedModel | None = None) -> None:
    """Write what the run holds and finish it. Writing the same again leaves it as it is.

    Metrics belong to `model` if it is given, so that MLflow shows them with it.
    """
    run_id = run.info.run_id
    # MLflow takes a metric of a logged model once: those of an attempt that was killed are there already.
    there = {metric.key for metric in client.get_logged_model(model.model_id).metrics or ()} if model else set()
    # The time is the run's start, not now: MLflow keeps one point of a metric per (time, step, value).
    metrics = [
        Metric(name, float(value), run.info.start_time, 0, model_id=model.model_id if model else None)
        for name, value in sorted(content.metrics.items())
        if name not in there
    ]
    for some in _chunks(metrics, _METRICS_A_REQUEST):
        client.log_batch(run_id, metrics=some)
    for some in _chunks([Param(k, str(v)) for k, v in sorted(content.params.items())], _PARAMS_A_REQUEST):
        client.log_batch(run_id, params=some)
    tags = {**content.tags, MLFLOW_RUN_NOTE: cut(content.note, MAX_TAG)}
    for some in _chunks([RunTag(k, v) for k, v in sorted(tags.items())], _PARAMS_A_REQUEST):
        client.log_batch(run_id, tags=some)
    if content.data:
        client.log_inputs(run_id, [content.data])
    for file in content.files:
        client.log_artifact(run_id, str(file))
    client.set_terminated(run_id, RunStatus.to_string(RunStatus.FINISHED))


def data_input(source: str, version: str, use: str) -> DatasetInput:
    """Return what MLflow's pages show as a run's dataset: a source at a version of the data, and its `use`."""
    place = json.dumps({"source": source, "version": version})
    found = Dataset(name=source, digest=version, source_type="dvc", source=place)
    return DatasetInput(found, [InputTag(MLFLOW_DATASET_CONTEXT, use)])


def artifacts_page(run: Run) -> str:
    """Return where MLflow's pages show a run's artifacts, as a link from any of them; an artifact's path may follow."""
    return f"#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}/artifacts"


@contextmanager
def failing(client: MlflowClient, run: Run) -> Generator[None]:
    """Mark the run FAILED if the block does not come to its end; the next attempt takes it up again."""
    with ExitStack() as undo:
        undo.callback(client.set_terminated, run.info.run_id, RunStatus.to_string(RunStatus.FAILED))
        yield
        undo.pop_all()


def cut(text: str, limit: int) -> str:
    """Return the text, or as much of it as fits into `limit` characters, ending in an ellipsis.

    >>> cut("declaration", 6)
    'decla…'
    """
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _make_database(tracking_uri: str, artifact_root: str | None) -> None:
    """Make MLflow's database elsewhere and move it into place: its migrations cannot be resumed if they are killed."""
    if artifact_root is None:
        raise ValueError(f"tracking URI {tracking_uri!r} is a local database and needs a place for artifacts")
    name = make_url(tracking_uri).database
    if name is None or not Path(name).is_absolute():
        raise ValueError(f"tracking URI {tracking_uri!r}: allowed is sqlite:////absolute/path/mlflow.db")
    file = Path(name)
    file.parent.mkdir(parents=True, exist_ok=True)
    with _locked(file.with_name(f".{file.name}.lock")):
        if file.exists():
            return
        draft = file.with_name(f".{file.name}.new")
        for left_over in (draft, draft.with_name(f"{draft.name}-journal")):
            left_over.unlink(missing_ok=True)
        store = SqlAlchemyStore(f"sqlite:///{draft}", artifact_root)
        store.engine.dispose()
        draft.replace(file)


def _wait_until_free(tracking_uri: str) -> None:
    """Wait while another program has the SQLite file locked; MLflow, which opens it next, gives up after 5 s."""
    engine = database.connect(tracking_uri)
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")
    finally:
        engine.dispose()


@contextmanager
def _locked(path: Path) -> Generator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _chunks(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    return (items[start : start + size] for start in range(0, len(items), size))
