"""A retraining on a Ray cluster of several nodes on this machine, and what it does when workers and nodes are lost."""

import os
import signal
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from mlflow import MlflowClient
from sklearn.metrics import roc_auc_score

from features.ingestion.batches import ingest
from features.matrix import cache
from features.simulator import Parameters
from features.sources.simulator import SimulatorSource
from features.store.store import Store
from flows.compute.engine import ClusterError, workforce
from flows.settings import Engine, Settings
from models.policy import load
from models.registry.registry import MODEL
from models.risk import boosting
from models.risk.boosting import Rows
from models.risk.encoder import Encoder
from tests.support import datasets
from tests.support.clusters import cluster
from tests.support.commands import run, start
from tests.support.prefect_server import prefect_server

pytestmark = pytest.mark.timeout(600)

DELAY = load().features.label_delay_days
SPAN_ROWS = 1000  # so that years fall into months


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cluster")
    source = SimulatorSource(Parameters(rows=6_000, months=6), folder / "simulated")
    ingest(source, Store(folder / "data" / "simulator"), load().ingestion)
    return folder


@pytest.fixture(scope="module")
def embedded(folder):
    return _bytes(_build(folder, "embedded"))


@pytest.fixture(scope="module")
def two():
    """Two nodes that stay as they are."""
    with cluster(2) as made:
        yield made


@pytest.fixture(scope="module")
def workers(two, folder):
    """One connection for the last tests of this file: each one starts processes on every node."""
    with workforce(Engine.RAY, two.address, _settings(folder)) as made:
        yield made


@pytest.fixture
def nodes(request):
    with cluster(request.param) as made:
        yield made


def _settings(folder):
    return Settings(state_folder=folder / ".tidewaiter", data_folder=folder / "data")


def _build(folder, name, run=cache.one_after_another):
    store = Store(folder / "data" / "simulator")
    return cache.build(store, DELAY, folder / name, span_rows=SPAN_ROWS, run=run)


def _bytes(built):
    return [path.read_bytes() for path in built.parts]


def _dies_once(marker: Path, work, *pieces, **given):
    """A worker that is killed at its first piece of work."""
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return work(*pieces, **given)


def _dies(**given):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.cluster
@pytest.mark.parametrize("nodes", [1, 4], indirect=True)
def test_any_number_of_nodes_computes_the_same_features(nodes, folder, embedded, request):
    with workforce(Engine.RAY, nodes.address, _settings(folder)) as workers:
        assert _bytes(_build(folder, request.node.name, workers.run)) == embedded


@pytest.mark.cluster
@pytest.mark.parametrize("nodes", [2], indirect=True)
def test_a_worker_and_a_node_lost_at_features_cost_only_time(nodes, folder, embedded, tmp_path):
    def losing(work, pieces):
        given_up = list(nodes.worker_nodes)[-1]
        for place, result in enumerate(workers.run(partial(_dies_once, tmp_path / "died", work), pieces)):
            if place == 0 and given_up in nodes.worker_nodes and len(nodes.worker_nodes) > 1:
                nodes.remove_node(given_up, allow_graceful=False)
            yield result

    with workforce(Engine.RAY, nodes.address, _settings(folder)) as workers:
        assert _bytes(_build(folder, "lost", losing)) == embedded
    assert (tmp_path / "died").exists()
    assert len(nodes.worker_nodes) == 1


def test_a_folder_that_nodes_do_not_share_is_told(two, folder):
    apart = Settings(state_folder=folder / ".tidewaiter", data_folder=folder / "elsewhere")
    with (
        pytest.raises(ClusterError, match=r"does not see .*elsewhere; all nodes share"),
        workforce(Engine.RAY, two.address, apart),
    ):
        pass


def test_no_address_and_no_cluster_are_told(folder):
    with (
        pytest.raises(ClusterError, match="needs the cluster's address"),
        workforce(Engine.RAY, None, _settings(folder)),
    ):
        pass
    with (
        pytest.raises(ClusterError, match=r"no Ray cluster at 127\.0\.0\.1:1"),
        workforce(Engine.RAY, "127.0.0.1:1", _settings(folder)),
    ):
        pass


@pytest.fixture(scope="module")
def learning():
    """A way to fit, the rows to fit, and the rows to judge by."""
    rows, judge = datasets.dataset(rows=6000, seed=1), datasets.dataset(rows=2000, seed=2)
    encoder = Encoder.fit(rows, datasets.FEATURES)
    given, held_out = (
        Rows(encoder.encode(each), each["is_illicit"].cast(pl.Float64).to_numpy()) for each in (rows, judge)
    )
    fit = partial(
        boosting.fit_until_best,
        boosting.ILLICIT,
        boosting.PARAMETERS,
        7,
        encoder,
        validation=held_out,
        max_rounds=60,
        patience=10,
    )
    return fit, given, held_out


def _auc(fit, held_out):
    return roc_auc_score(held_out.target, boosting.predict(fit.booster, np.asarray(held_out.matrix)))


@pytest.mark.cluster
@pytest.mark.parametrize("nodes", [2], indirect=True)
def test_a_worker_and_a_node_lost_at_training_cost_only_time(nodes, folder, learning, tmp_path):
    fit, rows, held_out = learning
    alone = _auc(boosting.alone(fit, rows, None), held_out)
    with workforce(Engine.RAY, nodes.address, _settings(folder)) as workers:
        both = workers.grow(fit, rows, None)
        again = workers.grow(partial(_dies_once, tmp_path / "died", fit), rows, None)
        assert (
            again.booster.model_to_string().split("parameters:")[0]
            == both.booster.model_to_string().split("parameters:")[0]
        )
        with pytest.raises(ClusterError, match="begun 3 times, and each time a worker was lost"):
            workers.grow(_dies, rows, None)
        nodes.remove_node(list(nodes.worker_nodes)[-1], allow_graceful=False)
        assert _auc(workers.grow(fit, rows, None), held_out) == pytest.approx(alone, abs=0.02)


@pytest.mark.cluster
def test_a_retraining_on_a_cluster_registers_an_equal_challenger_and_a_lost_cluster_nothing(tmp_path):
    rows = ("--rows", "40000", "--months", "6")
    with prefect_server() as prefect, cluster(2) as nodes:
        on_ray = ("--engine", "ray", "--address", nodes.address)
        lost = start(tmp_path / "lost", "retrain", *rows, *on_ray, prefect=prefect)
        assert lost.stderr is not None
        for line in lost.stderr:
            if line.startswith("Tune"):
                break
        for node in list(nodes.worker_nodes):
            nodes.remove_node(node, allow_graceful=False)
        _, told = lost.communicate()
        assert lost.returncode == 1, told
        assert "no node of the cluster has a processor" in told or "a worker was lost" in told
        for _ in range(2):
            nodes.add_node(num_cpus=1, object_store_memory=80 * 2**20)
        here = run(tmp_path / "here", "retrain", *rows, prefect=prefect)
        there = run(tmp_path / "there", "retrain", *rows, *on_ray, prefect=prefect)
    assert "alias challenger" in here
    assert "alias challenger" in there
    tracking = {
        name: f"sqlite:///{tmp_path / name / '.tidewaiter' / 'mlflow.db'}" for name in ("lost", "here", "there")
    }
    assert not MlflowClient(tracking["lost"]).search_model_versions(f"name = '{MODEL}'")
    one, other = (_metrics(tracking[name]) for name in ("here", "there"))
    for figure in ("model.roc_auc", "model.average_precision"):
        assert one[f"{figure}.low"] <= other[figure] <= one[f"{figure}.high"]


def _metrics(uri):
    client = MlflowClient(uri)
    (version,) = client.search_model_versions(f"name = '{MODEL}'")
    return client.get_run(version.run_id).data.metrics


def test_two_nodes_compute_the_same_features(workers, folder, embedded):
    assert _bytes(_build(folder, "two", workers.run)) == embedded


def test_trees_grown_by_two_are_as_good(workers, learning):
    fit, rows, held_out = learning
    both = workers.grow(fit, rows, None)
    assert len(both.curve["validation"]) == min(both.rounds + 10, 60)  # both stopped at the same round
    assert _auc(both, held_out) == pytest.approx(_auc(boosting.alone(fit, rows, None), held_out), abs=0.02)
