"""The signer: one small process that alone has the ledger's private key, and appends and signs what it is asked to.

    python -m models.signer.signer

It trusts those who ask in what they say of people, and in nothing else. It judges each entry by the rules (book.py)
over the ledger that it has read itself, says what time it is and under which policy a version is opened, and notes the
head. So a server process in wrong hands can put words into people's mouths from then on, each of them a row; it can
neither change what was written, nor promote what is not approved, nor choose its time.

`attest` gives the signature of a promoted version for those who have no Tidewaiter (ledger/attestation.py): all that it
says follows from the ledger, and the files from the digest that is there.

`tidewaiter status` asks `probe`: whether an entry could be added now, without adding one.

A section is one connection: `begin` waits for its turn and locks the table, `append` and `attempt` judge an entry and
tell how it will be written, `commit` writes all of them and gives the signed rows. A connection that ends before that
leaves nothing. No signature leaves before its row is in the table: two rows of one number would both verify.
"""

import fcntl
import logging
import os
import socketserver
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from socket import socket
from threading import BoundedSemaphore, Lock
from typing import Any

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.exc import SQLAlchemyError

from models import policy
from models.ledger import Entry, Keys, LedgerError, storage
from models.policy import Signoff
from models.signer import wire
from models.signer.wire import SECTION_S, TURN_S, Answer, Line, Request

CLOCK_MAY_BE_BEHIND = timedelta(seconds=60)
PROBED_S = 2  # how long a probe waits for those who sign, and then for the database
_MOST_CONNECTIONS = 64
_ANSWER_S = 5  # how long a refusal may take to be sent
_TAKEOVER_S = 2  # how long a signer that is ending may still hold its place

_log = logging.getLogger("signer")


class SignerSettings(BaseSettings):
    """The settings SIGNOFF_FOLDER and SIGNOFF_DATABASE_URI, from the environment, which others cannot read."""

    model_config = SettingsConfigDict(frozen=True, env_prefix="SIGNOFF_")

    folder: Path = Field(description="the keys' folder; see keys.py")
    database_uri: str = Field(description="where the ledger is")


class Signer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """A server of one ledger at a socket that only its own user may speak to."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, ledger: storage.Ledger, table: storage.Table, signoff: Signoff, address: str) -> None:
        self.ledger, self._table, self._signoff = ledger, table, signoff
        self._turn = Lock()
        self._places = BoundedSemaphore(_MOST_CONNECTIONS)
        super().__init__(address, _Connection)

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ANN401  as socketserver has it
        """Whether the client is this process's own user, which is the MLflow server's; the kernel says who it is."""
        process, user = wire.peer(request)
        if user == os.geteuid():
            return True
        _log.warning("Refused: process %d of user %d is not of this service, user %d", process, user, os.geteuid())
        return False

    def serve(self, connection: socket) -> None:
        """Serve one connection, from its first line to its last."""
        if not self._places.acquire(blocking=False):
            _log.warning("Refused: %d connections are open", _MOST_CONNECTIONS)
            return
        try:
            line = Line(connection, SECTION_S)
            with _answering(connection):
                request = _read(line, "probe", "begin", "attest")
                if request.do == "probe":
                    self._probe()
                    line.send({"answer": Answer.DONE})
                elif request.do == "attest":
                    line.send({"answer": Answer.DONE, "envelope": self._attested(request)})
                else:
                    self._section(connection)
        finally:
            self._places.release()

    def _probe(self) -> None:
        """Read what is new, check the clock, and write the note of the head as it is, with the table locked."""
        if not self._turn.acquire(timeout=PROBED_S):
            raise storage.NotSigned(f"whoever signs has been waiting for {PROBED_S} s or more")
        try:
            self._table.probe(PROBED_S)
            self.ledger.refresh()
            self._refuse_clock_behind(storage.now())
            self.ledger.note_again()
        finally:
            self._turn.release()

    def _attested(self, request: Request) -> dict[str, Any]:
        if request.version is None or request.evidence is None:
            raise storage.NotSigned("attest is asked without a version or its evidence")
        with self._own_turn():  # within a section of another the ledger has entries that may never be written
            self.ledger.refresh()
            return self.ledger.attested(request.version, request.evidence)

    def _section(self, connection: socket) -> None:
        with self._own_turn():
            with self.ledger.writing() as writer:
                line = Line(connection, SECTION_S)  # its time counts from here, since waiting was not its fault
                before = self.ledger.head
                line.send({"answer": Answer.DONE, "head": before.model_dump()})
                self._take_entries(line, writer)
            rows = self._table.rows(before.number)
            line.send({"answer": Answer.DONE, "rows": [row.model_dump() for row in rows]})

    @contextmanager
    def _own_turn(self) -> Generator[None]:
        """Let nobody else use the ledger until the block ends; NotSigned if others take too long."""
        if not self._turn.acquire(timeout=TURN_S):
            raise storage.NotSigned(f"others have been signing for {TURN_S} s: try again")
        try:
            yield
        finally:
            self._turn.release()

    def _take_entries(self, line: Line, writer: storage.Writer) -> None:
        """Take entries until the client wants them written; wire.Gone if it went away before."""
        while (request := _read(line, "append", "attempt", "commit")).do != "commit":
            if request.entry is None:
                raise storage.NotSigned(f"{request.do} is asked without an entry")
            try:
                entry = self.stamped(request.entry, storage.now())
                if request.do == "append":
                    self.ledger.book.check(entry)
                elif entry.is_accepted:
                    entry = entry.model_copy(update={"refusal": self.ledger.book.refusal(entry)})
            except LedgerError as error:  # nothing was added, so the section goes on
                line.send({"answer": Answer.BROKEN, "why": str(error)})
                continue
            writer.append(entry)
            line.send({"answer": Answer.DONE, "entry": entry.model_dump(mode="json")})

    def stamped(self, entry: Entry, at: datetime) -> Entry:
        """Return the entry with the signer's time, never before that of an existing row, and the policy in force."""
        said: dict[str, Any] = {"at": max(at, self._refuse_clock_behind(at))}
        if entry.action == "open":
            said |= {"steps": self._signoff.steps, "valid_days": self._signoff.valid_days}
        if entry.action == "criterion" and entry.step == "propose":
            said |= {"valid_days": self._signoff.criterion_days}
        return entry.model_copy(update=said)

    def _refuse_clock_behind(self, at: datetime) -> datetime:
        """Return the latest moment of any row; NotSigned if it is too far after `at`."""
        latest = self.ledger.latest_at or at
        if latest - at > CLOCK_MAY_BE_BEHIND:
            raise storage.NotSigned(
                f"the clock of this machine is behind the ledger: it says {at:%Y-%m-%d %H:%M:%S}, and the last row is "
                f"of {latest:%Y-%m-%d %H:%M:%S} UTC; nothing is signed until it is right"
            )
        return latest


class _Connection(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, Signer)
        try:
            self.server.serve(self.request)
        except wire.Gone as error:
            _log.debug("A connection ended: %s", error)  # this is usual if nothing was to be added


def _read(line: Line, *allowed: str) -> Request:
    content = line.receive()
    try:
        request = Request.model_validate(content)
    except ValidationError as error:
        raise storage.NotSigned(f"this is no request of a signer: {error.errors()[0]['msg']}") from None
    if request.do not in allowed:
        raise storage.NotSigned(f"{request.do} is not asked here; allowed: {', '.join(allowed)}")
    return request


@contextmanager
def _answering(connection: socket) -> Generator[None]:
    """Tell the client why the block could not do what it asked, however long it has tried."""

    def tell(answer: Answer, why: str) -> None:
        Line(connection, _ANSWER_S).send({"answer": answer, "why": why})

    try:
        yield
    except LedgerError as error:
        tell(Answer.BROKEN, str(error))
    except storage.NotSigned as error:
        _log.warning("Not now: %s", error)
        tell(Answer.NOT_NOW, str(error))
    except (SQLAlchemyError, OSError) as error:
        _log.exception("The database or the disk failed")
        what = error.strerror if isinstance(error, OSError) else getattr(error, "orig", None)
        why = f"the database or the disk failed: {what or type(error).__name__}, see signer.log"
        tell(Answer.NOT_NOW, f"nothing can be signed now, since {why}")


def main() -> None:
    """Serve until the process is ended. End with a sentence if keys or ledger are not as they must be."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    os.umask(0o077)
    settings, signoff = SignerSettings(), policy.load().signoff
    keys = Keys(settings.folder)
    try:
        keys.check()
        with _only_one(keys.socket_file):
            table = storage.Table(settings.database_uri)
            ledger = storage.Ledger(table, keys.private_key, keys.head_file, signoff)
            with wire.place(keys.socket_file) as address, Signer(ledger, table, signoff, address) as signer:
                _log.info("Ready: the ledger ends with row %d", ledger.head.number)
                signer.serve_forever()
    except (LedgerError, ValueError) as error:
        sys.exit(str(error))


@contextmanager
def _only_one(socket_file: Path) -> Generator[None]:
    """Let nobody else serve here until the block ends; remove what a killed signer has left."""
    with socket_file.with_suffix(".lock").open("w") as file:
        until = time.monotonic() + _TAKEOVER_S
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise ValueError(f"another signer serves {socket_file}") from None
                time.sleep(0.1)
        socket_file.unlink(missing_ok=True)
        yield


if __name__ == "__main__":
    main()
