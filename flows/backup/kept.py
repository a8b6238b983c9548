"""What of an installation is kept in a backup: its databases and its files, and which of them are secrets.

A backup holds the state folder below `state/`, the data folder below `data/`, and DVC's settings, which lie beside the
data, below `beside/`; databases of PostgreSQL are dumped below `databases/`. What can be computed again is left out.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from features.disk import PARTIAL
from features.store import STAGING
from flows.backup import databases
from flows.processes import running, unfinished
from flows.settings import Settings
from models.notices import FILE as RECIPIENTS

STATE, DATA, BESIDE, DATABASES = "state", "data", "beside", "databases"
SETTINGS = (".dvcignore", ".dvc/.gitignore", ".dvc/config", ".dvc/config.local")

# Made again by the next start or the next run; DVC's cache has what its remote has too.
_LEFT_OUT = frozenset({"cache", "simulated", "logs", "reproduction", "dvc-cache", "accounts.ini", unfinished.NAME})
_LEFT_OUT |= {"runs/prefect", "runs/tmp", "runs/numba", "runs/matplotlib", running.LOCK, running.TURN}
_SECRET = ("state/signoff/secret/", f"state/{RECIPIENTS}", "state/desk/secret.hex", "beside/.dvc/config.local")

# Files here are written once, before a row names them, and never changed: they can be copied after the moment.
_WRITTEN_ONCE = ("state/artifacts/", "state/dvc-remote/", "state/desk/photos/", "state/reports/", "state/decided/")


@dataclass(frozen=True)
class Found:
    """A file at the moment of the backup. `content` is what it held then; None if it never changes."""

    place: str
    path: Path
    mode: int
    content: bytes | None
    is_secret: bool

    def copy(self, target: Path) -> None:
        """Write the file as it was; FileNotFoundError if it is gone meanwhile."""
        if self.content is None:
            shutil.copyfile(self.path, target)
        else:
            target.write_bytes(self.content)


def roots(settings: Settings) -> dict[str, Path]:
    """Return where each part of a backup comes from, and goes to."""
    data = settings.data_folder.absolute()
    return {STATE: settings.state_folder.absolute(), DATA: data, BESIDE: data.parent}


def files(settings: Settings) -> Iterator[Found]:
    """Yield every file that is kept, databases aside, with the content of those that may change."""
    sign_on = settings.sign_on_secret_file.absolute() if settings.sign_on_secret_file else None
    for part, root in roots(settings).items():
        names = (name for name in SETTINGS if (root / name).is_file()) if part == BESIDE else _walked(root, part)
        for name in names:
            place, path = f"{part}/{name}", root / name
            never_changes = place.startswith(_WRITTEN_ONCE) or (part == DATA and path.suffix == ".parquet")
            content = None if never_changes else path.read_bytes()
            yield Found(place, path, path.stat().st_mode & 0o777, content, place.startswith(_SECRET) or path == sign_on)


def is_database(place: str) -> bool:
    """Whether a path in a backup is the copy of a database."""
    part, _, name = place.partition("/")
    return part == DATABASES or (part == STATE and databases.is_of_database(name))


def _walked(root: Path, part: str) -> Iterator[str]:
    for folder, folders, names in os.walk(root):
        within = Path(folder).relative_to(root)
        folders[:] = [name for name in sorted(folders) if _is_kept((within / name).as_posix(), part)]
        for name in sorted(names):
            path = (within / name).as_posix()
            if _is_kept(path, part) and (root / path).is_file() and not (root / path).is_symlink():
                yield path


def _is_kept(name: str, part: str) -> bool:
    if name.endswith(PARTIAL) or Path(name).name == STAGING:
        return False
    return part != STATE or not (name in _LEFT_OUT or name.startswith(".mlflow.db") or databases.is_of_database(name))
