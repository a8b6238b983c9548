"""The network flow: it builds from a store, leaves alone what has nothing new, and brings up to date what has."""

import os
from datetime import timedelta

import pytest
from polars.testing import assert_frame_equal

from features.network_map import build
from features.network_map.files import FILES
from features.network_map.queries import Graph
from flows.network import network
from flows.parameters import NetworkParameters, SourceName
from tests.support import networks
from tests.support.prefect_server import prefect_server
from tests.support.stores import put

pytestmark = pytest.mark.timeout(300)
FROM_FILES = NetworkParameters(source=SourceName.FILES)


@pytest.fixture(scope="module", autouse=True)
def prefect():
    with prefect_server():
        yield


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder, the project's settings out of the way."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("TIDEWAITER_")]:
        monkeypatch.delenv(name)
    return tmp_path


def test_without_declarations_it_says_what_to_do(folder):
    with pytest.raises(LookupError, match="holds no declarations; retrain on source files first"):
        network(FROM_FILES)


def test_what_is_new_is_added_and_the_whole_is_as_if_built_at_once(folder):
    store = networks.stored(folder)
    first = network(FROM_FILES)
    networks_folder = folder / ".tidewaiter" / "cache" / "networks" / "files"
    assert build.described(networks_folder) == first
    assert first.version == "not versioned"
    assert network(FROM_FILES) == first
    # Another year, a late one of the year before, and a correction of what was settled.
    late = networks.NEW_SINCE + timedelta(weeks=60)
    rows = [
        networks.declared("LATE-1", late, "I-LATE", "S-FAR", "D-BUSY", 70.0),
        networks.declared("OLD-3", networks.FIRST + timedelta(weeks=3), "I-OLD", "S-NEAR", "D-BUSY", 9.0)
        | {"recorded_at": late},
        networks.declared("SLOW-1", networks.FIRST + timedelta(days=1), "I-SLOW", "S-FAR", "D-BUSY", 5.0)
        | {"recorded_at": late - timedelta(days=300)},
    ]
    superseded = networks.declared("OLD-3", networks.FIRST + timedelta(weeks=3), "I-OLD", "S-FAR", "D-BUSY", 12_000.0)
    put(store, "declarations", rows)
    put(store, "declarations_superseded", [superseded])
    second = network(FROM_FILES)
    assert second.digest != first.digest
    again = build.build(store, networks.DELAY, folder / "features", folder / "again", second.version)
    assert again == second
    for name in FILES:
        one, other = (getattr(Graph.open(at / again.digest), name) for at in (networks_folder, folder / "again"))
        assert_frame_equal(one, other)
