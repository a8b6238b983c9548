"""The note that a restore or an upgrade has begun: while it is there, what is in the state folder is not to be used."""

from pathlib import Path
from typing import Literal

from sqlalchemy.engine import make_url

from features.disk import atomic, write_atomically
from flows.settings import Settings
from models.document import Document

NAME = "unfinished.json"


class Unfinished(Document):
    """What has begun, the backup by which it goes on or back, and the places that it changes, by their settings.

    Passwords are left out of the addresses of databases.
    """

    what: Literal["restore", "upgrade"]
    backup: Path
    places: dict[str, str | None]

    def refuse_others(self, settings: Settings) -> None:
        """Raise ValueError if the settings name other places by now: those are not to be emptied or put back."""
        for name, now in places(settings).items():
            if now != (before := self.places.get(name)):
                raise ValueError(
                    f"{name} is {now}; allowed: {before}, as when the {self.what} began that was cut short"
                )

    def write(self, state_folder: Path) -> None:
        """Put the note into the state folder."""
        write_atomically(state_folder / NAME, lambda file: file.write_text(self.model_dump_json() + "\n"))


def places(settings: Settings) -> dict[str, str | None]:
    """Return the places that a restore or an upgrade changes, by their settings; None is the state folder."""
    databases = ("mlflow_database_uri", "decisions_database_uri", "prefect_database_uri")
    uris = {name: getattr(settings, name) for name in databases}
    shown = {name: uri and make_url(uri).render_as_string(hide_password=True) for name, uri in uris.items()}
    return {"data_folder": str(settings.data_folder.absolute()), **shown}


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
