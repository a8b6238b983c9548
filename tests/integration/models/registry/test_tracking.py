"""Opening a store, and writing a run so that writing it again changes nothing."""

import multiprocessing
import sqlite3
import threading
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from models import database
from models.registry import tracking
from models.registry.tracking import RunContent


def content(**changes: object) -> RunContent:
    values: dict[str, object] = {"key": "k", "name": "a run", "note": "said", "commit": "none", "files": ()}
    return RunContent(**(values | changes))


def connect_in(state: Path) -> None:
    tracking.connect(f"sqlite:///{state}/mlflow.db", (state / "artifacts").as_uri())


def test_fresh_database_is_made_quietly_in_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    state = tmp_path / "state"
    client = tracking.connect(f"sqlite:///{state}/mlflow.db", (state / "artifacts").as_uri())
    for name in ("Default", tracking.RETRAINING, tracking.MONITORING):
        experiment = client.get_experiment_by_name(name)
        assert experiment is not None
        assert experiment.artifact_location.startswith((state / "artifacts").as_uri())
    assert list(elsewhere.iterdir()) == []
    assert sorted(path.name for path in state.iterdir()) == [".mlflow.db.lock", "mlflow.db"]
    said = capfd.readouterr()
    assert said.out + said.err == ""


def test_database_that_was_left_half_made_is_made_again(tmp_path: Path) -> None:
    (tmp_path / ".mlflow.db.new").write_bytes(b"killed in a migration")
    (tmp_path / ".mlflow.db.new-journal").write_bytes(b"its journal")
    connect_in(tmp_path)
    assert sorted(path.name for path in tmp_path.glob("*mlflow.db*")) == [".mlflow.db.lock", "mlflow.db"]


def test_two_processes_that_open_a_fresh_store_share_it(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    processes = [context.Process(target=connect_in, args=(tmp_path,)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]


def test_a_database_that_another_program_has_locked_is_waited_for(tmp_path: Path, monkeypatch) -> None:
    """MLflow itself would give up after five seconds."""
    connect_in(tmp_path)
    other = sqlite3.connect(tmp_path / "mlflow.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    freed = threading.Timer(6, other.execute, ["ROLLBACK"])
    freed.start()
    connect_in(tmp_path)
    freed.join()
    other.execute("BEGIN EXCLUSIVE")
    monkeypatch.setattr(database, "connect", partial(database.connect, wait_s=0.1))
    with pytest.raises(OperationalError, match="database is locked"):
        connect_in(tmp_path)
    other.close()


def test_state_folder_that_was_moved_is_refused(tmp_path: Path) -> None:
    connect_in(tmp_path / "state")
    (tmp_path / "state").rename(tmp_path / "moved")
    with pytest.raises(ValueError, match=r"artifacts in file://.*state/artifacts/customs-risk, not in .*was moved"):
        connect_in(tmp_path / "moved")


@pytest.mark.parametrize(
    ("uri", "root", "said"),
    [
        ("sqlite:////tmp/mlflow.db", None, "needs a place for artifacts"),
        ("sqlite:///mlflow.db", "file:///tmp/artifacts", "allowed is sqlite:////absolute/path/mlflow.db"),
        ("sqlite://", "file:///tmp/artifacts", "allowed is sqlite:////absolute/path/mlflow.db"),
    ],
)
def test_store_without_a_fixed_place_is_refused(uri: str, root: str | None, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        tracking.connect(uri, root)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"metrics": {"precision@10": 0.1}}, "metric name 'precision@10'"),
        ({"metrics": {"a//b": 0.1}}, "metric name 'a//b'"),
        ({"metrics": {"../b": 0.1}}, r"metric name '\.\./b'"),
        ({"metrics": {"brier": float("inf")}}, "metric 'brier' is inf"),
        ({"params": {"": 1}}, "parameter name ''"),
        ({"params": {"features": "x" * 6001}}, "parameter 'features' has 6001 characters; at most 6000"),
        ({"tags": {"reasons": "x" * 8001}}, "tag 'reasons' has 8001 characters; at most 8000"),
    ],
)
def test_what_mlflow_would_refuse_is_named(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        content(**changes).check()


def test_run_written_twice_is_as_written_once(tmp_path: Path) -> None:
    client = tracking.connect(f"sqlite:///{tmp_path}/mlflow.db", (tmp_path / "artifacts").as_uri())
    experiment = tracking.experiment_id(client, tracking.RETRAINING)
    (tmp_path / "page.html").write_text("<p>page</p>")
    many = content(
        metrics={f"m{i}": float(i) for i in range(1100)},
        params={f"p{i}": i for i in range(150)},
        note="x" * 9000,
        files=[tmp_path / "page.html"],
    )
    for _ in range(2):
        run = tracking.start_run(client, experiment, many)
        tracking.fill_run(client, run, many)
    found = tracking.find_run(client, experiment, "k")
    assert found is not None
    assert tracking.is_finished(found)
    assert len(client.search_runs([experiment])) == 1
    assert found.data.metrics == many.metrics
    assert len(found.data.params) == 150
    assert found.data.tags["mlflow.note.content"] == "x" * 7999 + "…"
    assert len(client.get_metric_history(found.info.run_id, "m1")) == 1
    assert [entry.path for entry in client.list_artifacts(found.info.run_id)] == ["page.html"]
