"""The window as a process that a test can kill: `python -m tests.support.window_process FOLDER PORT`.

Decisions, spool and tokens are in the folder. If there is a world in it (see `keep`), its champion is asked; otherwise
places go by chance alone, which needs no more than a moment to begin.
"""

import pickle
import sys
from datetime import UTC, date, datetime, time
from pathlib import Path

import sqlalchemy.orm  # noqa: F401  as in the service, where it is there before any thread begins
import uvicorn

from models import policy
from models.access import Directory, Entrance, Names
from models.access.tokens import Tokens
from models.decisions import DecisionLog, Spool
from models.window.app import Window
from models.window.deciding import Decider
from models.window.ground import Ground
from models.window.making import NOTHING_PAST

DAY = date(2024, 5, 2)
SECRET = bytes(range(32))
WAIT_S = 0.2  # for the database, before decisions go to the spool
DATABASE = "database"
_WORLD = "world.pickle"


def keep(world: object, folder: Path) -> Path:
    """Return the file by which processes of a folder ask the champion of a world that tests.support.opened made."""
    file = folder / _WORLD
    file.write_bytes(pickle.dumps(world))
    return file


def log_in(folder: Path) -> DecisionLog:
    """Return the log of decisions of a folder, or that of the database whose address is in its file DATABASE."""
    database = folder / DATABASE
    uri = database.read_text() if database.exists() else f"sqlite:///{folder / 'decisions.db'}"
    return DecisionLog(uri, WAIT_S)


def tokens_in(folder: Path) -> Tokens:
    """Return the tokens of a folder."""
    return Tokens(f"sqlite:///{folder / 'accounts.db'}")


def main(folder: Path, port: int) -> None:
    """Answer until the process ends."""
    ground = _ground(folder / _WORLD)
    log, names = log_in(folder), Names()
    decider = Decider(log, Spool(folder / "spool.jsonl"), lambda: ground, lambda why: ground)
    decider.start()
    noon = datetime.combine(ground.day, time(12), UTC)
    entrance = Entrance(Directory(f"sqlite:///{folder / 'accounts.db'}"), names)
    window = Window(decider, log, tokens_in(folder), entrance, lambda: noon, print)
    uvicorn.run(window.app(), port=port, log_level="error", access_log=False)


def _ground(world: Path) -> Ground:
    if world.exists():
        return pickle.loads(world.read_bytes()).ground(SECRET)
    return Ground(DAY, policy.load(), SECRET, NOTHING_PAST, unscored="no model is in force")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
