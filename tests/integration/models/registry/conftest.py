"""What tests with models that MLflow has loaded leave behind."""

import sys
from collections.abc import Generator

import pytest


@pytest.fixture(scope="module", autouse=True)
def _path() -> Generator[None]:
    """Put the path back: MLflow sets the code of a model that it loads first, and child processes would import that."""
    before = sys.path.copy()
    yield
    sys.path[:] = before
