"""People, a policy and ledger entries for the tests of sign-off."""

import hashlib
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from models.ledger.book import ADMINISTRATOR, SERVER, SERVICE, Book
from models.ledger.chain import Chain, Entry, Row
from models.ledger.lifecycle import Event
from models.policy import Signoff, SignoffStep

# The event of the lifecycle that stands for each action of an accepted entry.
EVENTS = {
    "open": Event.OPEN,
    "approve": Event.APPROVE,
    "reject": Event.REJECT,
    "revoke": Event.REVOKE,
    "withdraw": Event.WITHDRAW,
    "promote": Event.PROMOTE,
    "roll back": Event.ROLL_BACK,
    "void": Event.TAMPER,
}
POLICY = Signoff(
    valid_days=30,
    criterion_days=90,
    steps=(
        SignoffStep(name="technical", role="risk-analyst", signatures=1),
        SignoffStep(name="governance", role="reviewer", signatures=2),
    ),
)
ROLES = {
    "ann": ("risk-analyst",),
    "bob": ("reviewer",),
    "cid": ("reviewer",),
    "dee": ("reviewer", "risk-analyst"),
    "eve": ("data-scientist", "reviewer", "risk-analyst"),
    "pia": ("analyst",),
    "pol": ("analyst", "auditor"),
    "root": (ADMINISTRATOR, "reviewer", "risk-analyst"),
    SERVICE: ("reviewer", "risk-analyst"),
    SERVER: ("reviewer", "risk-analyst"),
}
AUTHOR = "eve"
START = datetime(2024, 3, 5, tzinfo=UTC)


def digest_of(version: int) -> str:
    """Return the digest of a version's evidence, as long as nobody altered it."""
    return hashlib.sha256(f"{version}".encode()).hexdigest()


def on(day: float) -> datetime:
    return START + timedelta(days=day)


def entry(action, actor, version=1, step=None, day=0.0, **parts):
    """Return an attempt over untouched evidence, with a reason."""
    usual = {"roles": ROLES[actor], "digest": digest_of(version), "reason": "sound"}
    return Entry(at=on(day), actor=actor, action=action, version=version, step=step, **usual | parts)


def opening(version=1, day=0.0, policy=POLICY):
    return Book(policy).opening(version, digest_of(version), (AUTHOR,), on(day))


def beside_others(version=1, day=0.0):
    """Return the opening of a version as it was written when several could be signed at once."""
    return opening(version, day).model_copy(update={"one_at_a_time": False})


def signing(version=1, day=0.0):
    """Return the signatures that approve a version."""
    return [
        entry("approve", "ann", version, "technical", day),
        entry("approve", "bob", version, "governance", day),
        entry("approve", "cid", version, "governance", day),
    ]


def promotion(version=1, day=0.0):
    """Return everything that makes a version champion."""
    return [opening(version, day), *signing(version, day), entry("promote", SERVICE, version, day=day)]


def book_of(*entries):
    book = Book(POLICY)
    for each in entries:
        book.apply(each)
    return book


def chained(entries, key: Ed25519PrivateKey) -> list[Row]:
    """Return the rows that a server would write."""
    chain, rows = Chain(key.public_key()), []
    for each in entries:
        rows.append(chain.follow(each, key))
        chain.extend(rows[-1:])
    return rows
