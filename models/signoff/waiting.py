"""The text on the page of the registered model: which version decides, which wait, and for whom.

It is rewritten when that changes, and nobody signs it: a version's own card says only what stays true.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from models.ledger import Book, Case
from models.ledger.lifecycle import State
from models.names import MODEL

PURPOSE = "Which import declarations to inspect."
_MOST = 10  # versions; MLflow keeps 5,000 characters, and nobody reads more


def describe(book: Book, versions: Iterable[int], at: datetime) -> str:
    """Return Markdown; `versions` are those that MLflow has."""
    listed = sorted(versions, reverse=True)
    waiting = [number for number in listed if book.state(number, at) in (State.AWAITING, State.EXPIRED)]
    unopened = [number for number in listed if book.state(number, at) is State.CANDIDATE]
    return "\n".join([PURPOSE, "", *_deciding(book), "", *_waiting(book, waiting, at), *_unopened(unopened)]) + "\n"


def _deciding(book: Book) -> Iterator[str]:
    if book.champion is None:
        yield "**No version decides yet**: none has all its signatures."
        return
    before = f"; before it, {_link(book.previous)} did" if book.previous is not None else ""
    promoted_at = book.cases[book.champion].promoted_at
    since = f", since {promoted_at:%Y-%m-%d %H:%M} UTC" if promoted_at else ""
    yield f"**The champion, {_link(book.champion)}, decides**{since}{before}."


def _waiting(book: Book, waiting: list[int], at: datetime) -> Iterator[str]:
    if not waiting:
        yield "**No version waits for a signature.** A retraining that passes its gates registers the next one."
        return
    yield "**Waiting for signatures** (open a version, read its card, and sign as step 3 of the card says):"
    yield ""
    for number in waiting[:_MOST]:
        case = book.cases[number]
        behind = book.waits_behind(number, at)
        why = f"; it waits while people are signing {_link(behind)}" if behind else _runs_out(case, at)
        yield f"- {_link(number)}, made by {', '.join(case.authors)}: {_missing(case, at)}{why}"
    if len(waiting) > _MOST:
        yield f"- and {len(waiting) - _MOST} earlier ones"


def _missing(case: Case, at: datetime) -> str:
    missing = [(step, case.missing(step, at)) for step in case.steps]
    return "; ".join(
        f"{step.name} still needs {count} signature{'s' * (count > 1)} ({step.role})"
        for step, count in missing
        if count > 0
    )


def _runs_out(case: Case, at: datetime) -> str:
    ends = [signature.at + case.valid_for for signature in case.in_force(at)]
    return f"; what was signed runs out from {min(ends):%Y-%m-%d %H:%M} UTC" if ends else ""


def _unopened(unopened: list[int]) -> Iterator[str]:
    if unopened:
        yield ""
        yield (
            f"Not opened: {', '.join(map(_link, unopened[:_MOST]))}. The server judges a version within a minute; what "
            "it refuses is told in Prefect, in the last run of promote/reconcile."
        )


def _link(number: int) -> str:
    return f"[version {number}](#/models/{MODEL}/versions/{number})"
