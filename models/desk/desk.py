"""The desk as a whole: its parts, over one database."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from models.database import Tables
from models.desk.cases import Cases
from models.desk.checks import Checks
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


class Desk:
    """The desk at the database of decisions.

    `rules` are the policy's, `secret` draws second looks, photos go into the folder `photos`, and `now` gives the
    instant with its zone, the administration's legal one. Every method of its parts takes the officer who acts; Refused
    says why something is not allowed, and models.database.Unavailable that the database does not answer.
    """

    def __init__(
        self, database_uri: str, rules: Rules, secret: bytes, photos: Path, now: Callable[[], datetime]
    ) -> None:
        self._tables = Tables(database_uri, Path(__file__).parent / "migrations", WAIT_S)
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

    def migrate(self) -> None:
        """Make the desk's tables, or bring them to what this release reads."""
        self._tables.migrate()

    def close(self) -> None:
        """Close the connections to the database."""
        self._tables.close()
