"""Which model monitoring watches, and what it says where there is none."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prefect.logging import disable_run_logger

import flows.monitor as module
from flows.monitor import BREACH, NothingToWatchError, fetch_watched, of_source
from flows.parameters import MonitorParameters
from flows.run_requests.forms import AUTHOR, Forms
from flows.run_requests.places import Readable
from flows.settings import Settings
from tests.support import candidates

WATCHED: Any = SimpleNamespace(version="3", source="kcs")


def test_a_model_of_the_source_is_watched() -> None:
    assert of_source("kcs", WATCHED) is WATCHED


def test_a_model_of_another_source_is_not() -> None:
    with pytest.raises(NothingToWatchError, match="version 3 is of source 'kcs'; retrain on it first"):
        of_source("simulator", WATCHED)


def test_an_empty_registry_is_found_at_the_first_attempt(tmp_path: Path) -> None:
    """It is no failure of the task, which would be tried again twice."""
    candidates.open_registry(tmp_path)
    with disable_run_logger():
        found = fetch_watched.fn(Settings(state_folder=tmp_path), tmp_path / "scratch")
    with pytest.raises(NothingToWatchError, match="no model of source 'kcs' to watch: none is registered"):
        of_source("kcs", found)


@pytest.mark.parametrize("who", ["ann", ""])
def test_a_retraining_on_drift_is_by_who_had_the_monitor_run(monkeypatch: pytest.MonkeyPatch, who: str) -> None:
    """Its event names that person, and nobody where the night ran the monitor."""
    found, told = SimpleNamespace(is_breach=True, verdict="drifted"), []
    watched = SimpleNamespace(version="3", alias="champion", model=None, policy=None)
    store = SimpleNamespace(days=lambda: [1], root=Path("simulator"))
    for name, put in {
        "Store": lambda folder: store,
        "incumbents": SimpleNamespace(registry_of=lambda places: None),
        "fetch_watched": lambda *where: watched,
        "of_source": lambda *which: watched,
        "feature_code": SimpleNamespace(check=lambda *what: None),
        "compute_features": lambda *what: None,
        "check_drift": lambda *what: found,
        "record_drift": lambda *what: None,
        "tell_unjudged": lambda *what: None,
        "emit_event": lambda event, resource, payload: told.append((event, payload["requested_by"])),
    }.items():
        monkeypatch.setattr(module, name, put)
    module.monitor.fn(MonitorParameters(requested_by=who))
    assert told == [(BREACH, who)]


def test_who_is_signed_in_had_it_run_whatever_was_typed() -> None:
    forms = Forms(Readable(Path("/srv"), Path("/srv/.tidewaiter")))
    filled = forms.fill("flows/monitor.py:monitor", {"parameters": {AUTHOR: "bob"}}, "ann")
    assert filled["parameters"][AUTHOR] == "ann"
