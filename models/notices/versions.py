"""What the ledger of sign-off tells reviewers and authors: which versions wait, and what became of them."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from models.access import accounts
from models.ledger import Book, Case, Entry, LedgerError, chain, storage
from models.ledger.lifecycle import State
from models.notices.event import Event, Found, Pages, moment, plain
from models.policy import Signoff

SOON = timedelta(days=3)  # before signatures run out, or a quarter of their time if that is less
_NONE = "-"


class Versions:
    """Reads the versions of the ledger in a table, which is found whole by the public key, row by row.

    What an entry says is told once it is there. That a version waits, or that signatures run out, is found at each look
    under the same key.
    """

    def __init__(self, table: storage.Table, public_key: Ed25519PublicKey, policy: Signoff) -> None:
        self._table, self._public_key, self._policy = table, public_key, policy
        self._begin()

    def look(self, pages: Pages, cursor: str | None, now: datetime) -> Found:
        """Return what has happened after row `cursor`, and what waits; LedgerError if the ledger is broken."""
        try:
            self._follow(pages)
        except LedgerError:
            self._begin()
            raise
        # What is not above the row is told, or was there before anybody was told anything.
        self._happened = [] if cursor is None else [each for each in self._happened if each[0] > int(cursor)]
        told = [event for _, event in self._happened]
        waiting = [event for case in self._book.cases.values() for event in self._waiting(case, pages, now)]
        return Found([*told, *waiting], str(self._chain.head.number))

    def _begin(self) -> None:
        self._chain, self._book = chain.Chain(self._public_key), Book(self._policy)
        self._happened: list[tuple[int, Event]] = []
        self._began: dict[int, int] = {}  # the row from which on each version waits for the step that it waits for

    def _follow(self, pages: Pages) -> None:
        rows = self._table.rows(self._chain.head.number)
        for row, entry in zip(rows, self._chain.extend(rows), strict=True):
            for event in self._apply(row.number, entry, pages):
                self._happened.append((row.number, event))

    def _apply(self, row: int, entry: Entry, pages: Pages) -> Iterator[Event]:
        """Take an entry in; yield what its authors are told."""
        if not entry.is_accepted or entry.version is None:
            self._book.apply(entry)
            return
        before, reigns = self._book.cases.get(entry.version), list(self._book.reigns)
        awaited = before.awaited(entry.at) if before else None
        self._book.apply(entry)
        case = self._book.cases.get(entry.version)
        if case is None:
            return
        match entry.action:
            case "open" | "approve" | "revoke":
                if entry.action == "revoke" or case.awaited(entry.at) != awaited:
                    self._began[case.version] = row
            case "reject":
                facts = {"by": entry.actor, "step": entry.step or _NONE, "why": plain(entry.reason)}
                yield _to_authors("refused", row, case, entry.at, pages, facts)
            case "void":
                yield _to_authors("void", row, case, entry.at, pages, {})
            case "promote":
                yield _to_authors("promoted", row, case, entry.at, pages, {})
            case "roll back":
                facts = {"by": entry.actor, "why": plain(entry.reason), "now": str(case.version)}
                for version in reigns[reigns.index(case.version) + 1 :]:
                    yield _to_authors("taken-back", row, self._book.cases[version], entry.at, pages, facts)

    def _waiting(self, case: Case, pages: Pages, now: datetime) -> Iterator[Event]:
        """Yield what those are told whose signature is missing."""
        state, step = self._book.state(case.version, now), case.awaited(now)
        if state not in (State.AWAITING, State.EXPIRED) or step is None:
            return
        if self._book.waits_behind(case.version, now):
            return  # nobody can sign it yet, and they are told once somebody can
        signed = case.in_force(now)
        ends = min((signature.at + case.valid_for for signature in signed), default=None)
        facts = {
            "version": str(case.version),
            "authors": _names(case.authors),
            "step": step.name,
            "role": step.role,
            "missing": str(case.missing(step, now)),
            "signed": _names([signature.user for signature in signed]),
            "ends": moment(ends) if ends else _NONE,
        }

        def event(kind: str, key: str, at: datetime) -> Event:
            but = (*case.authors, *(signature.user for signature in signed))
            key = f"{kind}/{case.version}/{key}"
            return Event(kind, key, at, pages.version(case.version), facts, role=step.role, but=but)

        if state is State.EXPIRED:
            out = [signature for signature in case.approvals if signature not in signed]
            ended = max(signature.at for signature in out) + case.valid_for
            yield event("ran-out", ended.isoformat(), ended)
        else:
            yield event("waits", f"{self._began[case.version]}", now)
        if ends and ends - now <= min(SOON, case.valid_for / 4):
            yield event("runs-out", ends.isoformat(), now)


def _to_authors(kind: str, row: int, case: Case, at: datetime, pages: Pages, facts: dict[str, str]) -> Event:
    said = {"version": str(case.version), "authors": _names(case.authors), **facts}
    link, key = pages.version(case.version), f"{kind}/{case.version}/{row}"
    # What the authors' role shares is told too: the author of a night is no account.
    return Event(kind, key, at, link, said, role=accounts.DATA_SCIENTIST, accounts=case.authors)


def _names(names: tuple[str, ...] | list[str]) -> str:
    """Return names on one line; those of authors may be typed by hand."""
    return ", ".join(plain(name) for name in names) or _NONE
