"""The world that all tests of the window decide on; none of them changes it."""

import pytest

from tests.support.opened import Opened, opened


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    return opened(tmp_path_factory.mktemp("window"))
