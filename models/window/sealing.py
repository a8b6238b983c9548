"""The seal on decisions: each hour, number and hash of the last one go into the ledger of sign-off.

From then on nobody can rewrite, leave out or add a decision before it without the ledger showing it.
"""

from collections.abc import Iterable

from models.decisions import BrokenChain, DecisionLog, Head
from models.ledger import Entry, storage
from models.names import SERVER

EVERY_S = 3600.0


def seal(log: DecisionLog, ledger: storage.Followed, last: Head) -> Head:
    """Seal the log as far as it has come, unless `last` was that far, and return the head that is sealed now.

    Unavailable if the log does not answer; NotSigned or LedgerError if the ledger cannot take it.
    """
    head = log.head()
    if head != last:
        entry = Entry(at=storage.now(), actor=SERVER, action="decisions", digest=head.hash, reason=str(head.number))
        with ledger.writing() as writer:
            writer.append(entry)
    return head


def verified(log: DecisionLog, entries: Iterable[Entry]) -> Head:
    """Return the head of a log that is whole and has all that the seals among `entries` say; BrokenChain if not."""
    last = Head()
    for entry in entries:
        if entry.action == "decisions" and entry.is_accepted:
            last = log.verify(last, int(entry.reason))
            if last.hash != entry.digest:
                raise BrokenChain(f"decision {last.number} is not what was sealed on {entry.at:%Y-%m-%d %H:%M}")
    return log.verify(last)
