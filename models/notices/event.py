"""What people may be told: an event, its kind, whom it concerns, and the page where something is done about it."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

OPERATOR = "operator"  # whoever keeps the installation running; no account has this role
LONGEST = 240  # characters of what somebody else has written

# The page that lists what a kind is about, for a message about several events.
KINDS: Mapping[str, str] = {
    "waits": "/signoff",
    "runs-out": "/signoff",
    "ran-out": "/signoff",
    "refused": "/signoff",
    "void": "/signoff",
    "promoted": "/signoff",
    "taken-back": "/signoff",
    "overdue": "/desk/supervision",
    "run-failed": "/runs",
    "night-missed": "/runs",
    "not-judged": "/runs",
    "alarm": "/signoff",
    "fallback": "/signoff",
    "past-provider": "/signoff",
    "blind": "/runs",
}
_OF_PREFECT = "/runs"

# Signs that mean something in HTML, in a kind of Markdown or to a chat, and those that stand in for them.
_HARMLESS = str.maketrans("<>[]`*~|\\", "()()'+-//")
_BLANK = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]+")


def plain(text: str) -> str:
    """Return what somebody else has written as one short line without markup, links and mentions, for any channel.

    >>> plain("see [this](https://x.example)\\n<!channel> @here")
    'see (this)(https: //x.example) (!channel) (at)here'
    """
    line = _BLANK.sub(" ", text[: 4 * LONGEST]).strip().translate(_HARMLESS)
    line = line.replace("://", ": //").replace("@", "(at)")
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def moment(at: datetime) -> str:
    """Return an instant in UTC, to the minute, as all languages of ours write it."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True)
class Event:
    """Holds something that people are told.

    `key` names it for good: nobody is told the same key twice. `facts` are put into the words of its kind. It concerns
    `accounts` if there are any, or else those who have `role`, but not `but`; with `office`, only those whose office it
    is. What is shared by a role is told of all that concerns the role.
    """

    kind: str
    key: str
    at: datetime
    link: str
    facts: Mapping[str, str] = field(default_factory=dict)
    role: str = ""
    accounts: tuple[str, ...] = ()
    but: tuple[str, ...] = ()
    office: str = ""


@dataclass(frozen=True)
class Pages:
    """Holds the addresses at which people reach our pages (`own`) and those of Prefect (`runs`)."""

    own: str
    runs: str

    def version(self, number: int) -> str:
        """Return the address of a version's page, where it is signed."""
        return f"{self.own}/signoff/versions/{number}"

    def case(self, number: int) -> str:
        """Return the address of a case at the desk."""
        return f"{self.own}/desk/cases/{number}"

    def run(self, run_id: str) -> str:
        """Return the address of a run's page in Prefect."""
        return f"{self.runs}/runs/flow-run/{run_id}"

    def of(self, kind: str) -> str:
        """Return the address of the page that lists what a kind is about.

        >>> Pages("https://a.example", "https://b.example").of("overdue")
        'https://a.example/desk/supervision'
        """
        path = KINDS[kind]
        return f"{self.runs if path == _OF_PREFECT else self.own}{path}"


@dataclass(frozen=True)
class Found:
    """Holds the events that a source has found, and how far it has come, which it is told at its next look."""

    events: Sequence[Event]
    cursor: str | None = None


class Source(Protocol):
    """Finds something that people are told of."""

    def look(self, pages: Pages, cursor: str | None, now: datetime) -> Found:
        """Return what there is to tell; `cursor` is None at the first look of an installation.

        An event may be found again and again, since its key is told once. Raises whatever keeps it from looking.
        """
        ...


def digest(text: str) -> str:
    """Return a short name of a text, for a key."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
