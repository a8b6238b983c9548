"""What was purged: a line for each thing, with its digest, the rule and the day, chained by hash in one file.

    purged.jsonl    in the state folder

A line is written before its thing is deleted: whoever finds neither thing nor line knows that it was lost, and not
purged. A line of a thing that was younger than its rule allows, or than any rule may, or of a purge that is still to
come, breaks the chain, so nobody can hide by it what the rule would have kept.
"""

import fcntl
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import msgspec

from models.retention.rules import LEAST, MOST

TOMBSTONES = "purged.jsonl"
_FIRST = "0" * 64
_ZONES = timedelta(days=1)  # the administration's day may have begun before the machine's
_encode = msgspec.json.Encoder().encode


class Gone(LookupError):
    """Something was purged by a rule. The message says by which and when."""


class Tombstone(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line: the thing's table and name (its digest), the day from which it is counted, the rule, and the purge.

    `before` is the hash of the line before it.
    """

    table: str
    name: str
    counted_from: date
    days: int
    purged_on: date
    before: str

    @property
    def hash(self) -> str:
        """Return the SHA-256 over the line, in hexadecimal."""
        return hashlib.sha256(_encode(self)).hexdigest()

    @property
    def sentence(self) -> str:
        """Return by which rule and when it was purged.

        >>> day = date(2024, 1, 1)
        >>> Tombstone("photos", "ab", day, 365, date(2025, 1, 1), "").sentence
        'purged by rule photos (365 days) on 2025-01-01'
        """
        return f"purged by rule {self.table} ({self.days:,} days) on {self.purged_on}"


@dataclass(frozen=True)
class Tombstones:
    """The tombstones in a file, which is made with the first of them."""

    file: Path

    def find(self, table: str, name: str, since: date = date.min) -> Tombstone | None:
        """Return the last tombstone of a thing that is not there, if it tells of a day from `since` on, or else None.

        `since` is a day on which the thing is known to have been there. ValueError as from `read`.
        """
        found = [each for each in self.read() if (each.table, each.name) == (table, name)]
        return next((each for each in reversed(found) if each.counted_from >= since), None)

    def read(self) -> list[Tombstone]:
        """Return all tombstones; ValueError names the line that is none, or that does not follow from those before.

        A last line without its end counts for none: a process was killed before it deleted what is named there.
        """
        if not self.file.exists():
            return []
        content = self.file.read_bytes()
        found, last = [], _FIRST
        for number, line in enumerate(content[: content.rfind(b"\n") + 1].splitlines(), 1):
            try:
                each = msgspec.json.decode(line, type=Tombstone)
            except msgspec.MsgspecError as error:
                raise ValueError(f"{self.file}, line {number}: it is no tombstone: {error}") from error
            if each.before != last:
                raise ValueError(f"{self.file}, line {number}: it does not follow from what is before it")
            if not LEAST <= each.days <= MOST:
                raise ValueError(f"{self.file}, line {number}: days is {each.days}; allowed: {LEAST} to {MOST:,}")
            if each.purged_on > date.today() + _ZONES:
                raise ValueError(f"{self.file}, line {number}: purged_on is {each.purged_on}, which is still to come")
            if each.purged_on < each.counted_from + timedelta(days=each.days):
                raise ValueError(f"{self.file}, line {number}: {each.name} was {each.sentence}, before its time")
            found.append(each)
            last = each.hash
        return found

    def add(self, table: str, things: Mapping[str, date], days: int, today: date) -> None:
        """Write a line for each thing (the day from which it is counted, by its name) without one of that day or later.

        So what came again after its purge has another one. A line that was left unfinished is cut off. ValueError if a
        thing is younger than `days`, or as from `read`.
        """
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("a+b") as lines:
            fcntl.flock(lines, fcntl.LOCK_EX)
            before = self.read()
            lines.seek(0)
            lines.truncate(lines.read().rfind(b"\n") + 1)
            known = {each.name: each.counted_from for each in before if each.table == table}
            last = before[-1].hash if before else _FIRST
            for name, counted_from in sorted(things.items()):
                if counted_from + timedelta(days=days) > today:
                    raise ValueError(f"{table} {name} is of {counted_from}: it is kept for {days} days")
                if known.get(name, date.min) < counted_from:
                    each = Tombstone(table, name, counted_from, days, today, last)
                    lines.write(_encode(each) + b"\n")
                    last = each.hash
            lines.flush()
            os.fsync(lines.fileno())
