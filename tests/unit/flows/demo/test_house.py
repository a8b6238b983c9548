"""The demo's folder and settings are its own, and its clock stands still while nothing runs."""

import os
import stat
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flows.demo import FOLDER, House, Made, move_in
from flows.processes import AlreadyRunningError, running
from flows.settings import Settings
from models.clock import clock

AT = datetime(2023, 8, 1, 9, tzinfo=UTC)
MADE = Made(passwords={"ana": "secret"}, company="0042")


@pytest.fixture
def house(tmp_path: Path) -> House:
    found = House(tmp_path / FOLDER)
    found.begin(AT)
    return found


def passed(file: Path, span: timedelta) -> None:
    """Let a clock be as old as if a time had passed since it was set."""
    then = time.time() - span.total_seconds()
    os.utime(file, (then, then))


def test_its_settings_are_its_own_except_for_ports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {
        "HOME": "/home/me",
        "TIDEWAITER_MLFLOW_PORT": "5009",
        "TIDEWAITER_HOST": "0.0.0.0",
        "TIDEWAITER_MLFLOW_TRACKING_URI": "https://mlflow.example",
        "PREFECT_API_URL": "https://prefect.example/api",
        "MLFLOW_TRACKING_USERNAME": "me",
    }
    move_in(tmp_path, environment)
    assert environment.pop("HOME") == "/home/me"
    assert all(name.startswith("TIDEWAITER_") for name in environment)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.mlflow_url == "http://127.0.0.1:5009"
    assert settings.mlflow_tracking_uri is None
    assert settings.window_source == "simulator"
    for place in (settings.state_folder, settings.data_folder, settings.played_clock):
        assert place is not None
        assert place.is_relative_to(tmp_path / FOLDER)


def test_a_house_that_is_used_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "tidewaiter.toml").touch()
    with pytest.raises(ValueError, match=r"tidewaiter\.toml .*allowed: a clone without this file"):
        move_in(tmp_path, {})


def test_what_was_noted_is_for_its_owner_and_goes_when_the_world_is_made_anew(house: House) -> None:
    assert house.made is None
    house.note(MADE)
    assert house.made == MADE
    assert stat.S_IMODE((house.folder / "made.json").stat().st_mode) == 0o600
    house.begin(AT)
    assert house.made is None


def test_a_note_that_was_spoilt_is_named(house: House) -> None:
    (house.folder / "made.json").write_text('{"passwords": {}}')
    with pytest.raises(ValueError, match=r"made\.json cannot be read; allowed: "):
        _ = house.made


def test_its_clock_goes_on_from_where_it_was_stopped(house: House) -> None:
    passed(house.clock, timedelta(hours=1))
    house.sleep("UTC")
    passed(house.clock, timedelta(days=10))
    house.wake()
    assert abs(clock("UTC", house.clock)() - (AT + timedelta(hours=1))) < timedelta(minutes=1)


def test_a_second_one_is_refused_while_one_runs(house: House) -> None:
    house.refuse_second()
    with running.claim(house.folder) as claim:
        claim.announce(running.Running(4711, "http://127.0.0.1:5000", "http://127.0.0.1:4200", is_ready=True))
        with pytest.raises(AlreadyRunningError, match="process 4711, http://127"):
            house.refuse_second()
