"""`tidewaiter restore`: an installation from a backup and its keys, where there is none.

First every file of the backup is compared with the list. Then everything is put in its place, under a note that it has
begun: a killed restore is no installation, and the same command begins it again. At the end, what the installation
refers to must be there; if not, the place is cleared again.
"""

import shutil
from pathlib import Path

from features.disk import atomic
from flows.backup import databases, kept, manifest, references
from flows.backup.making import KEYS
from flows.backup.manifest import Files, Manifest
from flows.processes import running, unfinished
from flows.processes.unfinished import Unfinished
from flows.settings import Settings
from models import artifact_places
from models.ledger import Keys

_LOCKS = frozenset({running.LOCK, running.TURN, unfinished.NAME})
_MOST_NAMED = 3


def restore(settings: Settings, backup: Path, keys: Path | None) -> Manifest:
    """Put everything back where the settings say, and return the backup's manifest.

    `keys` is the folder of its keys; without it, the one beside the backup. ValueError names what is there already, or
    what is not as it was backed up.
    """
    backup = backup.absolute()
    keys = keys or backup.with_name(backup.name + KEYS)
    made, secrets = verified(backup, keys)
    _refuse_other(settings, made)
    with running.claim(settings.state_folder):
        begun = unfinished.read(settings.state_folder)
        if begun and begun.what == "restore":
            begun.refuse_others(settings)
            _clear(settings)
        _refuse_filled(settings)
        Unfinished(what="restore", backup=backup, places=unfinished.places(settings)).write(settings.state_folder)
        lay_out(settings, backup, made)
        lay_out(settings, keys, secrets)
        for each in databases.of(settings):
            if each.name in made.databases:
                each.put_back(backup / each.place)
        faults = references.whole(settings, made.artifact_root).faults()
        if new := [fault for fault in faults if fault not in made.faults]:
            _clear(settings)
            unfinished.end(settings.state_folder)
            raise ValueError(f"{backup} does not verify, so nothing was restored: {some(new)}")
        if made.artifact_root != settings.artifact_root and "mlflow" in made.databases:
            artifact_places.move(settings.database_uri, made.artifact_root, settings.artifact_root)
        if (signoff := Keys(settings.signoff_folder)).exist():
            signoff.make()  # which lets those read it who check the ledger
        unfinished.end(settings.state_folder)
    return made


def verified(backup: Path, keys: Path) -> tuple[Manifest, Files]:
    """Return the lists of a backup and of its keys; ValueError names files that are not as they were written."""
    made, secrets = manifest.read(backup), manifest.read_keys(keys)
    if secrets.digest != made.keys:
        raise ValueError(f"{keys} has the keys of another backup than {backup}")
    for folder, files in ((backup, made), (keys, secrets)):
        if different := list(files.differences(folder)):
            raise ValueError(f"{folder} is not as it was written: {some(different)}")
    return made, secrets


def _refuse_other(settings: Settings, made: Manifest) -> None:
    """Raise ValueError if the settings name other kinds of places than those that were backed up."""
    places = {place for place in made.files if kept.is_database(place)}
    for each in databases.of(settings):
        if each.name in made.databases and each.place not in places:
            raise ValueError(
                f"the backup has no {each.place}: the database of {each.name} was of another kind than the settings "
                "say. Allowed: PostgreSQL where it was, and files where they were"
            )
    before = next(iter(made.elsewhere), None)
    if settings.artifacts_uri != before:
        raise ValueError(f"artifacts_uri is {settings.artifacts_uri}; allowed: {before}, as when this was backed up")


def _refuse_filled(settings: Settings) -> None:
    """Raise ValueError that names the first thing that a restore would replace."""
    for folder, allowed in ((settings.state_folder, _LOCKS | {"logs"}), (settings.data_folder, frozenset[str]())):
        names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        if there := next((name for name in names if name not in allowed), None):
            raise ValueError(f"{folder / there} is there; a restore takes empty places: move it away first")
    for each in databases.of(settings):
        if each.exists():
            raise ValueError(f"the database of {each.name} has tables; a restore takes empty ones")


def _clear(settings: Settings) -> None:
    """Remove what a restore has put into places that were empty before it."""
    for folder, spared in ((settings.state_folder, _LOCKS | {"logs"}), (settings.data_folder, frozenset[str]())):
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.name not in spared:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    for each in databases.of(settings):
        each.clear()


def lay_out(settings: Settings, folder: Path, files: Files, below: str = "") -> None:
    """Copy the files of a folder whose path begins with `below` to their places, databases aside.

    DVC's settings stay if they are there, since git has brought them.
    """
    roots, copied = kept.roots(settings), set[Path]()
    for place, file in files.files.items():
        if kept.is_database(place) or not place.startswith(below):
            continue
        part, _, name = place.partition("/")
        path = roots[part] / name
        if part == kept.BESIDE and path.exists():
            continue
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copyfile(folder / place, path)
        path.chmod(file.mode)
        copied |= {path, path.parent}
    atomic.flush(copied)


def some(sentences: list[str]) -> str:
    more = f"; and {len(sentences) - _MOST_NAMED} more" if len(sentences) > _MOST_NAMED else ""
    return "; ".join(sentences[:_MOST_NAMED]) + more
