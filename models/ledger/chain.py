"""The ledger's rows: entries in canonical JSON, chained by hash, with a signed chain.

Row n holds an entry, a hash over (number, hash and signature of row n-1, that entry), and the server's Ed25519
signature of the hash. So the last signature vouches for every row before it, and an edited, deleted, inserted or
reordered row breaks the chain at that place. If rows are cut off at the end, the chain stays whole: the head protects
against that. It is number and hash of the last row, and a copy of it is kept elsewhere.
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from models.criteria import Criterion
from models.evidence import digests
from models.policy import SignoffStep

Action = Literal[
    "open",
    "approve",
    "reject",
    "revoke",
    "withdraw",
    "promote",
    "roll back",
    "void",
    "align",
    "account",
    "write",
    "clear",
    "decisions",
    "criterion",
]

# Fields that came later; they are left out of the text if they say nothing.
_LATER = frozenset({"role_numbers", "grant", "seal", "criterion", "one_at_a_time", "one_person"})


# How far the time of a row may be behind that of a row before it. The signer adds no row that is behind at all; older
# rows were stamped before they waited for their turn, which took a minute at most.
BACKWARDS = timedelta(minutes=2)


class LedgerError(RuntimeError):
    """The ledger is not as the server wrote it. The message names the row and what is wrong with it."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Entry(_Record):
    """One attempt, accepted or refused.

    `roles` are the actor's at that moment. `address` is the peer's, `request` method and path. `digest` is that of the
    evidence as it lay in the store. `reason` is the actor's own; `refusal` says why the attempt was refused.
    `role_numbers` are those roles by what they are, whatever they are called; `grant` is by what MLflow lets the actor
    write the tag of a step. Both are there since the server notes which number each role has.
    `digest` of `criterion` is that of the criterion that `step` is about; the entry that proposes it has the
    `criterion` too, and in `valid_days` how long it may live.
    `digest` of `decisions` is the hash up to which the window's log of decisions was sealed, and `reason` its number.
    `authors`, `steps` and `valid_days` belong to `open`: who made the version, and the policy it is judged by; so does
    `seal`, the digest of the list of all its files (models/evidence/seal.py), which versions opened earlier have not,
    and `one_at_a_time`, that nobody signs it while people are signing another, which was allowed earlier.
    `one_person` of `account` are the names of accounts that are one person's.
    """

    at: AwareDatetime
    actor: str
    roles: tuple[str, ...] = ()
    address: str = ""
    request: str = ""
    action: Action
    version: int | None = None
    step: str | None = None
    digest: str | None = None
    reason: str = ""
    refusal: str | None = None
    authors: tuple[str, ...] = ()
    steps: tuple[SignoffStep, ...] = ()
    valid_days: int | None = None
    role_numbers: dict[str, int] = {}
    grant: str = ""
    seal: str | None = None
    one_at_a_time: bool = False
    criterion: Criterion | None = None
    one_person: tuple[str, ...] = ()

    @model_serializer(mode="wrap")
    def _as_it_was_written_before(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Return an entry that says nothing in a later field as it was written when there was no such field."""
        return {name: value for name, value in dump(self).items() if name not in _LATER or value}

    @property
    def is_accepted(self) -> bool:
        return self.refusal is None


class Row(_Record):
    """An entry as it is stored: its canonical JSON, with hash and signature in hexadecimal."""

    number: int
    entry: str
    hash: str
    signature: str


class Head(_Record):
    """The last row's number and hash."""

    number: int
    hash: str


class Chain:
    """Rows that were found whole. More can be added at the end; LedgerError refuses those that break the chain.

    >>> key = Ed25519PrivateKey.generate()
    >>> chain, copy = Chain(key.public_key()), Chain(key.public_key())
    >>> entry = Entry(at="2024-03-05T00:00:00Z", actor="ann", action="approve", version=1, reason="sound")
    >>> row = chain.follow(entry, key)
    >>> copy.extend([row])[0].actor
    'ann'
    >>> chain.extend([row.model_copy(update={"entry": row.entry.replace("ann", "bob")})])
    Traceback (most recent call last):
    ...
    models.ledger.chain.LedgerError: row 1 does not follow from what is before it: it was altered, or put in its place
    """

    def __init__(self, public_key: Ed25519PublicKey) -> None:
        self._key = public_key
        self._last = Row(number=0, entry="", hash="0" * 64, signature="")
        self._latest_at: datetime | None = None

    @property
    def latest_at(self) -> datetime | None:
        """Return the latest moment of any row; None if there is none."""
        return self._latest_at

    @property
    def head(self) -> Head:
        return Head(number=self._last.number, hash=self._last.hash)

    def extend(self, rows: Sequence[Row]) -> list[Entry]:
        """Return the entries of `rows`, which must follow on the present ones; if one does not, nothing is added."""
        last, latest_at, entries = self._last, self._latest_at, []
        for row in rows:
            if row.number != last.number + 1:
                raise LedgerError(f"row {last.number + 1} is missing: after {last.number} comes {row.number}")
            if row.hash != _hash(last, row.entry):
                raise LedgerError(
                    f"row {row.number} does not follow from what is before it: it was altered, or put in its place"
                )
            entry = _read(row)
            if latest_at and latest_at - entry.at > BACKWARDS:
                raise LedgerError(
                    f"row {row.number} goes back in time: it is of {entry.at}, and one before it of {latest_at}"
                )
            latest_at = max(latest_at or entry.at, entry.at)
            entries.append(entry)
            last = row
        if rows and not self._is_signed(last):
            raise LedgerError(f"row {last.number} is not signed with the server's key: it or a row before it is forged")
        self._last, self._latest_at = last, latest_at
        return entries

    def follow(self, entry: Entry, key: Ed25519PrivateKey) -> Row:
        """Return the row that `entry` makes at the end; `extend` adds it."""
        text = digests.canonical(entry.model_dump(mode="json")).decode()
        digest = _hash(self._last, text)
        return Row(
            number=self._last.number + 1, entry=text, hash=digest, signature=key.sign(bytes.fromhex(digest)).hex()
        )

    def _is_signed(self, row: Row) -> bool:
        try:
            signature = bytes.fromhex(row.signature)
            self._key.verify(signature, bytes.fromhex(row.hash))
        except (InvalidSignature, ValueError):
            return False
        return signature.hex() == row.signature  # the same signature in capitals is not what the server wrote


def check_head(rows: Iterable[Row], head: Head | None) -> None:
    """Raise LedgerError if `rows`, a whole ledger, does not reach or does not contain a head taken earlier."""
    if head is None or head.number == 0:
        return
    found = next((row for row in rows if row.number == head.number), None)
    if found is None:
        raise LedgerError(f"row {head.number} is missing: it was there when the head was taken, so rows were cut off")
    if found.hash != head.hash:
        raise LedgerError(f"row {head.number} is not what it was when the head was taken: history was rewritten")


def _hash(before: Row, entry: str) -> str:
    text = f"{before.number + 1}\n{before.hash}\n{before.signature}\n{entry}"
    return hashlib.sha256(text.encode()).hexdigest()


def _read(row: Row) -> Entry:
    try:
        return Entry.model_validate_json(row.entry)
    except ValidationError as error:
        raise LedgerError(f"row {row.number} is not an entry: {error.errors()[0]['msg']}") from error
