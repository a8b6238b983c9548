"""The ledger as the MLflow server has it: the public key proves rows from the table, and the signer makes new ones.

Nothing here can sign. What the signer answers is verified like any other row.
"""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from models.evidence import Manifest
from models.ledger import Entry, LedgerError, chain, storage
from models.policy import Signoff
from models.signer import wire
from models.signer.wire import LONGEST_WAIT_S, Answer, Line

PROBE_S = 10.0  # within that time the signer says what it waits for


class AskedLedger(storage.Followed):
    """A ledger whose signer listens at `socket_file`. NotSigned if it is away, or busy with others for too long."""

    def __init__(
        self, table: storage.Table, public_key: Ed25519PublicKey, head_file: Path, policy: Signoff, socket_file: Path
    ) -> None:
        super().__init__(table, public_key, head_file, policy)
        self._socket_file = socket_file

    @contextmanager
    def writing(self) -> Generator[storage.Writer]:
        """Open a section, as for any ledger: the signer serves one section at a time."""
        with self._alone(), _line(self._socket_file) as line:
            self._catch_up_with(chain.Head.model_validate(_ask(line, do="begin")["head"]))
            added: list[Entry] = []

            def add(do: str, entry: Entry) -> Entry:
                stamped = Entry.model_validate(_ask(line, do=do, entry=entry.model_dump(mode="json"))["entry"])
                added.append(stamped)  # first, so that the copy is dropped if the book does not take it
                self.book.apply(stamped)
                return stamped

            def append(entry: Entry) -> None:
                add("append", entry)

            try:
                yield storage.Writer(append, lambda entry: add("attempt", entry).refusal)
                if added:
                    self._take_over([chain.Row.model_validate(row) for row in _ask(line, do="commit")["rows"]], added)
            except BaseException:
                if added:
                    self._copy = None
                raise

    def _catch_up_with(self, head: chain.Head) -> None:
        self._catch_up(self._table.rows)
        if self.head != head:
            ours, self._copy = self.head, None
            raise LedgerError(f"the signer is at row {head.number}, and the table ends otherwise, at row {ours.number}")

    def _take_over(self, rows: list[chain.Row], added: list[Entry]) -> None:
        """Take over the rows of entries that the book has taken in already."""
        if self._held().chain.extend(rows) != added:
            raise LedgerError("the signer has added something else than it said")


def attested(socket_file: Path, version: int, evidence: Manifest) -> dict[str, Any]:
    """Return the signature of a promoted version, as a DSSE envelope.

    LedgerError if the ledger does not say that it was promoted over this evidence; NotSigned if the signer is away.
    """
    with _line(socket_file) as line:
        return _ask(line, do="attest", version=version, evidence=evidence.model_dump())["envelope"]


def answers(socket_file: Path) -> bool:
    """Whether a signer listens and can read its ledger, though something may hinder it from signing now."""
    try:
        with _line(socket_file) as line:
            _ask(line, do="probe")
    except LedgerError:
        return False
    except storage.NotSigned as error:
        return not isinstance(error.__cause__, wire.Gone)
    return True


def why_not(socket_file: Path) -> str | None:
    """Return why nothing can be signed now; None if something can. This answers within PROBE_S."""
    try:
        with wire.connected(socket_file, PROBE_S) as line:
            _ask(line, do="probe")
    except (storage.NotSigned, LedgerError, wire.Gone) as error:
        return str(error)
    return None


@contextmanager
def _line(socket_file: Path) -> Generator[Line]:
    try:
        with wire.connected(socket_file, LONGEST_WAIT_S) as line:
            yield line
    except wire.Gone as error:
        raise storage.NotSigned(
            f"nothing can be signed or changed now, since the ledger's signer is away ({error}); "
            "it is started again by itself: try again in a minute"
        ) from error


def _ask(line: Line, **request: Any) -> dict[str, Any]:  # noqa: ANN401  fields of a request
    line.send(request)
    found = line.receive()
    match Answer(found.get("answer")):
        case Answer.DONE:
            return found
        case Answer.BROKEN:
            raise LedgerError(found["why"])
        case Answer.NOT_NOW:
            raise storage.NotSigned(found["why"])
