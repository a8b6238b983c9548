"""How the tests are run: where they are looked for, which share a worker, and that none is skipped in CI."""

import gc
import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

from tests.support import authorities, committed, memory, prefect_server
from tests.support.children import sitecustomize
from tests.support.examples import TRIAL

CHILDREN = str(Path(sitecustomize.__file__).parent)

# In which order files begin: the longest first, so that none is left alone at the end, and those that start all servers
# of `up` while the others are light; a start takes forty seconds of CPU, and minutes where four files do so at once.
TURNS = (
    "tests/integration/flows/test_retrain.py",
    "tests/attacks/",
    "tests/integration/",
    "tests/browser/",
    "tests/unit/models/window/",
    "tests/property/",
    "tests/integration/flows/host/",
    "tests/integration/flows/test_play.py",
    "",
)

# Folders whose files share a server or a world: they go to one worker, which makes it once.
SHARED = ("tests/attacks/", "tests/unit/models/window/")


class _Sharing(LoadFileScheduling):
    """Sends each file to one worker, and each folder of SHARED too."""

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in SHARED if nodeid.startswith(folder)), super()._split_scope(nodeid))


class _ExamplesAlone:
    """Passes over modules without an example, which every worker would import and search."""

    def pytest_ignore_collect(self, collection_path: Path, config: pytest.Config) -> bool | None:
        if collection_path.suffix != ".py" or config.rootpath / "tests" in collection_path.parents:
            return None
        return True if ">>>" not in collection_path.read_text() else None  # None leaves it to others


class _NothingSkipped:
    """Counts a skipped test as failed: its name and the reason are among the failures."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item):
        report = yield
        if report.skipped and not hasattr(report, "wasxfail"):
            report.outcome, report.longrepr = "failed", _told(item.nodeid, report.longrepr)
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector: pytest.Collector):
        report = yield
        if report.skipped:
            report.outcome, report.longrepr = "failed", _told(collector.nodeid, report.longrepr)
        return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def turn(item: pytest.Item) -> int:
        return TURNS.index(max(filter(item.nodeid.startswith, TURNS), key=len))

    items.sort(key=turn)


def pytest_configure(config: pytest.Config) -> None:
    path = os.environ.get("PYTHONPATH", "")
    if CHILDREN not in path.split(os.pathsep):
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (CHILDREN, path)))
    # LightGBM's threads spin while they wait for each other, which costs a busy machine more than they gain on small
    # data. This is set before anything imports LightGBM; children inherit it.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if prefect_server.FOLDER not in os.environ:  # in the process that starts the workers
        hosting = ExitStack()
        hosting.enter_context(memory.temporary_files())
        hosting.enter_context(authorities.one())
        hosting.enter_context(committed.all_committed())
        hosting.enter_context(prefect_server.hosting())
        config.add_cleanup(hosting.close)
    settings.register_profile(TRIAL, max_examples=2000, deadline=None)
    # Registered here, because hooks of this file would see the tests of this folder but no doctests.
    config.pluginmanager.register(_ExamplesAlone())
    if os.environ.get("CI"):
        config.pluginmanager.register(_NothingSkipped())


def pytest_collection_finish() -> None:
    gc.freeze()  # what was imported stays, and the collector does not go through it again


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log):
    return _Sharing(config, log) if config.getoption("dist") == "loadfile" else None


def _told(name: str, why: object) -> str:
    reason = why[-1] if isinstance(why, Sequence) and not isinstance(why, str) else why
    return f"{name} is skipped where nothing may be (CI is set): {reason}"
