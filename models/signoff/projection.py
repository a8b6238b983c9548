"""What MLflow should show of the ledger, and how it differs: this module decides, and promotion.py carries it out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from features.disk import write_atomically
from models.ledger import Book
from models.ledger.lifecycle import State
from models.names import CHALLENGER, CHAMPION, EVIDENCE_DIGEST, PENDING, PREVIOUS, SIGNOFF
from models.signoff import waiting

Tags = dict[str, str]
_WAITING = (State.CANDIDATE, State.AWAITING, State.EXPIRED)


@dataclass(frozen=True)
class Stored:
    """Tells what MLflow has: version by alias, tags by version, and what the page of the model says."""

    aliases: Mapping[str, int]
    versions: Mapping[int, Tags]
    description: str = ""


class Memory(BaseModel):
    """Tells what the last pass left behind, and which lasting alarms were told."""

    model_config = ConfigDict(extra="forbid")

    aliases: dict[str, int] = Field(default_factory=dict)
    tags: dict[int, Tags] = Field(default_factory=dict)
    told: list[str] = Field(default_factory=list)

    @classmethod
    def read(cls, file: Path) -> "Memory":
        """Read a file; empty if there is none, or none that can be read: then more is told than need be."""
        try:
            return cls.model_validate_json(file.read_bytes())
        except (FileNotFoundError, ValidationError):
            return cls()

    def write(self, file: Path) -> None:
        write_atomically(file, lambda path: path.write_text(self.model_dump_json()))


@dataclass(frozen=True)
class Plan:
    """Tells what differs from the ledger.

    These are tags and aliases to set (None: to take away), the description of the model to set (None: it is right), and
    what somebody must hear of.

    `moved` is about tags and aliases that the plan corrects; no plan can correct what `lasting` is about.
    """

    tags: tuple[tuple[int, str, str], ...] = ()
    aliases: tuple[tuple[str, int | None], ...] = ()
    moved: tuple[str, ...] = ()
    lasting: tuple[str, ...] = ()
    description: str | None = None


def to_inspect(book: Book, stored: Stored, at: datetime) -> list[int]:
    """Return the versions whose evidence is to be looked at.

    They are those not opened yet, the newest, and those with signatures that count or may come to count again. The
    others wait unsigned, and signing one has it looked at first.
    """
    newest = max(stored.versions, default=None)
    return [
        number
        for number, tags in sorted(stored.versions.items())
        if EVIDENCE_DIGEST in tags and _counts(book, number, at, is_newest=number == newest)
    ]


def _counts(book: Book, number: int, at: datetime, is_newest: bool) -> bool:
    state = book.state(number, at)
    if state in (State.AWAITING, State.EXPIRED):
        return is_newest or bool(book.cases[number].in_force(at))
    return state in (State.CANDIDATE, State.APPROVED, State.CHAMPION) or number == book.previous


def compare(book: Book, stored: Stored, memory: Memory, at: datetime) -> Plan:
    """Return what is to be corrected, and what of it nobody can have done by the ledger."""
    tags: list[tuple[int, str, str]] = []
    aliases: list[tuple[str, int | None]] = []
    moved: list[str] = []
    lasting: list[str] = []
    for number, case in sorted(book.cases.items()):
        if case.is_void:
            lasting.append(
                f"the evidence of version {number} was altered after it was opened: it can never be promoted"
            )
        if number not in stored.versions:
            lasting.append(f"version {number} is in the ledger and is gone from MLflow")
            continue
        found, left = stored.versions[number], memory.tags.get(number, {})
        if found.get(EVIDENCE_DIGEST) != case.digest:
            lasting.append(
                f"tag {EVIDENCE_DIGEST} of version {number} is {found.get(EVIDENCE_DIGEST)}, not {case.digest}"
            )
        wanted = case.tags(at)
        for key, value in wanted.items():
            if found.get(key) != value:
                tags.append((number, key, value))
                if found.get(key) != left.get(key, PENDING):
                    moved.append(f"tag {key} of version {number} was {found.get(key)!r}; by the ledger it is {value!r}")
        lasting += [
            f"version {number} has a tag {key} = {found[key]!r}, which the ledger knows nothing of"
            for key in sorted(found)
            if key.startswith(SIGNOFF) and key not in wanted
        ]
    for number in sorted(stored.versions.keys() - book.cases.keys()):
        lasting += [
            f"version {number} has a tag {key} = {value!r}, and was never opened"
            for key, value in sorted(stored.versions[number].items())
            if key.startswith(SIGNOFF) and value != PENDING
        ]
    wanted_aliases = aliases_of(book)
    for alias in (CHAMPION, PREVIOUS):
        found, wanted = stored.aliases.get(alias), wanted_aliases.get(alias)
        if found != wanted:
            aliases.append((alias, wanted))
            if found != memory.aliases.get(alias):
                moved.append(f"alias {alias} was at {named(found)}; by the ledger it belongs to {named(wanted)}")
    challenger = stored.aliases.get(CHALLENGER)
    if (wanted := _challenger(book, stored, at)) != challenger:
        aliases.append((CHALLENGER, wanted))
    description = waiting.describe(book, stored.versions, at) if stored.versions else stored.description
    told = None if description == stored.description else description
    return Plan(tuple(tags), tuple(aliases), tuple(moved), tuple(lasting), told)


def _challenger(book: Book, stored: Stored, at: datetime) -> int | None:
    """Return whose the challenger's alias is: the version that people are signing, else the newest that waits.

    Registration sets it. It is only ever passed on here; a champion challenges nobody any more.
    """
    found, signed = stored.aliases.get(CHALLENGER), [n for n in book.being_signed(at) if n in stored.versions]
    if found is None or found in signed:
        return found
    if signed:
        return signed[0]
    waiting = (n for n, tags in stored.versions.items() if EVIDENCE_DIGEST in tags and book.state(n, at) in _WAITING)
    newest = max(waiting, default=0)
    if newest > max(found, book.champion or 0):
        return newest
    return None if found == book.champion else found


def aliases_of(book: Book) -> dict[str, int]:
    """Return the aliases by the ledger."""
    found = {CHAMPION: book.champion, PREVIOUS: book.previous}
    return {alias: version for alias, version in found.items() if version is not None}


def named(version: int | None) -> str:
    """Return a version in the words of a sentence."""
    return "no version" if version is None else f"version {version}"
