"""The desk as a whole: its parts, over one database."""

import contextlib
import secrets
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Self
from uuid import uuid4

from features.disk import PARTIAL, atomic
from models.database import Tables
from models.desk.cases import Cases
from models.desk.checks import Checks
from models.desk.departures import Departures
from models.desk.endings import Endings
from models.desk.figures import Supervision
from models.desk.findings import Findings
from models.desk.looking import Looking
from models.desk.photos import Photos
from models.desk.queue import Queue
from models.desk.second_look import SecondLooks
from models.desk.shared import Shared
from models.policy import Desk as Rules

WAIT_S = 5.0  # for the database
SECRET_BYTES = 32


def tables(database_uri: str) -> Tables:
    """Return the desk's tables in a database."""
    return Tables(database_uri, Path(__file__).parent / "migrations", WAIT_S)


class Desk:
    """The desk at the database of decisions.

    `rules` are the policy's, `secret` draws second looks, photos go into the folder `photos`, and `now` gives the
    instant with its zone, the administration's legal one. Every method of its parts takes the officer who acts; Refused
    says why something is not allowed, and models.database.Unavailable that the database does not answer.
    """

    def __init__(
        self, database_uri: str, rules: Rules, secret: bytes, photos: Path, now: Callable[[], datetime]
    ) -> None:
        self._tables = tables(database_uri)
        self.shared = Shared(self._tables, rules, secret, now)
        self.cases = Cases(self.shared)
        self.queue = Queue(self.shared)
        self.looking = Looking(self.shared)
        self.findings = Findings(self.shared)
        self.endings = Endings(self.shared)
        self.photos = Photos(self.shared, photos)
        self.second_looks = SecondLooks(self.shared)
        self.checks = Checks(self.shared)
        self.supervision = Supervision(self.shared)
        self.departures = Departures(self.shared)

    @classmethod
    def kept_in(cls, folder: Path, database_uri: str, rules: Rules, now: Callable[[], datetime]) -> Self:
        """Return a desk with its photos and its secret in a folder, which is made if it does not exist.

        The secret is made once, and only this user can read it; ValueError if the file does not hold one.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return cls(database_uri, rules, _secret(folder / "secret.hex"), folder / "photos", now)

    def migrate(self) -> None:
        """Make the desk's tables, or bring them to what this release reads."""
        self._tables.migrate()

    def close(self) -> None:
        """Close the connections to the database."""
        self._tables.close()


def _secret(file: Path) -> bytes:
    """Return the secret in a file; if there is none, make it, and of several processes that do so, one is first."""
    if not file.exists():
        draft = file.with_name(f"{file.name}.{uuid4().hex}{PARTIAL}")
        draft.touch(0o600)
        draft.write_text(secrets.token_hex(SECRET_BYTES))
        atomic.flush([draft])
        with contextlib.suppress(FileExistsError):
            file.hardlink_to(draft)
        draft.unlink()
        atomic.flush([file.parent])
    secret = bytes.fromhex(file.read_text())
    if len(secret) != SECRET_BYTES:
        raise ValueError(f"{file} holds {len(secret)} bytes; allowed: {SECRET_BYTES}, in hexadecimal")
    return secret
