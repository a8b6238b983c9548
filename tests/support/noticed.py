"""Events and recipients for the tests of what people are told."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from models.notices import FILE, KINDS, Event, Pages

START = datetime(2024, 5, 2, 6, tzinfo=UTC)
PAGES = Pages("https://own.example", "https://runs.example:4443")

_WAITING = {
    "version": "3",
    "authors": "eve",
    "step": "governance",
    "role": "reviewer",
    "missing": "2",
    "signed": "ann",
    "ends": "2024-06-01 06:00 UTC",
}
# What the sources say of each kind.
FACTS: Mapping[str, Mapping[str, str]] = {
    "waits": _WAITING,
    "runs-out": _WAITING,
    "ran-out": _WAITING,
    "refused": {"version": "3", "authors": "eve", "by": "bob", "step": "governance", "why": "misses office 40"},
    "void": {"version": "3", "authors": "eve"},
    "promoted": {"version": "3", "authors": "eve"},
    "taken-back": {"version": "3", "authors": "eve", "by": "bob", "now": "2", "why": "misses office 40"},
    "alarm": {"why": "alias champion was moved"},
    "fallback": {"why": "the ledger is broken"},
    "past-provider": {"why": "admin signed in at MLflow by a password"},
    "overdue": {"case": "7", "office": "010", "lane": "red", "due": "2024-05-02 05:00 UTC"},
    "run-failed": {"deployment": "select/nightly", "run": "tidy-otter", "state": "Failed", "why": "a disk is full"},
    "night-missed": {"deployment": "select/nightly", "due": "2024-05-02 03:30 UTC"},
    "not-judged": {"source": "files", "why": "not judged for 8 nights"},
    "blind": {"source": "runs", "why": "ConnectError"},
}


def at(seconds: float = 0.0) -> datetime:
    return START + timedelta(seconds=seconds)


def event(kind: str = "overdue", key: str = "1", **given: object) -> Event:
    """Return an event of a kind, for operators if nobody else is said."""
    usual = {"at": START, "link": PAGES.of(kind), "facts": FACTS[kind], "role": "operator"}
    return Event(kind, f"{kind}/{key}", **usual | given)


def file_of(folder: Path, text: str) -> Path:
    """Return the file of recipients with a text, as it should be: open to nobody else."""
    file = folder / FILE
    file.touch(mode=0o600)
    file.write_text(text)
    return file


assert set(FACTS) == set(KINDS)
