"""A small installation for tests of backups: an earlier champion, decisions, a case with a photo, and data."""

import io
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from PIL import Image

from features.store import Store, versioning
from flows.settings import Settings
from models import artifact_places
from models.decisions import DecisionLog
from models.desk import Desk
from models.ledger import Keys
from models.policy import Desk as Rules
from tests.support import earlier, stores
from tests.support.declarations import DECLARATION
from tests.support.desks import ANA, Clock, World

NAME = "2026-11-29"  # of the earlier state

_DIES = """
import os, signal, sys
from pathlib import Path
from tests.support import installed
from pydoc import locate
module = locate("{module}")
calls, real = iter(range(10 ** 6)), module.{name}
def dying(*arguments, **named):
    if next(calls) == {call}:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments, **named)
module.{name} = dying
from flows import backup
settings = installed.settings_of(Path(sys.argv[1]))
getattr(backup, sys.argv[2])(settings, *map(Path, sys.argv[3:4]), *([None] if sys.argv[2] == "restore" else []))
"""


def settings_of(folder: Path) -> Settings:
    return Settings(state_folder=folder / "state", data_folder=folder / "lake" / "data")


def install(folder: Path) -> Settings:
    """Make the installation in a folder, as `up`, the window, the desk and a retraining leave it."""
    settings = settings_of(folder)
    earlier.unpack(NAME, settings.state_folder)
    Keys(settings.signoff_folder).secret_folder.chmod(0o700)  # the archive does not say so
    with closing(sqlite3.connect(settings.state_folder / "accounts.db")) as accounts, accounts:
        accounts.execute("CREATE TABLE people (name TEXT)")
        accounts.execute("INSERT INTO people VALUES ('ana')")
    (settings.state_folder / "notices.toml").write_text("recipients = []\n")
    (settings.state_folder / "notices.toml").chmod(0o600)
    work(settings)
    store = Store(settings.data_folder / "simulator")
    stores.put(store, "declarations", [DECLARATION, DECLARATION | {"declaration_id": "D2"}])
    versioning.snapshot(settings.data_folder, settings.state_folder)
    return settings


def copied(settings: Settings, folder: Path) -> Settings:
    """Return a copy of an installation in another folder."""
    shutil.copytree(settings.state_folder.parent, folder, symlinks=True)
    there = settings_of(folder)
    artifact_places.move(there.database_uri, settings.artifact_root, there.artifact_root)
    return there


def work(settings: Settings) -> None:
    """Have the window decide two declarations, and an officer photograph the goods of one."""
    settings.window_folder.mkdir(parents=True, exist_ok=True)
    log, clock = DecisionLog(settings.decisions_uri), Clock()
    log.migrate()
    desk = Desk.kept_in(settings.desk_folder, settings.decisions_uri, Rules(), clock)
    desk.migrate()
    world = World(desk, log, clock)
    number, _ = world.declare("red", "yellow")
    desk.queue.take(ANA, number)
    picture = io.BytesIO()
    Image.new("RGB", (40, 30), (200, 10, 10)).save(picture, "PNG")
    desk.photos.keep(ANA, number, picture.getvalue())
    desk.close()
    log.close()


def dies(folder: Path, what: str, argument: Path, module: str, name: str, call: int) -> None:
    """Run a command in a process that is killed at a call of a function; AssertionError if it comes to its end."""
    script = _DIES.format(module=module, name=name, call=call)
    command = [sys.executable, "-c", script, str(folder), what, str(argument)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


def rows(settings: Settings) -> list[list[object]]:
    """Return what the databases of an installation hold of what people have done."""
    tables = {"mlflow.db": "tidewaiter_ledger", "accounts.db": "people"}
    tables |= {"window/decisions.db": "decisions"}
    found = []
    for file, table in tables.items():
        with closing(sqlite3.connect(settings.state_folder / file)) as connection:
            found.append(connection.execute(f"SELECT * FROM {table}").fetchall())
    return found
