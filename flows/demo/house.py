"""Where the demo lives: its folder, its settings, its clock, and what was noted when its world was made."""

import os
import shutil
from collections.abc import MutableMapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from features.disk import write_atomically
from flows.processes import AlreadyRunningError, running
from flows.settings import FILE, PREFIX
from models import clock

FOLDER = Path(".tidewaiter-demo")
SOURCE = "simulator"
_OTHERS = (PREFIX, "PREFECT_", "MLFLOW_")  # beginnings of what would lead the demo to servers that are used


class Made(BaseModel):
    """What is needed of a world that is ready: the password of each person, and a company to look at in the network."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    passwords: dict[str, str]
    company: str


@dataclass(frozen=True)
class House:
    """The demo's folder. Its clock stands still while nothing runs, so that a world waits for whoever comes back."""

    folder: Path

    @property
    def clock(self) -> Path:
        return self.folder / "clock"

    @property
    def made(self) -> Made | None:
        """Return what was noted when the world was ready; None where none is. ValueError if it cannot be read."""
        if not self._note.exists():
            return None
        try:
            return Made.model_validate_json(self._note.read_bytes())
        except ValidationError as error:
            raise ValueError(f"{self._note} cannot be read; allowed: what `tidewaiter demo` wrote") from error

    def begin(self, at: datetime) -> None:
        """Make the folder anew, with the clock at an instant; what is left of a world that was not ready goes."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o700)
        clock.set_to(self.clock, at)

    def note(self, made: Made) -> None:
        """Note that the world is ready."""
        write_atomically(self._note, lambda draft: _write(draft, made.model_dump_json(indent=2)))

    def wake(self) -> None:
        """Let the clock go on from where it was stopped."""
        clock.set_to(self.clock, datetime.fromisoformat(self.clock.read_text().strip()))

    def sleep(self, zone: str) -> None:
        """Stop the clock where it is, in an IANA zone."""
        clock.set_to(self.clock, clock.clock(zone, self.clock)())

    def refuse_second(self) -> None:
        """Raise AlreadyRunningError if the demo runs already: its world would be taken from under it."""
        if up := running.find(self.folder):
            raise AlreadyRunningError(f"the demo already runs: process {up.pid}, {up.mlflow_url}")

    @property
    def _note(self) -> Path:
        return self.folder / "made.json"


def move_in(project: Path, environment: MutableMapping[str, str] = os.environ) -> House:
    """Give this process, and all that it starts, the demo's settings and no others, except for ports.

    ValueError if the project has a file of settings: they are those of a house that is used.
    """
    if (project / FILE).exists():
        raise ValueError(f"{FILE} has the settings of another installation; allowed: a clone without this file")
    for name in [name for name in environment if name.startswith(_OTHERS) and not name.endswith("_PORT")]:
        del environment[name]
    house = House(project / FOLDER)
    own = {
        "STATE_FOLDER": str(house.folder),
        "DATA_FOLDER": str(house.folder / "data"),
        "HOST": "127.0.0.1",
        "WINDOW_SOURCE": SOURCE,
        "PLAYED_CLOCK": str(house.clock),
    }
    environment.update({PREFIX + name: value for name, value in own.items()})
    return house


def _write(draft: Path, text: str) -> None:
    draft.touch(0o600)
    draft.write_text(text)
