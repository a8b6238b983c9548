"""What the desk tells and is told: officers, cases, findings.

Not here: what the model says of a case, which is told apart from it (cases.py), because it may be hidden.
"""

from datetime import datetime
from typing import Self

import msgspec

from models.policy import LANES

CLEAR, SUSPICIOUS = "clear", "suspicious"
KINDS = ("undervaluation", "misclassification", "origin", "quantity", "prohibited_goods", "documents", "other")
GREEN = "green"
RELEASED, OVERRIDDEN = "released", "overridden"
LONGEST = 4_000  # characters of what somebody writes
_LONGEST_KEY, _MOST, _SHOWN = 64, 1e15, 60


class Refused(ValueError):
    """Says that what was asked for is not allowed, or not possible any more: why, and what is allowed."""


class Wrong(Refused):
    """A field of a finding holds what is not allowed."""

    def __init__(self, column: str, value: str, allowed: str) -> None:
        shown = value if len(value) <= _SHOWN else f"{value[:_SHOWN]}..."
        super().__init__(f"{column} is {shown!r}; allowed: {allowed}")
        self.column, self.value, self.allowed = column, value, allowed


class Officer(msgspec.Struct, frozen=True):
    """Says who acts, as the caller has made sure: name, offices that are theirs, and whether they supervise them."""

    name: str
    offices: tuple[str, ...]
    is_supervisor: bool = False


class CaseItem(msgspec.Struct, frozen=True):
    """An item of a case's declaration and its lane; the officer inspects all that are not green."""

    item_number: int
    lane: str

    @property
    def is_inspected(self) -> bool:
        return self.lane != GREEN


class Case(msgspec.Struct, frozen=True):
    """A case as any officer of its office may see it.

    Nothing in it tells why the declaration was chosen, or whether somebody has judged it before. `decision_id` names
    the decision about its latest `version`, or is None where the night has selected it. `accepted_at` is in legal
    time; other instants have a zone. `holder` is None where a lease has ended. `asked_lane` is a lower lane that
    `asked_by` wants, and that takes a second person; "green" is a release without an inspection.
    """

    number: int
    declaration_id: str
    version: int
    decision_id: str | None
    office: str
    lane: str
    accepted_at: datetime
    opened_at: datetime
    due_at: datetime
    holder: str | None
    lease_until: datetime | None
    asked_lane: str | None
    asked_by: str | None
    closed_at: datetime | None
    closed_by: str | None
    ending: str | None
    items: tuple[CaseItem, ...]

    @property
    def is_closed(self) -> bool:
        return self.closed_at is not None


class Event(msgspec.Struct, frozen=True):
    """Something that was done to a case: by whom, when and how, with the words that belong to it."""

    at: datetime
    actor: str
    action: str
    words: str


class Finding(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Holds what an officer found, as the officer's client tells it, which makes up `key` and sends it again unchanged.

    With a `kind` of KINDS it is an infringement, on one item. Without one, nothing was found on the item, or, where
    `item_number` is None, on every inspected item without an infringement. `is_critical` says
    that it endangers safety, health or security. `value` is the customs value found and `revenue` the duties and taxes
    recovered, both in the item's currency and None where not known, and `net_mass_kg` the mass found. `photos` are
    digests of photos as they were sent (photos.py). `replaces` is the key of a finding that it corrects.

    >>> from datetime import UTC
    >>> at = datetime(2024, 5, 2, 14, tzinfo=UTC)
    >>> Finding(key="k-1", case=7, found_at=at).is_infringement
    False
    >>> Finding(key="k-2", case=7, found_at=at, kind="smuggling", item_number=1)
    Traceback (most recent call last):
    ...
    models.desk.record.Wrong: kind is 'smuggling'; allowed: undervaluation, misclassification, origin, ...
    """

    key: str
    case: int
    found_at: datetime
    item_number: int | None = None
    kind: str = ""
    words: str = ""
    is_critical: bool = False
    value: float | None = None
    revenue: float | None = None
    net_mass_kg: float | None = None
    photos: tuple[str, ...] = ()
    replaces: str = ""

    def __post_init__(self) -> None:
        if not 1 <= len(self.key) <= _LONGEST_KEY:
            raise Wrong("key", self.key, f"1 to {_LONGEST_KEY} characters")
        if self.found_at.tzinfo is None:
            raise Wrong("found_at", str(self.found_at), "an instant with its zone")
        if self.kind and self.kind not in KINDS:
            raise Wrong("kind", self.kind, f"{', '.join(KINDS)}, or nothing where nothing was found")
        if self.kind and self.item_number is None:
            raise Wrong("item_number", "", "the item that infringes")
        if len(self.words) > LONGEST:
            raise Wrong("words", self.words, f"up to {LONGEST} characters, and these are {len(self.words)}")
        for name in ("value", "revenue", "net_mass_kg"):
            amount = getattr(self, name)
            if amount is not None and not 0 <= amount <= _MOST:
                raise Wrong(name, str(amount), f"0 to {_MOST:.0e}")
        if not self.kind and self.is_critical:
            raise Wrong("is_critical", "true", "false where nothing was found, or a kind of infringement")
        if not self.kind and self.revenue:
            raise Wrong("revenue", str(self.revenue), "0 where nothing was found, or a kind of infringement")

    @property
    def is_infringement(self) -> bool:
        return bool(self.kind)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what a client sent; Refused if it is no finding."""
        try:
            return msgspec.json.decode(text, type=cls)
        except msgspec.ValidationError as error:
            raise Refused(str(error)) from error
        except msgspec.DecodeError as error:
            raise Refused(f"the finding is no JSON: {error}") from error


class Filed(msgspec.Struct, frozen=True):
    """A finding as it was filed: by whom, when, and why it does not count if it came too late (`conflict`)."""

    number: int
    finding: Finding
    officer: str
    at: datetime
    conflict: str = ""


class Told(msgspec.Struct, frozen=True):
    """Tells what the model says of an item: its score, the revenue that it expects, and reasons in words."""

    item_number: int
    score: float | None
    critical: float | None
    expected_revenue: float | None
    reasons: tuple[str, ...]


def rank(lane: str) -> int:
    """Return a lane's place: the lower, the more it detects; green is the last.

    >>> [rank(lane) for lane in ("red", "yellow", "blue", "green")]
    [0, 1, 2, 3]
    >>> rank("orange")
    Traceback (most recent call last):
    ...
    models.desk.record.Refused: lane is 'orange'; allowed: red, yellow, blue, green
    """
    order = (*LANES, GREEN)
    if lane not in order:
        raise Refused(f"lane is {lane!r}; allowed: {', '.join(order)}")
    return order.index(lane)
