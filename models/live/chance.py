"""The chance of the day: numbers that nobody can foretell, and that anybody can check once the day's secret is out.

Each day has a secret of 32 random bytes. `commitment` of it is published before the day, and the secret itself after
it. A declaration's numbers are HMAC-SHA256 of its key under that secret, one for each purpose, so they depend on
nothing else: not on the score, nor on what arrived before. Not here: making secrets and keeping them, and what the
numbers decide (placing.py).
"""

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from features.contract import PLACEHOLDER
from models.policy import LANES

SECRET_BYTES = 32
_COMMITTED = b"tidewaiter: secret of a day\n"
_DIGITS = 53  # binary digits of a double between 0 and 1


@dataclass(frozen=True)
class Draws:
    """Two independent uniform numbers of a declaration item, from 0 up to, but not including, 1."""

    random: float
    exploration: float


@dataclass(frozen=True)
class Stored:
    """The numbers that a decision was made by, as they were stored with it."""

    key: str
    item_number: int
    draws: Draws


def commitment(secret: bytes) -> str:
    """Return the SHA-256, in hexadecimal, by which a secret is known before it is published.

    >>> commitment(bytes(32))[:16]
    '97689e42e700f2fe'
    >>> commitment(b"short")
    Traceback (most recent call last):
    ...
    ValueError: secret has 5 bytes; allowed: 32
    """
    return hashlib.sha256(_COMMITTED + _checked(secret)).hexdigest()


def chance_key(declaration_id: str, importer_id: str, transport_document_id: str | None) -> str:
    """Return what a declaration's numbers are drawn for: its goods if papers name them, or else the declaration.

    Goods are named by transport document and importer. So whoever lodges them again under another id gets the same
    numbers, and importers whose goods share a document (a groupage) get numbers of their own. Upper and lower case,
    blanks and punctuation make no difference. A document or an importer that is missing, or that stands for nothing
    ("N/A", "0000"), names no goods. All versions of a declaration keep the key of the first one, whatever they change;
    the caller stores it.

    >>> chance_key("D1", "I1", "MAEU-123") == chance_key("D2", "I1", "maeu 123")
    True
    >>> chance_key("D1", "I1", "MAEU-123") == chance_key("D1", "I2", "MAEU-123")
    False
    >>> chance_key("D1", "I1", None) == chance_key("D2", "I1", None)
    False
    """
    importer, document = _plain(importer_id), _plain(transport_document_id)
    named = ["goods", importer, document] if importer and document else ["declaration", declaration_id]
    return hashlib.sha256(json.dumps(named).encode()).hexdigest()


def draws(secret: bytes, key: str, item_number: int) -> Draws:
    """Return the numbers of an item of the declaration with this `chance_key`."""
    return Draws(*(_uniform(secret, purpose, key, item_number) for purpose in ("random", "exploration")))


def rounding(secret: bytes, office: str) -> tuple[float, ...]:
    """Return the numbers by which an office rounds fractions of places on the secret's day, one for each of LANES."""
    return tuple(_uniform(secret, "rounding", office, lane) for lane in LANES)


def contradictions(secret: bytes, committed: str, stored: Iterable[Stored]) -> Iterator[str]:
    """Say, in a sentence each, how a published secret contradicts its commitment or stored numbers; nothing if it fits.

    >>> list(contradictions(bytes(32), commitment(bytes(32)), [Stored("k", 1, draws(bytes(32), "k", 1))]))
    []
    >>> list(contradictions(bytes(32), commitment(bytes(32)), [Stored("k", 1, Draws(0.5, 0.5))]))
    ['item 1 of k was decided by Draws(random=0.5, exploration=0.5); the secret gives Draws(random=...)']
    """
    if not hmac.compare_digest(commitment(secret), committed):
        yield f"the secret is not the one committed to: its commitment is {commitment(secret)}, and not {committed}"
    for each in stored:
        drawn = draws(secret, each.key, each.item_number)
        if drawn != each.draws:
            yield f"item {each.item_number} of {each.key} was decided by {each.draws}; the secret gives {drawn}"


def _uniform(secret: bytes, *what: str | int) -> float:
    digest = hmac.digest(_checked(secret), json.dumps(what).encode(), "sha256")
    return (int.from_bytes(digest[:8]) >> (64 - _DIGITS)) / 2**_DIGITS


def _checked(secret: bytes) -> bytes:
    if len(secret) != SECRET_BYTES:
        raise ValueError(f"secret has {len(secret)} bytes; allowed: {SECRET_BYTES}")
    return secret


def _plain(name: str | None) -> str:
    if name is None or re.fullmatch(PLACEHOLDER, name.strip()):
        return ""
    return "".join(letter for letter in name.upper() if letter.isalnum())
