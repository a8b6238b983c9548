"""Decisions that the database could not take: a file on the disk, from which they go there as soon as it answers.

A line is one link, and the first of several has the documents that they name. It is on the disk before the answer
leaves. A last line without its end was never answered, and is left out.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from features.disk import atomic
from models.decisions.log import DecisionLog, Document
from models.decisions.record import Link


class _Line(msgspec.Struct, frozen=True):
    number: int
    text: bytes
    hash: str
    documents: dict[str, tuple[str, bytes]]


@dataclass(frozen=True)
class Spool:
    """The spool in a file, of which one process is the only writer."""

    file: Path

    def append(self, links: Sequence[Link], told: Mapping[str, Document]) -> None:
        """Write links and what they name to the disk; OSError if that is not possible."""
        documents = {digest: (message.media_type, message.content) for digest, message in told.items()}
        lines = [
            _Line(link.number, link.text, link.hash, documents if place == 0 else {})
            for place, link in enumerate(links)
        ]
        kept = self.file.stat().st_size if self.file.exists() else 0
        with self.file.open("ab") as file:
            try:
                file.write(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                os.truncate(self.file, kept)  # half a line must not stand before the next one
                raise
        if not kept:  # the file is new, or was when an attempt before this one failed
            atomic.flush([self.file.parent])

    @property
    def is_empty(self) -> bool:
        return not self.file.exists()

    def empty_into(self, log: DecisionLog) -> int:
        """Bring what waits into the log, and return how much; Unavailable if it cannot take it yet."""
        lines = self._lines()
        if lines:
            told = {digest: Document(*message) for line in lines for digest, message in line.documents.items()}
            log.append([Link(line.number, line.text, line.hash) for line in lines], told)
        self.file.unlink(missing_ok=True)
        return len(lines)

    def _lines(self) -> list[_Line]:
        if not self.file.exists():
            return []
        whole = self.file.read_bytes().rpartition(b"\n")[0]
        return [msgspec.json.decode(line, type=_Line) for line in whole.split(b"\n") if line]
