"""What an installation says of a version, read once and verified, with the files that papers cite.

Its evidence, the ledger's rows, what monitoring has seen, and what window and desk have kept. A file of a paper is
named as it lies in the folder of sources beside it:

    evidence/...       files of the version's evidence, by which its digest was signed
    ledger.jsonl       the ledger's rows about versions, each with its hash and its signature
    monitoring.json    the reports of the nights about this version
    window.json        how far the window's log of decisions has come
    desk.json          the desk's figures; no names of officers, and no words of theirs
    dossier.toml       what people have answered
    retention.toml     the rules of retention
    software/...       the installed code
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

import msgspec

from models.decisions import DecisionLog
from models.desk import Desk
from models.disclosure.answers import FILE, Answers
from models.disclosure.work import Work, work_of
from models.dossier import Dossier
from models.evidence import Manifest, manifest, source_code
from models.ledger import Book, Case, Entry, Keys, chain, reading
from models.places import Places
from models.policy import Policy
from models.policy import load as load_policy
from models.registry import Monitored
from models.retention import FILE as RULES
from models.retention import Rules
from models.signoff import champion
from models.workspace import incumbents

SOFTWARE, EVIDENCE = "software/", "evidence/"
LEDGER, MONITORING, WINDOW, DESK = "ledger.jsonl", "monitoring.json", "window.json", "desk.json"
_INSTALLED = Path(__file__).resolve().parents[2]


class Decided(msgspec.Struct, frozen=True):
    """Says how far the window's log has come: its decisions, the hash of the last, and the days from first to last."""

    decisions: int
    hash: str
    first_day: str
    last_day: str


@dataclass(frozen=True)
class Span:
    """A stretch of time that a paper is about, from `since` to before `until`; both have a zone."""

    name: str
    since: datetime
    until: datetime

    def __contains__(self, at: datetime) -> bool:
        return self.since <= at < self.until


@dataclass(frozen=True)
class Material:
    """Holds what papers about a version are made from. None, or nothing, stands for what there is no record of."""

    version: int
    at: datetime
    dossier: Dossier
    manifest: Manifest
    entries: Sequence[Entry]
    book: Book
    monitored: Sequence[Monitored]
    decided: Decided | None
    work: Work | None
    answers: Answers
    rules: Rules
    files: Mapping[str, bytes]
    span: Span | None = None

    @cached_property
    def policy(self) -> Policy:
        """Return the policy that was signed with the version."""
        return self.dossier.in_force()

    @property
    def case(self) -> Case | None:
        """Return what the ledger says of the version; None if it was never opened for signatures."""
        return self.book.cases.get(self.version)

    @property
    def is_simulated(self) -> bool:
        return self.dossier.judged.about.source == "simulator"

    def content(self, name: str) -> bytes:
        """Return the content of a file that a statement names; FileNotFoundError if there is none."""
        if name in self.files:
            return self.files[name]
        return (_INSTALLED / name.removeprefix(SOFTWARE)).read_bytes()

    def has(self, name: str) -> bool:
        """Whether there is a file of this name."""
        return name in self.files or (_INSTALLED / name.removeprefix(SOFTWARE)).is_file()

    @cached_property
    def is_code_the_same(self) -> bool:
        """Whether the installed code is the one that made the version."""
        return source_code.source_digest() == self.manifest.code.source_sha256


def gather(
    places: Places,
    version: int,
    at: datetime,
    scratch: Path,
    answers: Path,
    log: DecisionLog | None,
    desk: Desk | None,
    span: Span | None = None,
) -> Material:
    """Return what the installation says of a version at a moment; the evidence is copied into `scratch`.

    `answers` is the file of people's answers; without a window there is no `log`, and without a desk no `desk`.
    With a `span`, the ledger's rows, the looks of monitoring and the desk's figures are those of that time.
    MlflowException if there is no such version, LedgerError if the ledger is not whole, ValueError if the evidence is
    not what was signed or the file of answers is not allowed.
    """
    told, rules = Answers.read(answers), Rules.read(places.state / RULES)
    registry = incumbents.registry_of(places)
    rows, entries, book = _ledger(places)
    registered = registry.version(str(version))
    if version in book.cases:
        champion.fetch_signed(registry, book.cases[version], scratch)
    else:
        registry.fetch_evidence(registered, scratch)
    stated = manifest.read((scratch / manifest.MANIFEST_FILE).read_bytes())
    monitored = registry.monitored(str(version) if span is None else None)
    if span:
        monitored = [each for each in monitored if each.at in span]
        within = [(row, entry) for row, entry in zip(rows, entries, strict=True) if entry.at in span]
        rows, entries = [row for row, _ in within], [entry for _, entry in within]
    decided = _decided(log) if log else None
    work = work_of(desk, *((span.since, span.until) if span else ())) if desk else None
    files = {
        f"{EVIDENCE}{manifest.MANIFEST_FILE}": (scratch / manifest.MANIFEST_FILE).read_bytes(),
        **{f"{EVIDENCE}{name}": (scratch / name).read_bytes() for name in stated.files},
    }
    if rows:
        files[LEDGER] = "".join(f"{row.model_dump_json()}\n" for row in rows).encode()
    if monitored:
        files[MONITORING] = _json(monitored)
    if decided:
        files[WINDOW] = _json(decided)
    if work:
        files[DESK] = _json(work)
    if rules.days:
        files[RULES] = (places.state / RULES).read_bytes()
    if told.written:
        files[FILE] = told.written
    return Material(
        version=version,
        at=at,
        dossier=Dossier.read(scratch),
        manifest=stated,
        entries=entries,
        book=book,
        monitored=monitored,
        decided=decided,
        work=work,
        answers=told,
        rules=rules,
        files=files,
        span=span,
    )


def _ledger(places: Places) -> tuple[list[chain.Row], list[Entry], Book]:
    """Return the ledger's rows and entries that are about versions, and what the whole ledger amounts to."""
    keys, policy = Keys(places.signoff), load_policy().signoff
    if not keys.exist():  # no sign-off server was ever started, so nothing was ever signed
        return [], [], Book(policy)
    noted = chain.Head.model_validate_json(keys.head_file.read_bytes())
    rows = reading.rows(places.tracking_uri)
    chain.check_head(rows, noted)
    book = reading.replay(rows, keys.public_key, policy)
    about = [(row, entry) for row in rows if (entry := Entry.model_validate_json(row.entry)).version is not None]
    return [row for row, _ in about], [entry for _, entry in about], book


def _decided(log: DecisionLog) -> Decided | None:
    head, days = log.head(), log.days()
    if not head.number or not days:
        return None
    return Decided(head.number, head.hash, days[0][0].isoformat(), days[-1][0].isoformat())


def _json(value: object) -> bytes:
    return (json.dumps(msgspec.to_builtins(value), indent=1) + "\n").encode()
