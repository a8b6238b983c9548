"""A decision as it is stored: all that its answer was made from, the answer, and its place in the chain.

The text of a record is canonical JSON: keys in the order of the fields, numbers in their shortest exact form. So the
same decision gives the same bytes, and a number that was read again is the number that was written, to the last bit.

Record n has a hash over (n, hash of record n-1, its own text). A record that was changed, left out or put in between
shows there, and the last hash stands for all before it; it is sealed into the ledger of sign-off.
"""

import hashlib
import zlib
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any

import msgspec

from models.live import Placement
from models.live.chance import Draws
from models.live.placing import GREEN, Candidate, Chances
from models.policy import LANES
from models.reasons import Reason

FIRST_HASH = "0" * 64
_FASTEST = 1  # of zlib: higher levels take several times as long and save a tenth
_encode = msgspec.json.Encoder().encode


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Holds what was decided about one item of a declaration.

    `lane`, `reason` and `chances` are its placement (models/live), and `probability` is the chance that it is
    inspected, over all that is drawn and over all versions of the declaration. It was placed for `candidate` by
    `draws`. `plan` is the digest of the plan, and `came` the state of the office, by which it was placed when it first
    came; later versions keep them. What the model says is None where no model could be asked. `criterion` names the one
    whose place it has, if one gave it a place.
    """

    item_number: int
    lane: str
    reason: str
    probability: float
    chances: Chances
    candidate: Candidate
    draws: Draws
    plan: str
    came: str
    score: float | None
    critical: float | None
    expected_revenue: float | None
    revenue_if_illicit: float | None
    priority: float | None
    reasons: tuple[Reason, ...]
    criterion: str = ""

    @property
    def placement(self) -> Placement:
        return Placement(self.lane, self.reason, self.chances, self.criterion)


class Shadow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Holds the scores that a version awaiting sign-off gives the same items, in their order; no desk shows them."""

    model_version: str
    model_digest: str
    scores: tuple[float, ...]


class Decision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One decision about one version of a declaration.

    `declared` has the items as rows of the contract, `content` is their digest, and `message` that of the message that
    they came in. `key` is what the declaration's chances are drawn for. `feature_names` is the digest of the list of
    features, of which `features` has the values for each item; both are empty where no model was asked, and `unscored`
    says why. `before` and `after` are the states of the office (models/live). `criteria` is the digest of the criteria
    that were in force, and empty if none was; `tables` that of customs' own tables by which the message was read, and
    empty if there were none.
    """

    decision_id: str
    declaration_id: str
    version: int
    content: str
    message: str
    caller: str
    language: str
    received_at: datetime
    day: date
    office: str
    key: str
    declared: tuple[dict[str, Any], ...]
    morning: str
    model_version: str
    model_digest: str
    policy_digest: str
    feature_names: str
    features: tuple[tuple[Any, ...], ...]
    before: str
    after: str
    items: tuple[Item, ...]
    shadows: tuple[Shadow, ...] = ()
    unscored: str = ""
    criteria: str = ""
    tables: str = ""

    @property
    def lane(self) -> str:
        """Return the lane of the whole declaration: that of its items which detects most, as LANES are ordered."""
        return min((item.lane for item in self.items), key=(*LANES, GREEN).index)


class Link(msgspec.Struct, frozen=True):
    """A decision's place in the chain: its number, from 1, its compressed text, and the hash up to it."""

    number: int
    text: bytes
    hash: str

    @property
    def decision(self) -> Decision:
        """Return the decision that the text tells; msgspec.MsgspecError if it is not one."""
        return msgspec.json.decode(zlib.decompress(self.text), type=Decision)


def digest(content: object) -> str:
    """Return the SHA-256, in hexadecimal, of the canonical JSON of `content`."""
    return hashlib.sha256(_encode(content)).hexdigest()


def linked(decisions: Iterable[Decision], number: int, last_hash: str) -> Iterator[Link]:
    """Yield the links of decisions that follow on link `number` with `last_hash`; on 0 and FIRST_HASH at first."""
    for place, decision in enumerate(decisions, start=number + 1):
        text = _encode(decision)
        last_hash = hash_of(place, last_hash, text)
        yield Link(place, zlib.compress(text, _FASTEST), last_hash)


def hash_of(number: int, before: str, text: bytes) -> str:
    """Return the hash of link `number` with this uncompressed text, after a link with the hash `before`."""
    return hashlib.sha256(b"%d\n%s\n%s" % (number, before.encode(), text)).hexdigest()
