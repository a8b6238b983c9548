"""The note that a restore or an upgrade has begun: while it is there, what is in the state folder is not to be used."""

from pathlib import Path
from typing import Literal

from features.disk import atomic, write_atomically
from models.document import Document

NAME = "unfinished.json"


class Unfinished(Document):
    """What has begun, and the backup by which it goes on or back."""

    what: Literal["restore", "upgrade"]
    backup: Path

    def write(self, state_folder: Path) -> None:
        """Put the note into the state folder."""
        write_atomically(state_folder / NAME, lambda file: file.write_text(self.model_dump_json() + "\n"))


def read(state_folder: Path) -> Unfinished | None:
    """Return the note in the state folder; None if there is none."""
    file = state_folder / NAME
    return Unfinished.model_validate_json(file.read_bytes()) if file.exists() else None


def end(state_folder: Path) -> None:
    """Take the note away."""
    (state_folder / NAME).unlink()
    atomic.flush([state_folder])


def refuse(state_folder: Path) -> None:
    """Raise ValueError if a restore or an upgrade was cut short here."""
    if found := read(state_folder):
        what, argument = ("a restore", found.backup) if found.what == "restore" else ("an upgrade", "FOLDER")
        raise ValueError(
            f"{state_folder.absolute()}: {what} was cut short, so nothing here is to be used; run "
            f"`tidewaiter {found.what} {argument}` again"
        )
