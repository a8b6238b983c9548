"""What the demo does on its first start, on its second, and after one that was stopped too early."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import time
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
from typer.testing import CliRunner, Result

import features.store
import flows.demo
import flows.play
from flows.commands import cli, demo
from flows.demo import PEOPLE

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
WAITS, NONE_WAITS = {"champion": "1", "challenger": "2"}, {"champion": "1"}


class Scene:
    """The demo in a folder where nothing is really run: `done` has what would have been, in order."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.done: list[str] = []
        self.models = [WAITS]
        self.stopped_at = ""
        self.folder = folder
        offices = pl.LazyFrame({"office": ["020", "010", "020"]})
        patch.chdir(folder)
        patch.setattr(flows.demo, "run", lambda log, words, environment: self.do(" ".join(words)))
        patch.setattr(flows.demo, "up", self.up)
        patch.setattr(demo, "desk", self.desk)
        patch.setattr(demo, "look", lambda *_: SimpleNamespace(models=self.models.pop(0)))
        patch.setattr(demo.play, "cast_of", lambda _: None)
        patch.setattr(features.store, "Store", lambda _: SimpleNamespace(scan=lambda _: offices))
        patch.setattr(flows.demo, "successor", lambda _: "0042")
        patch.setattr(flows.demo, "until_opened", lambda _, version: self.do(f"version {version} is open"))
        patch.setattr(flows.play, "morning", self.morning)

    def do(self, what: str) -> None:
        self.done.append(what)
        if what == self.stopped_at:
            raise KeyboardInterrupt

    @contextmanager
    def up(self, log: Path, state_folder: Path, environment: object) -> Iterator[SimpleNamespace]:
        self.do("up")
        log.write_text("The account of MLflow's administrator is admin, its password s3cret\n")
        try:
            yield SimpleNamespace(wait=lambda: self.do("waits for Ctrl-C"))
        finally:
            self.done.append("down")

    @contextmanager
    def desk(self, url: str, name: str, password: str) -> Iterator[SimpleNamespace]:
        assert password == "s3cret"
        yield SimpleNamespace(
            add=lambda name, roles: self.do(f"add {name} {' '.join(roles)}") or f"password-of-{name}",
            give_offices=lambda name, offices: self.do(f"offices {name} {' '.join(offices)}"),
        )

    def morning(self, settings: object, world: object, cast: object, until: time) -> int:
        self.do(f"morning until {until}")
        return 40

    def start(self, stopped_at: str = "waits for Ctrl-C") -> Result:
        self.done, self.stopped_at = [], stopped_at
        return CliRunner().invoke(cli.app, ["demo"], catch_exceptions=False)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    before, handlers = dict(os.environ), {each: signal.getsignal(each) for each in STOPPING}
    yield Scene(tmp_path, monkeypatch)
    os.environ.clear()
    os.environ.update(before)
    for each, handler in handlers.items():
        signal.signal(each, handler)


def test_the_first_start_makes_a_world_and_the_second_goes_on_with_it(scene: Scene) -> None:
    first = scene.start()
    assert first.exit_code == 0
    assert scene.done == [
        "retrain --rows 120000 --months 7",
        "up",
        "play --days 1",
        "network",
        *(f"add {name} {role}" for name, role in PEOPLE.items()),
        "offices ola 010 020",
        "offices sue 010 020",
        "version 2 is open",
        "morning until 11:00:00",
        "waits for Ctrl-C",
        "down",
    ]
    assert "password-of-ana" in first.stdout
    second = scene.start()
    assert second.exit_code == 0
    assert scene.done == ["up", "waits for Ctrl-C", "down"]
    assert second.stdout == first.stdout


@pytest.mark.parametrize("stopped_at", ["retrain --rows 120000 --months 7", "network"])
def test_a_world_that_was_not_ready_is_made_anew(scene: Scene, stopped_at: str) -> None:
    scene.models *= 2
    stopped = scene.start(stopped_at)
    assert stopped.exit_code == 130
    assert "the next start makes it anew" in stopped.stderr
    assert scene.done[-1] in (stopped_at, "down")
    (scene.folder / ".tidewaiter-demo" / "left").touch()
    assert scene.start().exit_code == 0
    assert scene.done[0] == "retrain --rows 120000 --months 7"
    assert not (scene.folder / ".tidewaiter-demo" / "left").exists()


def test_a_second_start_that_is_stopped_early_loses_nothing(scene: Scene) -> None:
    scene.start()
    stopped = scene.start("up")
    assert stopped.exit_code == 0
    assert "goes on from here" in stopped.stderr
    scene.start()
    assert scene.done == ["up", "waits for Ctrl-C", "down"]


def test_days_are_played_until_a_version_waits(scene: Scene) -> None:
    scene.models = [NONE_WAITS, WAITS]
    assert scene.start().exit_code == 0
    assert scene.done.count("play --days 1") == 2
    scene.models = [NONE_WAITS] * 5
    (scene.folder / ".tidewaiter-demo" / "made.json").unlink()
    failed = scene.start()
    assert failed.exit_code == 1
    assert "no version waits after 5 days" in failed.stderr
    assert scene.done[-1] == "down"


def test_settings_of_another_house_are_refused(scene: Scene) -> None:
    (scene.folder / "tidewaiter.toml").write_text("mlflow_port = 5009\n")
    refused = scene.start()
    assert refused.exit_code == 1
    assert "allowed: a clone without this file" in refused.stderr
    assert scene.done == []
