"""The world that all tests of the window decide on, which none of them changes; and a log of each test's own."""

from contextlib import closing

import pytest

from models.decisions import DecisionLog
from tests.support.opened import Opened, opened


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    return opened(tmp_path_factory.mktemp("window"))


@pytest.fixture
def log(tmp_path):
    with closing(DecisionLog(f"sqlite:///{tmp_path / 'decisions.db'}")) as log:
        log.migrate()
        yield log
