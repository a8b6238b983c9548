"""`tidewaiter backup`: everything that an installation keeps, as it is at one moment, while it runs.

At the moment nobody writes to a database: they are locked for as long as it takes to list the files, and to read those
that may change. Everything else is copied afterwards. That gives one state, because whatever a row names was written
before the row, and never changes: an artifact before its version, a photo before its case has it, a ledger's row before
the note of the head, a partition before the manifest that names it. The copy is then checked: each thing that it refers
to must be in it.

A backup has its name only when it is whole. What a killed one left has another name, and the next one removes it.
"""

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from importlib.metadata import version as installed
from pathlib import Path

from features.disk import PARTIAL, atomic
from flows.backup import databases, kept, manifest, references
from flows.backup.manifest import File, Files, Manifest
from flows.backup.references import Whole
from flows.processes import unfinished
from flows.settings import Settings

KEYS = "-keys"
_NAME = "tidewaiter-"
_ATTEMPTS = 3  # each is as long as a copy takes; only what a run of this time has replaced costs one


def backup(settings: Settings, target: Path) -> Path:
    """Make a backup below the folder `target`, with its keys beside it, and return where it is.

    ValueError if that cannot be, if the folder lies in what is backed up, and after a restore that was cut short. The
    installation's own faults are in the manifest, because a copy of what is left is worth having.
    """
    if settings.mlflow_tracking_uri is not None:
        raise ValueError("mlflow_tracking_uri names an MLflow elsewhere: back that up where it is, with its artifacts")
    unfinished.refuse(settings.state_folder)
    target = target.absolute()
    for root in (settings.state_folder.absolute(), settings.data_folder.absolute()):
        if target.is_relative_to(root):
            raise ValueError(f"{target} lies in {root}, which is backed up; allowed: a folder elsewhere")
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(target):
        return _made(settings, target)


def _made(settings: Settings, target: Path) -> Path:
    gone = ""
    for _ in range(_ATTEMPTS):
        for left in target.glob(f"{_NAME}*{PARTIAL}"):
            shutil.rmtree(left)
        try:
            return _copied(settings, target)
        except FileNotFoundError as error:
            gone = error.filename
        except sqlite3.OperationalError as error:
            raise ValueError(f"a database cannot be copied: {error}") from error
    raise ValueError(
        f"{gone} was replaced while it was copied, {_ATTEMPTS} times in a row: a run changes the data. Try again when "
        "it has ended"
    )


def _copied(settings: Settings, target: Path) -> Path:
    there = [each for each in databases.of(settings) if each.exists()]
    revisions = {each.name: each.revisions() for each in there}
    with ExitStack() as pins:
        with ExitStack() as locks:
            for each in there:
                locks.enter_context(each.locked())
            copies = [(each.place, pins.enter_context(each.pinned())) for each in there]
            files = list(kept.files(settings))
            at = datetime.now(UTC)
        name = f"{_NAME}{at:%Y%m%dT%H%M%SZ}"
        main, keys = (target / f"{name}{suffix}{PARTIAL}" for suffix in ("", KEYS))
        for folder in (main, keys):
            folder.mkdir(mode=0o700)
        for place, copy in copies:
            copy(_place(main, place))
    listed: dict[Path, dict[str, File]] = {main: {}, keys: {}}
    for each in files:
        folder = keys if each.is_secret else main
        each.copy(_place(folder, each.place))
        listed[folder][each.place] = manifest.listed(folder / each.place, each.mode)
    faults = tuple(_copy(settings, main).faults())
    for place, _ in copies:  # after the look at them, since that may change how SQLite keeps them
        listed[main][place] = manifest.listed(main / place, 0o600)
    secrets = Files(files=listed[keys])
    secrets.write(keys)
    Manifest(
        files=listed[main],
        at=at,
        release=installed("tidewaiter"),
        artifact_root=settings.artifact_root,
        databases=revisions,
        elsewhere=() if settings.artifacts_uri is None else (settings.artifacts_uri,),
        faults=faults,
        keys=secrets.digest,
    ).write(main)
    for folder in (keys, main):  # the backup itself comes last: with it, all is there
        _close(folder)
        folder.rename(target / folder.name.removesuffix(PARTIAL))
    atomic.flush([target])
    return target / name


def _copy(settings: Settings, folder: Path) -> Whole:
    """Return what there is to look at of a copy in a folder; a dump of PostgreSQL has to be restored for that."""
    copied = settings.model_copy(update={"state_folder": folder / kept.STATE, "data_folder": folder / kept.DATA})
    return references.whole(copied, settings.artifact_root, is_restored=False)


def _place(folder: Path, place: str) -> Path:
    path = folder / place
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def _close(folder: Path) -> None:
    """Let only the owner read a folder, and see that all of it is on the disk."""
    paths = [folder, *folder.rglob("*")]
    for path in paths:
        path.chmod(0o700 if path.is_dir() else 0o600)
    atomic.flush(paths)


@contextmanager
def _alone(target: Path) -> Generator[None]:
    """Let one backup at a time be written to a folder; ValueError if another is."""
    descriptor = os.open(target, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise ValueError(f"another backup is being written to {target}: wait until it has ended") from None
    finally:
        os.close(descriptor)
