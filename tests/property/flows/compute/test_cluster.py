"""Features of random stores are the same to the last bit, computed by the nodes of a cluster or by this process."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings

from features.matrix import cache
from features.store.store import Store
from flows.compute.engine import workforce
from flows.settings import Engine, Settings
from tests.support.clusters import cluster
from tests.support.examples import examples
from tests.support.stores import put
from tests.support.worlds import LABEL_DELAY_DAYS, World, worlds

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "data").mkdir()
    here = Settings(state_folder=folder / "state", data_folder=folder / "data")
    with cluster(2) as made, workforce(Engine.RAY, made.address, here) as found:
        yield found


def _store(folder: Path, world: World) -> Store:
    store = Store(folder / "data")
    for table, rows in (
        ("declarations", world.declarations),
        ("declarations_superseded", world.older_declarations),
        ("outcomes", world.outcomes),
        ("outcomes_superseded", world.older_outcomes),
        ("register", world.register),
        ("register_superseded", world.older_register),
    ):
        if rows:
            put(store, table, list(rows))
    return store


@pytest.mark.cluster
@settings(max_examples=examples(8), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(worlds())
def test_a_cluster_computes_the_same_features(workers, world):
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        store = _store(folder, world)
        here = cache.build(store, LABEL_DELAY_DAYS, folder / "here", span_rows=2)
        there = cache.build(store, LABEL_DELAY_DAYS, folder / "there", span_rows=2, run=workers.run)
        assert there.computed_days == here.computed_days > 0
        for one, other in zip(there.parts, here.parts, strict=True):
            assert one.read_bytes() == other.read_bytes()
        settled = {path.relative_to(folder / "here"): path for path in (folder / "here" / "past").rglob("*.arrow")}
        for name, path in settled.items():
            assert (folder / "there" / name).read_bytes() == path.read_bytes()
