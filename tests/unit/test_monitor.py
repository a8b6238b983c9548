"""Which model monitoring watches, and the one sentence where there is none."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prefect.logging import disable_run_logger

from flows.monitor import NothingToWatchError, fetch_watched, of_source
from flows.settings import Settings
from tests import candidates

WATCHED: Any = SimpleNamespace(version="3", source="kcs")


def test_a_model_of_the_source_is_watched() -> None:
    assert of_source("kcs", WATCHED) is WATCHED


def test_a_model_of_another_source_is_not() -> None:
    with pytest.raises(NothingToWatchError, match="version 3 is of source 'kcs'; retrain on it first"):
        of_source("simulator", WATCHED)


def test_an_empty_registry_is_found_at_the_first_attempt(tmp_path: Path) -> None:
    """It is no failure of the task, which would be tried again twice."""
    registry = candidates.open_registry(tmp_path)
    with disable_run_logger():
        found = fetch_watched.fn(Settings(state_folder=tmp_path), registry, tmp_path / "scratch")
    with pytest.raises(NothingToWatchError, match="no model of source 'kcs' to watch: none is registered"):
        of_source("kcs", found)
